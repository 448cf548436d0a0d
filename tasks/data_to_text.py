"""Data-to-text on E2E: a short description of a restaurant, with several references (Novikova et al., 2017)."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.base import Example, Split
from tasks.corpus import RealText, check_pieces, checked, find, home, together
from tasks.files import read_file
from tasks.metrics.base import Metric
from tasks.metrics.overlap import Bleu, Chrf, LengthRatio, RougeL
from tasks.metrics.slots import SlotErrorRate, slots_of

CALLED = "e2e_nlg"
FILES: dict[Split, str] = {"train": "trainset.csv", "valid": "devset.csv", "test": "testset_w_refs.csv"}


class DataToText(RealText):
    """Prompt: a meaning representation, a list of slot[value]; target: a human description of it.

    In training every text is an example; in validation and test every meaning representation is, with all its texts.
    data: a folder that has the release's files, with columns mr and ref, or that has a folder e2e_nlg with them; null
    reads them from the URL `name`.  pieces: of the BPE vocabulary.  longest: see `RealText`.
    """

    holes = "suffix"
    generated = False
    not_for_training = frozenset[str]()
    strata = ("restaurants",)
    metrics: Sequence[Metric] = (Bleu(), Chrf(), RougeL(), SlotErrorRate(), LengthRatio())

    def __init__(self, data: str | None, name: str, pieces: int, longest: int = 1000):
        self.data, self.name, self.pieces, self.longest = data, name, pieces, longest
        check_pieces(pieces)

    def load(self, split: Split) -> Any:
        option, path = "name", f"{self.name}/{FILES[split]}"
        if self.data is not None:
            option, path = "data", str(find(home(self.data, CALLED), CALLED, FILES[split]))
        return checked(read_file("csv", option, path), {"mr": "mr", "ref": "ref"}, f"{option}={path}")

    def examples(self, split: Split, first: int = 0) -> Iterable[Example]:
        if split == "train":
            for number, (meaning, text) in enumerate(self.rows(split, first), first):
                yield self.example(f"{split}-{number}", meaning, (text,))
            return
        meanings = itertools.islice(together(self.rows(split)).items(), first, None)
        for number, (meaning, texts) in enumerate(meanings, first):
            yield self.example(f"{split}-{number}", meaning, texts)

    def example(self, name: str, meaning: str, texts: tuple[str, ...]) -> Example:
        return Example(name, meaning, texts[0], references=texts, stratum=self.strata[0], demands=slots_of(meaning))

    def vocabulary(self) -> int:
        return self.pieces

    def room(self, prompt_tokens: int) -> int:
        """Enough for 99.8 % of training targets at 1,000 pieces; constant, so that it reveals no target length."""
        return 64
