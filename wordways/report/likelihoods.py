"""Every number about laws, once: likelihoods by kind, divergences from an exact law, what independence costs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wordways.record import Record, remembered
from wordways.report.derive import quality, quotas
from wordways.report.stats import Interval, mean, pooled_curve

OWN_LAW = {"top_k": None, "top_p": None, "min_p": None, "repetition_penalty": 1.0, "guidance": None}
APPROXIMATE = ("prefix", "dual")  # caches that are exact in a block's first pass only


@remembered
def nats_per_token(record: Record, stratum: str) -> Interval | None:
    """Sum of nats over sum of tokens; the interval is over items, all of which weigh alike where lengths are equal."""
    return per_token(record, stratum, (record.likelihood or {}).get("nats"))


@remembered
def kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(q || p) of the model's law p from the true law q, nats a token: the mean of ln q(x) - ln p(x), x drawn from q.

    Of a bound its slack is a part.
    """
    law = record.likelihood or {}
    return per_token(record, stratum, minus(law.get("nats"), law.get("law_nats")))


@remembered
def exact_nats_per_token(record: Record, stratum: str) -> Interval | None:
    """Behind a bound the exact value, nats a token, where every order could be summed over."""
    return per_token(record, stratum, (record.likelihood or {}).get("exact"))


@remembered
def law_kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(q || p) where p is the law that is sampled from, no bound: nats a token."""
    law = record.likelihood or {}
    exact = law.get("nats") if law.get("kind") == "exact" else law.get("exact")
    return per_token(record, stratum, minus(exact, law.get("law_nats"))) if undistorted(record) else None


@remembered
def bound_kl_per_token(record: Record, stratum: str) -> Interval | None:
    """What a bound says KL(q || p) is at most, p being the law of one hole a pass in random order: nats a token."""
    return kl_per_token(record, stratum) if (record.likelihood or {}).get("kind") == "bound" else None


@remembered
def slack_per_token(record: Record, stratum: str) -> Interval | None:
    """Bound minus exact value of the law that is bounded, one hole a pass in random order; nats a token."""
    law = record.likelihood or {}
    one_by_one = set(quotas(record, stratum) or ()) == {1} and undistorted(record)
    return per_token(record, stratum, minus(law.get("nats"), law.get("exact"))) if one_by_one else None


def undistorted(record: Record) -> bool:
    """Are tokens drawn from the model's own law: temperature 1, nothing cut off, exaggerated or out of date?"""
    decoder = record.config["paradigm"]["decoder"]
    at_one = decoder.get("temperature") == 1 and decoder.get("cache") not in APPROXIMATE
    return at_one and all(decoder.get(name, value) == value for name, value in OWN_LAW.items())


@remembered
def reverse_kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(p || q) of the true law q from the model's law p, nats a token: the mean of ln p(x) - ln q(x), x written.

    An impossible text makes it infinite, and a softmax rules none out. So it is taken of p given that the text is
    possible, which adds -ln of their share e to the mean over possible texts; that share is the accuracy.
    """
    own = (record.likelihood or {}).get("own")
    right = quality(record, "accuracy", stratum)
    if not own or right is None or right.value == 0 or not undistorted(record):
        return None
    model = own["nats"] if own["kind"] == "exact" else own.get("exact")
    if model is None:
        return None
    rows = [row for row in zip(own["law_nats"], model, own["tokens"], strict=True) if row[0] is not None]
    return mean([(law - nats - math.log(right.value)) / tokens for law, nats, tokens in rows]) if rows else None


@remembered
def token_error(record: Record) -> Interval | None:
    """Mean KL of the exact law from the model's behind one token, nats, along the data's texts."""
    found = (record.likelihood or {}).get("exposure")
    return mean([statistics.mean(texts) for texts in found["data"]]) if found else None


def minus(first: Sequence[float | None] | None, second: Sequence[float | None] | None) -> list[float | None]:
    """Item by item; None where either is unknown."""
    pairs = zip(first or [], second or [], strict=False)
    return [None if a is None or b is None else a - b for a, b in pairs]


def bits_per_byte(record: Record, stratum: str | None = None) -> Interval | None:
    """Sum of nats / ln 2 over sum of bytes of the texts, their ends' nats included: comparable across tokenizers.

    None where tokens are words, which nobody would spell.
    """
    law = record.likelihood or {}
    if "bytes" not in law:
        return None
    return per_token(record, stratum, [nats / math.log(2) for nats in law["nats"]], "bytes")


def per_token(
    record: Record, stratum: str | None, values: Sequence[float | None] | None, unit: str = "tokens"
) -> Interval | None:
    """Of values by likelihood item: their sum over the sum of tokens; None where any is unknown.

    stratum: None for all.
    """
    law = record.likelihood
    if law is None or not values:
        return None
    items = zip(law["item_ids"], values, law[unit], strict=True)
    found = [(value, tokens) for item, value, tokens in items if stratum in (None, record.strata[item])]
    rows = [(value, tokens) for value, tokens in found if value is not None]
    if not rows or len(rows) < len(found):
        return None
    spread = mean([value / tokens for value, tokens in rows])
    value = sum(value for value, _ in rows) / sum(tokens for _, tokens in rows)
    return shifted(spread, value - spread.value)


@remembered
def accumulated_error(record: Record) -> list[Interval] | None:
    """ExAccErr(l) = (R(l) - l eps(l)) / (l eps(l)) after l = 1.. commitments (Arora et al., 2022); 0: no exposure bias.

    R(l) sums the mean divergences along the model's own texts, l eps(l) along the data's. A text of its own that has
    become impossible has no exact law any more and leaves the mean.
    """
    found = (record.likelihood or {}).get("exposure")
    if not found or not found["data"]:
        return None
    steps = min(map(len, found["data"]))
    rows = [
        [
            x
            for texts in (own, data)
            for step in range(steps)
            for x in ((texts[step], 1) if step < len(texts) else (0, 0))
        ]
        for own, data in zip(found["own"], found["data"], strict=True)
    ]

    if not any(map(any, found["data"])):
        return None  # nothing to compare with

    def errors(sums_SK: np.ndarray) -> np.ndarray:
        means = sums_SK[:, ::2] / np.maximum(sums_SK[:, 1::2], 1)
        strayed, taught = means[:, :steps].cumsum(1), means[:, steps:].cumsum(1)
        return (strayed - taught) / taught

    return pooled_curve(rows, errors)


def exposure_bias(record: Record) -> Interval | None:
    """ExAccErr after the last commitment."""
    errors = accumulated_error(record)
    return errors[-1] if errors else None


def gap_bits(at_once: Record, one_by_one: Record, stratum: str, expected: float) -> Interval | None:
    """What independence costs, bits a text: difference of two likelihoods of the same texts, paired by item.

    Where the exact law says what independence costs on each of these texts, only the difference to that is averaged and
    `expected`, its mean over all texts, added: a control variate, or the luck of the texts would drown the models.
    """
    both = [record.likelihood for record in (at_once, one_by_one)]
    if both[0] is None or both[1] is None or both[0]["item_ids"] != both[1]["item_ids"]:
        return None
    items = both[0]["item_ids"]
    exact = minus(both[0].get("apart_nats"), both[0].get("law_nats")) or [expected * math.log(2)] * len(items)
    gaps = zip(items, both[0]["nats"], both[1]["nats"], exact, strict=True)
    bits = [(high - low - by_law) / math.log(2) for item, high, low, by_law in gaps if at_once.strata[item] == stratum]
    return shifted(mean(bits), expected) if bits else None


def shifted(interval: Interval, by: float) -> Interval:
    return replace(interval, value=interval.value + by, low=interval.low + by, high=interval.high + by)
