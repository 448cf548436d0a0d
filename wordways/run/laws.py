"""What a paradigm held for likely at every call, seen from outside: a hook keeps the laws of the places it judged."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.run.trace import judged_places


class Call(NamedTuple):
    """Of one call: the holes that changed, by number, with their tokens; the law (V,) of each that was judged."""

    wrote: dict[int, int]
    laws: dict[int, Tensor]


@torch.inference_mode()
def watched_calls(
    paradigm: Paradigm, canvas: Canvas, noise: Noise, truth: Sequence[int] | None = None
) -> Iterator[Call]:
    """Decodes a canvas of one row. Laws are the model's own, before temperature, penalties and guidance.

    None where no hole has one of its own.  truth: the tokens of its holes, which it is then made to write.
    """
    places, before_L = canvas.holes_BL[0].nonzero()[:, 0].tolist(), canvas.ids_BL[0]
    told = {} if truth is None else dict(zip(places, truth, strict=True))
    laws: dict[int, Tensor] = {}

    def watch(_: object, args: tuple[Any, ...], named: dict[str, Any], logits_BWV: Tensor) -> None:
        if not paradigm.aligned:
            return
        place_W = judged_places(args, named, paradigm.vocabulary.mask)[0].tolist()
        logits_BWV[..., paradigm.never()] = -torch.inf
        laws.update(zip(place_W, logits_BWV[0].double().softmax(-1), strict=True))
        for number, place in enumerate(place_W):
            if place in told:
                logits_BWV[0, number] = -torch.inf
                logits_BWV[0, number, told[place]] = 0

    handle = paradigm.backbone.register_forward_hook(watch, with_kwargs=True)
    try:
        for ids_BL in paradigm.decode(canvas, noise):
            changed = [hole for hole, place in enumerate(places) if ids_BL[0, place] != before_L[place]]
            before_L = ids_BL[0].clone()
            yield Call(
                {hole: int(before_L[places[hole]]) for hole in changed},
                {hole: laws[place] for hole, place in enumerate(places) if place in laws},
            )
            laws.clear()
    finally:
        handle.remove()
