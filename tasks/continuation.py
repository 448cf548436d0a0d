"""Continue a text: WikiText-2 by words (Merity et al., 2016), TinyShakespeare by characters (Karpathy, 2015)."""

import random
from collections.abc import Sequence

from tasks.base import Example, Split
from tasks.metrics.base import Metric
from tasks.metrics.diversity import Distinct1, Distinct2, SelfBleu, UnigramEntropy
from tasks.metrics.overlap import Bleu, Chrf
from tasks.metrics.repetition import SeqRep4
from tasks.windows import MOST_UNITS, Unit, Windows


class Continuation(Windows):
    """Prompt: `given` words, or characters, of running text; target: the `asked` next ones.

    A continuation has no natural end: for every paradigm there are as many masked positions as reference tokens.
    """

    holes = "suffix"
    strata = ("continuation",)

    def __init__(
        self,
        data: str | None,
        name: str,
        subset: str | None,
        revision: str | None,
        unit: Unit,
        pieces: int | None,
        given: int,
        asked: int,
        language: str = "en",
    ):
        super().__init__(data, name, subset, revision, unit, pieces, language)
        if min(given, asked) < 1 or max(given, asked) > MOST_UNITS:
            raise ValueError(f"given={given}, asked={asked}: must be from 1 to {MOST_UNITS:,}")
        self.given, self.asked = given, asked
        of_words = [metric(language) for metric in (SeqRep4, Distinct1, Distinct2, SelfBleu, UnigramEntropy)]
        self.metrics: Sequence[Metric] = (Bleu(language), Chrf(), *of_words)

    def example(self, split: Split, number: int) -> Example:
        text = next(self.windows(split, random.Random(f"{split}-{number}"), number, self.given + self.asked))
        cut = self.given
        if self.unit == "word":
            words = text.split()
            prompt, target = " ".join(words[:cut]), " ".join(words[cut:])
        else:
            prompt, target = text[:cut], text[cut:]
        name = f"{split}-{number}"
        return Example(name, prompt, target, references=(target.strip(),), stratum=self.strata[0])

    def room(self, prompt_tokens: int) -> None:
        return None
