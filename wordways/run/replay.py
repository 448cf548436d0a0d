"""Replays: the tokens on the canvas after every forward pass, and the most likely tokens at each position."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.run.laws import watched_calls
from wordways.run.measure import TRACED
from wordways.run.subject import Subject
from wordways.run.text import Text

LIKELIEST = 5
WHOLE = 1024  # up to so many passes x holes, all predictions are kept; beyond, only those of positions that changed
DIGITS = 4

Guesses = list[tuple[int, float]]  # (token, probability), the most likely first
Wrote = list[dict[int, int]]  # for every forward pass, by number of the hole


def replays(subject: Subject) -> list[dict[str, Any]]:
    """The record's entries: the first traced item of every stratum."""
    firsts: dict[str, int] = {}
    for index, example in enumerate(subject.examples[:TRACED]):
        firsts.setdefault(example.stratum, index)
    found = []
    for index in firsts.values():
        canvas = subject.blank([index])
        calls = watch(subject.paradigm, canvas, subject.noise([index]))
        found.append(entry(subject.text, subject.examples[index].id, canvas, calls))
    return found


def watch(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> tuple[Wrote, list[dict[int, Guesses]], Wrote]:
    """For every forward pass over a canvas of one row, by number of the hole: tokens it changed; its guesses; moves."""
    calls = [
        (call.wrote, {hole: likeliest(law_V) for hole, law_V in call.laws.items()}, call.moved)
        for call in watched_calls(paradigm, canvas, noise)
    ]
    return [wrote for wrote, _, _ in calls], [judged for _, judged, _ in calls], [moved for _, _, moved in calls]


def likeliest(law_V: Tensor) -> Guesses:
    best = law_V.topk(min(LIKELIEST, len(law_V)))
    return [(token, round(p, DIGITS)) for p, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)]


def entry(
    text: Text,
    item: str,
    canvas: Canvas,
    calls: tuple[Sequence[Mapping[int, int]], Sequence[Mapping[int, Guesses]], Sequence[Mapping[int, int]]],
) -> dict[str, Any]:
    """One replay as a record keeps it, with token strings for ids and null for a mask; moves only where there are."""

    def word(token: int) -> str | None:
        return None if token == text.vocabulary.mask else text.piece(token)

    wrote, judged, moves = calls
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
                **({"moved": [[hole, stood] for hole, stood in moved.items()]} if moved else {}),
            }
            for changed, laws, moved in zip(wrote, judged, moves, strict=True)
        ],
    }
