"""Metrics of the Hugging Face hub, by name: MAUVE, BERTScore, and any other that compares texts with references.

They are computed by their own code over whole sets of texts, so that most give one number without an interval.
"""

import hashlib
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Known:
    """A metric whose result has a known form and of which a higher value is better.

    module, package: the module that must be importable, and the package that pip installs it from.  result: the key of
    the value in the metric's result.  by_item: whether that value is a list, with one entry a text.
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
    """The name of a metric: the last part of mauve@main, somebody/mauve or the path of a folder."""
    return asked.partition("@")[0].rstrip("/").rpartition("/")[2].removesuffix(".py")


def check_extra(asked: Sequence[str], own: Sequence[str]) -> None:
    """Raises ValueError, in one line, if a metric cannot be loaded or its name is taken; own: the task's metrics."""
    taken = list(own)
    for one in asked:
        if called(one) in taken:
            raise ValueError(f"extra={one}: a metric {called(one)} exists already")
        taken.append(called(one))
        load(one)


@lru_cache
def load(asked: str) -> Any:
    """The `evaluate.Metric` of a name, a name@revision or a folder. Raises ValueError if it is unavailable."""
    known = KNOWN.get(called(asked))
    if known is not None and find_spec(known.module) is None:
        raise ValueError(f"extra={asked}: needs the package {known.package}; pip install 'wordways[extras]'")
    import evaluate  # loads torch, which a report must not

    from tasks.files import first_cause, one_line, quiet  # loads pyarrow

    quiet()
    name, _, revision = asked.partition("@")
    try:
        metric = evaluate.load(name, module_type="metric", revision=revision or None, keep_in_memory=True)
    except Exception as error:
        if isinstance(error.__context__, ConnectionError):
            why = "the Hugging Face hub cannot be reached and no local copy is cached; give the folder of one"
            raise ValueError(f"extra={asked}: {why}") from None
        raise ValueError(f"extra={asked}: cannot be loaded ({one_line(first_cause(error))})") from None
    if not forms_of(metric):
        raise ValueError(f"extra={asked}: does not compare texts with references")
    return metric


def forms_of(metric: Any) -> list[bool]:
    """The forms of input that a metric accepts, True for each in which a text may have several references."""
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
    """The metric in the form of a record's scores: a value for every text, or one for all texts and one a stratum.

    strata: the indices of each stratum's texts.  A metric that takes one reference a text gets the first.  Raises
    ValueError if the result contains no number.
    """
    name, metric = called(asked), load(asked)
    known = KNOWN.get(name)
    many, named = any(forms_of(metric)), settings_of(name, language)

    def compute(chosen: Sequence[int]) -> Mapping[str, Any]:
        shown = [list(references[i]) if many else references[i][0] for i in chosen]
        found = metric.compute(predictions=[texts[i] for i in chosen], references=shown, **named)
        return found if isinstance(found, Mapping) else vars(found)

    how = f"refs:{'all' if many else 'first'}|script:{script(metric)}|evaluate:{version('evaluate')}"
    entry = {
        "unit": known.unit if known else "",
        "higher_is_better": True if known else None,
        "loaded": asked,
        "signature": f"{asked}|{how}",
    }
    if known and known.by_item:
        found = compute(range(len(texts)))
        hashcode = f"|{found['hashcode']}" if "hashcode" in found else ""
        items = [finite(value) for value in found[known.result]]
        return {name: entry | {"items": items, "signature": entry["signature"] + hashcode}}
    apart = {stratum: numbers(compute(places), name) for stratum, places in strata.items()}
    whole = next(iter(apart.values())) if len(apart) == 1 else numbers(compute(range(len(texts))), name)
    if not whole:
        raise ValueError(f"extra={asked}: its result contains no number")
    return {
        key: entry | {"value": value, "strata": {stratum: found.get(key) for stratum, found in apart.items()}}
        for key, value in whole.items()
        if known is None or key == name
    }


def script(metric: Any) -> str:
    """Eight digits of the hash of the code that computes a metric: a name on the hub may stand for other code later."""
    return hashlib.sha256(Path(inspect.getfile(type(metric))).read_bytes()).hexdigest()[:8]


def settings_of(name: str, language: str) -> dict[str, Any]:
    """The arguments that a metric needs beside the texts."""
    return {"mauve": {"verbose": False}, "bertscore": {"lang": language}}.get(name, {})


def numbers(found: Mapping[str, Any], name: str) -> dict[str, float | None]:
    """Every number of a result, under the name <metric>_<key>, or <metric> where the key equals it."""
    return {
        name if key == name else f"{name}_{key}": finite(value)
        for key, value in found.items()
        if isinstance(value, Real) and not isinstance(value, bool)
    }


def finite(value: Real) -> float | None:
    """The number, or None where JSON cannot represent it."""
    return float(value) if math.isfinite(value) else None
