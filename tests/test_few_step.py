"""Few-step diffusion: what the teacher's later passes know, the student's one pass is taught, as an average."""

import math
from typing import Any

import pytest
import torch
from conftest import VOCABULARY, noise, suffix_canvas, tiny, tiny_backbone
from torch import Tensor, nn

from paradigms.base import Canvas
from paradigms.decoders.commit_once import CommitOnce
from paradigms.few_step import FewStep

WORDS = VOCABULARY.size - 3  # ids that are text
ROWS = 400


class Alike(nn.Module):
    """A network that knows the law of texts whose tokens are all the same word, every word being equally likely."""

    def __init__(self, loose: bool = False):
        super().__init__()
        self.loose = loose  # whether tokens are independent instead

    def forward(
        self, ids_BL: Tensor, rule: Any, *, pad_BL: Tensor, want_BW: Tensor, need_BW: Tensor | None = None
    ) -> Tensor:
        logits_BWV = torch.full((*want_BW.shape, VOCABULARY.size), -torch.inf)
        logits_BWV[..., 3:] = 0.0
        for row, ids_L in enumerate(ids_BL):
            known = ids_L[(ids_L >= 3) & ~pad_BL[row]]
            if len(known) and not self.loose:
                logits_BWV[row] = -torch.inf
                logits_BWV[row, :, known[0]] = 0.0
        return logits_BWV if need_BW is None else logits_BWV[need_BW]


def few_step(backbone: Any, passes: int = 2) -> FewStep:
    return FewStep(VOCABULARY, backbone, passes, 0.5, CommitOnce())


def alike(holes: int, rows: int = ROWS) -> Canvas:
    return suffix_canvas([[1]] * rows, holes, truth=lambda row, i: 3 + row % WORDS)


def names(canvas: Canvas) -> list[str]:
    return list(map(str, range(len(canvas.ids_BL))))


def masked(canvas: Canvas) -> Canvas:
    ids_BL = canvas.ids_BL.masked_fill(canvas.holes_BL, VOCABULARY.mask)
    return Canvas(ids_BL, canvas.holes_BL, canvas.pad_BL)


@pytest.mark.parametrize(("holes", "passes"), [(2, 2), (3, 2), (4, 2), (3, 5)])
def test_what_is_committed_later_diverges_by_all_that_the_earlier_tokens_tell(holes: int, passes: int) -> None:
    """All tokens that follow the teacher's first pass are certain; the student holds every word for equally likely."""
    canvas = alike(holes)
    ln_NV = few_step(Alike(), passes).targets(masked(canvas), noise(*names(canvas)))
    kl_BH = (ln_NV.exp() * (ln_NV.exp() * WORDS).log().nan_to_num(neginf=0)).sum(-1).view(ROWS, holes)
    first = -(-holes // passes)  # the first pass commits the larger part
    assert ((kl_BH.abs() < 1e-6).sum(1) == first).all()
    assert ((kl_BH - math.log(WORDS)).abs() < 1e-6).sum() == ROWS * (holes - first)


def test_an_exact_student_is_the_average_teacher() -> None:
    """So nothing of the total correlation can be kept: the targets' mean is the student's own distribution."""
    canvas = masked(alike(2, rows := 4000))
    target_BHV = few_step(Alike()).targets(canvas, noise(*names(canvas))).exp().view(rows, 2, -1)
    p = 1 / WORDS
    error = 4.5 * (p * (1 - p) / rows) ** 0.5  # of shares that are 0 or 1 half of the time
    assert (target_BHV.mean(0)[:, 3:] - p).abs().max() < error
    assert (target_BHV[:, :, 3:] == 1).any(-1).sum(1).eq(1).all(), "yet each target of the second pass is certain"


def test_the_loss_is_the_divergence_per_token() -> None:
    """Of two holes both are masked in half of the rows, and one of them is then committed second, weighted by 1."""
    canvas = alike(2)
    loss = few_step(Alike()).taught(canvas, noise(*names(canvas)))
    assert float(loss.mean) == pytest.approx(math.log(WORDS) / 4, rel=1e-5)
    assert int(loss.supervised) == ROWS * 3 // 2
    independent = few_step(Alike(loose=True)).taught(canvas, noise(*names(canvas)))
    assert float(independent.mean) == pytest.approx(0, abs=1e-6)


def test_targets_are_the_distributions_of_the_teachers_own_passes() -> None:
    """Against a loop over rows and passes, each position read alone, with the tokens that the teacher commits."""
    model = few_step(tiny_backbone(3), passes=3)
    canvas = masked(suffix_canvas([[1, 5], [4], [6, 7, 8]], [5, 4, 2]))
    how = CommitOnce(steps=3)
    seen: dict[tuple[int, int], Tensor] = {}
    before_BL, rows = canvas.ids_BL, names(canvas)
    later = noise(*rows)
    shifted: Any = type("Shifted", (), {"uniform": lambda _, call, *rest: later.uniform((1 << 20) + call, *rest)})()
    with torch.no_grad():
        for ids_BL in how(model.diffusion(how), canvas, shifted):
            for row, column in (ids_BL != before_BL).nonzero().tolist():
                logits_BLV = model.backbone(before_BL, model.rule(canvas), pad_BL=canvas.pad_BL)
                logits_V = logits_BLV[row, column].clone()
                logits_V[[VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
                seen[row, column] = logits_V.log_softmax(-1)
            before_BL = ids_BL.clone()
    found_NV = model.targets(canvas, noise(*rows))
    expected_NV = torch.stack([seen[row, column] for row, column in canvas.holes_BL.nonzero().tolist()])
    assert found_NV.exp() == pytest.approx(expected_NV.exp(), abs=1e-6)


def test_the_teacher_begins_late_and_costs_its_passes() -> None:
    model, canvas = few_step(tiny_backbone()), alike(4, 8)
    calls: list[bool] = []
    model.backbone.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    early = model.loss(canvas, noise(*names(canvas)), 0.4).mean.detach()
    assert calls == [True]
    masked_diffusion = model.diffusion(CommitOnce()).loss(canvas, noise(*names(canvas)), 0.4).mean.detach()
    assert early == masked_diffusion, "until then it is masked diffusion"
    calls.clear()
    late = model.loss(canvas, noise(*names(canvas)), 0.5)
    assert sorted(calls) == [False, False, True, True], "two passes of the teacher without gradient"
    assert len(late.terms) == 2


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("passes=1", "passes=1: must be at least 2"),
        ("begin=1.0", "begin=1.0: must be at least 0 and below 1"),
    ],
)
def test_settings_out_of_range_are_named(setting: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        tiny("few_step", f"paradigm.{setting}")
