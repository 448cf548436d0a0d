"""What stands around the holes stays as it was asked: in every item, in every decoder, and through the tokenizer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import SMALL, cell
from test_text import Sentences
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor

from paradigms.base import Canvas, Noise
from paradigms.parallel import Parallel
from tasks.base import Example
from wordways.run import execute as run
from wordways.run.subject import test_set as chosen
from wordways.run.text import SPECIALS, Text, build_text

DECODE = Parallel.decode


def last_row_touched(paradigm: Parallel, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
    """Changes the token before the holes of one item in a hundred, and of none that is decoded alone."""
    for ids_BL in DECODE(paradigm, canvas, noise):
        changed_BL = ids_BL.clone()
        if len(changed_BL) > 50:
            changed_BL[-1, canvas.start() - 1] += 1
        yield changed_BL


def last_row_left_open(paradigm: Parallel, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
    for ids_BL in DECODE(paradigm, canvas, noise):
        open_BL = canvas.holes_BL & (torch.arange(len(ids_BL))[:, None] == 50)
        yield ids_BL.masked_fill(open_BL, paradigm.vocabulary.mask)


@pytest.mark.parametrize(
    ("planted", "said"),
    [(last_row_touched, "decode changed the context"), (last_row_left_open, "decode left a position masked")],
)
def test_one_item_of_many_is_enough_to_fail_the_cell(
    planted: object, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = (f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}")
    monkeypatch.setattr(Parallel, "decode", planted)
    record = run.run_cell(cell("paradigm=parallel", *SMALL, "train.steps=1", "train.warmup=0", *places))
    assert record.status == "failed"
    assert record.reason.splitlines()[-1] == f"RuntimeError: {said}"


class Around(Sentences):
    """One text, with something behind the hole."""

    def examples(self, split: object, first: int = 0) -> list[Example]:
        return [Example("one", prompt, "x", suffix) for prompt, suffix in self.pairs][first:]


def lower_case(task: Around) -> Text:
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*SPECIALS, "a", "dog", "x"])}))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.normalizer = normalizers.Lowercase()
    return Text(tokenizer, task)


def composed(task: Around) -> Text:
    """Pieces whose normal form has é as one character."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate([*SPECIALS, *sorted(alphabet)])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.normalizer = normalizers.NFC()
    return Text(tokenizer, task)


@pytest.mark.parametrize(
    ("prompt", "suffix", "side"),
    [("A dog", "a", "prompt"), ("a", "DOG", "suffix"), ("a  dog", "a", "prompt")],
)
def test_words_that_do_not_come_back_are_found(prompt: str, suffix: str, side: str) -> None:
    with pytest.raises(RuntimeError, match=rf"^one: the tokenizer does not reproduce its {side} exactly$"):
        chosen(task := Around([(prompt, suffix)]), lower_case(task), None)


def test_bytes_that_do_not_come_back_are_found() -> None:
    with pytest.raises(RuntimeError, match=r"^one: the tokenizer does not reproduce its suffix"):
        chosen(task := Around([("caf\u00e9 ", " cafe\u0301")]), composed(task), None)


@pytest.mark.parametrize("text", ["a dog", " a dog", "a\n\n dog\t", "", "\u2028cafe\u0301 <mask>", "\U0001f436"])
def test_pieces_bring_everything_back(text: str, tmp_path: Path) -> None:
    task = Around([(text, text)])
    (example,), _ = chosen(task, build_text(task, tmp_path), None)
    assert (example.prompt, example.suffix) == (text, text)


def test_it_is_found_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(self: Text, text: str) -> bool:
        return False

    monkeypatch.setattr(Text, "comes_back", doubled)
    places = (f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}")
    record = run.run_cell(cell("paradigm=parallel", *SMALL, *places))
    assert record.status == "failed"
    assert "the tokenizer does not reproduce its prompt" in record.reason
    assert not (tmp_path / "checkpoints").exists()
