"""What stood on the canvas after every call, and what the model held for likely: what a reader can watch."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.run.laws import watched_calls
from wordways.run.text import Text

LIKELIEST = 5
WHOLE = 1024  # calls x holes up to which every hole's law is kept at every call; beyond, those of what was written
DIGITS = 4

Guesses = list[tuple[int, float]]  # token and probability, the likeliest first


def watch(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> tuple[list[dict[int, int]], list[dict[int, Guesses]]]:
    """Of a canvas of one row, for every call: the holes it changed and their tokens; what each it judged may be."""
    calls = [
        (call.wrote, {hole: likeliest(law_V) for hole, law_V in call.laws.items()})
        for call in watched_calls(paradigm, canvas, noise)
    ]
    return [wrote for wrote, _ in calls], [judged for _, judged in calls]


def likeliest(law_V: Tensor) -> Guesses:
    best = law_V.topk(min(LIKELIEST, len(law_V)))
    return [(token, round(p, DIGITS)) for p, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)]


def entry(
    text: Text, item: str, canvas: Canvas, calls: tuple[Sequence[Mapping[int, int]], Sequence[Mapping[int, Guesses]]]
) -> dict[str, Any]:
    """As a record keeps it, in words; null is a hole."""

    def word(token: int) -> str | None:
        return None if token == text.vocabulary.mask else text.piece(token)

    wrote, judged = calls
    start = canvas.ids_BL[0][canvas.holes_BL[0]].tolist()
    everything = len(start) * len(wrote) <= WHOLE
    return {
        "item": item,
        "start": [word(token) for token in start],
        "calls": [
            {
                "wrote": [[hole, word(token)] for hole, token in changed.items()],
                "likeliest": [
                    [hole, [[word(token), p] for token, p in guesses]]
                    for hole, guesses in laws.items()
                    if everything or hole in changed
                ],
            }
            for changed, laws in zip(wrote, judged, strict=True)
        ],
    }
