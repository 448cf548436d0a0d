"""LAMBADA: the last word, and nothing but it, is right."""

from itertools import islice
from pathlib import Path

import pytest
from benchmarks import PASSAGES, json_lines, lambada, task_of

from wordways.run.text import build_text


def test_prompt_and_target_are_the_passage(tmp_path: Path) -> None:
    task = task_of("lambada", f"task.data={lambada(tmp_path)}")
    examples = list(task.examples("test"))
    assert tuple(f"{example.prompt}{task.joint}{example.target}" for example in examples) == PASSAGES
    assert [example.target for example in examples] == ["mat", '"dog"', "the\nisland"]
    assert [example.references for example in examples] == [("mat",), ('"dog"',), ("the\nisland",)]
    assert (task.holes, task.joint, task.room(99)) == ("suffix", " ", None)
    assert list(task.examples("test", first=2)) == examples[2:]


@pytest.mark.parametrize(
    ("text", "right"),
    [("mat", 1), (" mat", 1), ("mat\n", 1), ("Mat", 0), ("mat.", 0), ("mats", 0), ("the mat", 0), ("ma", 0), ("", 0)],
)
def test_the_word_alone_is_right(text: str, right: int, tmp_path: Path) -> None:
    task = task_of("lambada", f"task.data={lambada(tmp_path)}")
    assert task.score(next(iter(task.examples("test"))), text) == {"accuracy": right}


def test_there_is_nothing_to_train_on(tmp_path: Path) -> None:
    task = task_of("lambada", f"task.data={lambada(tmp_path)}")
    assert task.splits == ("test",)
    assert not list(task.examples("train")) + list(task.examples("valid"))
    with pytest.raises(ValueError, match=r"^task=Lambada: has no training texts; use it with backbone=pretrained$"):
        build_text(task, tmp_path)


def test_a_folder_of_the_hub_and_the_file_have_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    json_lines(tmp_path / "hub" / "test.jsonl", [{"text": text, "domain": None} for text in PASSAGES])
    hub = task_of("lambada", f"task.name={tmp_path / 'hub'}")
    url = task_of("lambada", f"task.name={lambada(tmp_path) / 'lambada_test.jsonl'}")
    assert hub.data_hash() == url.data_hash() == task_of("lambada", f"task.data={tmp_path}").data_hash()
    assert list(hub.examples("test")) == list(url.examples("test"))


WRONG = {
    "no folder": (None, "contains no lambada_test.jsonl, nor a folder lambada with it"),
    "nothing": (b"", "lambada_test.jsonl: contains no text"),
    "no JSON": (b"a passage\n", "lambada_test.jsonl: cannot be read ("),
    "no UTF-8": (b'{"text": "caf\xe9 au lait"}\n', "lambada_test.jsonl: "),
    "another column": (b'{"passage": "a b"}\n', "lambada_test.jsonl: has no column text; it has passage"),
    "a number": (b'{"text": 3}\n', "lambada_test.jsonl: cannot be read (text of line 1 is no text)"),
    "nothing said": (b'{"text": "a b"}\n{"text": " "}\n', "lambada_test.jsonl: row 2 has no text"),
    "null": (b'{"text": "a b"}\n{"text": null}\n', "lambada_test.jsonl: row 2 has no text"),
    "one word": (b'{"text": "a b"}\n{"text": "word"}\n', "row 2 has no last word after a space"),
    "a space at the end": (b'{"text": "a b "}\n', "row 1 has no last word after a space"),
    "a line at the end": (b'{"text": "a b \\n"}\n', "row 1 has no last word after a space"),
    "a space at the start": (b'{"text": " word"}\n', "row 1 has no last word after a space"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_the_file_is_one_line(case: str, tmp_path: Path) -> None:
    content, said = WRONG[case]
    if content is not None:
        (tmp_path / "lambada_test.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=rf"^task\.data={tmp_path}") as refused:
        task_of("lambada", f"task.data={tmp_path}")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_local_copy_is_the_published_set(shared: Path) -> None:
    task = task_of("lambada", f"task.data={shared / 'data'}")
    examples = list(task.examples("test"))
    assert len(examples) == 5153
    assert [example.target for example in islice(examples, 3)] == ["signs", "Shane", "insurance"]
    assert all(task.score(example, example.target.strip()) == {"accuracy": 1} for example in examples)
