"""Infilling: generate a missing word, n-gram, sentence or third of a text, given its left and right context."""

import functools
import itertools
import random
from collections.abc import Sequence
from typing import Literal

from tasks.base import Example, Split
from tasks.metrics.accuracy import ExactMatch
from tasks.metrics.base import Metric
from tasks.metrics.diversity import UnigramEntropy
from tasks.metrics.overlap import EditSimilarity, LengthRatio, RougeL
from tasks.metrics.repetition import SeqRep4
from tasks.windows import MOST_UNITS, TRIES, Unit, Windows, spans

Kind = Literal["word", "ngram", "sentence", "beginning", "middle", "end"]
ENDS = (".", "!", "?")


class Infilling(Windows):
    """Prompt: a window of `size` units up to a blank; target: the content of the blank; suffix: the rest of the window.

    kinds: of blanks, with one example each of every window: a word, `ngram` words, a sentence, the first, second or
    last third.  room: masked positions of every example, whatever its target, so that they reveal no length.
    form: span keeps the suffix after the blank; fim (fill in the middle; Bavarian et al., 2022) moves it before, behind
    the prompt, so that left-to-right paradigms can condition on it. Examples are the same in both.
    """

    def __init__(
        self,
        data: str | None,
        name: str,
        subset: str | None,
        revision: str | None,
        unit: Unit,
        pieces: int | None,
        size: int,
        kinds: Sequence[Kind],
        ngram: int,
        room: int,
        form: Literal["span", "fim"],
        language: str = "en",
    ):
        super().__init__(data, name, subset, revision, unit, pieces, language)
        if size < 3 or ngram < 1 or room < 1 or max(size, ngram, room) > MOST_UNITS:
            least = f"at least 3, 1 and 1, and at most {MOST_UNITS:,}"
            raise ValueError(f"size={size}, ngram={ngram}, room={room}: must be {least}")
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(f"kinds={list(kinds)}: must be one or more kinds of blanks, each once")
        self.size, self.strata, self.ngram, self.tokens = size, tuple(kinds), ngram, room
        self.drawn = functools.lru_cache(maxsize=4)(self.draw)
        self.holes = "suffix" if form == "fim" else "span"
        self.fill_in_the_middle = form == "fim"
        of_words = [metric(language) for metric in (RougeL, LengthRatio, SeqRep4, UnigramEntropy)]
        self.metrics: Sequence[Metric] = (EditSimilarity(), ExactMatch(), *of_words)

    def example(self, split: Split, number: int) -> Example:
        """Examples of a window follow each other, one for each kind of blank; the window must admit all kinds."""
        window, turn = divmod(number, len(self.strata))
        text, holes = self.drawn(split, window)
        return self.cut(f"{split}-{window}", self.strata[turn], text, *holes[turn])

    def draw(self, split: Split, number: int) -> tuple[str, list[tuple[int, int]]]:
        """A window, and the start and end of its blanks."""
        rng = random.Random(f"{split}-{number}")
        for text in self.windows(split, rng, number, self.size):
            holes = [hole for kind in self.strata if (hole := self.hole(kind, text, rng)) is not None]
            if len(holes) == len(self.strata):
                return text, holes
        raise ValueError(f"kinds={list(self.strata)}: none of {TRIES} windows of size={self.size} admits them all")

    def hole(self, kind: str, text: str, rng: random.Random) -> tuple[int, int] | None:
        """The start and end of a blank, in characters; None if the text admits none of this kind."""
        words = spans(text)
        if self.unit == "character":
            words = words[1:-1]  # the window may cut the first and the last
        count, third = len(words), len(words) // 3
        starts = {"beginning": 0, "middle": third, "end": count - third}
        length = {"word": 1, "ngram": self.ngram}.get(kind, third)
        if kind == "sentence":
            ends = [i for i, (_, end) in enumerate(words) if text[end - 1] in ENDS]
            whole = [(a + 1, b) for a, b in itertools.pairwise(ends) if 2 <= b - a <= third]
            if not whole:
                return None
            first, last = rng.choice(whole)
        elif count < 3 or length > count - 2:
            return None
        else:
            first = starts[kind] if kind in starts else rng.randrange(1, count - length)
            last = first + length - 1
        begin = 0 if kind == "beginning" else words[first][0]
        return begin, len(text) if kind == "end" else words[last][1]

    def cut(self, window: str, kind: str, text: str, first: int, last: int) -> Example:
        parts = text[:first], text[first:last], text[last:]
        prompt, target, suffix = parts if self.unit == "character" else (part.strip() for part in parts)
        return Example(
            f"{window}-{kind}", prompt, target, suffix, references=(target.strip(),), stratum=kind, instance=window
        )

    def room(self, prompt_tokens: int) -> int:
        return self.tokens
