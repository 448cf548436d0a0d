"""Gates: planted checkpoints pass where they surpass every trivial baseline, or are ideal, and for no other reason."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from conftest import cell
from hypothesis import given
from hypothesis import strategies as st

from tasks.base import Task
from wordways.record import Record, canonical, cell_id
from wordways.report import gates
from wordways.report.gates import gate_of
from wordways.report.oracles import task_of
from wordways.report.page.payload import mark
from wordways.report.page.tables import table_entry
from wordways.report.rows import BASELINE, Row
from wordways.report.table import Table

NODES = {name: cell(f"task={name}", "progress=false").identified_task for name in ("list_operations", "stories")}
ITEMS = 200


def row(
    label: str,
    values: Sequence[Sequence[float]],
    task: str = "list_operations",
    paradigm: str = "diffusion",
    higher_is_better: bool | None = True,
    training: str = "",
) -> Row:
    """A configuration with these values of accuracy by seed and item."""
    records = []
    for seed, items in enumerate(values):
        config: dict[str, Any] = {
            "preset": label, "title": {"paradigm": label}, "paradigm": {"_target_": "paradigms.Diffusion"},
            "task": NODES[task], "backbone": {"of": label}, "train": {"steps": 1}, "seed": seed,
            "measure": {"items": ITEMS}, "device": "cpu", "dtype": "float32",
        }  # fmt: skip
        entry = {"unit": "share", "higher_is_better": higher_is_better, "items": list(items)}
        names = [f"item-{number}" for number in range(len(items))]
        record = Record(
            cell=cell_id(config), status="ok", reason="", config=config,
            provenance={"training": f"{training or label}-{seed}"}, budgets={}, scores={"accuracy": entry},
            item_ids=names, strata=dict.fromkeys(names, "copy"), likelihood=None, timing=[], trace=None, samples=[],
        )  # fmt: skip
        records.append(record)
    return Row(label, paradigm, task, records)


def share(right: int) -> list[int]:
    """This many right items, spread over all."""
    return [int(number * right // ITEMS < (number + 1) * right // ITEMS) for number in range(ITEMS)]


COPIED = row("copied prompt", [share(80)], paradigm=BASELINE)
OTHER = row("nearest training example", [share(20)], paradigm=BASELINE)
REASON = "not significantly better than the copied prompt"


def with_lines(monkeypatch: pytest.MonkeyPatch, lines: dict[str, list[dict[str, Any]]]) -> None:
    """Plants oracle lines by training."""
    monkeypatch.setattr(gates, "lines_of", lambda record: lines.get(record.provenance["training"], []))


def line(measure: str, holds: bool, temperature: float = 1.0) -> dict[str, Any]:
    return {"measure": measure, "holds": holds, "temperature": temperature}


def test_the_best_baseline_has_to_be_surpassed() -> None:
    better, alike, worse = row("a", [share(160)]), row("b", [share(82)]), row("c", [share(40)])
    rows = [better, alike, worse, OTHER, COPIED]
    assert [gate_of(one, rows) for one in rows] == ["", REASON, REASON, "", ""]


def test_without_baselines_on_the_same_items_there_is_no_gate() -> None:
    bad = row("bad", [share(0)])
    elsewhere = replace(COPIED, records=[replace(COPIED.first(), item_ids=["x"], strata={"x": "copy"})])
    assert gate_of(bad, [bad]) == gate_of(bad, [bad, elsewhere]) == ""
    assert gate_of(bad, [bad, elsewhere, COPIED]) == REASON


def test_where_less_is_better_less_has_to_be_reached() -> None:
    baseline = row("copied prompt", [share(80)], paradigm=BASELINE, higher_is_better=False)
    less, more = (row(name, [share(right)], higher_is_better=False) for name, right in (("a", 20), ("b", 160)))
    assert [gate_of(one, [less, more, baseline]) for one in (less, more)] == ["", REASON]


def test_a_metric_without_a_better_direction_has_no_gate() -> None:
    baseline, bad = (row(n, [share(r)], paradigm=p, higher_is_better=None)
                     for n, r, p in (("copied prompt", 80, BASELINE), ("bad", 0, "diffusion")))  # fmt: skip
    assert gate_of(bad, [bad, baseline]) == ""


def test_trainings_are_judged_together_and_as_they_are() -> None:
    """Whether these trainings went far enough is no question about others: items are the only chance."""
    mixed, worse = row("mixed", [share(r) for r in (190, 180, 0)]), row("worse", [share(r) for r in (190, 40, 0)])
    assert [gate_of(one, [mixed, worse, COPIED]) for one in (mixed, worse)] == ["", REASON]


def test_a_checkpoint_passes_with_any_of_its_decoders() -> None:
    """A decoder that is too fast is no fault of the training, but another training is none of its concern."""
    slow, fast = (row(name, [share(right)], training="one") for name, right in (("slow", 190), ("fast", 40)))
    other = row("other", [share(40)], training="two")
    rows = [slow, fast, other, COPIED]
    assert [gate_of(one, rows) for one in rows[:3]] == ["", "", REASON]


def test_an_ideal_model_passes_whatever_its_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a single pass it may be worse than copying; accuracy alone, of an analytic 0, would prove nothing."""
    rows = [row("one pass", [share(10), share(10)]), COPIED]
    for first, second, verdict in (
        ([line("accuracy", True), line("nats_per_token", True)], [line("accuracy", True), line("kl", True)], ""),
        ([line("accuracy", True), line("nats_per_token", True)], [line("accuracy", True)], REASON),
        ([line("accuracy", True), line("nats_per_token", True)], [line("nats_per_token", False)], REASON),
        ([], [], REASON),
    ):
        with_lines(monkeypatch, {"one pass-0": first, "one pass-1": second})
        fresh = [replace(one, records=[replace(record) for record in one.records]) for one in rows]
        assert gate_of(fresh[0], fresh) == verdict


def test_a_story_model_also_has_to_meet_its_analytic_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    """At temperature 1, with any decoder of the checkpoint; other trainings and temperatures do not count."""
    lines = {
        "meets-0": [line("accuracy", True), line("kl", False)],
        "misses-0": [line("accuracy", False)],
        "greedy-0": [line("accuracy", False, temperature=0.0)],
    }
    with_lines(monkeypatch, lines)
    baseline = row("copied prompt", [share(10)], "stories", BASELINE)
    names = ("meets", "misses", "greedy", "without lines")
    rows = [*(row(name, [share(150)], "stories") for name in names), baseline]
    missed = "analytic value at T = 1 missed"
    assert [gate_of(one, rows) for one in rows[:-1]] == ["", missed, "", ""]
    alike = row("greedy decoder", [share(190)], "stories", training="misses")
    assert gate_of(alike, [*rows, alike]) == missed, "what is asked is whether the checkpoint is trained"
    rows = [row("misses", [share(150)]), COPIED]
    assert gate_of(rows[0], rows) == "", "not a task that is gated by its oracle"


def test_seeds_that_miss_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with_lines(monkeypatch, {"a-1": [line("accuracy", False)], "a-0": [line("accuracy", True)]})
    rows = [row("a", [share(150), share(151), share(152)], "stories"), row("b", [share(10)], "stories", BASELINE)]
    assert gate_of(rows[0], rows) == "analytic value at T = 1 missed by 1 of 3 seeds"


def test_answers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row("a", [share(100)]), COPIED]
    assert gate_of(rows[0], rows) == gate_of(rows[0], [*rows]) == ""
    monkeypatch.setattr(gates, "judged", lambda *_: pytest.fail("asked again"))
    assert gate_of(rows[0], [*rows]) == ""


@given(st.integers(0, ITEMS), st.integers(0, ITEMS))
def test_only_a_better_row_passes(own: int, trivial: int) -> None:
    one, baseline = row("one", [share(own)]), row("copied prompt", [share(trivial)], paradigm=BASELINE)
    assert own > trivial or gate_of(one, [one, baseline]) == REASON


def test_stories_and_planning_are_gated_by_their_oracles() -> None:
    gated = {name for name in tasks() if task_of(tasks()[name]).gated_by_oracle}
    assert gated == {"stories", "sudoku", "path_star", "planning_distance", "countdown", "latin_square"}
    assert Task.gated_by_oracle is False


def tasks() -> dict[str, str]:
    names = ("stories", "sudoku", "path_star", "planning_distance", "countdown", "latin_square", "list_operations",
             "addition", "bigram", "retrieval", "error_injection")  # fmt: skip
    return {name: canonical(cell(f"task={name}", "progress=false").identified_task) for name in names}


def muted_table() -> Table:
    frame = pd.DataFrame({"": ["good", "bad"], "accuracy": ["0.9", ""], "bleu": ["1", "< 2*"]})
    return Table("t", "Title", "Note.", frame, marks={(0, 1): "best", (1, 2): "best"}, muted=frozenset({1}))


def test_a_muted_line_is_in_italics_and_has_no_other_mark() -> None:
    good, bad = muted_table().markdown().splitlines()[4:6]
    assert good == "| good | **0.9** | 1 |"
    assert bad == r"| *bad* |  | *&lt; 2\** |"
    body = re.search(r"\\midrule\n(.*?)\\bottomrule", muted_table().latex(), re.S)
    assert body is not None
    assert body[1].splitlines() == [r"good & \textbf{0.9} & 1 \\", r"\textit{bad} &  & \textit{\textless{} 2*} \\"]
    assert "muted" not in muted_table().plain()


def test_the_page_knows_which_lines_are_muted() -> None:
    assert table_entry(muted_table())["muted"] == [1]
    shown: list[dict[str, Any]] = [{"task": "t", "marks": {}} for _ in range(2)]
    mark(shown, {"t": [replace(muted_table(), muted=frozenset({1, 2}))]})
    assert ["muted" in entry for entry in shown] == [False, True], "a line behind the configurations is a baseline's"
