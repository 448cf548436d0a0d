"""Computes every number from probabilities: likelihoods, divergences from the data, the cost of factorisation."""

import math
import statistics
from collections.abc import Sequence

import numpy as np

from wordways.record import Record, remembered
from wordways.report.derive import decoder_of, minus, of_values, quality, quotas
from wordways.report.stats import Interval, linearised, mean, pooled_curve

OWN_LAW = {"top_k": None, "top_p": None, "min_p": None, "repetition_penalty": 1.0, "guidance": None}
APPROXIMATE = ("prefix", "dual")  # caches that are exact only in a block's first pass


@remembered
def nats_per_token(record: Record, stratum: str) -> Interval | None:
    """Sum of nats / sum of tokens over texts, with the interval of the ratio."""
    return per_token(record, stratum, (record.likelihood or {}).get("nats"))


@remembered
def kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(q || p), data distribution q, model p, nats per token: the mean of ln q(x) - ln p(x), x sampled from q.

    Where the likelihood is a bound, the slack of the bound is included.
    """
    law = record.likelihood or {}
    return per_token(record, stratum, minus(law.get("nats"), law.get("law_nats")))


@remembered
def exact_nats_per_token(record: Record, stratum: str) -> Interval | None:
    """The exact value behind a bound, nats per token, where all orders could be summed over; else None."""
    return per_token(record, stratum, (record.likelihood or {}).get("exact"))


@remembered
def law_kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(q || p), nats per token, where p is exactly the distribution that is sampled from; None for bounds."""
    law = record.likelihood or {}
    exact = law.get("nats") if law.get("kind") == "exact" else law.get("exact")
    return per_token(record, stratum, minus(exact, law.get("law_nats"))) if undistorted(record) else None


@remembered
def bound_kl_per_token(record: Record, stratum: str) -> Interval | None:
    """Upper bound on KL(q || p), nats per token, p: one masked position per pass in random order; else None."""
    return kl_per_token(record, stratum) if (record.likelihood or {}).get("kind") == "bound" else None


@remembered
def slack_per_token(record: Record, stratum: str) -> Interval | None:
    """Bound minus exact value, nats per token, of decoding one masked position per pass in random order."""
    law = record.likelihood or {}
    one_by_one = set(quotas(record, stratum) or ()) == {1} and undistorted(record)
    return per_token(record, stratum, minus(law.get("nats"), law.get("exact"))) if one_by_one else None


def undistorted(record: Record) -> bool:
    """Whether samples follow the model distribution: temperature 1, no truncation, penalty, guidance or stale cache."""
    decoder = decoder_of(record)
    at_one = decoder.get("temperature") == 1 and decoder.get("cache") not in APPROXIMATE
    return at_one and all(decoder.get(name, value) == value for name, value in OWN_LAW.items())


@remembered
def reverse_kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(p || q), model p, data distribution q, nats per token: the mean of ln p(x) - ln q(x), x generated.

    A text of probability 0 under q makes it infinite, and a softmax excludes none. It is therefore computed for p given
    that the text has probability under q, which adds -ln of the share of such texts, the accuracy, to their mean.
    """
    own = (record.likelihood or {}).get("own")
    right = quality(record, "accuracy", stratum)
    if not own or right is None or right.value <= 0 or not undistorted(record):
        return None
    model = own["nats"] if own["kind"] == "exact" else own.get("exact")
    if model is None:
        return None
    rows = [row for row in zip(own["law_nats"], model, own["tokens"], strict=True) if row[0] is not None]
    if not rows or any(nats is None or not tokens for _, nats, tokens in rows):
        return None
    return mean([(law - nats - math.log(right.value)) / tokens for law, nats, tokens in rows])


@remembered
def token_error(record: Record) -> Interval | None:
    """Mean KL from the exact to the model's distribution of one token, nats, along texts of the data."""
    found = (record.likelihood or {}).get("exposure")
    texts = [statistics.mean(text) for text in found["data"] if text] if found else []
    return mean(texts) if texts else None


def bits_per_byte(record: Record, stratum: str | None = None) -> Interval | None:
    """Sum of nats / ln 2 / sum of the texts' bytes, the end token's nats included: comparable across tokenizers.

    None where tokens are words of the task's own vocabulary.
    """
    law = record.likelihood or {}
    if "bytes" not in law:
        return None
    bits = [None if nats is None else nats / math.log(2) for nats in law["nats"]]
    return per_token(record, stratum, bits, "bytes")


def per_token(
    record: Record, stratum: str | None, values: Sequence[float | None] | None, unit: str = "tokens"
) -> Interval | None:
    """Sum of values by likelihood item / sum of the items' units; None where any value is unknown.

    stratum: None for all items.  unit: tokens or bytes.
    """
    law = record.likelihood
    if law is None or not values:
        return None
    items = zip(law["item_ids"], values, law[unit], strict=True)
    found = [(item, value, units) for item, value, units in items if stratum in (None, record.strata[item])]
    rows = [(item, value, units) for item, value, units in found if value is not None]
    if not rows or len(rows) < len(found):
        return None
    names, above, below = zip(*rows, strict=True)
    if not any(below):
        return None
    return over_texts(record, names, linearised(above, below).tolist())


def over_texts(record: Record, names: Sequence[str], values: Sequence[float]) -> Interval | None:
    """The mean of one value for each of some items, clustered where these share an instance."""
    place = place_of(record)
    return of_values(record, [place[name] for name in names], values)


@remembered
def place_of(record: Record) -> dict[str, int]:
    return {item: place for place, item in enumerate(record.item_ids)}


@remembered
def accumulated_error(record: Record) -> list[Interval] | None:
    """ExAccErr(l) = (R(l) - l eps(l)) / (l eps(l)) after l = 1.. commitments (Arora et al., 2022); 0: no exposure bias.

    R(l) sums the mean divergences along the model's own texts, l eps(l) along the data's. A generated prefix that has
    probability 0 in the data has no exact conditional distribution, and its text leaves the mean.
    """
    found = (record.likelihood or {}).get("exposure")
    if not found or not found["data"]:
        return None
    steps = min(map(len, found["data"]))
    if not steps:
        return None
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
        return np.divide(strayed - taught, taught, out=np.full_like(taught, np.nan), where=taught != 0)

    curve = pooled_curve(rows, errors)
    return curve if all(math.isfinite(end) for error in curve for end in (error.low, error.high)) else None


def exposure_bias(record: Record) -> Interval | None:
    """ExAccErr after the last commitment."""
    errors = accumulated_error(record)
    return errors[-1] if errors else None


def gap_bits(at_once: Record, one_by_one: Record, stratum: str, expected: float) -> Interval | None:
    """Cost of factorised sampling, bits per text: difference of two likelihoods of the same texts, paired by item.

    Where the exact cost of each text is known, only the difference from it is averaged and `expected`, the mean cost
    over all texts, is added: a control variate, without which the choice of texts would dominate the variance.
    """
    both = [record.likelihood for record in (at_once, one_by_one)]
    if both[0] is None or both[1] is None or both[0]["item_ids"] != both[1]["item_ids"]:
        return None
    items = both[0]["item_ids"]
    exact = minus(both[0].get("apart_nats"), both[0].get("law_nats")) or [expected * math.log(2)] * len(items)
    gaps = zip(items, both[0]["nats"], both[1]["nats"], exact, strict=True)
    chosen = [gap for gap in gaps if at_once.strata[gap[0]] == stratum]
    if any(value is None for gap in chosen for value in gap):
        return None
    bits = [(item, expected + (high - low - by_law) / math.log(2)) for item, high, low, by_law in chosen]
    return over_texts(at_once, [item for item, _ in bits], [one for _, one in bits]) if bits else None
