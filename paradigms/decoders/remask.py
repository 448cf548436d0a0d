"""ReMDM re-masks some of the generated tokens while it decodes (Wang et al., 2025).

    pass 1   p p ? ? ? ?
    pass 2   p p ? w ? w    as time t falls from 1 to 0, a share alpha of the text is unmasked;
    pass 3   p p w ? ? w    an unmasked token is masked again with probability sigma

From alpha_t to alpha_s a position is unmasked with probability (alpha_s - (1 - sigma) alpha_t) / (1 - alpha_t), which
keeps the unmasked share as it would be without re-masking. The largest valid sigma is `sigma_max` =
(1 - alpha_s) / alpha_t.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import ORDER, Canvas, Noise, Paradigm, all_rows, ban
from paradigms.decoders.policy import probability
from paradigms.decoders.sampling import at_least, pick

LOOP_FROM, LOOP_TO, LOOP_SHARE = 0.55, 0.05, 0.9  # published values: alpha stays at this share between these times


@dataclass(frozen=True)
class Remask:
    """steps: number of forward passes.

    sigma: cap: min(eta, sigma_max).  rescale: eta sigma_max.  conf: sigma_max times the softmax of minus the
    probability that each token had when it was sampled.  loop: all but a tenth of the text is generated without
    re-masking, then as many tokens are re-masked as unmasked, with sigma = eta, then the rest is generated.
    With eta = 0, or fewer than three steps (with loop: four), nothing is re-masked.
    """

    sigma: Literal["cap", "rescale", "conf", "loop"] = "cap"
    eta: float | None = 0.02
    steps: int = 32
    temperature: float = 1.0
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        at_least(self, "steps", 1)
        at_least(self, "temperature", 0)
        if (self.eta is None) != (self.sigma == "conf"):
            raise ValueError(f"eta={self.eta}: must be a number with sigma=cap|rescale|loop and null with sigma=conf")
        if self.eta is not None and not 0 <= self.eta <= 1:
            raise ValueError(f"eta={self.eta}: must be from 0 to 1")

    @property
    def re_masks(self) -> bool:
        """Whether any pass may re-mask a token; the first and the last never do."""
        return self.eta != 0 and self.steps >= (4 if self.sigma == "loop" else 3)

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        at_BH, real_BH = canvas.hole_positions()
        rows_B, ids_BL, mask = all_rows(canvas), canvas.ids_BL, model.vocabulary.mask
        written_BH = real_BH & (ids_BL.gather(1, at_BH) != mask)  # tokens of a given draft may be re-masked, too
        sure_BH = torch.full_like(at_BH, torch.inf, dtype=torch.float64)
        rule, never = model.rule(canvas), model.never()
        for call in range(self.steps):
            logits_BHV = model.backbone(ids_BL, rule, pad_BL=canvas.pad_BL, want_BW=at_BH)
            logits_BHV = ban(logits_BHV, never)
            token_BH = pick(logits_BHV, self.temperature, lambda: noise.uniform(call, rows_B, logits_BHV.shape[1:-1]))
            open_chance_BH, write_chance_BH = self.chances(call, sure_BH)
            chance_BH = noise.uniform(call, rows_B, at_BH.shape[1:], ORDER)
            opens_BH = written_BH & (chance_BH < open_chance_BH)
            writes_BH = real_BH & ~written_BH & (chance_BH < write_chance_BH)
            sure_BH = probability(logits_BHV, token_BH).double().where(writes_BH, sure_BH)
            sure_BH = sure_BH.masked_fill(opens_BH, torch.inf)
            written_BH = written_BH & ~opens_BH | writes_BH
            now_BH = token_BH.where(writes_BH, ids_BL.gather(1, at_BH)).masked_fill(opens_BH, mask)
            ids_BL = ids_BL.scatter(1, at_BH, now_BH)
            yield ids_BL

    def chances(self, call: int, sure_BH: Tensor) -> tuple[Tensor, Tensor]:
        """The probabilities, both (B, H), that this pass re-masks an unmasked hole and unmasks a masked one."""
        before, behind = (self.share(1 - done / self.steps) for done in (call, call + 1))
        most = min(1.0, (1 - behind) / before) if before else 0.0
        even_BH = torch.ones_like(sure_BH)
        sigma_BH = {
            "cap": lambda eta: even_BH * min(eta, most),
            "rescale": lambda eta: even_BH * eta * most,
            "conf": lambda _: torch.nan_to_num((-sure_BH).softmax(1)) * most,  # 0 where all are masked
            "loop": lambda eta: even_BH * (min(eta, most) if before == behind else 0.0),
        }[self.sigma](self.eta or 0.0)
        return sigma_BH, (behind - (1 - sigma_BH) * before) / (1 - before)

    def share(self, time: float) -> float:
        """alpha: the share of the text that is unmasked at `time`, which runs from 1 to 0."""
        if self.sigma != "loop":
            return 1 - time
        if time >= LOOP_FROM:
            return LOOP_SHARE * (1 - time) / (1 - LOOP_FROM)
        return LOOP_SHARE if time > LOOP_TO else LOOP_SHARE + (1 - LOOP_SHARE) * (1 - time / LOOP_TO)
