"""GSM8K: prompts with worked examples, and two ways to find a number in a text."""

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import SOLVED, gsm8k, json_lines, task_of
from hypothesis import given
from hypothesis import strategies as st

from tasks.base import Example
from tasks.gsm8k import Gsm8k
from tasks.stops import before


def few(folder: Path, *more: str) -> Any:
    return task_of("gsm8k", f"task.data={gsm8k(folder)}", "task.shots=2", *more)


def test_prompts_are_worked_examples_and_a_question(tmp_path: Path) -> None:
    task = few(tmp_path)
    first, *_, last = task.examples("test")
    shots = "".join(f"Question: {question}\nAnswer: {answer}\n\n" for question, answer in SOLVED[:2])
    assert first.prompt == f"{shots}Question: {SOLVED[0][0]}\nAnswer:"
    assert first.prompt + task.joint + first.target == f"{shots}Question: {SOLVED[0][0]}\nAnswer: {SOLVED[0][1]}"
    assert last.target == SOLVED[-1][1]
    bare = task_of("gsm8k", f"task.data={tmp_path}", "task.shots=0")
    assert next(iter(bare.examples("test"))).prompt == f"Question: {SOLVED[0][0]}\nAnswer:"
    assert task.room(9999) == 256
    assert task.data_hash() == bare.data_hash()


def test_no_training_example_is_in_its_own_prompt_or_in_validation(tmp_path: Path) -> None:
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}.\n#### {n}"} for n in range(100)]
    for name in ("train", "test"):
        json_lines(tmp_path / f"{name}.jsonl", rows)
    task = task_of("gsm8k", f"task.data={tmp_path}")
    targets = {split: [example.target for example in task.examples(split)] for split in ("train", "valid", "test")}
    assert {split: len(found) for split, found in targets.items()} == {"train": 90, "valid": 5, "test": 100}
    assert targets["train"] + targets["valid"] == [row["answer"] for row in rows[5:]]
    assert all(example.target not in example.prompt for example in task.examples("train"))


@pytest.mark.parametrize(
    ("right", "text", "strict", "flexible"),
    [
        ("7", "3+4=<<3+4=7>>7\n#### 7", 1, 1),
        ("7", "#### 7.", 1, 1),
        ("7", "####7", 0, 1),
        ("7", "#### $7", 0, 1),
        ("7", "The answer is 7", 0, 1),
        ("7", "The answer is 7, not 8", 0, 0),
        ("7", "#### 7\n\nThere are 8 days", 1, 0),
        ("7", "#### 8\n#### 7", 0, 1),
        ("7", "#### 7\n\nQuestion: What is 9?\nAnswer: #### 9", 1, 1),
        ("7", "Question: 7\n#### 7", 0, 0),
        ("7", "#### 7</s>#### 8", 1, 1),
        ("7", "#### 7<|im_end|> 8", 1, 1),
        ("7", "#### 77", 0, 0),
        ("7", "#### -7", 0, 0),
        ("7", "#### 7.0", 0, 0),
        ("7", "seven", 0, 0),
        ("7", "####", 0, 0),
        ("7", "#### ...", 0, 0),
        ("7", "", 0, 0),
        ("1,080", "#### 1080", 1, 1),
        ("1,080", "#### 1,080", 1, 1),
        ("1,080", "It costs $1,080.", 0, 1),
        ("1080", "#### 1,080", 1, 1),
        ("1080", "#### 108", 0, 0),
        ("-10", "#### -10", 1, 1),
        ("-10", "#### 10", 0, 0),
        ("-10", "It is -10 degrees.", 0, 1),
    ],
)
def test_where_the_number_is(right: str, text: str, strict: int, flexible: int, tmp_path: Path) -> None:
    assert scored(right, text, tmp_path) == {"accuracy": strict, "flexible_accuracy": flexible}


def scored(right: str, text: str, folder: Path) -> dict[str, float]:
    for name in ("train", "test"):
        json_lines(folder / f"{name}.jsonl", [{"question": "How many?", "answer": f"So many.\n#### {right}"}] * 2)
    task: Any = task_of("gsm8k", f"task.data={folder}", "task.shots=0")
    return task.score(next(iter(task.examples("test"))), text)


@given(st.integers(-(10**9), 10**9), st.booleans(), st.booleans())
def test_a_number_is_found_however_it_is_written(number: int, commas: bool, currency: bool) -> None:
    task = Gsm8k(None, "x", None, None, shots=0, tokens=9, pieces=300)
    example = Example("a", "Question: ?\nAnswer:", f"So.\n#### {number:,}")
    written = f"{number:,}" if commas else f"{number}"
    assert task.score(example, f"So.\n#### {written}") == {"accuracy": 1, "flexible_accuracy": 1}
    said = f"It is {written.replace('-', '-$') if currency else written}."
    assert task.score(example, said) == {"accuracy": 0, "flexible_accuracy": 1}
    assert task.score(example, f"#### {number + 1}") == {"accuracy": 0, "flexible_accuracy": 0}


@given(st.text(alphabet="ab", max_size=20), st.lists(st.text(alphabet="ab", min_size=1, max_size=3)))
def test_a_text_ends_before_the_first_stop_string(text: str, stops: list[str]) -> None:
    left = before(text, stops)
    assert text.startswith(left)
    assert left == text or any(text[len(left) :].startswith(stop) for stop in stops)
    assert not any(text.find(stop) in range(len(left)) for stop in stops)


GOOD = json.dumps({"question": "How many?", "answer": "#### 3"}).encode() + b"\n"
LEAST_AND_MOST = "must be at least 0, and from 1 to 100,000"
WRONG = {
    "no file": (None, (), "contains no train.jsonl, nor a folder gsm8k with it"),
    "nothing": (b"", (), "train.jsonl: contains no text"),
    "torn": (GOOD * 2 + b'{"question": "How', (), "train.jsonl: cannot be read ("),
    "no answer": (b'{"question": "How many?"}\n', (), "train.jsonl: has no column answer; it has question"),
    "a blank answer": (GOOD + b'{"question": "a", "answer": ""}\n', (), "train.jsonl: row 2 has no answer"),
    "no number": (GOOD + b'{"question": "a", "answer": "three"}\n', (),
                  "train.jsonl: row 2 has an answer without a number after ####"),
    "a number elsewhere": (b'{"question": "a", "answer": "3\\n####3"}\n', (),
                           "train.jsonl: row 1 has an answer without a number after ####"),
    "a list": (b'{"question": ["a", 3], "answer": "#### 3"}\n', (), "train.jsonl: "),
    "too few": (GOOD * 2, (), "task.shots=5: must be less than the 1 training problems"),
    "one": (GOOD, ("task.shots=0",), "task.shots=0: must be less than the 0 training problems"),
    "negative shots": (GOOD * 9, ("task.shots=-1",), f"task.shots=-1, tokens=256: {LEAST_AND_MOST}"),
    "no tokens": (GOOD * 9, ("task.tokens=0",), f"task.shots=5, tokens=0: {LEAST_AND_MOST}"),
    "few pieces": (GOOD * 9, ("task.pieces=9",), "task.pieces=9: must be at least 300, to represent every byte"),
    "half a shot": (GOOD * 9, ("task.shots=0.5",), "task.shots=0.5: input should be a valid integer"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(case: str, tmp_path: Path) -> None:
    content, overrides, said = WRONG[case]
    if content is not None:
        for name in ("train", "test"):
            (tmp_path / f"{name}.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=r"^task\.") as refused:
        task_of("gsm8k", f"task.data={tmp_path}", *overrides)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_local_copy_is_the_published_set(shared: Path) -> None:
    task: Any = task_of("gsm8k", f"task.data={shared / 'data'}")
    counts = {split: sum(1 for _ in task.examples(split)) for split in ("train", "valid", "test")}
    assert counts == {"train": 7473 - 373 - 5, "valid": 373, "test": 1319}
    for example in task.examples("test"):
        assert task.score(example, example.target) == {"accuracy": 1, "flexible_accuracy": 1}
        assert example.prompt.count("Question: ") == example.prompt.count("\nAnswer:") == 6
        assert example.prompt.count("#### ") == 5
