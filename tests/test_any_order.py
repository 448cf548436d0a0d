"""Any-order autoregression: one pass scores what many cached passes generate, and no token sees a later one."""

import itertools
import math
from typing import Any

import pytest
import torch
from conftest import VOCABULARY, noise, suffix_canvas, tiny
from scipy.stats import chisquare
from torch import Tensor

from paradigms.any_order import BOUND_ORDERS, AnyOrder, in_order, ranks_of
from paradigms.base import Canvas
from wordways.run.trace import metered

FIXED = "paradigm.decoder.length=fixed"


def model(*settings: str) -> AnyOrder:
    found: Any = tiny("any_order", *settings)
    return found


def scattered(written: bool) -> Canvas:
    """Holes between given text, a different number in each row, and padding."""
    lines = [[4, 0, 5, 0, 0, 6], [0, 0, 7, 8], [3, 4, 0, 5, 0]]
    ids_BL = torch.tensor([[*line, *[VOCABULARY.pad] * (6 - len(line))] for line in lines])
    pad_BL = torch.tensor([[column >= len(line) for column in range(6)] for line in lines])
    holes_BL = (ids_BL == 0) & ~pad_BL
    ids_BL = ids_BL.masked_fill(holes_BL, VOCABULARY.mask)
    return Canvas(ids_BL.where(~holes_BL, 3 + torch.arange(6) % 8) if written else ids_BL, holes_BL, pad_BL)


@torch.inference_mode()
@pytest.mark.parametrize("order", ["random", "left_to_right"])
def test_one_pass_scores_what_cached_passes_predict(order: str) -> None:
    paradigm, canvas = model(FIXED, f"paradigm.decoder.order={order}"), scattered(written=False)
    draws = noise("a", "b", "c")
    said: list[Tensor] = []
    handle = paradigm.backbone.register_forward_hook(lambda _, __, logits: said.append(logits[:, 0].clone()))
    steps = [ids_BL.clone() for ids_BL in paradigm.decode(canvas, draws)]
    handle.remove()
    nats_BL, before_BL = torch.zeros(canvas.ids_BL.shape, dtype=torch.float64), canvas.ids_BL
    alive = [0, 1, 2]
    for ids_BL, logits_bV in zip(steps, said, strict=True):
        for row, logits_V in zip(alive, logits_bV, strict=True):
            (column,) = (ids_BL[row] != before_BL[row]).nonzero()[:, 0].tolist()
            logits_V[paradigm.never()] = -torch.inf
            nats_BL[row, column] = -logits_V.log_softmax(-1)[ids_BL[row, column]]
        alive = [row for row in alive if (ids_BL[row] == VOCABULARY.mask).any()]
        before_BL = ids_BL
    written = Canvas(before_BL, canvas.holes_BL, canvas.pad_BL)
    found_BH = paradigm.nats_in_order(written, paradigm.ranks(written, draws))
    at_BH, real_BH = canvas.hole_positions()
    assert found_BH[real_BH].tolist() == pytest.approx(nats_BL.gather(1, at_BH)[real_BH].tolist(), rel=1e-9)


@torch.inference_mode()
def test_a_token_sees_what_is_before_it_in_the_order_and_nothing_else() -> None:
    paradigm, canvas = model(FIXED), scattered(written=True)
    at_BH, real_BH = canvas.hole_positions()
    rank_BL = ranks_of(canvas, torch.tensor([[3, 1, 2], [2, 1, 3], [1, 2, 3]]))
    before_BH = paradigm.nats_in_order(canvas, rank_BL)
    for row, column in canvas.holes_BL.nonzero().tolist():
        ids_BL = canvas.ids_BL.clone()
        ids_BL[row, column] = 11
        moved_BH = (paradigm.nats_in_order(Canvas(ids_BL, canvas.holes_BL, canvas.pad_BL), rank_BL) - before_BH) != 0
        later_BH = (rank_BL.gather(1, at_BH) >= rank_BL[row, column]) & real_BH  # its own nats are of another token
        later_BH[torch.arange(3) != row] = False
        assert torch.equal(moved_BH, later_BH)


def test_the_rule_is_as_drawn() -> None:
    rule, place = in_order(torch.tensor([[0, 2, 1, 2, 1]]), copies_from=3), torch.arange(5)
    drawn = ["x....", "xxx..", "x.x..", "x.xx.", "x...x"]
    expected = torch.tensor([[[sign == "x" for sign in line] for line in drawn]])
    assert torch.equal(rule(place[None, :, None], place[None, None]), expected)


def every_text(holes: int, words: int = 9) -> Canvas:
    texts = list(itertools.product(range(3, 3 + words), repeat=holes))
    return suffix_canvas([[4, 1]] * len(texts), holes, truth=lambda row, i: texts[row][i])


@torch.inference_mode()
def test_texts_have_the_probabilities_with_which_they_are_generated() -> None:
    """The mixture over both orders of two holes: its law sums to 1, and 12,000 samples follow it."""
    paradigm, texts, rows = model(FIXED), every_text(2), 12_000
    names = list(map(str, range(rows)))
    law = paradigm.log_likelihood(texts, noise(*names[: len(texts.ids_BL)]))
    assert law.exact_B is not None
    p_T = law.exact_B.exp()
    assert float(p_T.sum()) == pytest.approx(1, rel=1e-9)
    assert (law.nats_B <= law.exact_B + 1e-12).all(), "the mean over orders is a bound"
    assert (law.se_B == 0).all()
    *_, ids_BL = paradigm.decode(suffix_canvas([[4, 1]] * rows, 2), noise(*names))
    index_B = (ids_BL[:, -2] - 3) * 9 + ids_BL[:, -1] - 3
    counts_T = torch.bincount(index_B, minlength=81)
    rare_T = p_T * rows < 5
    seen, expected = ([*x_T[~rare_T].tolist(), float(x_T[rare_T].sum())] for x_T in (counts_T, p_T * rows))
    assert chisquare(seen, [e * sum(seen) / sum(expected) for e in expected]).pvalue > 1e-3


@torch.inference_mode()
def test_the_bound_of_many_holes_is_a_mean_over_sampled_orders() -> None:
    paradigm = model(FIXED)
    canvas = suffix_canvas([[4, 1]] * 2, 6, truth=lambda row, i: 3 + i)
    law = paradigm.log_likelihood(canvas, noise("a", "b"))
    ranks = [paradigm.random_ranks(canvas, noise("a", "b"), draw) for draw in range(BOUND_ORDERS)]
    drawn_DB = torch.stack([-paradigm.nats_in_order(canvas, rank_BL).sum(1) for rank_BL in ranks])
    assert law.kind == "bound"
    assert law.nats_B.tolist() == pytest.approx(drawn_DB.mean(0).tolist())
    assert law.se_B.tolist() == pytest.approx((drawn_DB.std(0) / 4).tolist())
    assert law.exact_B is not None
    assert law.exact_B.isnan().all()
    assert len({tuple(rank_BL[0].tolist()) for rank_BL in ranks}) > BOUND_ORDERS / 2


@torch.inference_mode()
def test_a_text_ends_where_its_end_is_written_and_nothing_before_it_is_open() -> None:
    """Its passes are those it needs; what follows the end is no part of the likelihood from left to right."""
    left = model("paradigm.decoder.order=left_to_right")
    rows = 200
    with metered(left) as meter:
        *_, ids_BL = left.decode(suffix_canvas([[4, 1]] * rows, 5), noise(*map(str, range(rows))))
    ends_B = (ids_BL[:, 2:] == VOCABULARY.eos).byte().argmax(1)
    lengths_B = torch.where((ids_BL[:, 2:] == VOCABULARY.eos).any(1), ends_B + 1, 5)
    assert meter.rows == int(lengths_B.sum()), "a row that has ended is read no more"
    assert len(set(lengths_B.tolist())) > 2
    prefix = suffix_canvas([[4, 1]], 3, truth=lambda row, i: (5, 1, 1)[i])
    short = suffix_canvas([[4, 1]], 2, truth=lambda row, i: (5, 1)[i])
    nats = [float(left.log_likelihood(canvas, noise("a")).nats_B) for canvas in (prefix, short)]
    assert nats[0] == pytest.approx(nats[1], rel=1e-12)
    assert left.log_likelihood(prefix, noise("a")).kind == "exact"
    random = model().log_likelihood(prefix, noise("a"))
    assert random.exact_B is not None
    assert math.isnan(float(random.exact_B)), "in a random order the last hole may hold anything"


def test_every_token_is_learnt_in_an_order_of_its_own() -> None:
    canvas = suffix_canvas([[4, 1]] * 50, 4, truth=lambda row, i: 3 + i)
    paradigm, names = model("paradigm.decoder.order=left_to_right"), list(map(str, range(50)))
    loss = paradigm.loss(canvas, noise(*names), 0.0)
    assert int(loss.supervised) == 200
    rank_BL = paradigm.random_ranks(canvas, noise(*names), 0)
    assert len({tuple(rank_L.tolist()) for rank_L in rank_BL}) > 15, "of 24"
    expected = paradigm.nats_in_order(canvas, rank_BL, training=True).mean()
    assert float(loss.mean.detach()) == pytest.approx(float(expected.detach()), rel=1e-12)
