"""Objectives against their definitions, worked out by enumeration."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from conftest import CPU, VOCABULARY, noise, suffix_canvas, tiny
from torch import Tensor

from paradigms.base import Canvas, Paradigm
from paradigms.decoders.orders import FEW_HOLES
from paradigms.diffusion import Diffusion
from paradigms.masked_infill import MaskedInfill
from paradigms.parallel import Parallel
from paradigms.trunk.attention import everywhere
from wordways.run.noise import SeededNoise

Text = tuple[int, ...]
TRUTH = [5, 9, 4, 7, 3, 8, 6, 11, 10, 5]


def copies(n: int, holes: int = 4) -> Canvas:
    return suffix_canvas([[3, 6, 1]] * n, holes, truth=lambda row, i: TRUTH[i])


def rows(n: int, prefix: str = "") -> SeededNoise:
    return SeededNoise(0, [f"{prefix}{i}" for i in range(n)], CPU)


def masked_nats(paradigm, hidden: tuple[int, ...], holes: int = 4) -> Tensor:
    """-log p of every truth token with exactly these hidden, computed the long way."""
    canvas = copies(1, holes)
    ids = canvas.ids_BL.clone()
    ids[0, [3 + i for i in hidden]] = VOCABULARY.mask
    logits = paradigm.backbone(ids, paradigm.rule(canvas), pad_BL=canvas.pad_BL)[0, 3:]
    logits[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
    return -logits.log_softmax(-1)[range(holes), TRUTH[:holes]]


def enumerated_bound(paradigm, holes: int) -> float:
    """The NELBO in nats: E over l uniform in 1..L of E over sets of size l of (L/l) sum of -log p."""
    total = 0.0
    for size in range(1, holes + 1):
        sets = list(itertools.combinations(range(holes), size))
        total += sum(float(masked_nats(paradigm, s, holes)[list(s)].sum()) for s in sets) / len(sets) / size
    return total


@torch.inference_mode()
def test_the_diffusion_loss_is_the_bound_per_token() -> None:
    paradigm, n = tiny("diffusion"), 20_000
    assert isinstance(paradigm, Diffusion)
    loss = paradigm.loss(copies(n), rows(n), 0.0)
    assert float(loss.mean) == pytest.approx(enumerated_bound(paradigm, 4) / 4, rel=0.01)
    assert float(loss.supervised) == pytest.approx(n * 2.5, rel=1e-3), "l is stratified: its mean is almost exact"


@torch.inference_mode()
def test_the_sampled_bound_is_unbiased_and_its_error_is_honest() -> None:
    """With more holes than are summed over."""
    paradigm, n, holes = tiny("diffusion"), 200, FEW_HOLES + 1
    law = paradigm.log_likelihood(copies(n, holes), rows(n))
    exact = -enumerated_bound(paradigm, holes)
    assert law.kind == "bound"
    spread = float(law.nats_B.std())
    assert float(law.nats_B.mean()) == pytest.approx(exact, abs=4 * spread / n**0.5)
    assert 0 < spread <= 1.1 * float(law.se_B.mean()), "stratification may only help"


def law_over_orders(paradigm, per_pass: int, holes: int = 4) -> float:
    """ln of the mean over all orders of the passes' products, order by order."""
    chances = []
    for order in itertools.permutations(range(holes)):
        nats = 0.0
        for first in range(0, holes, per_pass):
            nats += float(masked_nats(paradigm, order[first:], holes)[list(order[first : first + per_pass])].sum())
        chances.append(math.exp(-nats))
    return math.log(sum(chances) / len(chances))


@pytest.mark.parametrize("per_pass", [1, 2, 3, 4])
@torch.inference_mode()
def test_few_holes_are_summed_over_every_order(per_pass: int) -> None:
    paradigm = tiny("diffusion", f"paradigm.decoder.per_pass={per_pass}", "paradigm.decoder.order=random")
    law = paradigm.log_likelihood(copies(1), noise("a"))
    assert law.exact_B is not None
    assert float(law.nats_B) == pytest.approx(-enumerated_bound(paradigm, 4), rel=1e-12)
    assert float(law.exact_B) == pytest.approx(law_over_orders(paradigm, per_pass), rel=1e-12)
    if per_pass == 1:
        assert float(law.nats_B) < float(law.exact_B), "the bound is below"


@torch.inference_mode()
def test_rows_with_few_holes_and_with_many_do_not_mind_each_other() -> None:
    paradigm, counts = tiny("diffusion", "paradigm.decoder.order=random"), [4, FEW_HOLES + 1, 3]
    canvas = suffix_canvas([[3, 6, 1]] * 3, counts, truth=lambda row, i: TRUTH[i])
    law = paradigm.log_likelihood(canvas, rows(3))
    assert law.exact_B is not None
    assert law.exact_B.isnan().tolist() == [False, True, False]
    assert (law.se_B > 0).tolist() == [False, True, False]
    assert float(law.exact_B[2]) == pytest.approx(law_over_orders(paradigm, 1, 3), rel=1e-9)


@pytest.mark.parametrize("per_pass", [1, 2, 3])
@pytest.mark.parametrize("order", ["margin", "entropy", "left_to_right"])
@torch.inference_mode()
def test_an_order_that_no_draw_decides_has_an_exact_law(order: str, per_pass: int) -> None:
    """Over all texts of three tokens its probabilities sum to 1; another order gives another law."""
    settings = (f"paradigm.decoder.order={order}", f"paradigm.decoder.per_pass={per_pass}")
    paradigm = tiny("diffusion", *settings, "paradigm.decoder.length=fixed")
    texts = list(itertools.product(range(3, 12), repeat=3))
    canvas = suffix_canvas([[3, 6, 1]] * len(texts), 3, truth=lambda row, i: texts[row][i])
    law = paradigm.log_likelihood(canvas, rows(len(texts)))
    assert law.kind == "exact"
    assert float(law.nats_B.exp().sum()) == pytest.approx(1, rel=1e-9)


RULES = {  # settings of a rule, and how many of the open holes it commits: ranked ones with their probabilities
    "confidence one by one": (("order=confidence",), lambda ranked, done: 1),
    "confidence two per pass": (("order=confidence", "per_pass=2"), lambda ranked, done: 2),
    "steps": (("order=confidence", "steps=2"), lambda ranked, done: (2, 1)[done]),
    "cosine": (("order=confidence", "steps=3", "schedule=cosine"), lambda ranked, done: 1),
    "threshold": (
        ("order=confidence", "threshold=0.2"),
        lambda ranked, done: max(1, sum(p >= 0.2 for p in ranked)),
    ),
    "factor": (
        ("order=confidence", "factor=1.5"),
        lambda ranked, done: next((r for r, p in enumerate(ranked) if r and p < 1 - 1.5 / (r + 2)), len(ranked)),
    ),
}


def law_along_its_passes(paradigm: Paradigm, holes: int, count: Callable[[list[float], int], int]) -> dict[Text, float]:
    """DUEL: the tree of all texts; a rule that sees only the most probable tokens opens each node's next positions."""
    law: dict[Text, float] = {}

    def grow(known: dict[int, int], p: float, done: int) -> None:
        if len(known) == holes:
            law[tuple(known[i] for i in range(holes))] = p
            return
        ids = torch.tensor([[3, 6, 1, *(known.get(i, VOCABULARY.mask) for i in range(holes))]])
        logits = paradigm.backbone(ids, everywhere, pad_BL=torch.zeros_like(ids).bool())[0, 3:]
        logits[:, [0, 1, 2]] = -torch.inf
        chance_HV = logits.softmax(-1)
        ranked = sorted((i for i in range(holes) if i not in known), key=lambda i: -float(chance_HV[i].max()))
        now = ranked[: count([float(chance_HV[i].max()) for i in ranked], done)]
        for words in itertools.product(range(3, 12), repeat=len(now)):
            said = dict(zip(now, words, strict=True))
            grow(known | said, p * math.prod(float(chance_HV[i, word]) for i, word in said.items()), done + 1)

    grow({}, 1.0, 0)
    return law


@pytest.mark.parametrize("preset", ["diffusion", "block_diffusion"])
@pytest.mark.parametrize("rule", RULES)
@torch.inference_mode()
def test_a_greedy_rule_gives_every_text_one_path_and_an_exact_law(rule: str, preset: str) -> None:
    """Text by text that of the tree, and over all texts 1; the bound over all orders is another number."""
    settings, count = RULES[rule]
    greedy = (*settings, "temperature=0.0", *(["length=fixed"] if preset == "diffusion" else []))
    paradigm = tiny(preset, *(f"paradigm.decoder.{setting}" for setting in greedy), seed=4)
    if preset == "block_diffusion":
        paradigm.backbone.register_forward_hook(forbid_the_end)
    texts = list(itertools.product(range(3, 12), repeat=3))
    canvas = suffix_canvas([[3, 6, 1]] * len(texts), 3, truth=lambda row, i: texts[row][i])
    law = paradigm.log_likelihood(canvas, rows(len(texts)))
    assert law.kind == "exact"
    assert float(law.nats_B.exp().sum()) == pytest.approx(1, rel=1e-9)
    if preset == "diffusion":
        expected = law_along_its_passes(paradigm, 3, count)
        assert law.nats_B.exp().tolist() == pytest.approx([expected[text] for text in texts], rel=1e-9)


def forbid_the_end(_: object, __: object, logits: Tensor) -> Tensor:
    return logits.index_fill(-1, torch.tensor([VOCABULARY.eos]), -torch.inf)


@pytest.mark.parametrize("setting", ["order=confidence", "threshold=0.5", "factor=1.0", "ends_last=true"])
@torch.inference_mode()
def test_a_rule_that_looks_at_sampled_tokens_has_a_bound(setting: str) -> None:
    order = () if "order" in setting else ("paradigm.decoder.order=margin",)
    paradigm = tiny("diffusion", f"paradigm.decoder.{setting}", *order, "paradigm.decoder.temperature=0.5")
    assert paradigm.log_likelihood(copies(1), noise("a")).kind == "bound"


@torch.inference_mode()
def test_one_pass_likelihood_is_the_product_of_blind_marginals() -> None:
    paradigm = tiny("parallel")
    law = paradigm.log_likelihood(copies(1), noise("a"))
    assert float(law.nats_B) == pytest.approx(-float(masked_nats(paradigm, (0, 1, 2, 3)).sum()), rel=1e-12)


@torch.inference_mode()
def test_pseudo_likelihood_masks_one_at_a_time() -> None:
    paradigm = tiny("masked_infill")
    law = paradigm.log_likelihood(copies(1), noise("a"))
    assert float(law.nats_B) == pytest.approx(-sum(float(masked_nats(paradigm, (i,))[i]) for i in range(4)), rel=1e-12)


@torch.inference_mode()
def test_autoregression_scores_up_to_the_first_end_and_no_further() -> None:
    paradigm = tiny("autoregressive")
    text = [5, 9, 1, 1, 1, 1]
    padded = suffix_canvas([[3, 6, 1]], 6, truth=lambda row, i: text[i])
    exact = suffix_canvas([[3, 6, 1]], 3, truth=lambda row, i: text[i])
    one, other = (paradigm.log_likelihood(canvas, noise("a")).nats_B for canvas in (padded, exact))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert int(paradigm.loss(padded, noise("a"), 0.0).supervised) == 3


def hidden_in_training(paradigm, n: int, progress: float = 0.0) -> tuple[Tensor, Tensor]:
    """What the backbone was shown in the last call of a loss, and what was true, at the holes."""
    seen = []
    handle = paradigm.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    paradigm.loss(copies(n), rows(n), progress)
    handle.remove()
    return seen[-1][:, 3:], copies(n).ids_BL[:, 3:]


@torch.inference_mode()
def test_bert_hides_15_percent_and_of_these_80_10_10() -> None:
    paradigm, n = tiny("masked_infill"), 15_000
    assert isinstance(paradigm, MaskedInfill)
    shown, truth = hidden_in_training(paradigm, n)
    masked, changed = shown == VOCABULARY.mask, (shown != truth) & (shown != VOCABULARY.mask)
    tokens, replaced_and_seen = 4 * n, 0.1 * 11 / 12  # one replacement in twelve is the token itself
    assert float(masked.sum()) / tokens == pytest.approx(0.15 * (0.8 + 0.1 / 12), rel=0.03)
    assert float(changed.sum()) / tokens == pytest.approx(0.15 * (replaced_and_seen - 0.1 / 12), rel=0.08)
    assert int(paradigm.loss(copies(n), rows(n), 0.0).supervised) / tokens == pytest.approx(0.15, rel=0.03)


@torch.inference_mode()
def test_cmlm_hides_every_count_alike() -> None:
    shown, _ = hidden_in_training(tiny("parallel_cmlm"), 20_000)
    counts = (shown == VOCABULARY.mask).sum(1).bincount(minlength=5)
    assert counts[0] == 0
    assert all(abs(int(count) - 5000) < 4 * 61 for count in counts[1:])


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.5), (1.0, 0.3)])
@torch.inference_mode()
def test_glancing_shows_a_share_of_what_a_blind_pass_gets_wrong(progress: float, share: float) -> None:
    paradigm = tiny("parallel_glancing")
    assert isinstance(paradigm, Parallel)
    shown, truth = hidden_in_training(paradigm, 500, progress)
    blind = paradigm.backbone(
        copies(1).ids_BL.masked_fill(copies(1).holes_BL, VOCABULARY.mask),
        paradigm.rule(copies(1)),
        pad_BL=copies(1).pad_BL,
    )
    wrong = int((blind[0, 3:].argmax(-1) != truth[0]).sum())
    assert wrong >= 2
    assert ((shown != VOCABULARY.mask).sum(1) == int(wrong * share)).all()


@torch.inference_mode()
def test_the_parallel_loss_teaches_the_length_at_the_prompts_end() -> None:
    paradigm = tiny("parallel")
    text = [5, 9, 1, 1]
    canvas = suffix_canvas([[3, 6, 1]], 4, truth=lambda row, i: text[i])
    blind = canvas.ids_BL.masked_fill(canvas.holes_BL, VOCABULARY.mask)
    logits = paradigm.backbone(blind, paradigm.rule(canvas), pad_BL=canvas.pad_BL)[0]
    length = -float(logits[2].log_softmax(-1)[2])  # two tokens: class 2
    logits[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
    words = -float(logits[3:].log_softmax(-1)[range(4), text].mean())
    assert float(paradigm.loss(canvas, noise("a"), 0.0).mean) == pytest.approx(words + 0.1 * length, rel=1e-12)
