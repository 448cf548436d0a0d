"""How much the texts of a set differ from each other, and the words of a text among themselves."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.helpers import extract_all_word_ngrams

from tasks.metrics.base import BySet, Mean
from tasks.metrics.overlap import signature_of
from tasks.metrics.words import OfWords, scorer

ORDERS = 4  # of BLEU


class Distinct1(OfWords, BySet):
    """|distinct words of a set's texts| / |words| (Li et al., 2016).

    An n-gram that occurs c times in the set adds 1 / c at each occurrence, so that the count of distinct ones is a sum
    over texts. The value falls as the set grows: only sets of equal size are comparable.
    """

    name = "distinct_1"
    unit = "share"
    higher_is_better = None
    pooled = True
    beside_data = True
    order: ClassVar[int] = 1

    def rows(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        split = [self.words(text) for text in texts]
        grams = [[tuple(words[i : i + self.order]) for i in range(len(words) - self.order + 1)] for words in split]
        found = Counter(gram for row in grams for gram in row)
        return [[math.fsum(1 / found[gram] for gram in row), float(len(row))] for row in grams]

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None


class Distinct2(Distinct1):
    """|distinct bigrams of a set's texts| / |bigrams|, over words (Li et al., 2016)."""

    name = "distinct_2"
    order = 2


class SelfBleu(OfWords, BySet):
    """Mean over texts of the BLEU of each with all others as references (Zhu et al., 2018); high for similar texts.

    Sentence BLEU as in sacrebleu. The references matter only by their highest count of an n-gram, so that the two
    highest counts of every n-gram are enough and the time is linear in the words of the set.
    """

    name = "self_bleu"
    unit = "BLEU"
    higher_is_better = None
    pooled = False
    beside_data = True

    def rows(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        if len(texts) < 2:
            return [[0.0, 0.0] for _ in texts]
        tokenizer = scorer(self.tokenizer).tokenizer
        counted = [extract_all_word_ngrams(tokenizer(text.rstrip()), 1, ORDERS) for text in texts]
        lengths = Counter(length for _, length in counted)
        highest: dict[tuple[str, ...], tuple[int, int]] = {}
        for grams, _ in counted:
            for gram, count in grams.items():
                first, second = highest.get(gram, (0, 0))
                highest[gram] = (count, first) if count > first else (first, max(second, count))
        found = []
        for grams, length in counted:
            right, all_of = [0] * ORDERS, [0] * ORDERS
            for gram, count in grams.items():
                first, second = highest[gram]
                all_of[len(gram) - 1] += count
                right[len(gram) - 1] += min(count, second if count == first else first)
            others = [other for other, times in lengths.items() if times > (other == length)]
            nearest = min(others, key=lambda other: (abs(other - length), other))
            score = BLEU.compute_bleu(right, all_of, length, nearest, smooth_method="exp", effective_order=True)
            found.append([score.score, 1.0])
        return found

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """As sacrebleu would say it, but for the number of references, which is that of a set's other texts."""
        return re.sub(
            "^nrefs:1", "nrefs:others", signature_of(BLEU(effective_order=True, tokenize=self.tokenizer), [["a"]])
        )


class UnigramEntropy(OfWords, Mean):
    """-sum of p log2 p over the distinct words of a text, p a word's share of its words; bits, averaged over texts.

    To be read beside generative perplexity, which repetitive texts lower (Zheng et al., 2024). It grows with length.
    None for a text without words.
    """

    name = "unigram_entropy"
    unit = "bits"
    higher_is_better = None
    beside_data = True

    def item(self, text: str, references: Sequence[str]) -> float | None:
        counts = Counter(self.words(text)).values()
        total = sum(counts)
        return math.fsum(count / total * math.log2(total / count) for count in counts) if total else None
