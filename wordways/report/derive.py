"""Computes every derived number from one trace and one clock, by the formulas of docs/measures.md.

s_i is the time after which position i no longer changes, tau_i the latest s_j with j <= i, and N the number of useful
tokens, those before the first end token. Times are in seconds.
"""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

import numpy as np
from scipy.stats import kendalltau

from wordways.record import Record, remembered
from wordways.report.stats import Interval, Scale, estimate, jackknifed, mean, median, units_of, without_interval

MARK = "of_timing"
F = TypeVar("F", bound=Callable[..., Any])
ENOUGH_TEXTS = 20  # from which on a 95th percentile is given

Timing = Mapping[str, Any]


def of_timing(function: F) -> F:
    """Marks a number that depends on the machine that a record was timed on."""
    setattr(function, MARK, True)
    return function


def is_of_timing(value: Callable[..., Any]) -> bool:
    """Whether a number depends on the machine; of a partial function, whether it or what it applies to does."""
    if isinstance(value, partial):
        return any(is_of_timing(part) for part in (value.func, *value.args) if callable(part))
    return getattr(value, MARK, False)


@remembered
def quality(record: Record, metric: str, stratum: str | None = None) -> Interval | None:
    """The metric over those items of a stratum that have a value; None without any.

    A metric without items has the value of the whole set and no interval.  stratum: None for all items.
    """
    entry = record.scores.get(metric)
    if entry is None:
        return None
    if "items" not in entry:
        found = entry["value"] if stratum is None else entry["strata"].get(stratum)
        return None if found is None else without_interval(found, len(places_in(record, stratum)))
    values = pseudo_values(record, metric, stratum)
    return of_values(record, places_in(record, stratum), values, scale_of(entry, metric))


@remembered
def pseudo_values(record: Record, metric: str, stratum: str | None) -> list[float | None]:
    """By item of a stratum, the number whose mean is the metric: the item's value, or a pooled metric's jackknife."""
    entry, places = record.scores[metric], places_in(record, stratum)
    if "statistics" in entry:
        return of_sums([entry["statistics"][i] for i in places], value_of(metric))
    return [entry["items"][i] for i in places]


def of_values(
    record: Record, places: Sequence[int], values: Sequence[float | None], scale: Scale = "plain", paired: bool = False
) -> Interval | None:
    """The mean of a record's values by item, clustered where items share an instance; None without any value."""
    names = [record.item_ids[i] for i in places]
    found = units_of(values, names, record.shared_instances(places))
    return None if found is None else estimate([found], scale, paired)


def places_in(record: Record, stratum: str | None) -> Sequence[int]:
    """The numbers of a stratum's items, or of all."""
    return range(len(record.item_ids)) if stratum is None else record.places.get(stratum, ())


def of_sums(rows: Sequence[Sequence[float]], value: Callable[[Sequence[float]], float | None]) -> list[float | None]:
    """Pseudo-values of a pooled metric by text; None for texts without statistics, or where the sums have no value."""
    chosen = [row for row in rows if any(row)]
    if not chosen or value([sum(column) for column in zip(*chosen, strict=True)]) is None:
        return [None] * len(rows)
    found = iter(jackknifed(chosen, value).tolist())
    return [next(found) if any(row) else None for row in rows]


def scale_of(entry: Mapping[str, Any], metric: str) -> Scale:
    """Shares have intervals inside [0, 1]; differences of shares do not."""
    from tasks.metrics.__init__ import METRICS

    signed = metric in METRICS and METRICS[metric].signed
    return "share" if entry.get("unit") == "share" and not signed else "plain"


@remembered
def beyond_draft(record: Record) -> Interval | None:
    """Accuracy minus that of the drafts, paired by item; None where the drafts' accuracy is not scored."""
    right, drafted = (record.scores.get(name, {}).get("items") for name in ("accuracy", "draft_accuracy"))
    if right is None or drafted is None:
        return None
    return of_differences(record, range(len(record.item_ids)), drafted, right)


@remembered
def beyond_data(record: Record, metric: str, stratum: str | None = None) -> Interval | None:
    """A metric of the generated texts minus that of the references, paired by item; None without references' values."""
    entry = record.scores.get(metric, {})
    return (
        of_differences(record, places_in(record, stratum), entry["data"], entry["items"]) if "data" in entry else None
    )


def of_differences(
    record: Record, places: Sequence[int], first: Sequence[float | None], second: Sequence[float | None]
) -> Interval | None:
    """Second minus first, paired by item."""
    differences = minus([second[i] for i in places], [first[i] for i in places])
    return of_values(record, places, differences, "share", paired=True)


def minus(first: Sequence[float | None] | None, second: Sequence[float | None] | None) -> list[float | None]:
    """Differences by item; None where either value is unknown."""
    pairs = zip(first or [], second or [], strict=False)
    return [None if a is None or b is None else a - b for a, b in pairs]


@remembered
def quality_of_data(record: Record, metric: str, stratum: str | None = None) -> Interval | None:
    """The metric of the references themselves, for metrics that are interpreted relative to it; None for others."""
    entry = record.scores.get(metric, {})
    if "data" not in entry:
        return None
    places, sums = places_in(record, stratum), entry.get("data_statistics")
    values = (
        [entry["data"][i] for i in places] if sums is None else of_sums([sums[i] for i in places], value_of(metric))
    )
    return of_values(record, places, values, scale_of(entry, metric))


def value_of(metric: str) -> Callable[[Sequence[float]], float | None]:
    """The function from summed statistics to a pooled metric's value, for reference-based and judge metrics.

    None for sums that it has no value of, as all are of a metric that this version does not have or defines otherwise.
    """
    from tasks.metrics.__init__ import METRICS
    from tasks.metrics.judged import JUDGED

    known = (METRICS | JUDGED).get(metric)

    def value(sums: Sequence[float]) -> float | None:
        try:
            found = None if known is None else known.value(sums)
        except (ArithmeticError, IndexError, ValueError):
            return None
        return found if found is not None and math.isfinite(found) else None

    return value


def alone(record: Record) -> list[Timing]:
    """Timings of texts of natural length at batch 1."""
    return [entry for entry in record.timing if entry["workload"] == "natural" and entry["batch"] == 1]


def end_to_end(entry: Timing) -> list[float]:
    """E2E of every repeat, seconds: from receiving the canvas to the end of the last forward pass."""
    return [sum(durations) / 1e9 for durations in entry["repeats_ns"]]


def readable(entry: Timing, settled: Sequence[int]) -> list[list[float]]:
    """tau_1..tau_N of every repeat, seconds: the time at which the first i tokens are final."""
    curves = []
    for durations in entry["repeats_ns"]:
        done = list(itertools.accumulate(durations))
        stable = [done[call - 1] / 1e9 for call in settled]
        curves.append(list(itertools.accumulate(stable, max)))
    return curves


def over_texts(values: Sequence[Sequence[float]]) -> Interval | None:
    """Median over texts of the median over repeats; for one text, the median over its repeats. None without any text.

    A mean would be dominated by short texts, such as one token in ten forward passes.
    """
    if not values:
        return None
    return median(values[0]) if len(values) == 1 else median([statistics.median(repeats) for repeats in values])


@remembered
def spread_of_repeats(record: Record) -> float | None:
    """How far the repeats of a text lie apart: their range / their median, the median over texts; None if not timed.

    Without the slowest repeat, which one interruption by another program decides.
    """
    repeats = [sorted(end_to_end(entry))[:-1] for entry in alone(record)]
    found = [(own[-1] - own[0]) / statistics.median(own) for own in repeats if len(own) > 1]
    return statistics.median(found) if found else None


@of_timing
@remembered
def latency_per_token(record: Record) -> Interval | None:
    """E2E / N at batch 1, seconds, over texts that have tokens."""
    entries = [entry for entry in alone(record) if entry["useful_tokens"]]
    return over_texts([[e2e / entry["useful_tokens"] for e2e in end_to_end(entry)] for entry in entries])


@of_timing
@remembered
def latency(record: Record) -> Interval | None:
    """E2E at batch 1, seconds."""
    return over_texts([end_to_end(entry) for entry in alone(record)])


@of_timing
@remembered
def latency_p95(record: Record) -> Interval | None:
    """95th percentile over texts of E2E at batch 1, seconds; None for fewer than `ENOUGH_TEXTS` texts.

    It has no interval: the few texts beyond it bound it from above at no useful level.
    """
    medians = [statistics.median(end_to_end(entry)) for entry in alone(record)]
    return without_interval(float(np.quantile(medians, 0.95)), len(medians)) if len(medians) >= ENOUGH_TEXTS else None


def settled_calls(record: Record, entry: Timing) -> list[int]:
    """The forward pass, from 1, after which each useful token of a timed text no longer changes.

    Records older than timing sessions have it in the trace of the text; without a trace, it is empty.
    """
    if "settled" in entry:
        return entry["settled"]
    return record.trace["settled"][entry["first"]][: entry["useful_tokens"]] if record.trace else []


def curves(record: Record) -> list[list[list[float]]]:
    """tau of every repeat of every text timed at batch 1 that has useful tokens; empty without a trace."""
    found = [(entry, settled_calls(record, entry)) for entry in alone(record)]
    return [readable(entry, settled) for entry, settled in found if settled]


@of_timing
@remembered
def time_to_first_token(record: Record) -> Interval | None:
    """TTFT = tau_1, seconds; for decoders that revise it is known only after decoding."""
    return over_texts([[tau[0] for tau in repeats] for repeats in curves(record)])


@of_timing
@remembered
def time_per_output_token(record: Record) -> Interval | None:
    """TPOT = (tau_N - tau_1) / (N - 1), seconds, over texts whose tokens become readable one after another.

    A text that is readable all at once has no time between its tokens. None unless at least half of the texts have one.
    """
    every = curves(record)
    spread = [repeats for repeats in every if repeats[0][-1] > repeats[0][0]]
    if 2 * len(spread) < len(every):
        return None
    return over_texts([[(tau[-1] - tau[0]) / (len(tau) - 1) for tau in repeats] for repeats in spread])


@of_timing
@remembered
def last_useful_token(record: Record) -> Interval | None:
    """tau_N, seconds; E2E also includes the end token's forward pass and any after it."""
    return over_texts([[tau[-1] for tau in repeats] for repeats in curves(record)])


@of_timing
@remembered
def throughput(record: Record, batch: int, of: str = "useful_tokens") -> Interval | None:
    """Useful tokens (or characters) per second at a batch size, over all its texts together; median of repeats."""
    entries = [entry for entry in record.timing if entry["workload"] == "natural" and entry["batch"] == batch]
    if not entries:
        return None
    produced = sum(entry[of] for entry in entries)
    return median([produced / sum(times) for times in zip(*map(end_to_end, entries), strict=True)])


@remembered
def latency_by_length(record: Record) -> dict[int, Interval]:
    """E2E at batch 1 of texts forced to a length, seconds, by length in tokens."""
    forced = [entry for entry in record.timing if entry["workload"] == "forced"]
    return {entry["useful_tokens"]: median(end_to_end(entry)) for entry in forced}


@of_timing
def peak_memory(record: Record, batch: int) -> int | None:
    """Peak memory while decoding a batch, bytes; None where the batch size was not timed."""
    peaks = [e["peak_bytes"] for e in record.timing if e["workload"] == "natural" and e["batch"] == batch]
    return max((peak for peak in peaks if peak is not None), default=None)


def traced(record: Record, name: str, stratum: str | None = None) -> list[Any]:
    """A field of the trace by traced text, of a stratum or of all; without nfe, every call counts as one evaluation."""
    if record.trace is None:
        return []
    values = record.trace["calls"] if name not in record.trace and name == "nfe" else record.trace[name]
    by_text = zip(record.trace["items"], values, strict=True)
    return [value for item, value in by_text if stratum in (None, record.strata[item])]


@remembered
def calls(record: Record, stratum: str | None = None) -> Interval | None:
    """NFE: forward passes per text, each counted once per copy of the text in it; mean over a stratum or over all."""
    found = traced(record, "nfe", stratum)
    return mean(found) if found else None


@remembered
def tokens_per_pass(record: Record) -> Interval | None:
    """TPF = N / NFE, mean over texts."""
    values = [n / c for n, c in zip(traced(record, "useful_tokens"), traced(record, "nfe"), strict=True)]
    return mean(values) if values else None


@remembered
def positions_per_token(record: Record) -> Interval | None:
    """W = computed positions / useful tokens, mean over texts that have useful tokens."""
    values = [p / n for n, p in zip(traced(record, "useful_tokens"), traced(record, "positions"), strict=True) if n]
    return mean(values) if values else None


def decoder_of(record: Record) -> Mapping[str, Any]:
    """The decoder's settings; empty for a paradigm without any."""
    return record.config["paradigm"].get("decoder") or {}


def length_mode(record: Record) -> str:
    """What determines where a text ends: the paradigm (eos, predicted), the reference (oracle) or nothing (fixed)."""
    decoder = decoder_of(record)
    first = decoder.get("first", decoder)  # the first of two decoders
    return str(first.get("length", "eos")) if isinstance(first, Mapping) else "eos"


@remembered
def lengths(record: Record) -> list[tuple[int, int, int | None]]:
    """Useful tokens, masked positions and the reference's tokens (None if not counted) of every traced text."""
    law, ended = record.likelihood or {"item_ids": [], "tokens": []}, length_mode(record) == "eos"
    known = {item: tokens - ended for item, tokens in zip(law["item_ids"], law["tokens"], strict=True)}
    named = zip(traced(record, "items"), traced(record, "useful_tokens"), traced(record, "filled"), strict=True)
    return [(useful, len(filled), known.get(item)) for item, useful, filled in named]


def has_own_lengths(record: Record) -> bool:
    """Whether texts may end before their canvas; where none may, the end token is not counted as theirs."""
    whole = [(holes, tokens + 1) for _, holes, tokens in lengths(record) if tokens is not None]
    return length_mode(record) != "eos" or any(holes != tokens for holes, tokens in whole)


@remembered
def length_error(record: Record) -> Interval | None:
    """|N - N_ref| / N_ref, mean over texts; None where the canvas determines every length."""
    values = [abs(useful - tokens) / tokens for useful, _, tokens in lengths(record) if tokens and tokens > 0]
    return mean(values) if values and has_own_lengths(record) else None


@remembered
def canvas_utilisation(record: Record) -> Interval | None:
    """N / L, L the masked positions of the canvas, mean over texts; None where the canvas determines every length."""
    values = [useful / holes for useful, holes, _ in lengths(record) if holes]
    return mean(values) if values and has_own_lengths(record) else None


@remembered
def revisions(record: Record) -> float | None:
    """Share of masked positions whose token changed after it was first committed."""
    pairs = [
        pair
        for filled, settled in zip(traced(record, "filled"), traced(record, "settled"), strict=True)
        for pair in zip(filled, settled, strict=True)
    ]
    return sum(first != last for first, last in pairs) / len(pairs) if pairs else None


@remembered
def order_correlation(record: Record) -> float | None:
    """Kendall's tau between position and settling pass, mean over texts; 1 is left to right, None a single pass."""
    values = [rank_correlation(tuple(settled)) for settled in traced(record, "settled") if len(set(settled)) > 1]
    return statistics.mean(values) if values else None


@lru_cache(maxsize=4096)  # many texts share one order
def rank_correlation(settled: tuple[int, ...]) -> float:
    return float(kendalltau(range(len(settled)), settled).statistic)  # pyright: ignore[reportAttributeAccessIssue]


def holes(record: Record, stratum: str) -> int:
    """Masked positions of a stratum's first traced text; 0 where none of its texts was traced."""
    return len(next(iter(traced(record, "filled", stratum)), ()))


@remembered
def quotas(record: Record, stratum: str) -> tuple[int, ...] | None:
    """Positions committed in each pass, if equal for all traced texts of the stratum and never revised; else None.

    None also where tokens are not sampled for a position of their own (`aligned` is false): analytic values for a
    number of samples per pass do not apply to these.
    """
    if traced(record, "filled") != traced(record, "settled") or not (record.trace or {}).get("aligned", True):
        return None
    counts = [Counter(filled) for filled in traced(record, "filled", stratum)]
    found = {tuple(count[call] for call in sorted(count)) for count in counts}
    return found.pop() if len(found) == 1 else None
