"""Checks decoders against the models' own probabilities, whatever these models have learned.

Right texts are those of positive probability under the data distribution q. Let p be the distribution that a decoder
samples from, x a reference, sampled from q, and y a generated text. Then, with sums over right texts,

    E[p(x) / q(x)] = sum q(x) p(x) / q(x) = sum p(x) = P(y is right),

for a model that has learned nothing just as for an ideal one; where a prompt has a single right answer, q(x) is 1. A
check compares both sides as they are measured: the mean of p(x) / q(x) over the items with a likelihood, and the share
of right texts over all items. Two one-sided tests show that they are equal (TOST; Schuirmann, 1987): the 90 % interval
of their difference lies within a margin.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from wordways.names import kind
from wordways.record import Record, canonical, remembered
from wordways.report.derive import decoder_of, has_own_lengths, holes, length_mode
from wordways.report.likelihoods import undistorted
from wordways.report.stats import holm

LEVEL = 0.90  # of the interval: two one-sided tests at 5 %
MARGIN = 0.02  # largest difference that counts as none, in accuracy; at most half of the expected accuracy
ALPHA = 0.05  # of a failure, after Holm's adjustment over the checks of a task
FEWEST = 30  # items with a likelihood below which Student's t is not trusted
PER_ANSWER = 10  # items with a likelihood per right text, from which on they represent all right texts

HOLDS, FAILS, UNDECIDED = "holds", "fails", "too few items"


class Difference(NamedTuple):
    """Accuracy minus its expectation, its interval at LEVEL, and the two-sided p-value of no difference."""

    value: float
    low: float
    high: float
    p: float


def equivalence_lines(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One entry per run and stratum whose accuracy follows from the model's own probabilities, with its verdict."""
    by_task: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        if record.status == "ok" and not record.is_baseline:
            by_task.setdefault(canonical(record.config["task"]), []).extend(checks_of(record))
    lines = [line for of_task in by_task.values() for line in decided(of_task)]
    return sorted(lines, key=lambda line: (line["task"], line["n"], line["paradigm"], line["preset"], line["seed"]))


@remembered
def checks_of(record: Record) -> list[dict[str, Any]]:
    """The checks of a single record, without verdicts."""
    return list(checked(record))


def checked(record: Record) -> Iterator[dict[str, Any]]:
    for stratum in record.groups():
        right, ratios, answers = (
            right_texts(record, stratum),
            own_ratios(record, stratum),
            right_answers(record, stratum),
        )
        if right is None or ratios is None or len(ratios) < 2:
            continue
        found = difference(right, ratios)
        yield {
            "task": kind(record.config["task"]),
            "operation": stratum,
            "n": holes(record, stratum),
            "paradigm": kind(record.config["paradigm"]),
            "preset": record.config["preset"],
            "seed": record.config["seed"],
            "cell": record.name,
            "expected": float(np.mean(ratios)),
            "measured": float(np.mean(right)),
            "difference": found.value,
            "low": found.low,
            "high": found.high,
            "margin": min(MARGIN, float(np.mean(ratios)) / 2),
            "items": len(right),
            "likelihood_items": len(ratios),
            "answers": answers,
            "p": found.p,
        }


def own_nats(record: Record) -> Sequence[float | None] | None:
    """-ln p of the references, p exactly the distribution that was sampled from; None where it is not known exactly.

    An `exact` value beside a bound is that of the decoder's own number of positions per pass. Where positions after a
    text's end are free, as in a decoder with an order, a text has more probability than the canvas that was scored.
    """
    law = record.likelihood
    if law is None or not undistorted(record) or length_mode(record) not in ("eos", "oracle"):
        return None
    if "order" in decoder_of(record) and length_mode(record) == "eos" and has_own_lengths(record):
        return None
    return law["nats"] if law["kind"] == "exact" else law.get("exact")


def own_ratios(record: Record, stratum: str) -> list[float] | None:
    """p(x) / q(x) of the stratum's references; None where any of them is unknown."""
    law, nats = record.likelihood, own_nats(record)
    if law is None or nats is None or accepts_other_texts(record):
        return None
    items = zip(law["item_ids"], nats, law["law_nats"], strict=True)
    pairs = [(p, q) for item, p, q in items if record.strata[item] == stratum]
    ratios = [exp(q - p) for p, q in pairs if p is not None and q is not None]
    return ratios if ratios and len(ratios) == len(pairs) else None


def right_texts(record: Record, stratum: str) -> list[float] | None:
    """Whether each of the stratum's texts is right; None unless all are scored and no two items share an instance."""
    entry, places = record.scores.get("accuracy", {}), record.places[stratum]
    if "items" not in entry or record.shared_instances(places):
        return None
    right = [entry["items"][place] for place in places]
    return right if set(right) <= {0, 1} else None


def right_answers(record: Record, stratum: str) -> float:
    """The largest 1 / q(x) of the stratum's references: the number of right texts, where they are equally likely."""
    law = record.likelihood or {"item_ids": [], "law_nats": []}
    items = zip(law["item_ids"], law["law_nats"], strict=True)
    return exp(max((q for item, q in items if q is not None and record.strata[item] == stratum), default=0.0))


def exp(nats: float) -> float:
    """e to this power, at most a number that can still be squared and summed."""
    return math.exp(min(nats, 300.0))


def accepts_other_texts(record: Record) -> bool:
    """Whether texts of probability 0 count as right: a Sudoku's named cells, which may come in any order."""
    return record.config["task"].get("written") == "solver"


def difference(right: Sequence[float], ratios: Sequence[float]) -> Difference:
    """Accuracy minus expected accuracy.

    The interval combines Wilson's of the share and Student's t of the mean ratio (MOVER; Zou and Donner, 2008), so that
    its width is not 0 where all texts are right. It ignores that both come from the same items, which correlates them
    positively, and is therefore too wide rather than too narrow. The p-value is that of the standard error recovered
    from the side of the interval that faces 0.
    """
    share, expected, n = float(np.mean(right)), float(np.mean(ratios)), len(ratios)
    low, high = stats.binomtest(round(sum(right)), len(right)).proportion_ci(LEVEL, method="wilson")
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) * np.std(ratios, ddof=1) / n**0.5)
    value, below, above = share - expected, math.hypot(share - low, half), math.hypot(high - share, half)
    error = (below if value > 0 else above) / stats.norm.ppf(0.5 + LEVEL / 2)
    p = 1.0 if value == 0 else float(2 * stats.norm.sf(abs(value) / error)) if error else 0.0
    return Difference(value, value - below, value + above, p)


def decided(lines: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The checks of one task with p-values adjusted for their number (Holm, 1979), and verdicts."""
    for line, adjusted in zip(lines, holm([line["p"] for line in lines]), strict=True):
        yield {**line, "p_holm": adjusted, "verdict": verdict(line, adjusted)}


def verdict(line: Mapping[str, Any], adjusted: float) -> str:
    """Equivalent; else different, where the difference is significant; else too few items to tell.

    A model that prefers a few of many right texts is right more often than its few references can show, as none of
    them may be among those few: with less than PER_ANSWER items per right text, only a lower accuracy is a failure.
    """
    if line["likelihood_items"] < FEWEST:
        return UNDECIDED
    if -line["margin"] < line["low"] and line["high"] < line["margin"]:
        return HOLDS
    represented = line["likelihood_items"] >= PER_ANSWER * line["answers"]
    return FAILS if adjusted < ALPHA and (line["difference"] < 0 or represented) else UNDECIDED


def in_words(lines: Sequence[Mapping[str, Any]]) -> str:
    """How many checks hold, are undecided and fail."""
    held, left, failed = (sum(line["verdict"] == one for line in lines) for one in (HOLDS, UNDECIDED, FAILS))
    return (
        f"{held} of {len(lines)} equivalences hold (TOST, margin {MARGIN:g}), {left} have too few items, {failed} fail."
    )
