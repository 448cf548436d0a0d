"""What the table of training budgets says is matched is equal in the runs, and what differs is said to differ."""

from dataclasses import replace

from test_record import EMPTY

from wordways.report.rows import Row
from wordways.report.tables.budgets import matched, table

BUDGETS = {"params": 10, "steps": 5, "tokens": 80, "supervised_tokens": 7, "flops": 2 * 10**12}


def row(label: str, *changes: dict[str, int]) -> Row:
    config = {**EMPTY.config, "train": {}}
    return Row(label, "p", "t", [replace(EMPTY, config=config, budgets=BUDGETS | change) for change in changes])


def test_what_is_equal_is_matched_and_what_is_not_differs() -> None:
    assert matched([row("a", {}), row("b", {})]) == "Parameters, steps and tokens are matched."
    assert matched([row("a", {}), row("b", {"tokens": 81})]) == "Parameters and steps are matched; tokens differ."
    every = [row("a", {}), row("b", {"params": 1, "steps": 1, "tokens": 1})]
    assert matched(every) == "Parameters, steps and tokens differ."
    assert matched([row("a", {}, {"steps": 6})]) == "Parameters and tokens are matched; steps differ."


def test_budgets_are_means_over_seeds() -> None:
    found = table([row("a", {"supervised_tokens": 7}, {"supervised_tokens": 10_000})])
    assert list(found.frame["supervised tokens"]) == ["5,004"]
    assert list(found.frame["compute (TFLOP)"]) == ["2"]
