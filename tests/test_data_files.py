"""Files of text: whatever is in a line comes back, nothing is guessed, and every task reads every form of its files."""

import codecs
import csv
import functools
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmarks
import pytest
import test_real_text as real
from conftest import CONF
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tasks.base import Task
from tasks.files import POINTERS, Kind, read_file
from wordways.run.check import untitled
from wordways.settings import build

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LINE = ANY.map(lambda text: text.replace("\n", "").rstrip("\r"))
GUESSED = st.sampled_from(["nan", "NaN", "NA", "null", "None", "true", "1", "1e3", "2020-01-01", "", " "])
ODD = GUESSED | st.sampled_from(["a\x0b", "\x0cb", "a\x85b", "\u2028", "a\u2029", "\x1c\x1d\x1e", "a\rb", "\ra", "\0"])
few = settings(max_examples=40, deadline=None)


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import datasets.config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "file"


def table(kind: Kind, path: Path, content: bytes, columns: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """What the product reads of these bytes, by column."""
    path.write_bytes(content)
    found = read_file(kind, "data", path, columns)
    return {name: found[name][:] for name in found.column_names}


@given(st.lists(LINE | ODD, min_size=1), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
@few
def test_lines_come_back(place: Path, texts: list[str], end: str, bom: bool, packed: bool) -> None:
    r"""They end at "\n" and "\r\n" alone, as many as `wc -l` counts."""
    content = "".join(text + end for text in texts).encode()
    if content.startswith(codecs.BOM_UTF8) or bom:
        content = codecs.BOM_UTF8 + content
    found = table("text", place, gzip.compress(content, mtime=0) if packed else content)
    assert found == {"text": texts}
    assert content.count(b"\n") == len(texts)


@given(st.lists(st.tuples(ANY | ODD, ANY | ODD), min_size=1), st.sampled_from(["\n", "\r\n"]), st.booleans())
@few
def test_values_of_a_csv_come_back(place: Path, rows: list[tuple[str, str]], end: str, bom: bool) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("mr", "nan"), *rows])
    found = table("csv", place, codecs.BOM_UTF8 * bom + file.getvalue().encode())
    assert list(zip(found["mr"], found["nan"], strict=True)) == rows


@given(st.lists(st.tuples(ANY | ODD, st.lists(ANY | ODD)), min_size=1), st.booleans(), st.booleans())
@few
def test_values_of_json_lines_come_back(place: Path, rows: list[tuple[str, list[str]]], ascii: bool, bom: bool) -> None:
    lines = [json.dumps({"null": text, "more": {}, "texts": texts}, ensure_ascii=ascii) for text, texts in rows]
    found = table("json", place, codecs.BOM_UTF8 * bom + "\n".join(lines).encode(), ("texts", "null"))
    assert list(zip(found["null"], found["texts"], strict=True)) == rows


def test_a_large_file_is_converted_in_pieces(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.files.PIECE", 20)
    texts = [f"line {number}" for number in range(100)]
    assert table("text", place, "\n".join(texts).encode()) == {"text": texts}
    assert len(read_file("text", "data", place).data.column("text").chunks) > 10


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        (b'{"a": "b"}\n{"a": ["b"]}\n', ("a",), "cannot be read (a of line 2 is no text)"),
        (b'{"a": ["b"]}\n{"a": "bc"}\n', ("a",), "cannot be read (a of line 2 is no list of texts)"),
        (b'{"a": ["b", null]}\n', ("a",), "cannot be read (a of line 1 is no list of texts)"),
        (b"\n[1]\n", ("a",), "cannot be read (line 2 is no JSON object)"),
        (b'{"a": "b"}\n{"a":\n', ("a",), "cannot be read (line 2 is not JSON: Expecting value at character 6)"),
        (b'{"a": "\\ud800"}\n', ("a",), "cannot be read ('utf-8' codec can't encode"),
    ],
)
def test_what_is_no_text_in_json_is_said(place: Path, content: bytes, columns: tuple[str, ...], said: str) -> None:
    place.write_bytes(content)
    with pytest.raises(ValueError, match=r"^data=") as refused:
        read_file("json", "data", place, columns)
    assert str(refused.value).startswith(f"data={place}: {said}")
    assert sorted(path.name for path in place.parent.iterdir()) == [place.name]


def test_a_failed_conversion_leaves_nothing(place: Path) -> None:
    import datasets.config

    kept = Path(datasets.config.HF_DATASETS_CACHE) / "wordways"
    before = set(kept.iterdir()) if kept.is_dir() else set()
    place.write_bytes(b"one\ntwo\xff\n")
    with pytest.raises(ValueError, match=r"cannot be read \(line 2 is not UTF-8: invalid start byte at byte 3\)$"):
        read_file("text", "data", place)
    assert set(kept.iterdir()) == before


NAMES = sorted(real.MADE | benchmarks.MADE)
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "byte-order mark": lambda content: codecs.BOM_UTF8 + content,
    "carriage returns": lambda content: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "byte-order mark and carriage returns": lambda content: codecs.BOM_UTF8 + content.replace(b"\n", b"\r\n"),
}


def test_every_task_on_files_is_tried() -> None:
    assert set(NAMES) == {*real.TASKS, *benchmarks.UNTRAINED}


@functools.cache
def node_of(name: str) -> dict[str, Any]:
    """The settings of a task, as its preset and the smaller sizes of the tests have them."""
    more = [benchmarks.ALLOWED] if name.startswith("humaneval") else real.SMALLER.get(name.removesuffix("_fim"), [])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return untitled(OmegaConf.to_container(compose("config", [f"task={name}", *more]).task, resolve=True))


def built(name: str, data: Path) -> Any:
    return build({**node_of(name), "data": str(data)}, "task")


def files_of(name: str, folder: Path) -> list[Path]:
    """The files of a small data set, newly made in a folder."""
    folder.mkdir()
    (real.MADE | benchmarks.MADE)[name](folder)
    return sorted(path for path in folder.iterdir() if path.name != "SOURCE.txt")


def rewrite(path: Path, form: Callable[[bytes], bytes]) -> None:
    content = path.read_bytes()
    packed = path.suffix == ".gz"
    changed = form(gzip.decompress(content) if packed else content)
    path.write_bytes(gzip.compress(changed) if packed else changed)


def seen(task: Task) -> list[Any]:
    """The first examples of every split."""
    return [example for split in task.splits for example, _ in zip(task.examples(split), range(12), strict=False)]


@pytest.mark.parametrize("name", NAMES)
def test_a_mark_and_other_ends_of_lines_change_nothing(name: str, tmp_path: Path) -> None:
    files_of(name, tmp_path / "plain")
    plain = built(name, tmp_path / "plain")
    for form, change in FORMS.items():
        for path in files_of(name, tmp_path / form):
            rewrite(path, change)
        task = built(name, tmp_path / form)
        assert task.data_hash() == plain.data_hash(), form
        assert seen(task) == seen(plain), form


@pytest.mark.parametrize("name", NAMES)
def test_a_pointer_is_not_the_text(name: str, tmp_path: Path) -> None:
    for number, path in enumerate(files_of(name, tmp_path / "data")):
        content = path.read_bytes()
        start = list(POINTERS)[number % len(POINTERS)]
        path.write_bytes(start + b"v1\noid sha256:4d7a\nsize 12345\n")
        if name == "humaneval_infilling" and "SingleLine" not in path.name:
            continue  # a file of another kind of blank
        with pytest.raises(ValueError, match=r"^data=.*: is a (Git-LFS|git-annex) pointer .* git \w+ \w+") as refused:
            built(name, tmp_path / "data").data_hash()
        assert str(path) in str(refused.value)
        assert "\n" not in str(refused.value)
        path.write_bytes(content)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_replaced_is_read_anew_whatever_its_time_says(name: str, tmp_path: Path) -> None:
    files = files_of(name, tmp_path / "data")
    before = built(name, tmp_path / "data").data_hash()
    for path in files:
        old = path.stat()
        rewrite(path, lambda content: content.replace(b" a", b" o").replace(b" d", b" t"))
        os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
        assert path.stat().st_mtime_ns == old.st_mtime_ns
    assert built(name, tmp_path / "data").data_hash() != before


@pytest.mark.parametrize("name", ["constrained", "data_to_text"])
def test_rows_of_one_meaning_need_not_stand_together(name: str, tmp_path: Path) -> None:
    for path in files_of(name, tmp_path / "data"):
        if "test" in path.name:
            head, *rows = path.read_bytes().splitlines(keepends=True)
            if path.suffix == ".csv":
                path.write_bytes(b"".join([head, *rows[::2], *rows[1::2]]))
            else:  # a row a sentence
                one = [
                    json.loads(row) | {"scene": [text]} for row in (head, *rows) for text in json.loads(row)["scene"]
                ]
                path.write_text("".join(json.dumps(row) + "\n" for row in one[::2] + one[1::2]))
    files_of(name, tmp_path / "plain")
    task, plain = built(name, tmp_path / "data"), built(name, tmp_path / "plain")
    found = {example.prompt: sorted(example.references) for example in task.examples("test")}
    assert found == {example.prompt: sorted(example.references) for example in plain.examples("test")}
    assert len(found) == len(list(task.examples("test"))) == 2
