"""The metrics of this package behind the interface of Hugging Face `evaluate`."""

from typing import Any

from tasks.metrics.base import Metric


def as_evaluate(metric: Metric) -> Any:
    """An `evaluate.Metric` whose compute(predictions=..., references=...) gives {name: value, "signature": ...}.

    predictions: N texts.  references: N lists of texts, or of demands.
    """
    import datasets
    import evaluate  # only when called, for it loads torch, which a report must not

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
            return {metric.name: metric.value(sums), "signature": metric.signature(references)}

    return Adapter()
