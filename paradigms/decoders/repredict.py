"""Every pass predicts all positions again and keeps the most confident predictions (after Ye et al., 2025).

    pass 1   p p ? ? ? ?
    pass 2   p p ? w ? w    after pass t, the H t / T most confident of the H holes are unmasked,
    pass 3   p p w x ? w    whichever token they held before

No token is final before the last pass, whereas a decoder that commits once never reconsiders a token.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm, all_rows, ban
from paradigms.decoders.policy import best, probability
from paradigms.decoders.sampling import at_least, pick


@dataclass(frozen=True)
class RepredictAll:
    """passes: T, the number of forward passes."""

    passes: int = 10
    temperature: float = 1.0
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        at_least(self, "passes", 1)
        at_least(self, "temperature", 0)

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        at_BH, real_BH = canvas.hole_positions()
        rows_B, holes_B, ids_BL = all_rows(canvas), real_BH.sum(1), canvas.ids_BL
        rule, never = model.rule(canvas), model.never()
        for call in range(self.passes):
            logits_BHV = model.backbone(ids_BL, rule, pad_BL=canvas.pad_BL, want_BW=at_BH)
            logits_BHV = ban(logits_BHV, never)
            token_BH = pick(logits_BHV, self.temperature, lambda: noise.uniform(call, rows_B, logits_BHV.shape[1:-1]))
            kept_BH = best(probability(logits_BHV, token_BH), real_BH, holes_B * (call + 1) // self.passes)
            shown_BH = token_BH.masked_fill(~kept_BH, model.vocabulary.mask)
            ids_BL = ids_BL.scatter(1, at_BH, shown_BH.where(real_BH, ids_BL.gather(1, at_BH)))
            yield ids_BL
