"""Verdicts on claims: one test for each, all adjusted together, so that the number of claims is paid for."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wordways.report.stats import LEVEL, Interval, holm

RULES: dict[str, Callable[[float, float], bool]] = {">": operator.gt, "<": operator.lt}
UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """word: holds, does not hold or undecided.  p, adjusted: two-sided, of the rule's number; None without a test."""

    word: str
    p: float | None = None
    adjusted: float | None = None


def verdicts(claims: Mapping[str, tuple[Interval | None, str]]) -> dict[str, Verdict]:
    """By claim: its measured number (None: not measured, no verdict) and its rule, such as `> 0`.

    The family is all claims that can be tested (Holm, 1979).
    """
    measured = {name: (interval, *parsed(rule)) for name, (interval, rule) in claims.items() if interval is not None}
    raw = {name: interval.p(number) for name, (interval, _, number) in measured.items()}
    tested = {name: p for name, p in raw.items() if p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    found = {}
    for name, (interval, side, number) in measured.items():
        p = adjusted.get(name)
        word = UNDECIDED
        if p is not None and p < 1 - LEVEL:
            word = "holds" if side(interval.value, number) else "does not hold"
        found[name] = Verdict(word, raw[name], p)
    return found


def parsed(rule: str) -> tuple[Callable[[float, float], bool], float]:
    sign, number = rule.split()
    return RULES[sign], float(number)
