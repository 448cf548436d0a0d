"""HumanEval and its infilling versions: a text is right if the program that it completes passes its tests."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from benchmarks import (
    ADDS,
    ALLOWED,
    BLANKS,
    HEAD,
    LOOP,
    PROBLEMS,
    human_eval,
    human_eval_infilling,
    json_lines,
    problem,
    task_of,
)

from tasks.base import Example
from wordways.run.text import build_text

KINDS = {"single-line": "SingleLine", "multi-line": "MultiLine", "random-span": "RandomSpan"}
REFUSED = "task.allow_code=false: running generated code is dangerous and off by default; allow_code=true permits it"


def functions(folder: Path, *more: str) -> Any:
    return task_of("humaneval", f"task.data={human_eval(folder)}", ALLOWED, *more)


def blanks(folder: Path, kind: str, *more: str) -> Any:
    return task_of(
        "humaneval_infilling", f"task.data={human_eval_infilling(folder)}", f"task.kind={kind}", ALLOWED, *more
    )


def test_prompts_are_verbatim(tmp_path: Path) -> None:
    task = functions(tmp_path)
    examples = list(task.examples("test"))
    assert [example.id for example in examples] == ["HumanEval/0", "HumanEval/1"]
    assert [example.prompt for example in examples] == [row["prompt"] for row in PROBLEMS]
    assert [example.target for example in examples] == [row["canonical_solution"] for row in PROBLEMS]
    assert (task.holes, task.joint, task.room(9)) == ("suffix", "", 512)
    assert list(task.examples("test", first=1)) == examples[1:]


@pytest.mark.parametrize(
    ("text", "passes"),
    {
        "    return a + b\n": 1,
        "    return b + a": 1,
        "    total = a\n    total += b\n    return total": 1,
        "\n    return a + b": 1,
        "    return a + b\n\ndef other(:\n": 1,
        "    return a + b\nclass Torn(": 1,
        "    return a + b\n# and then ((": 1,
        "    return a + b\nif x:": 1,
        "    return a + b\nprint(add(1, 2)": 1,
        "    import math\n    return int(math.fsum([a, b]))\n": 1,
        "    return a - b\n": 0,
        "    return 3\n": 0,
        "return a + b\n": 0,
        "    return a + b)\n": 0,
        "    return a + b\nand so on": 0,
        "    exit()\n": 0,
        "    pass\n": 0,
        "": 0,
        "\ndef add(a, b):\n    return a + b\n": 0,
        "    while True: pass\n": 0,
    }.items(),
)
def test_a_text_is_right_if_the_function_passes_its_tests(text: str, passes: int, tmp_path: Path) -> None:
    task = functions(tmp_path, "task.seconds=1")
    assert task.score(next(iter(task.examples("test"))), text) == {"pass_at_1": passes}


@pytest.mark.parametrize("kind", KINDS)
def test_prompt_target_and_suffix_are_the_function(kind: str, tmp_path: Path) -> None:
    task = blanks(tmp_path, kind)
    examples, rows = list(task.examples("test")), BLANKS[KINDS[kind]]
    assert [(e.prompt, e.target, e.suffix) for e in examples] == [
        (row["prompt"], row["canonical_solution"], row["suffix"]) for row in rows
    ]
    assert {example.stratum for example in examples} == {kind} == set(task.strata)
    assert {example.instance for example in examples} <= {"HumanEval/0", "HumanEval/1"}
    assert len({example.id for example in examples}) == len(examples)
    for example in examples:
        assert task.score(example, example.target) == {"pass_at_1": 1}
        assert task.score(example, f"{example.target.rstrip()} (") == {"pass_at_1": 0}


def test_other_lines_fill_a_blank_if_the_function_is_right(tmp_path: Path) -> None:
    task = blanks(tmp_path, "single-line", "task.seconds=1")
    by_line: dict[str, Example] = {example.target: example for example in task.examples("test")}
    tried = {
        LOOP[0]: {"    found = float('-inf')\n": 1, "    found = 0\n": 0, "    return max(of)\n": 1},
        LOOP[2]: {"        if found < one:\n": 1, "        if one < found:\n": 0, "        while True:\n": 0},
        LOOP[4]: {"    return found": 1, "    return one\n": 0, "": 0},
    }
    for line, texts in tried.items():
        for text, right in texts.items():
            assert task.score(by_line[line], text) == {"pass_at_1": right}, text


def test_both_formats_are_of_the_same_examples(tmp_path: Path) -> None:
    span, fim = blanks(tmp_path, "multi-line"), blanks(tmp_path, "multi-line", "task.form=fim")
    assert list(span.examples("test")) == list(fim.examples("test"))
    assert (span.holes, span.fill_in_the_middle) == ("span", False)
    assert (fim.holes, fim.fill_in_the_middle) == ("suffix", True)
    assert span.data_hash() == fim.data_hash()


@pytest.mark.parametrize("name", ["humaneval", "humaneval_infilling"])
def test_nothing_runs_unless_it_is_allowed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.metrics.execution.passes", lambda *_: pytest.fail("a program was run"))
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        task_of(name, "task.data=/nowhere")
    assert str(refused.value) == REFUSED


@pytest.mark.parametrize("name", ["humaneval", "humaneval_infilling"])
def test_there_is_nothing_to_train_on(name: str, tmp_path: Path) -> None:
    human_eval_infilling(human_eval(tmp_path))
    task = task_of(name, f"task.data={tmp_path}", ALLOWED)
    assert not list(task.examples("train")) + list(task.examples("valid"))
    said = f"^task={type(task).__name__}: has no training texts; use it with backbone=pretrained$"
    with pytest.raises(ValueError, match=said):
        build_text(task, tmp_path)


def test_a_set_of_the_hub_and_a_file_without_compression_are_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    json_lines(tmp_path / "hub" / "test.jsonl", [dict(sorted(row.items(), reverse=True)) for row in PROBLEMS])
    (tmp_path / "plain").mkdir()
    json_lines(tmp_path / "plain" / "HumanEval.jsonl", PROBLEMS)
    hub = task_of("humaneval", f"task.name={tmp_path / 'hub'}", ALLOWED)
    plain = task_of("humaneval", f"task.data={tmp_path / 'plain'}", ALLOWED)
    assert hub.data_hash() == plain.data_hash() == functions(tmp_path).data_hash()
    spans = blanks(tmp_path, "random-span")
    named = task_of("humaneval_infilling", f"task.name={tmp_path}", "task.kind=random-span", ALLOWED)
    assert named.data_hash() == spans.data_hash()


ROW = problem("HumanEval/0", prompt=HEAD, entry_point="add", canonical_solution="    return a + b\n", test=ADDS)
WRONG = {
    "no file": (None, (), "contains no HumanEval.jsonl.gz or HumanEval.jsonl, nor a folder humaneval with it"),
    "nothing": ("", (), "HumanEval.jsonl: contains no text"),
    "no JSON": ("def add(a, b):\n", (), "HumanEval.jsonl: cannot be read ("),
    "no test": ([{**ROW, "test": None}], (), "HumanEval.jsonl: "),
    "an empty test": ([{**ROW, "test": ""}], (), "HumanEval.jsonl: row 1 has no test"),
    "no solution": ([{k: v for k, v in ROW.items() if k != "canonical_solution"}], (),
                    "HumanEval.jsonl: has no column canonical_solution; it has task_id, prompt, entry_point, test"),
    "no entry point": ([ROW, {**ROW, "task_id": "b", "entry_point": " "}], (), "row 2 has no entry_point"),
    "a number": ([{**ROW, "prompt": 3}], (), "HumanEval.jsonl: cannot be read (prompt of line 1 is no text)"),
    "a long prompt": ([{**ROW, "prompt": "x" * 20_000}], (), "longest=10000: row 1 of test has a text of 20,000"),
    "a problem twice": ([ROW, ROW], (), "rows 1 and 2 have the same task_id, HumanEval/0"),
    "no tokens": ([ROW], ("task.tokens=0",), "task.tokens=0, seconds=3: must be from 1 to 100,000 and to 3,600"),
    "no time": ([ROW], ("task.seconds=0",), "task.tokens=512, seconds=0: must be from 1 to 100,000 and to 3,600"),
    "half a second": ([ROW], ("task.seconds=0.5",), "task.seconds=0.5: input should be a valid integer"),
    "perhaps": ([ROW], ("task.allow_code=perhaps",), "task.allow_code=perhaps: input should be a valid boolean"),
    "nothing allowed": ([ROW], ("task.allow_code=null",), "task.allow_code=null: input should be a valid boolean"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(case: str, tmp_path: Path) -> None:
    content, overrides, said = WRONG[case]
    if content is not None:
        text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
        (tmp_path / "HumanEval.jsonl").write_text(text)
    with pytest.raises(ValueError, match=r"^task\.") as refused:
        task_of("humaneval", f"task.data={tmp_path}", ALLOWED, *overrides)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "task.kind=word": "task.kind=word: input should be 'single-line', 'multi-line' or 'random-span'",
        "task.form=prefix": "task.form=prefix: input should be 'span' or 'fim'",
        "task.data=/nowhere": "task.data=/nowhere: contains no HumanEval-SingleLineInfilling.jsonl.gz or "
        "HumanEval-SingleLineInfilling.jsonl, nor a folder humaneval_infilling with it",
    }.items(),
)
def test_settings_of_blanks_are_checked(wrong: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        task_of("humaneval_infilling", f"task.data={human_eval_infilling(tmp_path)}", ALLOWED, wrong)
    assert str(refused.value) == said


def test_a_torn_archive_is_one_line(tmp_path: Path) -> None:
    path = human_eval(tmp_path) / "HumanEval.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=rf"^task\.data={path}: cannot be read \([^\n]*\)$"):
        task_of("humaneval", f"task.data={tmp_path}", ALLOWED)


def test_the_local_copies_are_the_published_sets(shared: Path) -> None:
    task: Any = task_of("humaneval", f"task.data={shared / 'data'}", ALLOWED)
    examples = list(task.examples("test"))
    assert len(examples) == 164
    for example in islice(examples, 0, None, 20):
        assert task.score(example, example.target) == {"pass_at_1": 1}
        assert task.score(example, "    pass\n") == {"pass_at_1": 0}
    for kind, count in {"single-line": 1033, "multi-line": 5815, "random-span": 1640}.items():
        task = task_of("humaneval_infilling", f"task.data={shared / 'data'}", f"task.kind={kind}", ALLOWED)
        examples = list(task.examples("test"))
        assert len(examples) == count
        assert len({example.instance for example in examples}) == 164
        assert all(task.score(e, e.target) == {"pass_at_1": 1} for e in islice(examples, 0, None, count // 5))


@pytest.mark.slow
def test_every_published_solution_passes(shared: Path) -> None:
    task: Any = task_of("humaneval", f"task.data={shared / 'data'}", ALLOWED)
    assert [e.id for e in task.examples("test") if task.score(e, e.target)["pass_at_1"] != 1] == []
