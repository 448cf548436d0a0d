"""How much a text repeats itself."""

from collections.abc import Sequence

from tasks.metrics.base import Mean
from tasks.metrics.words import OfWords


class SeqRep4(OfWords, Mean):
    """1 - |distinct 4-grams| / |4-grams| over words (Welleck et al., 2020); 0 for texts of fewer than 4 words.

    To be compared with the value of the references.
    """

    name = "seq_rep_4"
    higher_is_better = False
    beside_data = True

    def item(self, text: str, references: Sequence[str]) -> float:
        words = self.words(text)
        grams = [tuple(words[first : first + 4]) for first in range(len(words) - 3)]
        return 1 - len(set(grams)) / len(grams) if grams else 0.0
