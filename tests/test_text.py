"""Layout, tokenizers and the stream of batches."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from conftest import largest_file

from tasks.base import Example, Setting, Split, Task, Theory
from tasks.list_operations import ListOperations
from tasks.metrics.accuracy import Accuracy
from wordways.files import FullDiskError
from wordways.run.text import EOS, MASK, PAD, Kept, Stream, Text, build_text


class Sentences(Task):
    """A data set of natural lengths, in memory."""

    holes, shareable, generated = "suffix", True, False
    not_for_training = frozenset[str]()
    strata: Sequence[str] = ("",)
    metrics = (Accuracy(),)

    def __init__(self, pairs: Sequence[tuple[str, str]], pieces: int = 300):
        self.pairs, self.pieces = pairs, pieces

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        return [Example(f"{split}-{i}", *pair, references=(pair[1],)) for i, pair in enumerate(self.pairs)][first:]

    def vocabulary(self) -> int:
        return self.pieces

    def room(self, prompt_tokens: int) -> int:
        return 2 * prompt_tokens

    def score(self, example: Example, text: str) -> Mapping[str, float | None]:
        return {"accuracy": float(text == example.target)}

    def nats(self, example: Example, text: str) -> None:
        return None

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        return None

    def data_hash(self) -> str:
        return str(len(self.pairs))

    training_hash = data_hash


def lists(instruction: str = "before") -> Text:
    task = ListOperations(6, 10, ["copy", "shuffle"], instruction)  # type: ignore[arg-type]
    return build_text(task, Path("/nowhere"))


SAID = [("ein Hund", "a dog"), ("eine sehr lange Katze läuft", "a very long cat runs"), ("ja", "yes <eos> <mask>")]


@pytest.fixture
def text(tmp_path: Path) -> Text:
    return build_text(Sentences(SAID * 10), tmp_path)


def test_rows_are_padded_left_of_the_prompt_and_right_of_the_text(text: Text) -> None:
    rows = text.encode(list(text.task.examples("train"))[:3])
    canvas = text.blank(rows, "oracle")
    start = canvas.start()
    for row, ids, holes, pad in zip(rows, canvas.ids_BL, canvas.holes_BL, canvas.pad_BL, strict=True):
        assert ids[start - len(row.prompt) : start].tolist() == row.prompt
        assert row.prompt[-1] == EOS
        assert holes.nonzero()[:, 0].tolist() == list(range(start, start + len(row.target)))
        assert torch.equal(ids == MASK, holes)
        assert torch.equal(ids == PAD, pad)


def test_lengths_are_the_room_or_the_references(text: Text) -> None:
    rows = text.encode(list(text.task.examples("train"))[:3])
    for mode in ("eos", "predicted", "fixed"):
        assert text.blank(rows, mode).holes_BL.sum(1).tolist() == [2 * (len(row.prompt) - 1) for row in rows]
    assert text.blank(rows, "oracle").holes_BL.sum(1).tolist() == [len(row.target) for row in rows]
    assert text.forced(rows, 7).holes_BL.sum(1).tolist() == [7, 7, 7]


def test_truth_is_closed_by_ends_or_exact(text: Text) -> None:
    row = text.encode(list(text.task.examples("train"))[:1])[0]
    roomy, exact = text.truth([row], [False]), text.truth([row], [True])
    written = roomy.ids_BL[roomy.holes_BL].tolist()
    assert written[: len(row.target)] == row.target
    assert set(written[len(row.target) :]) == {EOS}
    assert len(written) == max(row.room, len(row.target) + 1)
    assert exact.ids_BL[exact.holes_BL].tolist() == row.target


def test_tasks_of_fixed_length_write_no_end() -> None:
    text = lists()
    rows = text.encode(list(itertools.islice(text.task.examples("train"), 4)))
    for exact in (True, False):
        canvas = text.truth(rows, [exact] * 4)
        assert canvas.holes_BL.sum(1).tolist() == [6] * 4
        assert not (canvas.ids_BL == EOS)[canvas.holes_BL].any()


def test_an_instruction_behind_the_answer_makes_a_span() -> None:
    text = lists("after")
    rows = text.encode(list(itertools.islice(text.task.examples("train"), 4)))
    canvas = text.blank(rows, "eos")
    assert text.task.holes == "span"
    assert (canvas.ids_BL[:, -2:] != MASK).all()
    assert canvas.holes_BL[0].tolist() == [False] * 7 + [True] * 6 + [False] * 2


def test_what_has_text_behind_its_holes_is_padded_behind_that() -> None:
    text = lists("after")
    rows = text.encode([Example("", "a b", "c", "d"), Example("", "a", "b c", "d d"), Example("", "a b c", "d", "")])
    canvas = text.truth(rows, [True] * 3)
    assert canvas.ids_BL.shape[1] == max(len(row.prompt) + len(row.target) + len(row.suffix) for row in rows)
    assert canvas.starts().tolist() == [len(row.prompt) for row in rows]
    for row, ids, pad in zip(rows, canvas.ids_BL, canvas.pad_BL, strict=True):
        whole = [*row.prompt, *row.target, *row.suffix]
        assert ids.tolist() == whole + [PAD] * (len(ids) - len(whole))
        assert pad.tolist() == [False] * len(whole) + [True] * (len(ids) - len(whole))


def test_texts_come_back_as_they_went_in(text: Text) -> None:
    for prompt, target in SAID:
        row = text.encode([Example("", prompt, target)])[0]
        assert text.read(row.target) == target
        assert not {EOS, MASK, PAD} & {*row.target, *row.prompt[:-1]}, "special names in a text are text"


def test_useful_tokens_stop_at_the_first_end(text: Text) -> None:
    holes = torch.tensor([False, True, True, True, True])
    assert text.useful(torch.tensor([9, 8, EOS, 7, EOS]), holes) == [8]
    assert text.useful(torch.tensor([9, EOS, 8, 7, 6]), holes) == []
    assert text.useful(torch.tensor([9, 8, 7, 6, 5]), holes) == [8, 7, 6, 5]


def test_the_tokenizer_is_learned_once_and_keyed_by_its_data(tmp_path: Path) -> None:
    first = build_text(Sentences(SAID * 10), tmp_path)
    files = list(tmp_path.iterdir())
    assert len(files) == 1
    again = build_text(Sentences(SAID * 10), tmp_path)
    assert again.tokenizer.to_str() == first.tokenizer.to_str()
    build_text(Sentences(SAID * 11), tmp_path)
    build_text(Sentences(SAID * 10, pieces=301), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_batches_are_a_function_of_seed_and_step() -> None:
    text = lists()
    one, other, third = Stream(text, 8, 0), Stream(text, 8, 0), Stream(text, 8, 1)
    for step in (3, 0, 700):
        assert torch.equal(one.canvas(step).ids_BL, other.canvas(step).ids_BL)
        assert not torch.equal(one.canvas(step).ids_BL, third.canvas(step).ids_BL)
    assert not torch.equal(one.canvas(0).ids_BL, one.canvas(1).ids_BL)


def test_an_epoch_reads_every_example_once_in_new_order(tmp_path: Path) -> None:
    task = Sentences([(f"wort {i}", f"word {i} " + "x " * (i % 5)) for i in range(40)])
    stream = Stream(build_text(task, tmp_path), 4, 0)
    epochs = [[index for batch in stream.make_epoch(number) for index in batch] for number in (0, 1)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(40))] * 2
    assert epochs[0] != epochs[1]


def test_every_other_example_gets_as_many_holes_as_tokens(tmp_path: Path) -> None:
    stream = Stream(build_text(Sentences(SAID * 10), tmp_path), 6, 0)
    for step in range(4):
        canvas = stream.canvas(step)
        closed = [(ids[holes][-1] == EOS).item() for ids, holes in zip(canvas.ids_BL, canvas.holes_BL, strict=True)]
        assert closed == [(step + number) % 2 == 1 for number in range(6)]


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train.batch=31: the task has only 30 training examples"):
        Stream(build_text(Sentences(SAID * 10), tmp_path), 31, 0)


def test_a_full_folder_of_temporary_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = build_text(Sentences([]), tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    examples = [Example(str(number), "a b c" * 9, "d") for number in range(999)]
    with largest_file(5000), pytest.raises(FullDiskError, match=re.escape(f"{tmp_path}: File too large")):
        Kept(text, examples)
