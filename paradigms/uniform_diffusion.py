"""Uniform diffusion generates from random tokens, finds those that do not fit, and replaces them: it needs no mask.

    start    p p x z y x    pure noise
    pass 1   p p x w y z    every hole may change in every pass, as often as it takes
    pass 2   p p w w y z    the model reads how noisy the text is, not where

Training replaces tokens by uniform ones and predicts the clean text (Austin et al., 2021). The loss is the negative
evidence lower bound in continuous time, summed over all transitions instead of sampled (Schiff et al., 2024: UDLM;
Sahoo et al., 2025: Duo; von Ruette et al., 2025: GIDD; as score entropy: Lou et al., 2024). Its minimum is each token's
distribution given all others, so that the model's prediction for a token does not trust the token itself.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paradigms.base import (
    BOUND_DRAWS,
    ORDER,
    Canvas,
    Likelihood,
    Loss,
    Noise,
    Own,
    Paradigm,
    Vocabulary,
    all_ids_but,
    all_rows,
    ban,
    precise,
    sampled_bound,
    strata,
)
from paradigms.decoders.accept_and_renoise import AcceptAndRenoise
from paradigms.decoders.ancestral import Ancestral
from paradigms.decoders.uniform_noise import noised, posterior, tokens_of
from paradigms.trunk.attention import AttentionRule, everywhere
from paradigms.trunk.backbone import Backbone

LEAST = 1e-3  # training and the network's input leave out lower noise levels, as published programs do
WAVES = 32  # frequencies in which a noise level is written


class UniformDiffusion(Paradigm):
    """log p(text) >= -sum over steps of KL(q(x_s | x_t, text) || p(x_s | x_t)), for the steps that the decoder takes.

    self_conditioning: whether a pass also reads the prediction of the pass before it (Chen et al., 2022); in training
    half of the rows do, which costs them another forward pass.
    """

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        self_conditioning: bool,
        decoder: Ancestral | AcceptAndRenoise,
    ):
        super().__init__(vocabulary, backbone)
        if backbone.checkpoint is not None:
            raise ValueError(
                "backbone=pretrained: reads no noise level, which uniform diffusion needs; train a backbone"
            )
        self.decoder, self.length = decoder, decoder.length
        self.of_level = LevelEmbedding(backbone.width)
        self.of_guess = GuessEmbedding(backbone.width, vocabulary.size) if self_conditioning else None

    def rule(self, canvas: Canvas) -> AttentionRule:
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """The bound's integrand at a noise level that is stratified over the batch, a mean over all holes."""
        at_BH, real_BH = canvas.hole_positions()
        truth_BH, level_B = canvas.ids_BL.gather(1, at_BH), LEAST + (1 - 2 * LEAST) * strata(canvas, noise, 2)
        noisy_BH = self.replaced(truth_BH, real_BH, level_B, noise, all_rows(canvas), 0)
        guess_BHV = self.first_guess(canvas, at_BH, noisy_BH, level_B, noise)
        logits_BHV = self.denoise(canvas, at_BH, noisy_BH, level_B, guess_BHV)
        law_BHV = ban(logits_BHV, [self.vocabulary.mask, self.vocabulary.pad]).softmax(-1)
        nats_BH = self.rate_nats(law_BHV, truth_BH, noisy_BH, 1 - level_B[:, None].to(law_BHV.dtype))
        return Loss([(nats_BH.masked_fill(~real_BH, 0.0).sum(), real_BH.sum())], real_BH.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The bound for ancestral sampling in the decoder's number of steps, from sampled steps and sampled noise.

        Steps are stratified over the samples. Without self-conditioning, whose predictions depend on earlier samples.
        """
        (at_BH, real_BH), steps = canvas.hole_positions(), self.decoder.steps
        truth_BH = canvas.ids_BL.gather(1, at_BH)

        def sample(draw: int, stratum_B1: Tensor) -> Tensor:
            step_B = 1 + (stratum_B1[:, 0] * steps).long()
            noisy_BH = self.replaced(truth_BH, real_BH, step_B / steps, noise, all_rows(canvas), draw)
            nats_BH = self.step_nats(canvas, at_BH, noisy_BH, step_B, steps)
            return -steps * nats_BH.masked_fill(~real_BH, 0.0).sum(1)

        return sampled_bound(canvas, noise, sample, first=2 * BOUND_DRAWS)

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        """Reads the text as it is, at the noise level of one wrong token, and masks nothing.

        The prediction for a token is its distribution given all others, as masking it alone would have it: an ideal
        model trusts a token no more for standing there. One forward pass thus scores all tokens.
        """
        at_BH, real_BH = canvas.hole_positions()
        truth_BH = canvas.ids_BL.gather(1, at_BH)
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        logits_BHV = self.denoise(canvas, at_BH, truth_BH, 1 / real_BH.sum(1).double(), None)
        return self.nats(logits_BHV, truth_BH, counted_BH), counted_BH

    def text(self, device: torch.device) -> Tensor:
        """All ids but mask and padding, (K,), EOS included, as in training whatever ends a text."""
        return all_ids_but((self.vocabulary.mask, self.vocabulary.pad), self.vocabulary.size, device)

    def denoise(
        self, canvas: Canvas, at_BH: Tensor, noisy_BH: Tensor, level_B: Tensor, before_BHV: Tensor | None
    ) -> Tensor:
        """Logits of each hole's clean token, (B, H, V), in one forward pass; see `Denoiser`."""
        D = self.backbone.width
        added_BHD = self.of_level(level_B)[:, None].expand(*at_BH.shape, D)
        if self.of_guess is not None and before_BHV is not None:
            added_BHD = added_BHD + self.of_guess(before_BHV, self.backbone.embed.weight)
        added_BHD = added_BHD * canvas.holes_BL.gather(1, at_BH)[:, :, None]
        nothing_BLD = added_BHD.new_zeros(*canvas.ids_BL.shape, D)
        logits_BHV = self.backbone(
            canvas.ids_BL.scatter(1, at_BH, noisy_BH),
            self.rule(canvas),
            pad_BL=canvas.pad_BL,
            want_BW=at_BH,
            added_BQD=nothing_BLD.scatter(1, at_BH[:, :, None].expand(-1, -1, D), added_BHD),
        )
        return precise(logits_BHV)

    def first_guess(
        self, canvas: Canvas, at_BH: Tensor, noisy_BH: Tensor, level_B: Tensor, noise: Noise
    ) -> Tensor | None:
        """Logits of a pass without gradient for the half of the rows that read them, minus infinity for the others."""
        if self.of_guess is None:
            return None
        with torch.no_grad():
            guess_BHV = self.denoise(canvas, at_BH, noisy_BH, level_B, None)
        coin_B = noise.uniform(1, all_rows(canvas), (1,), ORDER)[:, 0]
        return guess_BHV.masked_fill(coin_B[:, None, None] < 0.5, -torch.inf)

    def replaced(
        self, truth_BH: Tensor, real_BH: Tensor, level_B: Tensor, noise: Noise, rows_B: Tensor, call: int
    ) -> Tensor:
        """The holes' tokens, each replaced by a uniform one with the probability of its row's noise level."""
        replaced_BH = noise.uniform(call, rows_B, truth_BH.shape[1:], ORDER) < level_B[:, None]
        fresh_BH = tokens_of(noise.uniform(call, rows_B, truth_BH.shape[1:]), self.text(truth_BH.device))
        return fresh_BH.where(replaced_BH & real_BH, truth_BH)

    def rate_nats(self, law_BHV: Tensor, truth_BH: Tensor, noisy_BH: Tensor, alpha_B1: Tensor) -> Tensor:
        """The integrand of the continuous-time bound, (B, H), at which noise falls at rate 1: alpha = 1 - t.

        With r(y) = q(y | text) / q(x_t | text) and r'(y) as predicted, it is the sum of r' - r + r ln(r / r') over all
        y other than x_t, divided by K alpha. Only a truth, x_t and the other tokens differ in r, which leaves the sum
        over the vocabulary of ln q', the predicted distribution of noisy tokens.
        """
        text_K = self.text(law_BHV.device)
        K, high_B1, low_B1 = len(text_K), 1 + (len(text_K) - 1) * alpha_B1, 1 - alpha_B1  # K q of the truth, of others
        log_BHK = (K * noised(law_BHV, alpha_B1[:, :, None], text_K)[..., text_K]).log()
        place_V = torch.zeros(law_BHV.shape[-1], dtype=torch.long, device=text_K.device)
        place_V[text_K] = torch.arange(K, device=text_K.device)
        sum_BH = log_BHK.sum(-1)
        at_noisy_BH, at_truth_BH = (
            log_BHK.gather(2, place_V[ids_BH][:, :, None])[:, :, 0] for ids_BH in (noisy_BH, truth_BH)
        )
        ratio_B1 = low_B1 / high_B1
        stays_BH = ratio_B1 * ((K - 1) * ratio_B1.log() - sum_BH + K * at_noisy_BH) - K / high_B1
        goes_BH = (at_noisy_BH - at_truth_BH - ratio_B1.log()) / ratio_B1 - K / low_B1
        goes_BH = goes_BH - sum_BH + at_truth_BH + (K - 1) * at_noisy_BH
        inner_BH = K * (-at_noisy_BH).exp() + stays_BH.where(noisy_BH == truth_BH, goes_BH)
        return inner_BH / (K * alpha_B1)

    def step_nats(self, canvas: Canvas, at_BH: Tensor, noisy_BH: Tensor, step_B: Tensor, steps: int) -> Tensor:
        """KL(q(x_s | x_t, text) || p(x_s | x_t)) of every hole for the step from t = step / steps down to s, (B, H).

        In the last step, where s = 0, this is -ln p(text | x_t).
        """
        truth_BH, text_K = canvas.ids_BL.gather(1, at_BH), self.text(at_BH.device)
        logits_BHV = ban(self.denoise(canvas, at_BH, noisy_BH, step_B / steps, None), self.never())
        clean_BHV = F.one_hot(truth_BH, logits_BHV.shape[-1]).double()
        alpha, lower = (1 - (step_B.double() - down)[:, None, None] / steps for down in (0, 1))
        q_BHV, p_BHV = (
            posterior(law_BHV, noisy_BH, alpha, lower, text_K)
            for law_BHV in (clean_BHV, logits_BHV.double().softmax(-1))
        )
        return (torch.special.xlogy(q_BHV, q_BHV) - torch.special.xlogy(q_BHV, p_BHV)).sum(-1)


class LevelEmbedding(Own):
    """A noise level as a vector of the backbone's width: sinusoids (Vaswani et al., 2017) through two layers."""

    def __init__(self, width: int):
        super().__init__()
        self.within, self.out = nn.Linear(2 * WAVES, width), nn.Linear(width, width)

    def initialise(self, generator: torch.Generator) -> None:
        initialise(self.within, generator)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, level_B: Tensor) -> Tensor:
        """level_B, clamped to the levels of training, as (B, D)."""
        weight = self.within.weight
        wave_W = torch.logspace(0, 3, WAVES, dtype=torch.float64, device=weight.device)
        angle_BW = level_B.double().clamp(LEAST, 1 - LEAST)[:, None] * wave_W
        waves_BW = torch.cat((angle_BW.sin(), angle_BW.cos()), dim=1).to(weight.dtype)
        return self.out(F.silu(self.within(waves_BW)))

    def flops(self, rows: int, positions: int) -> int:
        return 2 * rows * (self.within.weight.numel() + self.out.weight.numel())


class GuessEmbedding(Own):
    """A predicted distribution as a vector: its mean token embedding through a gated layer, as in DiffusionGemma."""

    def __init__(self, width: int, vocabulary_size: int):
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.norm, self.gate_up = nn.RMSNorm(width), nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def initialise(self, generator: torch.Generator) -> None:
        initialise(self.gate_up, generator)
        nn.init.ones_(self.norm.weight)
        nn.init.zeros_(self.out.weight)

    def forward(self, logits_BHV: Tensor, embedding_VD: Tensor) -> Tensor:
        """(B, H, D); zero where all logits are minus infinity, which stand for no prediction."""
        mean_BHD = (logits_BHV.softmax(-1).nan_to_num() @ embedding_VD).to(self.norm.weight.dtype)
        gate_BHD, up_BHD = self.gate_up(self.norm(mean_BHD)).chunk(2, dim=-1)
        return self.out(F.silu(gate_BHD) * up_BHD)

    def flops(self, rows: int, positions: int) -> int:
        """At every position, although only holes have a prediction, and in the first pass none."""
        weights = self.gate_up.weight.numel() + self.out.weight.numel() + self.vocabulary_size * self.out.in_features
        return 2 * rows * positions * weights


def initialise(layer: nn.Linear, generator: torch.Generator) -> None:
    """Samples weights with deviation 1/sqrt(inputs); a bias is 0."""
    with torch.no_grad():
        layer.weight.normal_(0, layer.in_features**-0.5, generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()
