"""A comparison as `model-index` metadata of a Hugging Face model card: one entry per configuration."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import yaml

from wordways.report import derive, likelihoods
from wordways.report.rows import Row
from wordways.report.signature import signature

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the same output, ten times faster
SPEED = {
    "latency_per_token": ("ms", 1e3, derive.latency_per_token),
    "end_to_end": ("ms", 1e3, derive.latency),
    "calls": ("", 1, derive.calls),
}


def model_index(rows: Sequence[Row]) -> str:
    """YAML for a card's metadata; a metric's args hold its interval, if any, the data set's args the run signature."""
    entries = [{"name": row.label, "results": [result(row)]} for row in rows]
    return yaml.dump({"model-index": entries}, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=10_000)


def result(row: Row) -> dict[str, Any]:
    task, metrics = row.first().config["task"], []
    strata = row.first().groups()
    for stratum in strata:
        within = f" ({stratum})" if len(strata) > 1 else ""
        for metric, entry in row.first().scores.items():
            value = partial(derive.quality, metric=metric, stratum=stratum)
            metrics.append((metric, f"{metric}{within}", entry["unit"], 1, value))
        value = partial(likelihoods.nats_per_token, stratum=stratum)
        metrics.append(("nats_per_token", f"nats_per_token{within}", "nats", 1, value))
    metrics += [(name, name, unit, scale, value) for name, (unit, scale, value) in SPEED.items()]
    signed, found = signature([row]), []
    for kind, name, unit, scale, value in metrics:
        interval = row.over_seeds(value)
        if interval is not None:
            ends = {"low": float(interval.low * scale), "high": float(interval.high * scale), "level": interval.level}
            args = (ends if interval.known() else {}) | {"method": interval.method, "n": interval.n, "unit": unit}
            found.append({"type": kind, "name": name, "value": float(interval.value * scale), "args": args})
    dataset = {"type": row.task, "name": row.task, "split": "test", "revision": str(task.get("data_hash"))}
    return {
        "task": {"type": "text-generation", "name": row.task},
        "dataset": dataset | {"args": {"signature": signed}},
        "metrics": found,
    }
