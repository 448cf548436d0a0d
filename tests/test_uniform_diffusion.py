"""Uniform diffusion against enumeration: an ideal denoiser's samples and bounds, and other people's sampler."""

import itertools
import math
from collections import deque
from pathlib import Path

import pytest
import torch
from conftest import SMALL as FEW
from conftest import VOCABULARY, cell, noise, suffix_canvas, tiny, tiny_backbone
from scipy import stats
from torch import Tensor

from paradigms.base import ORDER, Canvas, Vocabulary
from paradigms.decoders.accept_and_renoise import AcceptAndRenoise
from paradigms.decoders.ancestral import Ancestral
from paradigms.decoders.uniform_noise import noised, posterior, tokens_of
from paradigms.trunk.attention import everywhere
from paradigms.trunk.backbone import Backbone
from paradigms.uniform_diffusion import UniformDiffusion
from wordways.report.oracles import oracle_lines
from wordways.run.execute import score_cell
from wordways.run.trace import trace

SMALL = Vocabulary(size=6, mask=2, eos=1, pad=0)
TEXT = [1, 3, 4, 5]
TEXTS = torch.tensor(list(itertools.product(TEXT, repeat=3)))  # (64, 3)


class Ideal(UniformDiffusion):
    """It knows the distribution of clean texts: each token's, given noisy versions of all others."""

    def __init__(self, steps: int, p_X: Tensor):
        backbone = Backbone(SMALL.size, layers=1, width=4, heads=1, hidden=4)
        super().__init__(SMALL, backbone, False, Ancestral(steps=steps))
        self.p_X = p_X

    def denoise(
        self, canvas: Canvas, at_BH: Tensor, noisy_BH: Tensor, level_B: Tensor, before_BHV: Tensor | None
    ) -> Tensor:
        same_BXH = noisy_BH[:, None] == TEXTS[None]
        level_B11 = level_B.double()[:, None, None]
        likelihood_BXH = (1 - level_B11) * same_BXH + level_B11 / len(TEXT)
        columns = []
        for hole in range(3):
            others_BX = likelihood_BXH[:, :, [i for i in range(3) if i != hole]].prod(2) * self.p_X
            columns.append(
                torch.stack([others_BX[:, TEXTS[:, hole] == token].sum(1) for token in range(SMALL.size)], dim=1)
            )
        return torch.stack(columns, dim=1).log()


def data_law() -> Tensor:
    """A distribution of 64 texts with strong dependence: six of them have nine tenths."""
    generator = torch.Generator().manual_seed(3)
    p_X = torch.rand(64, generator=generator, dtype=torch.float64) ** 3 * 0.1 / 16
    p_X[torch.randperm(64, generator=generator)[:6]] += torch.tensor([0.3, 0.2, 0.15, 0.1, 0.1, 0.05]).double()
    return p_X / p_X.sum()


def blank(rows: int) -> Canvas:
    ids_BL = torch.tensor([[3, 1, 2, 2, 2]] * rows)
    return Canvas(ids_BL, ids_BL == 2, torch.zeros_like(ids_BL, dtype=torch.bool))


def written(text_B3: Tensor) -> Canvas:
    canvas = blank(len(text_B3))
    return Canvas(canvas.ids_BL.masked_scatter(canvas.holes_BL, text_B3), canvas.holes_BL, canvas.pad_BL)


def law_of(model: UniformDiffusion, steps: int) -> Tensor:
    """The exact distribution of texts that ancestral sampling in `steps` passes generates, (64,)."""
    canvas, p_X = blank(64), torch.full((64,), 1 / 64, dtype=torch.float64)
    at_BH, _ = canvas.hole_positions()
    for left in range(steps, 0, -1):
        level_B = torch.full((64,), left / steps, dtype=torch.float64)
        logits_BHV = model.denoise(canvas, at_BH, TEXTS, level_B, None).double()
        logits_BHV[..., model.never()] = -torch.inf
        law_BHV = logits_BHV.softmax(-1)
        # q(x_s | x_t), from its definition: every clean token c, weighted by its chance after x_t was seen
        alpha, lower, same_VV = 1 - left / steps, 1 - (left - 1) / steps, torch.eye(SMALL.size, dtype=torch.float64)
        text_V = torch.zeros(SMALL.size, dtype=torch.float64).index_fill(0, torch.tensor(TEXT), 1.0)
        up_cs = (lower * same_VV + (1 - lower) / 4) * text_V
        on_sz = alpha / lower * same_VV + (1 - alpha / lower) / 4
        move_XHV = torch.einsum("xhc,cs,sxh->xhs", law_BHV, up_cs, on_sz[:, TEXTS])
        move_XHV = move_XHV / move_XHV.sum(-1, keepdim=True)
        move_XX = torch.stack([move_XHV[:, hole][:, TEXTS[:, hole]] for hole in range(3)]).prod(0)
        p_X = p_X @ move_XX
    return p_X


def samples(model: UniformDiffusion, rows: int) -> Tensor:
    """How often each text was generated, (64,)."""
    with torch.inference_mode():
        ids_BL = deque(model.decode(blank(rows), noise(*map(str, range(rows)))), maxlen=1).pop()
    return (ids_BL[:, None, 2:] == TEXTS).all(2).sum(0)


def chance(count_X: Tensor, p_X: Tensor) -> float:
    """The p-value of Pearson's test, rare texts taken together."""
    expected_X = p_X * count_X.sum()
    rare_X = expected_X < 8
    observed, expected = (torch.cat((x[~rare_X].double(), x[rare_X].sum()[None])) for x in (count_X, expected_X))
    return float(stats.chisquare(observed.numpy(), expected.numpy(), sum_check=False).pvalue)


# sampling


def test_one_pass_of_an_ideal_model_samples_the_product_of_the_marginals() -> None:
    p_X = data_law()
    marginal_HV = torch.stack([torch.stack([p_X[TEXTS[:, i] == v].sum() for v in range(6)]) for i in range(3)])
    product_X = torch.stack([marginal_HV[i][TEXTS[:, i]] for i in range(3)]).prod(0)
    count_X = samples(Ideal(1, p_X), 6000)
    assert chance(count_X, product_X) > 1e-3
    assert chance(count_X, p_X) < 1e-9, "a test that could not tell them apart"
    law = Ideal(1, p_X).log_likelihood(written(TEXTS), noise(*map(str, range(64))))
    torch.testing.assert_close(law.nats_B, product_X.log())
    assert float(law.se_B.max()) < 1e-9


def test_many_passes_of_an_ideal_model_approach_the_distribution_of_the_data() -> None:
    p_X = data_law()
    distance = [float((law_of(Ideal(steps, p_X), steps) - p_X).abs().sum() / 2) for steps in (1, 4, 16, 64)]
    assert distance[0] > 0.3
    assert distance == sorted(distance, reverse=True)
    assert distance[-1] < 0.01
    assert chance(samples(Ideal(64, p_X), 3000), p_X) > 1e-3


@pytest.mark.parametrize("steps", [2, 5])
def test_a_few_passes_sample_the_distribution_that_enumeration_finds(steps: int) -> None:
    model = Ideal(steps, data_law())
    assert chance(samples(model, 6000), law_of(model, steps)) > 1e-3


def test_where_the_length_is_given_noise_may_hold_end_tokens_but_no_text_does() -> None:
    paradigm = tiny("uniform_diffusion", "paradigm.decoder.length=fixed", "paradigm.decoder.steps=4")
    canvas = suffix_canvas([[3, 1]] * 40, 6)
    with torch.inference_mode():
        *passes, last_BL = [ids.clone() for ids in paradigm.decode(canvas, noise(*map(str, range(40))))]
    assert any((ids_BL[:, 2:] == VOCABULARY.eos).any() for ids_BL in passes)
    assert not (last_BL[:, 2:] == VOCABULARY.eos).any()


def test_every_hole_has_a_token_from_the_first_pass_on_and_may_change_until_the_last() -> None:
    seen = trace(
        tiny("uniform_diffusion", "paradigm.decoder.steps=5"),
        suffix_canvas([[3, 1]] * 20, 6),
        noise(*"abcdefghijklmnopqrst"),
    )
    assert seen.calls == 5
    assert (seen.filled_BL[:, 2:] == 1).all()
    assert set(seen.settled_BL[:, 2:].flatten().tolist()) == {1, 2, 3, 4, 5}
    alone = trace(tiny("uniform_diffusion_1"), suffix_canvas([[3, 1]], 6), noise("a"))
    assert alone.calls == 1
    assert torch.equal(alone.filled_BL, alone.settled_BL)


# noise


def test_noise_is_uniform_over_the_text_tokens() -> None:
    text_K = torch.tensor(TEXT)
    uniform = (torch.arange(400).double() + 0.5) / 400
    assert tokens_of(uniform, text_K).bincount().tolist() == [0, 100, 0, 100, 100, 100]
    assert tokens_of(torch.tensor([1 - 2.0**-53]).double(), text_K).tolist() == [5]
    law_11V = torch.eye(6, dtype=torch.float64)[3][None, None]
    torch.testing.assert_close(noised(law_11V, 0.6, text_K)[0, 0], torch.tensor([0, 0.1, 0, 0.7, 0.1, 0.1]).double())


def test_the_step_down_undoes_the_step_up() -> None:
    """q(x_s | x_t, x) q(x_t | x) summed over x_t is q(x_s | x)."""
    text_K, law_11V = torch.tensor(TEXT), torch.eye(6, dtype=torch.float64)[4][None, None]
    for alpha, lower in ((0.0, 0.3), (0.2, 0.9), (0.5, 1.0)):
        up_V, down_V = noised(law_11V, alpha, text_K)[0, 0], torch.zeros(6, dtype=torch.float64)
        for seen in TEXT:
            down_V += up_V[seen] * posterior(law_11V, torch.tensor([[seen]]), alpha, lower, text_K)[0, 0]
        torch.testing.assert_close(down_V, noised(law_11V, lower, text_K)[0, 0])


# bounds


def corruptions(truth_3: Tensor, level: float) -> Tensor:
    """q(x_t | text) of all 64 noisy texts."""
    return ((1 - level) * (truth_3 == TEXTS).double() + level / 4).prod(1)


def small(length: str = "eos") -> UniformDiffusion:
    """A tiny random network over the small vocabulary."""
    generator = torch.Generator().manual_seed(1)
    model = UniformDiffusion(SMALL, tiny_backbone(vocabulary=SMALL), False, Ancestral(steps=7, length=length))  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in model.of_level.parameters():
            weight.normal_(0, 0.3, generator=generator)
        model.of_level.within.weight[:, torch.arange(64) % 32 > 8] = 0  # smooth in the noise level, to be integrated
    return model.double().eval()


def enumerated_bound(model: UniformDiffusion, truth_3: Tensor, steps: int) -> float:
    """The bound of T steps, expected over all noisy texts of every step."""
    canvas, total = written(truth_3.expand(64, 3)), 0.0
    at_BH, _ = canvas.hole_positions()
    for step in range(1, steps + 1):
        nats_X = model.step_nats(canvas, at_BH, TEXTS, torch.full((64,), step), steps).sum(1)
        total -= float(corruptions(truth_3, step / steps) @ nats_X)
    return total


def integrated_bound(model: UniformDiffusion, truth_X3: Tensor, points: int) -> Tensor:
    """The continuous-time bound of X texts, expected over all noisy texts, by the midpoint rule, (X,)."""
    at_BH, _ = blank(64).hole_positions()
    same_XB3, total_X = truth_X3[:, None].expand(-1, 64, 3), torch.zeros(len(truth_X3), dtype=torch.float64)
    for number in range(points):  # t = u^3: midpoints that lie closer together where little noise is left
        u = (number + 0.5) / points
        level, weight = u**3, 3 * u**2 / points
        logits_BHV = model.denoise(blank(64), at_BH, TEXTS, torch.full((64,), level, dtype=torch.float64), None)
        logits_BHV[..., [0, 2]] = -torch.inf
        law_NHV, alpha_11 = (
            logits_BHV.softmax(-1).repeat(len(truth_X3), 1, 1),
            torch.tensor([[1 - level]], dtype=torch.float64),
        )
        nats_NH = model.rate_nats(law_NHV, same_XB3.reshape(-1, 3), TEXTS.repeat(len(truth_X3), 1), alpha_11)
        q_XB = torch.stack([corruptions(truth_3, level) for truth_3 in truth_X3])
        total_X -= weight * (q_XB * nats_NH.sum(1).view(-1, 64)).sum(1)
    return total_X


@torch.inference_mode()
def test_the_sampled_bound_agrees_with_enumeration_and_lies_below_the_exact_value() -> None:
    model, rows = small(), 100
    exact_X = law_of(model, 7).log()
    for text in (0, 50):
        expected = enumerated_bound(model, TEXTS[text], 7)
        law = model.log_likelihood(written(TEXTS[text].expand(rows, 3)), noise(*map(str, range(rows))))
        assert law.kind == "bound"
        error = float(law.nats_B.std()) / rows**0.5
        assert float(law.nats_B.mean()) == pytest.approx(expected, abs=4 * error)
        assert error < 0.06
        assert float(law.se_B.mean()) == pytest.approx(float(law.nats_B.std()), rel=0.5)
        assert expected < float(exact_X[text])


@torch.inference_mode()
def test_one_step_is_the_clean_text_predicted_from_pure_noise() -> None:
    model, truth_3 = small(), TEXTS[41]
    logits_BHV = model.denoise(blank(64), blank(64).hole_positions()[0], TEXTS, torch.ones(64), None)
    logits_BHV[..., [0, 2]] = -torch.inf
    nats_X = -logits_BHV.log_softmax(-1).gather(2, truth_3.expand(64, 3)[:, :, None])[..., 0].sum(1)
    assert enumerated_bound(model, truth_3, 1) == pytest.approx(-float(nats_X.mean()))


@torch.inference_mode()
def test_the_loss_is_the_limit_of_many_steps() -> None:
    model, texts = small(), [5, 38]
    for text, limit in zip(texts, integrated_bound(model, TEXTS[texts], 200).tolist(), strict=True):
        apart = [abs(enumerated_bound(model, TEXTS[text], steps) - limit) for steps in (8, 32, 128)]
        assert apart == sorted(apart, reverse=True)
        assert apart[0] > 0.02
        assert apart[-1] < 0.01


def test_the_loss_of_an_ideal_model_is_the_entropy_of_the_data() -> None:
    """Which no distribution over the noisy token itself could reach: the prediction is one given the others."""
    p_X = data_law()
    model = Ideal(1, p_X)
    loss = -float(p_X @ integrated_bound(model, TEXTS, 80))
    assert loss == pytest.approx(float(torch.special.entr(p_X).sum()), abs=5e-3)


def test_the_integrand_is_its_definition() -> None:
    """Sum of r' - r + r ln(r / r') over all other tokens, term by term (Lou et al., 2024)."""
    generator = torch.Generator().manual_seed(0)
    law_11V = torch.rand(1, 1, 6, generator=generator).double()
    law_11V[..., [0, 2]] = 0
    law_11V /= law_11V.sum()
    for truth, seen, alpha in itertools.product(TEXT, TEXT, (0.05, 0.5, 0.97)):
        q = {y: alpha * (y == truth) + (1 - alpha) / 4 for y in TEXT}
        guessed = {y: alpha * float(law_11V[0, 0, y]) + (1 - alpha) / 4 for y in TEXT}
        value = 0.0
        for y in set(TEXT) - {seen}:
            r, r_guessed = q[y] / q[seen], guessed[y] / guessed[seen]
            value += r_guessed - r + r * math.log(r / r_guessed)
        alpha_11 = torch.tensor([[alpha]], dtype=torch.float64)
        found = small().rate_nats(law_11V, torch.tensor([[truth]]), torch.tensor([[seen]]), alpha_11)
        assert float(found) == pytest.approx(value / (4 * alpha), rel=1e-6, abs=1e-9)


def test_a_wrong_token_stands_out_although_nothing_is_masked() -> None:
    """An ideal model's value for each token is that given the others, whatever stands there."""
    p_X = torch.zeros(64, dtype=torch.float64)
    p_X[(TEXTS[:, :1] == TEXTS).all(1)] = 0.25  # all three tokens are alike
    draft = written(torch.tensor([[4, 5, 4], [3, 3, 3]]))
    nats_BH, counted_BH = Ideal(1, p_X).token_nats(draft, noise("a", "b"))
    assert counted_BH.all()
    assert int(nats_BH[0].argmax()) == 1
    assert float(nats_BH[0, 1]) > float(nats_BH[0, 0]) + 1
    assert float(nats_BH[1].max()) < 0.2


# what the model reads


def test_a_new_model_reads_the_tokens_alone() -> None:
    """The modules for noise level and prediction begin without effect, and gain one."""
    paradigm = tiny("uniform_diffusion_self")
    canvas = suffix_canvas([[3, 4, 1]], 3, truth=lambda row, i: 5 + i)
    at_BH, _ = canvas.hole_positions()
    assert isinstance(paradigm, UniformDiffusion)

    def logits(level: float, guess: Tensor | None) -> Tensor:
        return paradigm.denoise(canvas, at_BH, canvas.ids_BL[:, 3:], torch.tensor([level]), guess)

    guess = torch.randn(1, 3, 12, dtype=torch.float64)
    assert not torch.equal(logits(0.2, None), logits(0.8, None))
    assert not torch.equal(logits(0.2, None), logits(0.2, guess))
    for module in paradigm.own():
        module.initialise(torch.Generator().manual_seed(0))
    plain = paradigm.backbone(canvas.ids_BL, everywhere, pad_BL=canvas.pad_BL, want_BW=at_BH)
    assert torch.equal(logits(0.2, None), plain)
    assert torch.equal(logits(0.8, guess), plain)


@torch.inference_mode()
def test_what_is_added_to_the_embeddings_reaches_the_tokens_it_is_for() -> None:
    """In every path: with padding, which is left out of the batch, the rows are as they are alone."""
    backbone = tiny_backbone()
    canvas = suffix_canvas([[3, 4, 5, 1], [6, 1]], 3, truth=lambda row, i: 5 + i)
    added_BLD = torch.randn(2, 7, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    both = backbone(canvas.ids_BL, everywhere, pad_BL=canvas.pad_BL, added_BQD=added_BLD)
    alone = backbone(
        canvas.ids_BL[1:, 2:], everywhere, pad_BL=canvas.pad_BL[1:, 2:], added_BQD=added_BLD[1:, 2:],
        place_BQ=torch.arange(2, 7)[None],
    )  # fmt: skip
    torch.testing.assert_close(both[1:, 2:], alone)
    as_tokens = backbone.embed.weight[canvas.ids_BL[:, [3]]] - backbone.embed.weight[canvas.ids_BL[:, [4]]]
    moved_BLD = torch.zeros_like(added_BLD).index_copy(1, torch.tensor([4]), as_tokens)  # column 4 becomes column 3's
    same_BL = canvas.ids_BL.index_copy(1, torch.tensor([4]), canvas.ids_BL[:, [3]])
    expected = backbone(same_BL, everywhere, pad_BL=canvas.pad_BL)
    found = backbone(canvas.ids_BL, everywhere, pad_BL=canvas.pad_BL, added_BQD=moved_BLD)
    torch.testing.assert_close(found[~canvas.pad_BL], expected[~canvas.pad_BL])


def test_half_of_a_self_conditioned_training_reads_a_first_guess_which_costs_a_pass() -> None:
    paradigm, calls = tiny("uniform_diffusion_self"), []
    paradigm.backbone.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    canvas = suffix_canvas([[3, 4, 1]] * 200, 3, truth=lambda row, i: 5 + i)
    assert isinstance(paradigm, UniformDiffusion)
    at_BH, _ = canvas.hole_positions()
    names = [str(i) for i in range(200)]
    guess_BHV = paradigm.first_guess(canvas, at_BH, canvas.ids_BL[:, 3:], torch.full((200,), 0.5), noise(*names))
    assert guess_BHV is not None
    without_B = (guess_BHV == -torch.inf).all(2).all(1)
    assert 70 < int(without_B.sum()) < 130
    assert paradigm.of_guess is not None
    given_BHD = paradigm.of_guess(guess_BHV, paradigm.backbone.embed.weight)
    assert torch.equal((given_BHD == 0).all(2).all(1), without_B)
    calls.clear()
    paradigm.loss(canvas, noise(*names), 0.0)
    assert calls == [False, True]


# analytic values


def test_one_pass_has_the_analytic_value_of_independent_tokens_and_several_passes_have_none(tmp_path: Path) -> None:
    few = [*FEW, "task.n=3", "task.alphabet=8", f"results={tmp_path}", f"checkpoints={tmp_path}/c"]
    for preset, expected in (
        ("uniform_diffusion_1", {"accuracy"}),
        ("uniform_diffusion", set()),
        ("uniform_diffusion_accept", set()),
    ):
        record = score_cell(cell(f"paradigm={preset}", "task=list_operations", *few))
        lines = oracle_lines([record])
        assert {line["measure"] for line in lines} == expected
        assert all(line["quotas"] == [3] for line in lines)
        shuffled = [line["theory"] for line in lines if line["operation"] == "shuffle"]
        assert shuffled == ([pytest.approx(6 / 27)] if expected else [])


# settings


def test_a_checkpoint_that_reads_no_noise_level_is_refused() -> None:
    backbone = tiny_backbone()
    backbone.checkpoint = "a model"  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"backbone=pretrained: reads no noise level"):
        UniformDiffusion(VOCABULARY, backbone, False, Ancestral())


@pytest.mark.parametrize(
    ("preset", "setting", "message"),
    [
        ("uniform_diffusion", "steps=0", "steps=0: must be at least 1"),
        ("uniform_diffusion", "temperature=-1.0", "temperature=-1.0: must be at least 0"),
        ("uniform_diffusion_accept", "coldest=0.9", "hottest=0.8: must be at least coldest=0.9"),
        ("uniform_diffusion_accept", "bound=-0.1", "bound=-0.1: must be at least 0"),
        ("uniform_diffusion_accept", "stable=0", "stable=0: must be at least 1"),
        ("uniform_diffusion_accept", "steps=1", "steps=1: must be at least 2"),
        ("uniform_diffusion_accept", "steps=10000000", "steps=10000000: must be"),
    ],
)
def test_settings_out_of_range_are_refused(preset: str, setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(preset, f"paradigm.decoder.{setting}")


# the published sampler of DiffusionGemma


class Gemma:
    """A DiffusionGemma of transformers, asked by our decoder."""

    vocabulary = Vocabulary(size=20, mask=-1, eos=-1, pad=-1)

    def __init__(self, network: torch.nn.Module, prompt: int):
        self.network, self.prompt = network, prompt

    def never(self) -> list[int]:
        return []

    def text(self, device: torch.device) -> Tensor:
        return torch.arange(20)

    def denoise(
        self, canvas: Canvas, at_BH: Tensor, noisy_BH: Tensor, level_B: Tensor, before_BHV: Tensor | None
    ) -> Tensor:
        return self.network(
            input_ids=canvas.ids_BL[:, : self.prompt], decoder_input_ids=noisy_BH, self_conditioning_logits=before_BHV
        ).logits


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers, "DiffusionGemmaForBlockDiffusion"):
        pytest.skip("this version of transformers has no DiffusionGemma")
    config = transformers.DiffusionGemmaConfig(
        text_config={
            "vocab_size": 20, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "num_global_key_value_heads": 1, "head_dim": 16,
            "global_head_dim": 16, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64,
            "num_experts": 2, "top_k_experts": 1, "moe_intermediate_size": 16,
        },
        vision_config=None, canvas_length=8,
    )  # fmt: skip
    network = transformers.DiffusionGemmaForBlockDiffusion(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.6 if "embed" in name else 0.25, generator=generator)
    return network


@pytest.mark.parametrize(
    ("stable", "sure", "bound"), [(1, 0.005, 0.1), (1, 1.0, 0.5), (2, 1.5, 2.0), (1, 0.9, 5.0), (1, 2.0, 1.0)]
)
def test_it_generates_what_diffusion_gemma_does(
    network: torch.nn.Module, stable: int, sure: float, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

    names, steps, holes = [str(i) for i in range(6)], 9, 8
    drawn, rows_B = noise(*names), torch.arange(6)
    calls = {"randint": -1, "multinomial": -1}

    def randint(low: int, high: int, size: tuple[int, int], device: torch.device) -> Tensor:
        """The start, then the noise of every pass."""
        number, calls["randint"] = calls["randint"], calls["randint"] + 1
        uniform_BH = drawn.uniform(steps if number < 0 else number, rows_B, (holes,), ORDER)
        return low + (uniform_BH * (high - low)).long()

    def multinomial(probs_NV: Tensor, num_samples: int) -> Tensor:
        calls["multinomial"] += 1
        uniform_N1 = drawn.uniform(calls["multinomial"], rows_B, (holes,)).reshape(-1, 1)
        return (probs_NV.double().cumsum(-1) <= uniform_N1).sum(-1, keepdim=True).clamp(max=19)

    prompt_BL = torch.randint(1, 20, (6, 5), generator=torch.Generator().manual_seed(4))
    with monkeypatch.context() as patched:
        patched.setattr(torch, "randint", randint)
        patched.setattr(torch, "multinomial", multinomial)
        patched.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)  # loads the compiler
        theirs = network.generate(  # type: ignore[operator]
            prompt_BL, max_new_tokens=holes, max_denoising_steps=steps, t_min=0.4, t_max=0.8,
            stability_threshold=stable, confidence_threshold=sure, sampler_config=EntropyBoundSamplerConfig(bound),
            pad_token_id=None, eos_token_id=None,
        )  # fmt: skip
    ids_BL = torch.cat((prompt_BL, torch.zeros(6, holes, dtype=torch.long)), dim=1)
    holes_BL = torch.arange(13).expand(6, -1) >= 5
    decoder = AcceptAndRenoise(steps=steps, stable=stable, sure=sure, bound=bound)
    with torch.inference_mode():
        canvas = Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))
        passes = [ids.clone() for ids in decoder(Gemma(network, 5), canvas, noise(*names))]
    assert torch.equal(passes[-1], theirs.sequences)
    assert len(passes) == calls["multinomial"] + 1
