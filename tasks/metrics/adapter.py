"""Our metrics behind the interface of Hugging Face `evaluate`: compute(predictions=..., references=...)."""

from typing import Any

from tasks.metrics.base import Metric


def as_evaluate(metric: Metric) -> Any:
    """An `evaluate.Metric` giving {name: value, "signature": ...}; references are lists of texts, one list an item.

    Imported only here and only when called: `evaluate` loads torch, and a report must not.
    """
    import datasets
    import evaluate

    class Adapter(evaluate.Metric):
        def _info(self) -> evaluate.MetricInfo:
            texts = datasets.Value("string")
            return evaluate.MetricInfo(
                description=type(metric).__doc__ or "",
                citation="",
                inputs_description="predictions: texts; references: a list of texts, or of demands, for each",
                features=datasets.Features({"predictions": texts, "references": datasets.Sequence(texts)}),
            )

        def _compute(self, *, predictions: Any = None, references: Any = None, **_: Any) -> dict[str, Any]:
            rows = metric.rows(predictions, references)
            sums = [sum(column) for column in zip(*rows, strict=True)]
            return {metric.name: metric.value(sums), "signature": metric.signature()}

    return Adapter()
