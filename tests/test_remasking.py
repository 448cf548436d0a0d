"""Loops that open again what was written: how often, how much, and under which law."""

from collections import deque

import pytest
import torch
from conftest import VOCABULARY, noise, row_of, suffix_canvas, tiny
from scipy import stats
from torch import Tensor

from paradigms.base import Canvas, Paradigm
from paradigms.decoders.remask import LOOP_SHARE, Remask
from wordways.run.trace import trace


def yields(paradigm: Paradigm, canvas: Canvas, *names: str) -> list[Tensor]:
    with torch.no_grad():
        return [ids.clone() for ids in paradigm.decode(canvas, noise(*names))]


# re-predicting everything


def test_repredicting_keeps_the_share_of_the_surest_and_forgets_what_stood_there() -> None:
    paradigm = tiny("diffusion_repredict", "paradigm.decoder.passes=5", "decoding.temperature=0")
    canvas = suffix_canvas([[3, 4, 1]], 8)
    ids_BL, revised, number = canvas.ids_BL, 0, 0
    for number, after in enumerate(yields(paradigm, canvas, "a"), 1):
        logits = paradigm.backbone(ids_BL, paradigm.rule(canvas), pad_BL=canvas.pad_BL)[0, 3:]
        logits[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
        surest, kept = logits.softmax(-1).amax(-1).argsort(descending=True)[: 8 * number // 5], after[0, 3:]
        assert (kept != VOCABULARY.mask).nonzero()[:, 0].tolist() == sorted(surest.tolist())
        assert torch.equal(kept[surest], logits.argmax(-1)[surest])
        known = ids_BL[0, 3:] != VOCABULARY.mask
        revised += int((kept != ids_BL[0, 3:])[known].sum())
        ids_BL = after
    assert number == 5
    assert revised > 0, "a loop that never revises would be another algorithm"


# ReMDM


@pytest.mark.parametrize(("sigma", "eta"), [("cap", 0.3), ("rescale", 0.6), ("conf", None), ("loop", 0.05)])
def test_the_written_share_is_what_the_schedule_says(sigma: str, eta: float | None) -> None:
    """Remasking and writing keep the mean share at alpha: 400 holes x 12 rows, within five standard errors."""
    paradigm = tiny(
        "diffusion_remask", f"paradigm.decoder.sigma={sigma}", f"paradigm.decoder.eta={'null' if eta is None else eta}",
        "paradigm.decoder.steps=20",
    )  # fmt: skip
    names = [str(i) for i in range(12)]
    how = Remask(sigma, eta, 20)  # type: ignore[arg-type]
    opened, done, before = 0, 0, None
    for done, after in enumerate(yields(paradigm, suffix_canvas([[3, 1]] * 12, 400), *names), 1):
        share = how.share(1 - done / 20)
        written = float((after[:, 2:] != VOCABULARY.mask).double().mean())
        assert abs(written - share) <= 5 * max(1e-9, (share * (1 - share) / 4800) ** 0.5), f"pass {done}"
        if before is not None:
            opened += int(((before[:, 2:] != VOCABULARY.mask) & (after[:, 2:] == VOCABULARY.mask)).sum())
        before = after
    assert opened > 40
    assert done == 20


def test_the_caps_are_the_published_ones() -> None:
    none = torch.full((1, 3), torch.inf, dtype=torch.float64)
    half = [Remask(kind, eta, 4).chances(1, none)[0] for kind, eta in (("cap", 0.4), ("cap", 1.0), ("rescale", 0.4))]  # type: ignore[arg-type]
    # from alpha_t = 1/4 to alpha_s = 1/2: sigma_max = (1 - 1/2) / (1/4), at most 1
    assert [float(sigma[0, 0]) for sigma in half] == pytest.approx([0.4, 1.0, 0.4])
    late = [Remask(kind, eta, 4).chances(3, none)[0] for kind, eta in (("cap", 0.4), ("rescale", 0.4))]  # type: ignore[arg-type]
    assert [float(sigma[0, 0]) for sigma in late] == [0.0, 0.0]  # at the end all is written, for good
    sure = torch.tensor([[0.9, 0.5, torch.inf]], dtype=torch.float64)
    conf = Remask("conf", None, 4).chances(2, sure)[0][0]
    assert torch.allclose(conf, torch.tensor([-0.9, -0.5, -torch.inf]).double().softmax(0) * 0.25 / 0.5)
    loop = Remask("loop", 0.02, 20)
    assert [loop.share(time) for time in (1, 0.55, 0.3, 0.0)] == pytest.approx([0, LOOP_SHARE, LOOP_SHARE, 1])
    sigma, write = loop.chances(10, none)
    assert float(sigma[0, 0]) == 0.02
    assert float(write[0, 0]) == pytest.approx(0.02 * LOOP_SHARE / (1 - LOOP_SHARE))


def test_without_remasking_it_is_ancestral_sampling() -> None:
    seen = trace(
        tiny("diffusion_remask", "paradigm.decoder.eta=0", "paradigm.decoder.steps=6"),
        suffix_canvas([[3, 1]], 8),
        noise("a"),
    )
    assert torch.equal(seen.filled_BL, seen.settled_BL)
    assert seen.calls == 6


def test_many_passes_draw_from_the_models_own_law() -> None:
    """Two holes, thirty passes, no remasking: hardly ever are both written in one pass, so the law is the exact one."""
    n = 6000
    paradigm = tiny(
        "diffusion_remask", "paradigm.decoder.eta=0", "paradigm.decoder.steps=60", "decoding.temperature=1",
        dtype=torch.float32,
    )  # fmt: skip
    exact = tiny("diffusion_k1", "decoding.order=random", dtype=torch.float32)
    words = [v for v in range(12) if v not in (VOCABULARY.mask, VOCABULARY.pad)]
    texts = [(a, b) for a in words for b in words]
    truth = suffix_canvas([[4, 1]] * len(texts), 2, truth=lambda row, i: texts[row][i])
    with torch.no_grad():
        law_B = exact.log_likelihood(truth, noise(*map(str, range(len(texts))))).exact_B
        ids = deque(paradigm.decode(suffix_canvas([[4, 1]] * n, 2), noise(*map(str, range(n)))), maxlen=1).pop()
    assert law_B is not None
    expected = law_B.exp() * n
    assert float(expected.sum()) == pytest.approx(n, rel=1e-5)
    count = torch.zeros(12, 12)
    count.index_put_((ids[:, 2], ids[:, 3]), torch.ones(n), accumulate=True)
    observed = torch.stack([count[a, b] for a, b in texts]).double()
    rare = expected < 8
    bins = [torch.cat((x[~rare], x[rare].sum()[None])) for x in (observed, expected)]
    assert stats.chisquare(bins[0].numpy(), bins[1].numpy(), sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize("preset", ["diffusion_remask", "diffusion_repredict", "diffusion_mask_predict"])
@pytest.mark.parametrize("model", ["diffusion", "masked_infill"])
def test_every_loop_serves_every_model_that_sees_both_sides(preset: str, model: str) -> None:
    decoder = preset.removeprefix("diffusion_")
    paradigm = tiny(model, f"decoder@paradigm.decoder={decoder}")
    canvas = suffix_canvas([[3, 4, 1], [5, 1]], [5, 7])
    together = yields(paradigm, canvas, "a", "b")[-1]
    for row, name in enumerate("ab"):
        alone = row_of(canvas, row)
        assert torch.equal(yields(paradigm, alone, name)[-1][alone.holes_BL], together[row][canvas.holes_BL[row]])


@pytest.mark.parametrize(("sigma", "eta"), [("conf", "0.1"), ("cap", "null"), ("cap", "1.5")])
def test_eta_belongs_to_the_kinds_that_have_one(sigma: str, eta: str) -> None:
    with pytest.raises(ValueError, match=r"paradigm.decoder.eta="):
        tiny("diffusion_remask", f"paradigm.decoder.sigma={sigma}", f"paradigm.decoder.eta={eta}")
