"""The share of texts that are right, by the task's verifier or by comparison with references, and parts of it."""

from collections.abc import Sequence

from tasks.metrics.base import ByTask, Mean


class Accuracy(Mean):
    """Right texts / texts. A task brings its own verifier; without one, a text is right if it equals a reference."""

    name = "accuracy"

    def item(self, text: str, references: Sequence[str]) -> float:
        return float(text in references)


class ExactMatch(Accuracy):
    """Texts that equal one of their references, character by character / texts (Rajpurkar et al., 2016)."""

    name = "exact_match"


class FlexibleAccuracy(ByTask):
    """Texts whose last number is the right one, however the answer is marked / texts (Gao et al., 2024)."""

    name = "flexible_accuracy"


class PassAt1(ByTask):
    """Texts that complete a program which passes its tests / texts: pass@1 of one sample (Chen et al., 2021)."""

    name = "pass_at_1"


class Consistent(ByTask):
    """Sentences that are possible or true in the world described so far / sentences; impossible ones change nothing."""

    name = "consistent"


class Ending(ByTask):
    """Texts whose last sentence is true in the world that they describe / texts."""

    name = "ending"


class EndingUnmoved(Ending):
    """True endings / endings about a thing that no event has moved: it is where the opening placed it."""

    name = "ending_unmoved"


class EndingNear(Ending):
    """True endings / endings about a thing last moved at most two sentences before the ending."""

    name = "ending_near"


class EndingFar(Ending):
    """True endings / endings about a thing last moved more than two sentences before the ending."""

    name = "ending_far"


class Grammatical(ByTask):
    """Texts that the task's parser accepts / texts; whether they are true is not considered."""

    name = "grammatical"
