"""Overlap of a text with its references, computed by the reference libraries."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import zip_longest

from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from tasks.metrics.base import ByItem, Mean
from tasks.metrics.words import OfWords, scorer


class Bleu(OfWords, ByItem):
    """BP * exp(mean over n = 1..4 of log precision_n), 0 to 100 (Papineni et al., 2002; Post, 2018).

    A set's value is corpus BLEU; a single text's is smoothed and uses only the n-gram orders that the text has. Words
    are those of the language's tokenizer (`tasks.metrics.words`), which the signature names.
    """

    name = "bleu"
    unit = "BLEU"
    higher_is_better = True
    pooled = True

    def item(self, text: str, references: Sequence[str]) -> float | None:
        return scorer(self.tokenizer, effective_order=True).sentence_score(text, references).score

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """[text length, reference length, matches for n = 1..4, n-grams for n = 1..4]"""
        score = scorer(self.tokenizer).corpus_score([text], [[reference] for reference in references])
        return [score.sys_len, score.ref_len, *score.counts, *score.totals]

    def value(self, sums: Sequence[float]) -> float | None:
        counts = [int(count) for count in sums]
        return BLEU.compute_bleu(counts[2:6], counts[6:], counts[0], counts[1], smooth_method="exp").score

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        return signature_of(BLEU(tokenize=self.tokenizer), references)


class Chrf(ByItem):
    """F_2 of character n-gram precision and recall, averaged over n = 1..6, 0 to 100 (Popović, 2015)."""

    name = "chrf"
    unit = "chrF"
    higher_is_better = True
    pooled = True

    def item(self, text: str, references: Sequence[str]) -> float | None:
        return CHRF().sentence_score(text, references).score

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """For each n = 1..6: n-grams of the text, of the reference, and of both."""
        return [float(count) for count in CHRF()._extract_corpus_statistics([text], [[r] for r in references])[0]]

    def value(self, sums: Sequence[float]) -> float | None:
        return CHRF()._compute_f_score([int(count) for count in sums])

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        return signature_of(CHRF(), references)


class LengthRatio(OfWords, ByItem):
    """Words of the texts / words of the references closest in length, over the set, as sacrebleu counts for BLEU."""

    name = "length_ratio"
    unit = "ratio"
    higher_is_better = None  # 1 is best
    pooled = True

    def item(self, text: str, references: Sequence[str]) -> float | None:
        return self.value(self.statistics(text, references))

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        return Bleu(self.language).statistics(text, references)[:2]

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        return Bleu(self.language).signature(references)


class RougeL(OfWords, Mean):
    """2 LCS / (m + n), LCS the longest common subsequence of m and n words, of the best reference (Lin, 2004).

    Computed by rouge-score: words are runs of a-z and 0-9, lower-cased and not stemmed, as made for English; in other
    languages they are BLEU's, lower-cased. None where there are no words. It hardly reacts to repeated or displaced
    words, so that it cannot rate parallel decoding.
    """

    name = "rouge_l"

    def item(self, text: str, references: Sequence[str]) -> float | None:
        from rouge_score.rouge_scorer import RougeScorer  # takes a second to import, most of it nltk

        if not any(map(self.tokenize, (text, *references))):
            return None
        return RougeScorer(["rougeL"], tokenizer=self).score_multi(list(references), text)["rougeL"].fmeasure

    def tokenize(self, text: str) -> list[str]:
        """The words, as rouge-score asks a tokenizer for them."""
        from rouge_score.tokenize import tokenize

        return tokenize(text, None) if self.is_english else self.tokens(text.lower())

    @property
    def is_english(self) -> bool:
        return self.language.lower()[:2] == "en"

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        own = "" if self.is_english else f"|{self.tokenizer_signature()}"
        return f"rouge-score:{version('rouge-score')}|stem:no{own}"


class EditSimilarity(Mean):
    """1 - Levenshtein distance / length of the longer text, in characters, of the best reference; by rapidfuzz.

    None where both are empty.
    """

    name = "edit_similarity"

    def item(self, text: str, references: Sequence[str]) -> float | None:
        known = [Levenshtein.normalized_similarity(text, reference) for reference in references if text or reference]
        return max(known, default=None)


def signature_of(metric: BLEU | CHRF, references: Sequence[Sequence[str]]) -> str:
    """What sacrebleu says of a set with these references; empty for a set without texts.

    It knows the number of references only after scoring, and nothing else of them matters to the signature: `a` stands
    for each, and one text for all that have equally many.
    """
    numbers = sorted({len(known) for known in references})
    if not numbers:
        return ""
    metric.corpus_score(["a"] * len(numbers), list(zip_longest(*(["a"] * number for number in numbers))))
    return str(metric.get_signature())
