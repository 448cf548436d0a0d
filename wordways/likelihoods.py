"""Every number about laws, once: likelihoods by kind, divergences from an exact law, what independence costs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from wordways.derive import quality
from wordways.record import Record
from wordways.stats import Interval, mean, pooled


def nats_per_token(record: Record, stratum: str) -> Interval | None:
    """Sum of nats over sum of tokens; the interval is over items, all of which weigh alike where lengths are equal."""
    return per_token(record, stratum, (record.likelihood or {}).get("nats"))


def kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(q || p) of the model's law p from the true law q, nats a token: the mean of ln q(x) - ln p(x), x drawn from q.

    Of a bound its slack is a part.
    """
    law = record.likelihood or {}
    return per_token(record, stratum, minus(law.get("nats"), law.get("law_nats")))


def exact_nats_per_token(record: Record, stratum: str) -> Interval | None:
    """Behind a bound the exact value, nats a token, where every order could be summed over."""
    return per_token(record, stratum, (record.likelihood or {}).get("exact"))


def slack_per_token(record: Record, stratum: str) -> Interval | None:
    """Bound minus exact value, nats a token."""
    law = record.likelihood or {}
    return per_token(record, stratum, minus(law.get("nats"), law.get("exact")))


def reverse_kl_per_token(record: Record, stratum: str) -> Interval | None:
    """KL(p || q) of the true law q from the model's law p, nats a token: the mean of ln p(x) - ln q(x), x written.

    An impossible text makes it infinite, and a softmax rules none out. So it is taken of p given that the text is
    possible, which adds -ln of their share e to the mean over possible texts; that share is the accuracy.
    """
    own = (record.likelihood or {}).get("own")
    right = quality(record, "accuracy", stratum)
    if not own or right is None or right.value == 0:
        return None
    model = own["nats"] if own["kind"] == "exact" else own.get("exact")
    if model is None:
        return None
    rows = [row for row in zip(own["law_nats"], model, own["tokens"], strict=True) if row[0] is not None]
    return mean([(law - nats - math.log(right.value)) / tokens for law, nats, tokens in rows]) if rows else None


def token_error(record: Record) -> Interval | None:
    """Mean KL of the exact law from the model's behind one token, nats, along the data's texts."""
    found = (record.likelihood or {}).get("exposure")
    return mean([statistics.mean(texts) for texts in found["data"]]) if found else None


def minus(first: Sequence[float | None] | None, second: Sequence[float | None] | None) -> list[float | None]:
    """Item by item; None where either is unknown."""
    pairs = zip(first or [], second or [], strict=False)
    return [None if a is None or b is None else a - b for a, b in pairs]


def per_token(record: Record, stratum: str, values: Sequence[float | None] | None) -> Interval | None:
    """Of values by likelihood item: their sum over the sum of tokens; None where any is unknown."""
    law = record.likelihood
    if law is None or not values:
        return None
    items = zip(law["item_ids"], values, law["tokens"], strict=True)
    found = [(value, tokens) for item, value, tokens in items if record.strata[item] == stratum]
    rows = [(value, tokens) for value, tokens in found if value is not None]
    if not rows or len(rows) < len(found):
        return None
    spread = mean([value / tokens for value, tokens in rows])
    value = sum(value for value, _ in rows) / sum(tokens for _, tokens in rows)
    return replace(spread, value=value, low=value - spread.value + spread.low, high=value - spread.value + spread.high)


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

    def error(sums: Sequence[float], upto: int) -> float:
        means = [total / max(count, 1) for total, count in zip(sums[::2], sums[1::2], strict=True)]
        strayed, taught = sum(means[:upto]), sum(means[steps : steps + upto])
        return (strayed - taught) / taught

    if not any(map(any, found["data"])):
        return None  # nothing to compare with
    return [pooled(rows, partial(error, upto=upto)) for upto in range(1, steps + 1)]


def exposure_bias(record: Record) -> Interval | None:
    """ExAccErr after the last commitment."""
    errors = accumulated_error(record)
    return errors[-1] if errors else None


def gap_bits(at_once: Record, one_by_one: Record, stratum: str) -> Interval | None:
    """What independence costs, bits a text: difference of two likelihoods of the same texts, paired by item."""
    both = [record.likelihood for record in (at_once, one_by_one)]
    if both[0] is None or both[1] is None or both[0]["item_ids"] != both[1]["item_ids"]:
        return None
    pairs = zip(both[0]["item_ids"], both[0]["nats"], both[1]["nats"], strict=True)
    bits = [(high - low) / math.log(2) for item, high, low in pairs if at_once.strata[item] == stratum]
    return mean(bits) if bits else None
