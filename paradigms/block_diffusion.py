"""Block diffusion generates blocks left to right, each by masked diffusion: between autoregression and diffusion.

    pass 1   p p ? ? . .    the first block attends to the prompt and itself
    pass 2   . . ? w . .    its later passes read only the block; keys and values of the preceding text are cached
    pass 3   . . w w ? ?    the first pass over a block also reads the block before it, whose tokens are now final

The model is BD3-LM (Arriola et al., 2025). Blocks of one position give an autoregressive model, one block over the
whole text gives masked diffusion. The cache is exact because no block attends to a later one, and a text ends at its
EOS, both as in an autoregressive model.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import (
    ORDER,
    Canvas,
    Likelihood,
    Loss,
    Noise,
    Paradigm,
    Vocabulary,
    all_rows,
    ban,
    given_the_rest,
    sampled_bound,
    strata,
)
from paradigms.decoders.commit_once import OrderAndCount, Part
from paradigms.decoders.orders import FEW_HOLES, expected_nats, hidden_sets, nats_over_orders
from paradigms.decoders.policy import hide_share
from paradigms.decoders.sampling import at_least, pick
from paradigms.trunk.attention import AttentionRule, blockwise
from paradigms.trunk.backbone import Backbone

Choose = Callable[[int, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Maps the number of a forward pass, its rows (b), logits (b, W, V) and their columns (b, W) to two tensors (b, W).

As in `commit_once`: the tokens to commit, and those whose probabilities decide which are committed.
"""


class BlockDiffusion(Paradigm):
    """p(text) = prod_n p(block n | prompt, preceding blocks), where each factor is bounded as in masked diffusion.

    block: holes per block; the last may have fewer.  decoder: order and count within a block, `steps` per block.
    In dimension suffixes S runs over the columns from the first hole on, N over blocks, K over a block's holes.
    """

    fills = frozenset({"suffix"})
    length = "eos"

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, block: int, decoder: OrderAndCount):
        super().__init__(vocabulary, backbone)
        self.block, self.decoder = block, decoder
        at_least(self, "block", 1)

    def rule(self, canvas: Canvas) -> AttentionRule:
        return blockwise(canvas.start(), self.block)

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """Masks exactly l of each block's b holes, weighted b/l; l is stratified over rows and over blocks."""
        canvas = canvas.within(self.without_blocks_behind_the_end(canvas.whole))
        real_BNK = self.by_block(canvas.holes_BL[:, canvas.start() :])
        even_N = torch.arange(real_BNK.shape[1], device=real_BNK.device) / real_BNK.shape[1]
        hidden_BNK = self.hide(canvas, real_BNK, (strata(canvas, noise, 1)[:, None] + even_N) % 1, noise, 0)
        nats_B = self.weighted(self.masked_nats(canvas, hidden_BNK), real_BNK, hidden_BNK)
        return Loss([(nats_B.sum(), real_BNK.sum())], hidden_BNK.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        def draw(call: int, rows_b: Tensor, logits_bWV: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
            shape = logits_bWV.shape[1:-1]
            token_bW = pick(logits_bWV, self.decoder.temperature, lambda: noise.uniform(call, rows_b, shape))
            return token_bW, token_bW

        return (one.ids_BL for one in self.passes(canvas, noise, draw))

    def passes(self, canvas: Canvas, noise: Noise, choose: Choose) -> Iterator["Pass"]:
        """Runs the passes from all masks; `choose` proposes a token per hole, the decoder commits some of them."""
        how, rule, start, eos = self.decoder, self.rule(canvas), canvas.start(), self.vocabulary.eos
        text, open_BL, rows_b = replace(canvas, ids_BL=canvas.ids_BL.clone()), canvas.holes_BL.clone(), all_rows(canvas)
        ids_BL, end_B, cache = text.ids_BL, start + canvas.holes_BL.sum(1), self.backbone.cache(*canvas.ids_BL.shape)
        kept_b, step_b = torch.zeros_like(rows_b), torch.full_like(rows_b, -1)  # kept: number of columns already cached
        for call in itertools.count():
            begin_b = start + (open_BL[rows_b].byte().argmax(1) - start) // self.block * self.block
            masks_b = (end_B[rows_b] - begin_b).clamp(max=self.block)
            step_b = (step_b + 1).masked_fill(begin_b != kept_b, 0)
            # all rows read as many columns up to their block's end as any needs; re-reading changes no key or value
            last_b1 = (begin_b + masks_b)[:, None]
            back_Q = torch.arange(int((last_b1[:, 0] - kept_b).max()), 0, -1, device=rows_b.device)
            at_bQ, kept_b = (last_b1 - back_Q).clamp(min=0), begin_b
            open_bQ = open_BL[rows_b].gather(1, at_bQ)
            slot_bW = (~open_bQ).byte().argsort(dim=1, stable=True)[:, : int(open_bQ.sum(1).max())]
            logits_bWV = self.backbone(
                ids_BL[rows_b].gather(1, at_bQ),
                rule,
                pad_BL=canvas.pad_BL[rows_b, : int(last_b1.max())],
                at_BQ=at_bQ,
                want_BW=slot_bW,
                cache=cache,
            )
            logits_bWV = ban(logits_bWV, self.never())
            at_bW, open_bW = at_bQ.gather(1, slot_bW), open_bQ.gather(1, slot_bW)
            token_bW, judged_bW = choose(call, rows_b, logits_bWV, at_bW)
            score_bW = how.scores(
                logits_bWV, judged_bW, eos, lambda: noise.uniform(call, rows_b, token_bW.shape[1:], ORDER)
            )
            part = Part(masks_b, torch.full_like(masks_b, how.steps or 1), step_b)
            write_bW = how.chosen(logits_bWV, judged_bW, score_bW, open_bW, part)
            ids_BL[rows_b[:, None], at_bW] = token_bW.where(write_bW, ids_BL[rows_b[:, None], at_bW])
            open_BL[rows_b[:, None], at_bW] = open_bW & ~write_bW
            if (token_bW == eos).any():
                open_BL &= self.blocks_up_to_the_end(text)
            alive_b = open_BL[rows_b].any(1)
            if not alive_b.all():
                never_BL = canvas.holes_BL & (ids_BL == self.vocabulary.mask) & ~open_BL.any(1, keepdim=True)
                ids_BL.masked_fill_(never_BL, eos)
            yield Pass(ids_BL, rows_b, logits_bWV, token_bW, write_bW)
            if not alive_b.any():
                return
            if not alive_b.all():
                rows_b, kept_b, step_b = rows_b[alive_b], kept_b[alive_b], step_b[alive_b]
                cache.keep(alive_b)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Exact where blocks have one hole or no sampled token decides their order; else the sum of the blocks' bounds.

        Tokens after an EOS within its block are arbitrary, which leaves a bound, too. A bound is accompanied by the
        exact likelihood of random order where blocks are short enough to sum over all orders.
        """
        canvas = self.without_blocks_behind_the_end(canvas)
        real_BNK = self.by_block(canvas.holes_BL[:, canvas.start() :])
        if self.block > 1 and self.decoder.never_looks_at_draws():
            law = self.exact(canvas, noise)
        elif real_BNK.shape[2] > FEW_HOLES:
            law = self.bound(canvas, real_BNK, noise)
        else:
            law = self.over_sets(canvas, real_BNK)
        loose_B = (canvas.holes_BL & ~canvas.text_and_end(self.vocabulary.eos)).any(1)
        exact_B = None if law.exact_B is None else law.exact_B.masked_fill(loose_B, torch.nan)
        return Likelihood("bound" if loose_B.any() else law.kind, law.nats_B, law.se_B, exact_B)

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        return given_the_rest(self, canvas)

    def exact(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Scores this text along the decoder's own passes (DUEL, arXiv 2603.01367)."""

        def truth(call: int, rows_b: Tensor, logits_bWV: Tensor, at_bW: Tensor) -> tuple[Tensor, Tensor]:
            token_bW = canvas.ids_BL[rows_b].gather(1, at_bW)
            return token_bW, self.decoder.judged(logits_bWV, token_bW)

        masked = replace(canvas, ids_BL=canvas.ids_BL.masked_fill(canvas.holes_BL, self.vocabulary.mask))
        nats_B = torch.zeros(len(canvas.ids_BL), dtype=torch.float64, device=canvas.ids_BL.device)
        for one in self.passes(masked, noise, truth):
            nats_B[one.rows_b] += self.nats(one.logits_bWV, one.token_bW, one.write_bW).double().sum(1)
        return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))

    def over_sets(self, canvas: Canvas, real_BNK: Tensor) -> Likelihood:
        """Sums over all sets of masked holes; each forward pass masks the same set in all blocks."""
        sets_SK = hidden_sets(real_BNK.shape[2], real_BNK.device)
        nats_SBNK = torch.stack([self.masked_nats(canvas, set_K & real_BNK) for set_K in sets_SK]).double()
        holes_BN, at_random = real_BNK.sum(2), self.block > 1 and self.decoder.ranks_at_random()
        bound_BN, exact_BN = nats_SBNK.new_zeros(2, *holes_BN.shape)
        for holes in set(holes_BN.flatten().tolist()) - {0}:
            these_BN = holes_BN == holes
            nats_ScH = nats_SBNK[: 1 << holes][:, these_BN][..., :holes]  # these sets mask only the first holes
            bound_BN[these_BN] = -expected_nats(nats_ScH)
            if at_random:
                exact_BN[these_BN] = -nats_over_orders(nats_ScH, self.decoder.quotas(holes))
        bound_B = bound_BN.sum(1)
        law = Likelihood("exact" if self.block == 1 else "bound", bound_B, torch.zeros_like(bound_B))
        return replace(law, exact_B=exact_BN.sum(1)) if at_random else law

    def bound(self, canvas: Canvas, real_BNK: Tensor, noise: Noise) -> Likelihood:
        """Stratifies l over the samples."""

        def sample(draw: int, stratum_BN: Tensor) -> Tensor:
            hidden_BNK = self.hide(canvas, real_BNK, stratum_BN, noise, draw)
            return -self.weighted(self.masked_nats(canvas, hidden_BNK).double(), real_BNK, hidden_BNK)

        return sampled_bound(canvas, noise, sample, parts=real_BNK.shape[1])

    def hide(self, canvas: Canvas, real_BNK: Tensor, stratum_BN: Tensor, noise: Noise, call: int) -> Tensor:
        """bool (B, N, K): the masked holes, a share of each block given by its stratum in (0, 1), at least one."""
        B, N, K = real_BNK.shape
        chance_BNK = noise.uniform(call, all_rows(canvas), (N * K,)).view(B, N, K)
        return hide_share(real_BNK.flatten(0, 1), stratum_BN.flatten(), chance_BNK.flatten(0, 1))[0].view(B, N, K)

    def weighted(self, nats_BNK: Tensor, real_BNK: Tensor, hidden_BNK: Tensor) -> Tensor:
        """b/l times the nats of each block's l masked holes, summed over blocks, (B,)."""
        return (nats_BNK.sum(2) * real_BNK.sum(2) / hidden_BNK.sum(2).clamp(min=1)).sum(1)

    def masked_nats(self, canvas: Canvas, hidden_BNK: Tensor) -> Tensor:
        """-log p of masked tokens given their block's other tokens and the text before it, (B, N, K), in one pass.

        The input is the clean text followed by its noisy copy; the last clean block is omitted because no query
        attends to it.
        """
        start, (B, N, _) = canvas.start(), hidden_BNK.shape
        text_BS, clean = canvas.ids_BL[:, start:], start + (N - 1) * self.block
        hidden_BS = hidden_BNK.flatten(1)[:, : text_BS.shape[1]]
        place_L = torch.arange(canvas.ids_BL.shape[1], device=text_BS.device)
        place_Q = torch.cat((place_L[:clean], place_L[start:]))
        logits_NV = self.backbone(
            torch.cat((canvas.ids_BL[:, :clean], text_BS.masked_fill(hidden_BS, self.vocabulary.mask)), dim=1),
            beside(self.rule(canvas), start, clean),
            pad_BL=canvas.pad_BL[:, place_Q],
            place_BQ=place_Q.expand(B, -1),
            want_BW=torch.arange(clean, len(place_Q), device=text_BS.device).expand(B, -1),
            need_BW=hidden_BS,
        )
        return self.by_block(self.nats(logits_NV, text_BS, hidden_BS))

    def by_block(self, x_BS: Tensor) -> Tensor:
        """Splits (B, S) values into blocks, (B, N, K), filling up a short last block with 0."""
        width = min(self.block, x_BS.shape[1])
        return F.pad(x_BS, (0, -x_BS.shape[1] % width)).unflatten(1, (-1, width))

    def blocks_up_to_the_end(self, canvas: Canvas) -> Tensor:
        """bool (B, L): the holes of all blocks up to the one that contains the first EOS."""
        start, at_L = canvas.start(), torch.arange(canvas.ids_BL.shape[1], device=canvas.ids_BL.device)
        begin_L = (start + (at_L - start) // self.block * self.block).clamp(min=0)
        return canvas.holes_BL & canvas.text_and_end(self.vocabulary.eos)[:, begin_L]

    def without_blocks_behind_the_end(self, canvas: Canvas) -> Canvas:
        """The canvas without the blocks after the first EOS, which are neither generated nor read."""
        holes_BL = self.blocks_up_to_the_end(canvas)
        return replace(canvas, holes_BL=holes_BL).without_columns_behind(holes_BL)


def beside(rule: AttentionRule, start: int, clean: int) -> AttentionRule:
    """The rule for a clean text followed by its noisy copy: noisy blocks see the clean blocks before their own.

    `rule` defines which block may see which; the copy stands from position `clean` on and repeats the text from `start`
    on. For blocks of one, with `p` the prompt, `w` the clean text and `n` the noisy copy:

      p w w n n n
    p x . . . . .
    w x x . . . .
    w x x x . . .
    n x . . x . .
    n x x . . x .
    n x x x . . x
    """

    def seen(query_BQ1: Tensor, key_11L: Tensor) -> Tensor:
        copy_BQ1, copy_11L = query_BQ1 >= clean, key_11L >= clean
        query_BQ1, key_11L = query_BQ1 - (clean - start) * copy_BQ1, key_11L - (clean - start) * copy_11L
        same_block = rule(query_BQ1, key_11L) & rule(key_11L, query_BQ1)
        return rule(query_BQ1, key_11L) & (copy_11L == (copy_BQ1 & same_block))

    return seen


class Pass(NamedTuple):
    """One forward pass: the canvas after it, its rows, their logits, the proposed tokens, which were committed."""

    ids_BL: Tensor
    rows_b: Tensor
    logits_bWV: Tensor
    token_bW: Tensor
    write_bW: Tensor
