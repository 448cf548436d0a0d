"""How much of a reference a text repeats: BLEU in words, chrF in characters, both as sacrebleu computes them."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from tasks.metrics.base import Metric


class Bleu(Metric):
    """BP * exp(mean over n = 1..4 of log precision_n), 0 to 100 (Papineni et al., 2002; Post, 2018).

    A single text's value smooths and takes only the orders it has; a set's value is corpus BLEU.
    """

    name = "bleu"
    unit = "BLEU"
    higher_is_better = True
    pooled = True

    def item(self, text: str, references: Sequence[str]) -> float:
        return BLEU(effective_order=True).sentence_score(text, references).score

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """[text length, reference length, 4 counts of matches, 4 counts of n-grams]"""
        score = BLEU().corpus_score([text], [[reference] for reference in references])
        return [score.sys_len, score.ref_len, *score.counts, *score.totals]

    def value(self, sums: Sequence[float]) -> float:
        counts = [int(count) for count in sums]
        return BLEU.compute_bleu(counts[2:6], counts[6:], counts[0], counts[1], smooth_method="exp").score

    def signature(self) -> str:
        return signature_of(BLEU())


class Chrf(Metric):
    """F_2 of character n-gram precision and recall, averaged over n = 1..6, 0 to 100 (Popović, 2015)."""

    name = "chrf"
    unit = "chrF"
    higher_is_better = True
    pooled = True

    def item(self, text: str, references: Sequence[str]) -> float:
        return CHRF().sentence_score(text, references).score

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """For each order: n-grams of the text, of the reference, in both."""
        return [float(count) for count in CHRF()._extract_corpus_statistics([text], [[r] for r in references])[0]]

    def value(self, sums: Sequence[float]) -> float:
        return CHRF()._compute_f_score([int(count) for count in sums])

    def signature(self) -> str:
        return signature_of(CHRF())


def signature_of(metric: BLEU | CHRF) -> str:
    metric.corpus_score(["a"], [["a"]])  # the number of references enters the signature only once something is scored
    return str(metric.get_signature())
