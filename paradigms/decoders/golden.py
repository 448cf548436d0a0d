"""Published decoders rebuilt from ours, including their quirks and their noise, so that outputs can be compared.

The quirks of published programs (passes that unmask nothing, unusual rounding of counts, noise that depends on the
batch) are implemented here and nowhere else. Each function takes the arguments of a case and returns the generated ids
and the number of forward passes; a likelihood returns its value and None.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import ORDER, Canvas, Vocabulary
from paradigms.decoders.commit_once import CommitOnce, Part
from paradigms.decoders.policy import as_many_as_sure, best, probability, ranked
from paradigms.diffusion import Diffusion
from paradigms.trunk.attention import AttentionRule

Written = tuple[list[list[int]], int]


class Stub:
    """A backbone in closed form: A cos(0.7 (i+1)(v+1) + 0.31 c + 1.3 v + 0.17 n_i) in float64, rounded to float32.

    c: (sum of (j+1) x_j over unmasked positions) mod 97.  n_i: the sum of both neighbours, masks and edges as 0.
    shift: position i has the logits of i - 1, as in models adapted from autoregressive ones.
    """

    def __init__(self, size: int, mask: int, amplitude: float, shift: bool = False):
        self.vocabulary = Vocabulary(size, mask=mask, eos=mask, pad=mask)
        self.amplitude, self.shift, self.calls = amplitude, shift, 0
        self.asked_BW = torch.zeros(0)

    def __call__(
        self,
        ids_BL: Tensor,
        rule: AttentionRule,
        *,
        pad_BL: Tensor,
        want_BW: Tensor | None = None,
        need_BW: Tensor | None = None,
        at_BQ: None = None,
        cache: None = None,
    ) -> Tensor:
        self.calls += 1
        known_BL = ids_BL.masked_fill(ids_BL == self.vocabulary.mask, 0)
        place_L, token_V = torch.arange(ids_BL.shape[1]), torch.arange(self.vocabulary.size)
        sum_B11 = ((place_L + 1) * known_BL).sum(1)[:, None, None] % 97
        beside_BL1 = (F.pad(known_BL, (1, 0))[:, :-1] + F.pad(known_BL, (0, 1))[:, 1:])[:, :, None]
        angle_BLV = 0.7 * ((place_L + 1)[:, None] * (token_V + 1)).double() + 0.31 * sum_B11 + 1.3 * token_V
        logits_BLV = (self.amplitude * (angle_BLV + 0.17 * beside_BL1).cos()).float()
        logits_BLV[..., self.vocabulary.mask] = -1e4
        self.asked_BW = place_L.expand_as(ids_BL) if want_BW is None else want_BW
        source_BW = (self.asked_BW - int(self.shift)).clamp(min=0)
        logits_BWV = logits_BLV.gather(1, source_BW[:, :, None].expand(-1, -1, self.vocabulary.size))
        return logits_BWV if need_BW is None else logits_BWV[need_BW]

    def model(self, decoder: CommitOnce) -> Diffusion:
        backbone: Any = self
        return Diffusion(self.vocabulary, backbone, decoder)


class PublishedNoise:
    """One stream for the whole batch and canvas, sampled in every pass: float64 for tokens, float32 for the order.

    For tokens there is one number per logit, as the published programs draw them.
    """

    def __init__(self, stub: Stub, seed: int, canvas: Canvas):
        self.stub, self.shape = stub, tuple(canvas.ids_BL.shape)
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, call: int, rows_b: Tensor, shape: tuple[int, ...], stream: int = 0) -> Tensor:
        at_BW = self.stub.asked_BW[: self.shape[0]]
        if stream == ORDER:
            return torch.rand(self.shape, generator=self.generator).gather(1, at_BW)
        size = self.stub.vocabulary.size
        whole_BLV = torch.rand(*self.shape, size, generator=self.generator, dtype=torch.float64)
        return whole_BLV.gather(1, at_BW[:, :, None].expand(-1, -1, size))


def masks_behind(prompt: Sequence[Sequence[int]], holes: int, mask: int) -> Canvas:
    prompt_BQ = torch.tensor(prompt)
    ids_BL = F.pad(prompt_BQ, (0, holes), value=mask)
    holes_BL = torch.arange(ids_BL.shape[1]).expand_as(ids_BL) >= prompt_BQ.shape[1]
    return Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))


def written(stub: Stub, yields: Iterable[Tensor], canvas: Canvas) -> Written:
    ids_BL = canvas.ids_BL
    for ids_BL in yields:  # noqa: B007
        pass
    return ids_BL[:, canvas.start() :].tolist(), stub.calls


def llada_generate(
    stub: Stub,
    *,
    prompt: Sequence[Sequence[int]],
    steps: int = 128,
    gen_length: int = 128,
    block_length: int = 128,
    temperature: float = 0.0,
    cfg_scale: float = 0.0,
    remasking: Literal["low_confidence", "random"] = "low_confidence",
    seed: int = 0,
) -> Written:
    """LLaDA's generate.py (Nie et al., 2025), which does not stop early: it also runs passes over a full block."""
    blocks = divided("gen_length", gen_length, "block_length", block_length)
    passes = divided("steps", steps, "the number of blocks", blocks)
    canvas = masks_behind(prompt, gen_length, stub.vocabulary.mask)
    noise, guidance = PublishedNoise(stub, seed, canvas), cfg_scale if cfg_scale > 0 else None
    order = {"low_confidence": "confidence", "random": "random"}[remasking]
    model = stub.model(CommitOnce(temperature, order, steps=steps, block=block_length, guidance=guidance))  # type: ignore[arg-type]

    def with_idle_passes() -> Iterator[Tensor]:
        rows_B, shape = torch.arange(len(prompt)), (gen_length,)
        for ids_BL in model.decode(canvas, noise):
            yield ids_BL
            block = (stub.calls - 1) // passes * block_length + canvas.start()
            full = not (ids_BL[:, block : block + block_length] == stub.vocabulary.mask).any()
            for _ in range(-stub.calls % passes if full else 0):
                stub(ids_BL, model.rule(canvas), pad_BL=canvas.pad_BL)
                if temperature > 0:
                    noise.uniform(0, rows_B, shape)
                if remasking == "random":
                    noise.uniform(0, rows_B, shape, ORDER)

    return written(stub, with_idle_passes(), canvas)


def llada_likelihood(
    stub: Stub, *, prompt: Sequence[int], answer: Sequence[int], mc_num: int, batch_size: int, seed: int = 0
) -> tuple[float, None]:
    """LLaDA's get_log_likelihood.py, whose stratified counts round half to even and are not exactly uniform."""
    canvas = masks_behind([prompt] * batch_size, len(answer), stub.vocabulary.mask)
    canvas = replace(canvas, ids_BL=torch.tensor([[*prompt, *answer]] * batch_size))
    generator, L = torch.Generator().manual_seed(seed), len(answer)
    at_BH, _ = canvas.hole_positions()
    values = []
    for _ in range(divided("mc_num", mc_num, "batch_size", batch_size)):
        first = int(torch.randint(1, L + 1, (), generator=generator))
        step = first + (batch_size - 1) * (L / batch_size)
        masked_B = torch.round(torch.linspace(float(first), step, batch_size)).long()
        masked_B = (masked_B - 1) % L + 1
        shuffled_BH = torch.stack([torch.randperm(L, generator=generator) for _ in range(batch_size)])
        hidden_BH = (torch.arange(L) < masked_B[:, None]).gather(1, shuffled_BH)
        nats_BH = stub.model(CommitOnce()).masked_nats(canvas, at_BH, hidden_BH)
        values.append(float((nats_BH.double().sum(1) / (masked_B / L)).sum() / batch_size))
    return -sum(values) / len(values), None


def fast_dllm_generate(
    stub: Stub,
    *,
    prompt: Sequence[Sequence[int]],
    gen_length: int = 128,
    block_length: int = 128,
    threshold: float,
    steps: int = 128,
    temperature: float = 0.0,
    seed: int = 0,
) -> Written:
    """Fast-dLLM's generate with a threshold (Wu et al., 2025), which ignores `steps`."""
    canvas = masks_behind(prompt, gen_length, stub.vocabulary.mask)
    decoder = CommitOnce(temperature, "confidence", threshold=threshold, block=block_length)
    return written(stub, stub.model(decoder).decode(canvas, PublishedNoise(stub, seed, canvas)), canvas)


@dataclass(frozen=True)
class AlsoTheLast(CommitOnce):
    """Where only the last mask of a block is not confident enough, the published program commits it, too."""

    def chosen(self, logits_BWV: Tensor, token_BW: Tensor, score_BW: Tensor, open_BW: Tensor, part: Part) -> Tensor:
        p_BW = ranked(probability(logits_BWV, token_BW), score_BW, open_BW, -torch.inf)
        count_B, masks_B = as_many_as_sure(p_BW, self.factor or 0.0), open_BW.sum(1)
        return best(score_BW, open_BW, masks_B.where(count_B == masks_B - 1, count_B))


def fast_dllm_factor(
    stub: Stub, *, prompt: Sequence[Sequence[int]], gen_length: int, block_length: int, factor: float
) -> Written:
    """Fast-dLLM's dynamic acceptance with a factor (Wu et al., 2025)."""
    canvas = masks_behind(prompt, gen_length, stub.vocabulary.mask)
    decoder = AlsoTheLast(0.0, "confidence", factor=factor, block=block_length)
    return written(stub, stub.model(decoder).decode(canvas, PublishedNoise(stub, 0, canvas)), canvas)


@dataclass(frozen=True)
class ShareOfTime(CommitOnce):
    """Unmasks int(n (1 - s/t)) of n masks, computed in float32, as time falls from t to s; this can be none."""

    eps: float = 1e-3

    def planned(self, left_B: Tensor, part: Part) -> Tensor:
        steps, step = self.steps or 1, int(part.step_B[0])
        times = torch.linspace(1, self.eps, steps + 1)
        if step == steps - 1:
            return left_B
        return (left_B.sum() / len(left_B) * (1 - times[step + 1] / times[step])).int().expand_as(left_B)


def dream_generate(
    stub: Stub,
    *,
    prompt: Sequence[Sequence[int]],
    max_new_tokens: int,
    steps: int,
    alg: Literal["maskgit_plus", "topk_margin", "entropy"],
    temperature: float = 0.0,
    eps: float = 1e-3,
    seed: int = 0,
) -> Written:
    """Dream's diffusion_generate (Ye et al., 2025), greedy, with shifted logits, as it is adapted from an AR model."""
    if temperature != 0:
        raise ValueError(f"temperature={temperature}: must be 0, because no published case covers sampling")
    stub.shift = True
    canvas = masks_behind(prompt, max_new_tokens, stub.vocabulary.mask)
    order = {"maskgit_plus": "confidence", "topk_margin": "margin", "entropy": "entropy"}[alg]
    decoder = ShareOfTime(temperature, order, steps=steps, eps=eps)  # type: ignore[arg-type]
    return written(stub, stub.model(decoder).decode(canvas, PublishedNoise(stub, seed, canvas)), canvas)


def divided(name: str, whole: int, by: str, part: int) -> int:
    """whole / part; raises ValueError where `part` does not divide `whole`."""
    if part < 1 or whole % part:
        raise ValueError(f"{name}={whole}: must be a multiple of {by}, {part}")
    return whole // part
