"""The contract, over every metric that is discovered: what its values must do whatever it measures."""

import math
import re
from collections.abc import Sequence
from typing import Any

import pytest

from tasks.metrics import METRICS, by_name
from tasks.metrics.base import ByTask, Mean, Metric
from tasks.metrics.judged import JUDGED

SCALES = {"share": (0.0, 1.0), "BLEU": (0.0, 100.0), "chrF": (0.0, 100.0)}  # least and greatest value, by unit
BY_TEXT = sorted(name for name, metric in METRICS.items() if not isinstance(metric, ByTask))


def full_marks(metric: Metric) -> float | None:
    """The best value there is; None where the unit has no bounds, or no direction is better."""
    scale = SCALES.get(metric.unit)
    return None if scale is None or metric.higher_is_better is None else scale[metric.higher_is_better]


def no_better(metric: Metric, value: float, best: float) -> bool:
    return value <= best + 1e-9 if metric.higher_is_better else value >= best - 1e-9


def wrong_texts(text: str) -> list[str]:
    """Texts that fall short of this one in all the ways that a metric may look for."""
    return ["", " ".join(reversed(text.split())), "zebra " * 8, f"{text} {text}", text.partition(" ")[0]]


def of_set(metric: Metric, texts: Sequence[str], references: Sequence[Sequence[str]]) -> float | None:
    return metric.value([math.fsum(column) for column in zip(*metric.rows(texts, references), strict=True)])


@pytest.fixture(params=sorted(METRICS))
def metric(request: pytest.FixtureRequest) -> Metric:
    return METRICS[request.param]


@pytest.fixture(params=BY_TEXT)
def by_text(request: pytest.FixtureRequest) -> Metric:
    return METRICS[request.param]


def test_it_says_what_it_is(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name), "lower snake_case"
    assert metric.name not in JUDGED
    assert metric.unit
    documented = type(metric).__dict__.get("__doc__") or ""
    assert re.search(r"[/=|]|\(.*\d{4}\)", documented), "the docstring has a formula or a source"


def test_names_are_unique_and_present() -> None:
    metrics = list(map(type, METRICS.values()))
    assert list(by_name(metrics)) == sorted(METRICS)
    again: Any = type("Again", (metrics[0],), {})
    nameless: Any = type("Nameless", (ByTask,), {})
    with pytest.raises(ValueError, match=rf"Again: name={metrics[0].name} is taken by tasks\.metrics\."):
        by_name([*metrics, again])
    with pytest.raises(ValueError, match="Nameless: must have a name"):
        by_name([nameless])


def test_a_perfect_text_has_the_best_value_and_a_wrong_one_a_worse(by_text: Metric) -> None:
    text, references = by_text.sample
    best = by_text.item(text, references)
    if by_text.higher_is_better is None:
        pytest.skip("no direction is better")
    assert best is not None
    assert full_marks(by_text) in (None, pytest.approx(best))
    values = [value for wrong in wrong_texts(text) if (value := by_text.item(wrong, references)) is not None]
    assert all(no_better(by_text, value, best) for value in values)
    assert any(not no_better(by_text, best, value) for value in values)


def test_a_sets_value_is_that_of_the_sums_over_its_texts(by_text: Metric) -> None:
    text, known = by_text.sample
    texts = [text, *wrong_texts(text), text]
    references = [known] * len(texts)
    rows = by_text.rows(texts, references)
    assert len({len(row) for row in rows}) == 1
    whole = of_set(by_text, texts, references)
    assert whole == pytest.approx(of_set(by_text, texts[::-1], references)), "the order of texts does not matter"
    if not by_text.of_sets:
        assert rows == [by_text.statistics(one, known) for one in texts]
    if not by_text.pooled:
        items = [by_text.value(row) if by_text.of_sets else by_text.item(one, known)
                 for one, row in zip(texts, rows, strict=True)]  # fmt: skip
        defined = [item for item in items if item is not None]
        assert whole == pytest.approx(math.fsum(defined) / len(defined)), "the mean of its texts' values"
    elif not by_text.of_sets:
        alone = by_text.value(by_text.statistics(text, known))
        assert alone == pytest.approx(by_text.item(text, known))
        assert of_set(by_text, [text] * 5, [known] * 5) == pytest.approx(alone), "copies of a text change nothing"


def test_texts_without_words_have_a_finite_value_or_none(metric: Metric) -> None:
    text, known = metric.sample
    nothing: list[Sequence[str]] = [known] if metric.of_demands else [known, [""]]
    for references in nothing:
        for one in ("", " ", text):
            found = metric.item(one, references)
            assert found is None or math.isfinite(found)
            row = metric.statistics(one, references)
            assert all(map(math.isfinite, row))
            assert metric.pooled or found is not None or not any(row), "a text without a value adds nothing to the sums"
        for texts in ([""], ["", ""], ["", text]):
            found = of_set(metric, texts, [references] * len(texts))
            assert found is None or math.isfinite(found)
    empty = metric.value([0.0] * len(metric.statistics(text, known)))
    assert empty is None or math.isfinite(empty), "a set without texts"
    assert metric.rows([], []) == []


def test_what_only_a_task_can_compute_has_no_value_by_its_texts_alone(metric: Metric) -> None:
    text, known = metric.sample
    assert (of_set(metric, [text, text], [known, known]) is None) is isinstance(metric, ByTask)
    assert not isinstance(metric, ByTask) or (isinstance(metric, Mean) and not metric.pooled and not metric.of_sets)
