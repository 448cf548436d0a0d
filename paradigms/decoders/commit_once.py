"""Each pass predicts the positions that are still masked and commits some of its predictions for good.

    pass 1   p p ? ? ? ?
    pass 2   p p ? w ? w    the order says which are committed, the count how many, the block how far to the right
    pass 3   p p w w ? w

This is the decoder of LLaDA (Nie et al., 2025) and MaskGIT (Chang et al., 2022); with one position per pass it is
easy-first decoding (Tsuruoka and Tsujii, 2005). It serves every model that attends to both sides of a masked position.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from paradigms.base import ORDER, Canvas, Noise, Paradigm, all_rows, ban
from paradigms.decoders.block_cache import BlockCache
from paradigms.decoders.guidance import Guided
from paradigms.decoders.policy import (
    DETERMINISTIC,
    ORDERS,
    Draw,
    Order,
    as_many_as_sure,
    best,
    cosine_quota,
    few_nats_at_stake,
    probability,
    quota,
    ranked,
    uncertainty,
)
from paradigms.decoders.sampling import at_least, pick

COUNTS = ("steps", "per_pass", "threshold", "factor", "entropy_bound")
Choose = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Maps the number of a forward pass, its logits (B, W, V) and the holes they are for (B, W) to two tensors (B, W).

They are the tokens to commit and those whose probabilities decide which are committed: the same ones in decoding.
"""


class Part(NamedTuple):
    """The progress of each row in its block: masks at the block's start, planned passes, passes done; all (B,)."""

    masks_B: Tensor
    passes_B: Tensor
    step_B: Tensor


@dataclass(frozen=True)
class OrderAndCount:
    """Which of a block's masked positions a pass commits.

    order: which hole comes first.  ends_last: EOS only where nothing else is left to commit (LLaDA's instruct runs).
    At most one option sets the count; without one, it is one hole per pass. Every pass commits at least one hole.
    steps: number of passes over a block, whose holes `schedule` distributes over them.  per_pass: holes per pass.
    threshold: all tokens of at least this probability.  factor: as many tokens as are jointly confident (both Wu et
    al., 2025).  entropy_bound: as many as have entropies that, except the largest, add up to at most this many nats
    (Ben-Hamu et al., 2025).
    """

    temperature: float = 1.0
    order: Order = "random"
    ends_last: bool = False
    steps: int | None = None
    schedule: Literal["even", "cosine"] = "even"
    per_pass: int | None = None
    threshold: float | None = None
    factor: float | None = None
    entropy_bound: float | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "factor", "entropy_bound"):
            at_least(self, name, 0)
        for name in ("steps", "per_pass"):
            at_least(self, name, 1)
        given = [f"{name}={getattr(self, name)}" for name in COUNTS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{given[1]}: cannot be combined with {given[0]}; set one of them to null")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold={self.threshold}: must be from 0 to 1")
        if self.schedule != "even" and self.steps is None:
            raise ValueError(f"schedule={self.schedule}: requires steps; set steps, or schedule to even")

    def scores(self, logits_BWV: Tensor, token_BW: Tensor, eos: int, draw: Draw) -> Tensor:
        """The priority of each hole, (B, W); the highest is committed first."""
        score_BW = ORDERS[self.order](logits_BWV, token_BW, draw)
        if self.ends_last:
            score_BW = score_BW.masked_fill(token_BW == eos, torch.finfo(score_BW.dtype).min)  # committed last
        return score_BW

    def chosen(self, logits_BWV: Tensor, token_BW: Tensor, score_BW: Tensor, open_BW: Tensor, part: Part) -> Tensor:
        """bool (B, W): the open holes that this pass commits."""
        if self.threshold is not None:
            held_back_BW = score_BW == torch.finfo(score_BW.dtype).min
            sure_BW = (probability(logits_BWV, token_BW) >= self.threshold) & ~held_back_BW
            return best(score_BW, open_BW, torch.ones_like(part.step_B)) | sure_BW & open_BW
        if self.factor is not None:
            p_BW = probability(logits_BWV, token_BW)
            count_B = as_many_as_sure(ranked(p_BW, score_BW, open_BW, -torch.inf), self.factor)
        elif self.entropy_bound is not None:
            nats_BW = uncertainty(logits_BWV)
            count_B = few_nats_at_stake(ranked(nats_BW, score_BW, open_BW, torch.inf), self.entropy_bound)
        else:
            count_B = self.planned(open_BW.sum(1), part)
        return best(score_BW, open_BW, count_B)

    def planned(self, left_B: Tensor, part: Part) -> Tensor:
        """How many holes a pass commits where the number is fixed in advance, (B,)."""
        if self.steps is None:
            return torch.full_like(left_B, self.per_pass or 1)
        if self.schedule == "cosine":
            return cosine_quota(left_B, part.masks_B, part.passes_B, part.step_B).clamp(min=1)
        return quota(part.masks_B, part.passes_B, part.step_B)

    def quotas(self, holes: int) -> list[int]:
        """The planned numbers of all passes over a block of `holes` holes."""
        found: list[int] = []
        while (left := holes - sum(found)) > 0:
            total_1, step_1 = torch.tensor([holes]), torch.tensor([len(found)])
            part = Part(total_1, torch.full_like(total_1, self.steps or 1), step_1)
            found.append(min(left, int(self.planned(torch.tensor([left]), part))))
        return found

    def never_looks_at_draws(self) -> bool:
        """Whether the committed holes depend on predictive distributions alone, not on the tokens sampled from them.

        Such a rule gives every text one sequence of passes, along which its probability is exact (DUEL, arXiv
        2603.01367). At temperature 0 these are all rules that are not random: confidence, thresholds, factors and the
        end look at each position's most probable token (`judged`).
        """
        alone = not self.ends_last and self.threshold is None and self.factor is None
        return self.order != "random" if self.temperature == 0 else self.order in DETERMINISTIC and alone

    def judged(self, logits_BWV: Tensor, token_BW: Tensor) -> Tensor:
        """The tokens (B, W) that this rule looks at where the text is given: the most probable at temperature 0."""
        return logits_BWV.argmax(-1) if self.temperature == 0 else token_BW

    def ranks_at_random(self) -> bool:
        """Whether all sets of open holes of one size are equally likely to be committed."""
        adaptive = (self.threshold, self.factor, self.entropy_bound)
        return self.order == "random" and not self.ends_last and set(adaptive) == {None}


@dataclass(frozen=True)
class CommitOnce(OrderAndCount):
    """Order, count and block.

    steps: number of passes in total, distributed over the blocks.
    block: holes per block; blocks are generated left to right (semi-autoregressive decoding).
    cache: keys and values that are reused within a block: those before it (prefix) or all outside it (dual; Wu et al.,
    2025). This is an approximation, which is recomputed every `refresh` passes and at the start of every block.
    guidance: weight w of classifier-free guidance (Nie et al., 2024).
    """

    block: int | None = None
    cache: Literal["prefix", "dual"] | None = None
    refresh: int | None = None
    guidance: float | None = None
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, "guidance", 0)
        for name in ("block", "refresh"):
            at_least(self, name, 1)
        if self.cache is not None and self.block is None:
            raise ValueError(f"cache={self.cache}: requires block; set block, or cache to null")
        if self.refresh is not None and self.cache is None:
            raise ValueError(f"refresh={self.refresh}: requires cache; set cache, or refresh to null")

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return (one.ids_BL for one in self.passes(model, canvas, noise, self.sampling(canvas, noise)))

    def sampling(self, canvas: Canvas, noise: Noise) -> Choose:
        """Proposes tokens sampled from the model's distributions."""

        def draw(call: int, logits_BWV: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
            rows_B, shape = all_rows(canvas), logits_BWV.shape[1:-1]
            token_BW = pick(logits_BWV, self.temperature, lambda: noise.uniform(call, rows_B, shape))
            return token_BW, token_BW

        return draw

    def passes(self, model: Paradigm, canvas: Canvas, noise: Noise, choose: Choose) -> Iterator["Pass"]:
        """Runs the passes from all masks; `choose` proposes a token per hole, the decoder commits some of them."""
        rows_B, ids_BL, backbone = all_rows(canvas), canvas.ids_BL, Guided.around(model, canvas, self.guidance)
        at_BH, open_BH = canvas.hole_positions()
        H = at_BH.shape[1]
        size = min(self.block or H, H)
        block_BH = torch.arange(H, device=at_BH.device).expand_as(at_BH) // size
        blocks_B = block_BH.masked_fill(~open_BH, -1).amax(1) + 1
        kept = BlockCache(self.cache, self.refresh, backbone, canvas) if self.cache else None
        rule, never = model.rule(canvas), model.never()
        step_B = masks_B = last_B = torch.full_like(rows_B, -1)
        call = -1
        while open_BH.any():
            now_B = block_BH.masked_fill(~open_BH, H).amin(1)  # every row decodes its leftmost unfinished block;
            now_B = now_B if kept is None else now_B.amin().expand_as(now_B)  # with a cache, all decode the same
            inside_BH, begins_B = open_BH & (block_BH == now_B[:, None]), now_B != last_B
            step_B, last_B = (step_B + 1).masked_fill(begins_B, 0), now_B
            masks_B = inside_BH.sum(1).where(begins_B, masks_B)
            # a row's passes have the same numbers in every batch, also where it waits for others at a block's end
            call = call + 1 if kept is None else int(now_B[0]) * size + int(step_B[0])
            slot_BW = (~inside_BH).byte().argsort(dim=1, stable=True)[:, : int(inside_BH.sum(1).max())]
            at_BW, open_BW = at_BH.gather(1, slot_BW), inside_BH.gather(1, slot_BW)
            if kept is None:
                logits_BWV = backbone(ids_BL, rule, pad_BL=canvas.pad_BL, want_BW=at_BW)
            else:
                block_BQ = at_BH[:, int(now_B[0]) * size : int(now_B[0] + 1) * size]
                logits_BWV = kept.read(ids_BL, rule, block_BQ, at_BW, int(step_B[0]))
            logits_BWV = ban(logits_BWV, never)
            token_BW, judged_BW = choose(call, logits_BWV, slot_BW)
            score_BW = self.scores(
                logits_BWV,
                judged_BW,
                model.vocabulary.eos,
                lambda: noise.uniform(call, rows_B, token_BW.shape[1:], ORDER),
            )
            part = Part(masks_B, self.shared_out(blocks_B, now_B), step_B)
            write_BW = self.chosen(logits_BWV, judged_BW, score_BW, open_BW, part)
            ids_BL = ids_BL.scatter(1, at_BW, token_BW.where(write_BW, ids_BL.gather(1, at_BW)))
            open_BH = open_BH.scatter(1, slot_BW, open_BH.gather(1, slot_BW) & ~write_BW)
            yield Pass(ids_BL, logits_BWV, slot_BW, write_BW)

    def in_random_order(self) -> bool:
        """Whether `ranks_at_random` holds for the whole canvas and tokens follow the model's unguided distribution."""
        return self.ranks_at_random() and self.block is None and self.guidance is None

    def shared_out(self, blocks_B: Tensor, block_B: Tensor) -> Tensor:
        """Number of passes for block `block_B` of each row, (B,)."""
        return quota(torch.full_like(blocks_B, self.steps or 1), blocks_B.clamp(min=1), block_B).clamp(min=1)


class Pass(NamedTuple):
    """One forward pass: the canvas after it, its logits, the holes they are for, and which of these it committed."""

    ids_BL: Tensor
    logits_BWV: Tensor
    slot_BW: Tensor
    write_BW: Tensor
