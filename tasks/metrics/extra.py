"""Metrics of the Hugging Face hub by their names: MAUVE, BERTScore, and any other that compares texts with references.

They are computed by their own code over whole sets of texts, so that most give a number without an interval.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from numbers import Real
from typing import Any

from tasks.corpus import first_cause, one_line, quiet


@dataclass(frozen=True)
class Known:
    """A metric whose result can be read; more of it is better.

    module, package: what has to be importable, and its name for pip.  result: where the value stands; by_item: it is a
    list with a value for every text.
    """

    module: str
    package: str
    unit: str
    result: str
    by_item: bool


KNOWN = {
    "mauve": Known("mauve", "mauve-text", "MAUVE", "mauve", by_item=False),  # Pillutla et al., 2021
    "bertscore": Known("bert_score", "bert-score", "F1", "f1", by_item=True),  # Zhang et al., 2020
}


def called(asked: str) -> str:
    """A metric's own name: of mauve@main, somebody/mauve and a folder's path the last part."""
    return asked.partition("@")[0].rstrip("/").rpartition("/")[2].removesuffix(".py")


def check_extra(asked: Sequence[str], own: Sequence[str]) -> None:
    """Raises ValueError, one line, where a metric cannot be loaded or is there already; `own` are the task's."""
    taken = list(own)
    for one in asked:
        if called(one) in taken:
            raise ValueError(f"extra={one}: there is a metric {called(one)} already")
        taken.append(called(one))
        load(one)


@lru_cache
def load(asked: str) -> Any:
    """The `evaluate.Metric` of a name, a name@revision or a folder. Raises ValueError where it cannot be had."""
    known = KNOWN.get(called(asked))
    if known is not None and find_spec(known.module) is None:
        raise ValueError(f"extra={asked}: needs the package {known.package}; pip install 'wordways[extras]'")
    import evaluate  # loads torch, which a report must not

    quiet()
    name, _, revision = asked.partition("@")
    try:
        metric = evaluate.load(name, module_type="metric", revision=revision or None, keep_in_memory=True)
    except Exception as error:
        if isinstance(error.__context__, ConnectionError):
            why = "the Hugging Face hub cannot be reached, and this machine keeps no copy; a folder with it will do"
            raise ValueError(f"extra={asked}: {why}") from None
        raise ValueError(f"extra={asked}: cannot be loaded ({one_line(first_cause(error))})") from None
    if not forms_of(metric):
        raise ValueError(f"extra={asked}: does not compare texts with references")
    return metric


def forms_of(metric: Any) -> list[bool]:
    """The forms in which it takes texts and references: True where a text may have several."""
    import datasets

    shapes = metric.features if isinstance(metric.features, list) else [metric.features]
    return [
        not isinstance(shape["references"], datasets.Value)
        for shape in shapes
        if shape.keys() == {"predictions", "references"} and getattr(shape["predictions"], "dtype", "") == "string"
    ]


def extra_scores(
    asked: str,
    texts: Sequence[str],
    references: Sequence[Sequence[str]],
    strata: Mapping[str, Sequence[int]],
    language: str,
) -> dict[str, dict[str, Any]]:
    """The metric as records keep scores: values by item, or one of all texts and one of each stratum.

    strata: where their texts stand.  A metric that takes one reference a text gets the first.  Raises ValueError where
    the result holds no number.
    """
    name, metric = called(asked), load(asked)
    known = KNOWN.get(name)
    many, named = any(forms_of(metric)), settings_of(name, language)

    def compute(chosen: Sequence[int]) -> Mapping[str, Any]:
        shown = [list(references[i]) if many else references[i][0] for i in chosen]
        found = metric.compute(predictions=[texts[i] for i in chosen], references=shown, **named)
        return found if isinstance(found, Mapping) else vars(found)

    entry = {
        "unit": known.unit if known else "",
        "higher_is_better": True if known else None,
        "loaded": asked,
        "signature": f"{asked}|evaluate:{version('evaluate')}",
    }
    if known and known.by_item:
        found = compute(range(len(texts)))
        hashcode = f"|{found['hashcode']}" if "hashcode" in found else ""
        items = [finite(value) for value in found[known.result]]
        return {name: entry | {"items": items, "signature": entry["signature"] + hashcode}}
    apart = {stratum: numbers(compute(places), name) for stratum, places in strata.items()}
    whole = next(iter(apart.values())) if len(apart) == 1 else numbers(compute(range(len(texts))), name)
    if not whole:
        raise ValueError(f"extra={asked}: its result holds no number")
    return {
        key: entry | {"value": value, "strata": {stratum: found.get(key) for stratum, found in apart.items()}}
        for key, value in whole.items()
        if known is None or key == name
    }


def settings_of(name: str, language: str) -> dict[str, Any]:
    """What is to be said beside the texts."""
    return {"mauve": {"verbose": False}, "bertscore": {"lang": language}}.get(name, {})


def numbers(found: Mapping[str, Any], name: str) -> dict[str, float | None]:
    """Every number of a result, as <metric>_<key>, or <metric> where that is the key."""
    return {
        name if key == name else f"{name}_{key}": finite(value)
        for key, value in found.items()
        if isinstance(value, Real) and not isinstance(value, bool)
    }


def finite(value: Real) -> float | None:
    """None for what JSON has no number for."""
    return float(value) if math.isfinite(value) else None
