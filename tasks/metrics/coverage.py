"""The share of the given concepts that a sentence contains."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from importlib.metadata import version

import simplemma

from tasks.metrics.base import Mean


class Coverage(Mean):
    """Concepts of which the text contains a form / concepts (Lin et al., 2020), averaged over texts.

    A word is a form of a concept if they share a lemma (simplemma) or a stem (Porter, 1980); the published program
    takes lemmas from spaCy, which needs a model. The human references of CommonGen's dev set cover 99.9 %.
    """

    name = "coverage"
    of_demands = True
    beside_data = True
    sample = ("Two dogs were running over the bridge.", ("bridge", "dog", "run"))

    def item(self, text: str, references: Sequence[str]) -> float | None:
        said = {form for word in re.findall(r"\w+", text.lower()) for form in forms(word)}
        found = [covered(concept.lower(), text.lower(), said) for concept in references]
        return sum(found) / len(found) if found else None

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        return f"simplemma:{version('simplemma')}|porter, nltk:{version('nltk')}"


def covered(concept: str, text: str, said: Collection[tuple[str, str]]) -> bool:
    """Whether a form of every word of a concept is said; one without words has to occur as it is."""
    words = re.findall(r"\w+", concept)
    return all(not forms(word).isdisjoint(said) for word in words) if words else concept in text


@lru_cache(maxsize=1 << 16)
def forms(word: str) -> frozenset[tuple[str, str]]:
    from nltk.stem.porter import PorterStemmer  # takes a second to import

    return frozenset(
        {("lemma", word), ("lemma", simplemma.lemmatize(word, "en")), ("stem", PorterStemmer().stem(word))}
    )
