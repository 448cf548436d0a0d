"""Paired comparisons of configurations: differences on identical items and seeds, with intervals and p-values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from wordways.record import Record
from wordways.report import derive
from wordways.report.rows import Row
from wordways.report.stats import Interval, Sample, Scale, estimate, mean, units_of


@dataclass(frozen=True)
class Contrast:
    """A paired difference, second minus first, and the p-value of no difference.

    here: the p-value for these very trainings, with items as the only random factor; equal to p for one training.
    """

    difference: Interval
    p: float
    here: float


def contrast_of(first: Row, second: Row, metric: str, stratum: str | None = None) -> Contrast | None:
    """Over the common seeds, each paired on items; a trivial baseline, which is not trained, is paired with every seed.

    stratum: None for all items. None where nothing can be paired. Results are cached in the first row.
    """
    asked = (contrast_of, id(second), metric, stratum)
    if asked not in first.compared:
        first.compared[asked] = (second, compared(first, second, metric, stratum))  # kept alive, or its id might recur
    return first.compared[asked][1]


def compared(first: Row, second: Row, metric: str, stratum: str | None) -> Contrast | None:
    pairs = pairs_of(first, second)
    samples = [differences(a, b, metric, stratum) for a, b in pairs]
    known = [sample for sample in samples if sample is not None]
    if known and len(known) == len(pairs) and len({sample.units for sample in known}) == 1:
        if len(known[0].units) * len(known) < 2:
            return None
        scale = derive.scale_of(pairs[0][0].scores[metric], metric)
        found = estimate(known, scale, paired=True)
        here = found.p() if len(known) == 1 else over_items(known, scale).p()
    else:
        value = partial(derive.quality, metric=metric, stratum=stratum)
        values = [(value(a), value(b)) for a, b in pairs]
        by_seed = [b.value - a.value for a, b in values if a is not None and b is not None]
        if len(by_seed) < 2:
            return None
        found, here = mean(by_seed), None
    p = found.p()
    return None if p is None else Contrast(found, p, p if here is None else here)


def over_items(samples: Sequence[Sample], scale: Scale) -> Interval:
    """The mean over these trainings, which are not a sample of others: only the items are."""
    first = samples[0]
    together = sum(sample.values for sample in samples) / len(samples)
    whole = all(sample.whole for sample in samples)
    return estimate([Sample(first.units, np.asarray(together), first.items, whole)], scale, paired=True)


def pairs_of(first: Row, second: Row) -> list[tuple[Record, Record]]:
    """Records of the same seed; a row without training is the same for every seed."""
    if first.baseline or second.baseline:
        longest = max(len(first.records), len(second.records))
        one, other = ([*row.records] * longest if row.baseline else row.records for row in (first, second))
        return list(zip(one[:longest], other[:longest], strict=True))
    seeds = [{record.config["seed"]: record for record in row.records} for row in (first, second)]
    return [(seeds[0][seed], seeds[1][seed]) for seed in sorted(seeds[0].keys() & seeds[1].keys())]


def differences(first: Record, second: Record, metric: str, stratum: str | None) -> Sample | None:
    """Pseudo-values of second minus first over the items for which both have a value."""
    entries = [record.scores.get(metric) for record in (first, second)]
    one, other = entries
    if one is None or other is None or not {"items"} <= one.keys() & other.keys() or first.item_ids != second.item_ids:
        return None
    places = derive.places_in(first, stratum)
    if "statistics" in one and "statistics" in other:
        values = of_sums(first, second, metric, stratum)
    else:
        values = derive.minus(*([entry["items"][i] for i in places] for entry in (other, one)))
    return units_of(values, [first.item_ids[i] for i in places], first.shared_instances(places))


def of_sums(first: Record, second: Record, metric: str, stratum: str | None) -> list[float | None]:
    """Differences of the pseudo-values of a pooled metric, over the texts that both have statistics of."""
    one, other = (derive.pseudo_values(record, metric, stratum) for record in (first, second))
    both = [a is not None and b is not None for a, b in zip(one, other, strict=True)]
    if one.count(None) == other.count(None) == both.count(False):
        return derive.minus(other, one)
    places, value = derive.places_in(first, stratum), derive.value_of(metric)
    chosen = [i for i, known in zip(places, both, strict=True) if known]
    a, b = (
        derive.of_sums([record.scores[metric]["statistics"][i] for i in chosen], value) for record in (first, second)
    )
    found = iter(derive.minus(b, a))
    return [next(found) if known else None for known in both]
