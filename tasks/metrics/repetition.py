"""How much a text repeats itself."""

from collections.abc import Sequence

from tasks.metrics.accuracy import Accuracy


class SeqRep4(Accuracy):
    """1 - |distinct 4-grams| / |4-grams| of words (Welleck et al., 2020); a text of fewer than 4 words repeats nothing.

    A number to be read beside the real texts' own.
    """

    name = "seq_rep_4"
    higher_is_better = False
    beside_data = True

    def item(self, text: str, references: Sequence[str]) -> float:
        words = text.split()
        grams = [tuple(words[first : first + 4]) for first in range(len(words) - 3)]
        return 1 - len(set(grams)) / len(grams) if grams else 0.0
