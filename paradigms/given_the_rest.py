"""How likely each token is where all others are given: mask one, ask, put it back."""

import torch
from torch import Tensor

from paradigms.base import Canvas, Paradigm


def given_the_rest(model: Paradigm, canvas: Canvas) -> tuple[Tensor, Tensor]:
    """-log p of every hole's token given all others, a call for each hole, and which count, (B, H) both."""
    at_BH, real_BH = canvas.hole_positions()
    truth_BH = canvas.ids_BL.gather(1, at_BH)
    counted_BH = real_BH & canvas.text_and_end(model.vocabulary.eos).gather(1, at_BH)
    columns = []
    for at_B1, truth_B1, counted_B1 in zip(*(each.split(1, 1) for each in (at_BH, truth_BH, counted_BH)), strict=True):
        ids_BL = canvas.ids_BL.scatter(1, at_B1, model.vocabulary.mask)
        logits_B1V = model.backbone(ids_BL, model.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_B1)
        columns.append(model.nats(logits_B1V, truth_B1, counted_B1))
    return torch.cat(columns, dim=1), counted_BH
