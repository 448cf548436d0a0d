"""How texts are judged: one function a metric, with its formula and source."""

from tasks.metrics.accuracy import Accuracy, ExactMatch
from tasks.metrics.base import Metric
from tasks.metrics.coverage import Coverage
from tasks.metrics.diversity import Distinct1, Distinct2, SelfBleu, UnigramEntropy
from tasks.metrics.overlap import Bleu, Chrf, EditSimilarity, LengthRatio, RougeL
from tasks.metrics.repetition import SeqRep4
from tasks.metrics.revision import BreakRate, FixRate
from tasks.metrics.slots import SlotErrorRate

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Accuracy(), ExactMatch(), Bleu(), Chrf(), RougeL(), EditSimilarity(), LengthRatio(), Coverage(),
        SlotErrorRate(), SeqRep4(), Distinct1(), Distinct2(), SelfBleu(), UnigramEntropy(), FixRate(), BreakRate(),
    )
}  # fmt: skip
