"""The share of right answers, and of what is a sentence, can happen, and fits what was told before."""

from collections.abc import Sequence

from tasks.metrics.base import Mean


class Accuracy(Mean):
    """right / all. A task with many right answers brings its own verifier; on plain text, equal to a reference."""

    name = "accuracy"

    def item(self, text: str, references: Sequence[str]) -> float:
        return float(text in references)


class ExactMatch(Accuracy):
    """Texts equal to one of their references / all (Rajpurkar et al., 2016), letter by letter."""

    name = "exact_match"


class Consistent(Accuracy):
    """Sentences that can happen or are true, in the world as told so far / all; the impossible change nothing."""

    name = "consistent"


class Ending(Accuracy):
    """Texts whose last sentence is true in the world that they themselves have told / all."""

    name = "ending"


class EndingUnmoved(Ending):
    """The same of endings about a thing that no sentence has moved: it is where the beginning put it."""

    name = "ending_unmoved"


class EndingNear(Ending):
    """The same of endings about a thing last moved at most two sentences before the ending."""

    name = "ending_near"


class EndingFar(Ending):
    """The same of endings about a thing last moved more than two sentences before the ending."""

    name = "ending_far"


class Grammatical(Accuracy):
    """Of a language's sentences / all, as the task's parser says; whether they are true is another matter."""

    name = "grammatical"
