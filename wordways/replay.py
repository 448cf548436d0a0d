"""What stood on the canvas after every call, and what the model held for likely: what a reader can watch.

A hook keeps the laws a call gives for open holes; the yielded canvas says what was written, taken back, revised.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.text import Text
from wordways.trace import judged_places

LIKELIEST = 5
WHOLE = 1024  # calls x holes up to which every hole's law is kept at every call; beyond, those of what was written
DIGITS = 4

Guesses = list[tuple[int, float]]  # token and probability, the likeliest first


@torch.inference_mode()
def watch(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> tuple[list[dict[int, int]], list[dict[int, Guesses]]]:
    """Of a canvas of one row, for every call: the holes it changed and their tokens; what each hole it judged may be.

    The law is the model's own, before temperature, penalties and guidance. Where holes have none, nothing is judged.
    """
    laws: dict[int, Guesses] = {}

    def keep(_: object, args: tuple[Any, ...], named: dict[str, Any], logits_BWV: Tensor) -> None:
        place_W = judged_places(args, named, paradigm.vocabulary.mask)[0].tolist()
        logits_WV = (
            logits_BWV[0].double().index_fill(-1, torch.tensor(paradigm.never(), device=logits_BWV.device), -torch.inf)
        )
        best = logits_WV.softmax(-1).topk(min(LIKELIEST, logits_WV.shape[-1]))
        for place, p, token in zip(place_W, best.values.tolist(), best.indices.tolist(), strict=True):
            laws[place] = [(t, round(q, DIGITS)) for t, q in zip(token, p, strict=True)]

    at = canvas.holes_BL[0].nonzero()[:, 0].tolist()
    handle, wrote, judged, before = (
        paradigm.backbone.register_forward_hook(keep, with_kwargs=True),
        [],
        [],
        canvas.ids_BL[0],
    )
    try:
        for ids_BL in paradigm.decode(canvas, noise):
            changed = [hole for hole, place in enumerate(at) if ids_BL[0, place] != before[place]]
            wrote.append({hole: int(ids_BL[0, at[hole]]) for hole in changed})
            known = laws if paradigm.aligned else {}
            judged.append({hole: known[place] for hole, place in enumerate(at) if place in known})
            laws.clear()
            before = ids_BL[0].clone()
    finally:
        handle.remove()
    return wrote, judged


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
