"""The model's predictive distributions in every forward pass of a decoder, recorded by a forward hook."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.run.trace import predicted_places


class Call(NamedTuple):
    """One forward pass, by number of the hole: the tokens that it changed, and the distributions (V,) it predicted.

    moved: the hole in which a token stood before the pass, where that was another one.
    """

    wrote: dict[int, int]
    laws: dict[int, Tensor]
    moved: dict[int, int]


@torch.inference_mode()
def watched_calls(
    paradigm: Paradigm, canvas: Canvas, noise: Noise, truth: Sequence[int] | None = None
) -> Iterator[Call]:
    """Decodes a canvas of one row and yields every forward pass.

    Distributions are the model's own, before temperature, penalties and guidance; there are none where the paradigm
    is not aligned.  truth: the tokens of the holes, which the model is then forced to generate.
    """
    places, before_L = canvas.holes_BL[0].nonzero()[:, 0].tolist(), canvas.ids_BL[0]
    forced = {} if truth is None else dict(zip(places, truth, strict=True))
    laws: dict[int, Tensor] = {}

    def watch(_: object, args: tuple[Any, ...], named: dict[str, Any], logits_BWV: Tensor) -> None:
        if not paradigm.aligned:
            return
        place_W, need_BW = predicted_places(args, named, paradigm.vocabulary.mask)[0], named.get("need_BW")
        logits_WV = logits_BWV[0] if need_BW is None else logits_BWV
        places_of_logits = (place_W if need_BW is None else place_W[need_BW[0]]).tolist()
        logits_WV[..., paradigm.never()] = -torch.inf
        laws.update(zip(places_of_logits, logits_WV.double().softmax(-1), strict=True))
        for logits_V, place in zip(logits_WV, places_of_logits, strict=True):
            if place in forced:
                logits_V.fill_(-torch.inf)
                logits_V[forced[place]] = 0

    handle = paradigm.backbone.register_forward_hook(watch, with_kwargs=True)
    try:
        for ids_BL, from_BL in paradigm.edits(canvas, noise):
            stood = places if from_BL is None else from_BL[0, places].tolist()
            changed = [hole for hole, place in enumerate(places) if ids_BL[0, place] != before_L[place]]
            before_L = ids_BL[0].clone()
            yield Call(
                {hole: int(before_L[places[hole]]) for hole in changed},
                {hole: laws[place] for hole, place in enumerate(places) if place in laws},
                {
                    hole: places.index(stood[hole])
                    for hole, place in enumerate(places)
                    if stood[hole] not in (place, -1)
                },
            )
            laws.clear()
    finally:
        handle.remove()
