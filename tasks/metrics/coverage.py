"""How many of the concepts a sentence had to be made from are in it."""

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version

import simplemma

from tasks.metrics.base import Mean


class Coverage(Mean):
    """Concepts of which a form is in the text / concepts (Lin et al., 2020), averaged over texts.

    A word is a form of a concept where they share a lemma (simplemma) or a stem (Porter, 1980): the published program
    asks spaCy for lemmas, which needs a model. People's own sentences for CommonGen's dev sets cover 99.9 %.
    """

    name = "coverage"
    of_demands = True
    beside_data = True

    def item(self, text: str, references: Sequence[str]) -> float | None:
        said = {form for word in re.findall(r"\w+", text.lower()) for form in forms(word)}
        found = [not said.isdisjoint(forms(concept.lower())) for concept in references]
        return sum(found) / len(found) if found else None

    def signature(self) -> str:
        return f"simplemma:{version('simplemma')}|porter, nltk:{version('nltk')}"


@lru_cache(maxsize=1 << 16)
def forms(word: str) -> frozenset[tuple[str, str]]:
    from nltk.stem.porter import PorterStemmer  # a second that plain accuracies need not wait

    return frozenset(
        {("lemma", word), ("lemma", simplemma.lemmatize(word, "en")), ("stem", PorterStemmer().stem(word))}
    )
