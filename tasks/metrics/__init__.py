"""How texts are judged: one function a metric, with its formula and source."""

from tasks.metrics.accuracy import Accuracy
from tasks.metrics.base import Metric
from tasks.metrics.overlap import Bleu, Chrf
from tasks.metrics.repetition import SeqRep4
from tasks.metrics.revision import BreakRate, FixRate

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in (Accuracy(), Bleu(), Chrf(), SeqRep4(), FixRate(), BreakRate())
}
