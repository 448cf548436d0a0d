"""Damaged checkpoints: whatever happens to their files, a training ends with the weights of an undamaged one."""

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CPU, SMALL, cell
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from wordways.record import write_record
from wordways.run.execute import score_cell
from wordways.run.sealed import DamagedError, read_sealed, read_tensors, sound, write_sealed, write_tensors
from wordways.run.text import Stream, Text, build_text, read_tokenizer
from wordways.run.train import TrainLog, fit
from wordways.run.training import validation_set

TINY = ("backbone.layers=1", "backbone.width=16", "backbone.heads=2", "backbone.hidden=24")
STEPS, SAVED = 3, 2  # steps of the training, and those after which another one is interrupted
KEY = "0123456789abcdef"  # the folder's name


class PulledPlugError(Exception):
    pass


@cache
def parts() -> tuple[Any, Text, Stream, list]:
    small = cell("task.n=3", "task.alphabet=8", f"train.steps={STEPS}", "train.batch=4", *TINY)
    text = build_text(small.task, Path())
    return small, text, Stream(text, 4, 0), validation_set(text, CPU)[:1]


def train(folder: Path, stop_at: int = STEPS + 1, seed: int = 0) -> tuple[dict[str, Tensor], TrainLog, int]:
    """The weights in the end, the log, and the number of steps that were made."""
    small, text, stream, valid = parts()
    paradigm = small.paradigm(text.vocabulary)
    paradigm.initialise(torch.Generator().manual_seed(seed))
    made: list[int] = []

    def advance(count: int) -> None:
        made.append(count)
        if sum(made) >= stop_at:
            raise PulledPlugError

    log = fit(paradigm, stream, valid, small.train, seed, folder, advance)
    return dict(paradigm.named_parameters()), log, sum(made[1:])


@cache
def undamaged() -> tuple[dict[str, Tensor], TrainLog]:
    return train(kept() / "finished" / KEY)[:2]


@cache
def kept() -> Path:
    """The folder of two checkpoints, one finished and one interrupted."""
    home = Path(tempfile.mkdtemp())
    train(home / "finished" / KEY)
    with suppress(PulledPlugError):
        train(home / "interrupted" / KEY, stop_at=SAVED + 1)
    return home


FILES = {
    "finished": ["best.safetensors", "last.safetensors", "log.json"],
    "interrupted": ["best.safetensors", "last.safetensors", "state.safetensors"],
}
PLACES = [(state, name) for state, names in FILES.items() for name in names]
Harm = Callable[[bytes], bytes]


def cut(content: bytes, at: int) -> bytes:
    return content[: at % len(content)]


def flipped(content: bytes, at: int, bit: int) -> bytes:
    """Half of all places are in the first 1,000 bytes, where names, shapes and checksum are."""
    at = (at // 2) % (min(1000, len(content)) if at % 2 else len(content))
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


HARMS = st.one_of(
    st.integers(0, 10**6).map(lambda at: partial(cut, at=at)),
    st.tuples(st.integers(0, 10**6), st.integers(0, 7)).map(lambda one: partial(flipped, at=one[0], bit=one[1])),
    st.binary(max_size=99).map(lambda garbage: lambda _: garbage),
    st.sampled_from([b"{}", b"[]", b"null", b"[" * 9999, b'{"seal":"sha256:"}']).map(lambda json: lambda _: json),
)


@settings(max_examples=30, deadline=None)
@given(place=st.sampled_from(PLACES), harm=HARMS)
def test_a_damaged_training_ends_like_an_undamaged_one(place: tuple[str, str], harm: Harm) -> None:
    state, name = place
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / KEY
        shutil.copytree(kept() / state / KEY, folder)
        path = folder / name
        path.write_bytes(harm(whole := path.read_bytes()))
        harmed = path.read_bytes()
        same_weights(folder)
        aside = [found for found in folder.iterdir() if ".damaged-" in found.name]
        assert [found.read_bytes() for found in aside] in ([], [harmed]), "kept as it was found"
        assert aside or harmed == whole or name == "last.safetensors" or unsealed(harmed)
        assert train(folder)[2] == 0, "it is finished then"


def unsealed(content: bytes) -> bool:
    """Whether a flipped bit made one of the three words unreadable that show that a file has a checksum."""
    return not all(word in content for word in (b'wordways":', b'seal\\":')) and not all(
        word in content for word in (b'"seal":', b'"training":')
    )


def same_weights(folder: Path) -> None:
    expected, expected_log = undamaged()
    weights, log, _ = train(folder)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert log.curve == expected_log.curve
    assert log.best_step == expected_log.best_step


def folder_of(tmp_path: Path, state: str) -> Path:
    return Path(shutil.copytree(kept() / state / KEY, tmp_path / KEY))


@pytest.mark.parametrize(("state", "name"), [place for place in PLACES if place[1] != "last.safetensors"])
def test_a_missing_file_is_made_again(state: str, name: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, state)
    (folder / name).unlink()
    same_weights(folder)
    assert not list(folder.glob("*.damaged*"))


def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, "interrupted")
    for number in (1, 2):
        (folder / "state.safetensors").write_bytes(b"garbage")
        with suppress(PulledPlugError):
            train(folder, stop_at=SAVED + 1)
        line = capsys.readouterr().err
        assert line.startswith(f"wordways: {folder / 'state.safetensors'}: it is damaged (")
        assert line.endswith(f"; it is now state.safetensors.damaged-{number}, and what it held is made again\n")
        assert line.count("\n") == 1
    assert len(list(folder.glob("*.damaged-*"))) == 2, "none is overwritten"


@pytest.mark.parametrize("name", ["best.safetensors", "log.json"])
def test_files_of_another_training_are_not_taken(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same shapes, from another seed."""
    folder = folder_of(tmp_path, "finished")
    train(tmp_path / "another", seed=1)
    shutil.copy(tmp_path / "another" / name, folder / name)
    same_weights(folder)
    assert f"{name}: it belongs to another training, another; it is now {name}.damaged-1" in capsys.readouterr().err


def without_seals(folder: Path) -> None:
    """As they were written before."""
    for path in folder.glob("*.safetensors"):
        _, fields = read_tensors(path, KEY)
        log = {name: value for name, value in fields.items() if name not in ("training", "seal")}
        save_file(load_file(path), path, {"log": json.dumps(log)} if log else None)
    for path in folder.glob("log.json"):
        fields = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({n: fields[n] for n in fields.keys() - {"training", "seal"}}), encoding="utf-8")


@pytest.mark.parametrize(("state", "steps"), [("finished", 0), ("interrupted", STEPS - SAVED)])
def test_checkpoints_from_before_there_were_checksums_are_read(state: str, steps: int, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, state)
    without_seals(folder)
    assert train(folder)[2] == steps
    same_weights(folder)
    assert not list(folder.glob("*.damaged*"))


def test_a_cell_that_failed_is_measured_in_spite_of_a_damaged_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("paradigm=parallel", *SMALL, *TINY, f"checkpoints={tmp_path / 'c'}", f"results={tmp_path}")
    first = score_cell(cell(*arguments))
    write_record(tmp_path, replace(first, status="failed", scores={}))
    (path,) = (tmp_path / "c").glob("*/best.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    second = score_cell(cell(*arguments, "overwrite=failed"))
    assert (first.status, first.scores, first.likelihood) == ("ok", second.scores, second.likelihood)
    assert capsys.readouterr().err.count("\n") == 1


@settings(max_examples=60, deadline=None)
@given(harm=HARMS)
def test_other_files_of_a_training_are_read_whole_or_not_at_all(harm: Harm) -> None:
    """Texts of a teacher, and a tokenizer."""
    with tempfile.TemporaryDirectory() as home:
        texts, tokenizer = Path(home) / "texts.json", Path(home) / "tokenizer-1.json"
        fields = {"texts": ["sha256:" + 64 * "0", "é"], "flops": 3}
        write_sealed(texts, KEY, fields)
        _, text, _, _ = parts()
        plain = text.tokenizer.to_str()
        write_sealed(tokenizer, "tokenizer-1", {"tokenizer": json.loads(plain)})
        assert read_sealed(texts, KEY, dict) == fields
        assert read_tokenizer(tokenizer).to_str() == plain
        for path in (texts, tokenizer):
            path.write_bytes(harm(path.read_bytes()))
        read = {"training": None, "seal": None} | (sound(texts, lambda path: read_sealed(path, KEY, dict)) or fields)
        found = sound(tokenizer, read_tokenizer)
        if texts.exists() and not unsealed(texts.read_bytes()):
            assert {name: read[name] for name in fields} == fields
        if found is not None and not unsealed(tokenizer.read_bytes()):
            assert found.to_str() == plain


def test_what_is_no_file_is_set_aside_too(tmp_path: Path) -> None:
    (tmp_path / "log.json").mkdir()
    assert sound(tmp_path / "log.json", lambda path: read_sealed(path, KEY, TrainLog)) is None
    assert (tmp_path / "log.json.damaged-1").is_dir()
    assert sound(tmp_path / "log.json", lambda path: read_sealed(path, KEY, TrainLog)) is None
    with pytest.raises(DamagedError, match="missing"):
        read_tensors(tmp_path / "best.safetensors", KEY)


def test_equal_tensors_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tensors(tmp_path / name, KEY, {"w": torch.ones(3), "v": torch.zeros(2)}, {"steps": 3})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
