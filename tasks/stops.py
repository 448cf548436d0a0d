"""Stop strings: a text that a model generates ends where one of them begins."""

from collections.abc import Sequence


def before(text: str, stops: Sequence[str]) -> str:
    """The text up to the first of the stop strings that it contains."""
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]
