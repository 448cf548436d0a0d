"""Block after block from left to right, each from masks to text in a few passes: between autoregression and diffusion.

    call 1   p p ? ? . .    the first block sees the prompt and itself
    call 2   . . ? w . .    its later passes read the block alone: keys and values of what stands before it are kept
    call 3   . . w w ? ?    the first pass over a block also reads the one before it, now that its text is known

BD3-LM (Arriola et al., 2025). Blocks of one hole are autoregression, one block over the whole text is diffusion. What
is kept is exact, for no block sees a later one: diffusion with an autoregressive model's cache, and its way to end.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import ORDER, Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows, ban, given_the_rest
from paradigms.decoders.commit_once import OrderAndCount, Part
from paradigms.decoders.orders import FEW_HOLES, expected_nats, hidden_sets, nats_over_orders
from paradigms.decoders.policy import hide_exactly
from paradigms.decoders.sampling import at_least, pick
from paradigms.diffusion import BOUND_DRAWS
from paradigms.trunk.attention import AttentionRule, blockwise
from paradigms.trunk.backbone import Backbone

Choose = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""From a call's number, its rows (b), logits (b, W, V) and the positions they are for (b, W) to the tokens (b, W)."""


class BlockDiffusion(Paradigm):
    """p(text) = prod_n p(block n | prompt, blocks before it), of which each is bounded as in masked diffusion.

    block: holes in a block; the last may have fewer.  decoder: order x count within a block, `steps` for each.
    In suffixes S runs over the columns from the first hole on, N over blocks, K over a block's holes.
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
        """In every block exactly l of its b holes masked, weight b/l; l stratified over rows and over blocks."""
        canvas = self.without_blocks_behind_the_end(canvas)
        rows_B, real_BNK = all_rows(canvas), self.by_block(canvas.holes_BL[:, canvas.start() :])
        B, N, _ = real_BNK.shape
        even_BN = rows_B[:, None] / B + torch.arange(N, device=rows_B.device) / N
        hidden_BNK = self.hide(real_BNK, (noise.uniform(1, rows_B[:1], (1,)) + even_BN) % 1, noise, 0)
        nats_B = self.weighted(self.masked_nats(canvas, hidden_BNK), real_BNK, hidden_BNK)
        return Loss(nats_B.sum() / real_BNK.sum(), hidden_BNK.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        def draw(call: int, rows_b: Tensor, logits_bWV: Tensor, _: Tensor) -> Tensor:
            return pick(logits_bWV, self.decoder.temperature, lambda: noise.uniform(call, rows_b, logits_bWV.shape[1:]))

        return (one.ids_BL for one in self.passes(canvas, noise, draw))

    def passes(self, canvas: Canvas, noise: Noise, choose: Choose) -> Iterator["Pass"]:
        """Call by call from masks; `choose` says which token each hole would get, the decoder which of them stay."""
        how, rule, start, eos = self.decoder, self.rule(canvas), canvas.start(), self.vocabulary.eos
        text, open_BL, rows_b = replace(canvas, ids_BL=canvas.ids_BL.clone()), canvas.holes_BL.clone(), all_rows(canvas)
        ids_BL, end_B, cache = text.ids_BL, start + canvas.holes_BL.sum(1), self.backbone.cache(*canvas.ids_BL.shape)
        kept_b, step_b = torch.zeros_like(rows_b), torch.full_like(rows_b, -1)  # kept: columns not to be read again
        for call in itertools.count():
            begin_b = start + (open_BL[rows_b].byte().argmax(1) - start) // self.block * self.block
            masks_b = (end_B[rows_b] - begin_b).clamp(max=self.block)
            step_b = (step_b + 1).masked_fill(begin_b != kept_b, 0)
            # every row is read as far back from its block's end as any needs: what is read again stays what it is
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
            token_bW = choose(call, rows_b, logits_bWV, at_bW)
            score_bW = how.scores(
                logits_bWV, token_bW, eos, lambda: noise.uniform(call, rows_b, token_bW.shape[1:], ORDER)
            )
            part = Part(masks_b, torch.full_like(masks_b, how.steps or 1), step_b)
            write_bW = how.chosen(logits_bWV, token_bW, score_bW, open_bW, part)
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
        """Exact where a block has one hole or no draw decides the order in it; else the blocks' bounds, summed.

        Where an end stands within a block, what follows it there could be anything: that leaves a bound, too. Beside a
        bound stands the exact law of random order where blocks are short enough to sum over all orders.
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

    def token_nats(self, canvas: Canvas) -> tuple[Tensor, Tensor]:
        return given_the_rest(self, canvas)

    def exact(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The decoder's own passes, made to write this text."""

        def truth(call: int, rows_b: Tensor, logits_bWV: Tensor, at_bW: Tensor) -> Tensor:
            return canvas.ids_BL[rows_b].gather(1, at_bW)

        masked = replace(canvas, ids_BL=canvas.ids_BL.masked_fill(canvas.holes_BL, self.vocabulary.mask))
        nats_B = torch.zeros(len(canvas.ids_BL), dtype=torch.float64, device=canvas.ids_BL.device)
        for one in self.passes(masked, noise, truth):
            nats_B[one.rows_b] += self.nats(one.logits_bWV, one.token_bW, one.write_bW).double().sum(1)
        return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))

    def over_sets(self, canvas: Canvas, real_BNK: Tensor) -> Likelihood:
        """Every set of hidden holes, in a call the same for all blocks."""
        sets_SK = hidden_sets(real_BNK.shape[2], real_BNK.device)
        nats_SBNK = torch.stack([self.masked_nats(canvas, set_K & real_BNK) for set_K in sets_SK]).double()
        holes_BN, at_random = real_BNK.sum(2), self.block > 1 and self.decoder.ranks_at_random()
        bound_BN, exact_BN = nats_SBNK.new_zeros(2, *holes_BN.shape)
        for holes in set(holes_BN.flatten().tolist()) - {0}:
            these_BN = holes_BN == holes
            nats_ScH = nats_SBNK[: 1 << holes, these_BN, :holes]  # the first sets hide but the first holes
            bound_BN[these_BN] = -expected_nats(nats_ScH)
            if at_random:
                exact_BN[these_BN] = -nats_over_orders(nats_ScH, self.decoder.quotas(holes))
        bound_B = bound_BN.sum(1)
        law = Likelihood("exact" if self.block == 1 else "bound", bound_B, torch.zeros_like(bound_B))
        return replace(law, exact_B=exact_BN.sum(1)) if at_random else law

    def bound(self, canvas: Canvas, real_BNK: Tensor, noise: Noise) -> Likelihood:
        """With l stratified over the draws; the standard error takes the draws as independent."""
        rows_B, draws_DB = all_rows(canvas), []
        for draw in range(BOUND_DRAWS):
            stratum_BN = (draw + noise.uniform(draw, rows_B, real_BNK.shape[1:2], ORDER)) / BOUND_DRAWS
            hidden_BNK = self.hide(real_BNK, stratum_BN, noise, draw)
            nats_BNK = self.masked_nats(canvas, hidden_BNK).double()
            draws_DB.append(-self.weighted(nats_BNK, real_BNK, hidden_BNK))
        bound_DB = torch.stack(draws_DB)
        return Likelihood("bound", bound_DB.mean(0), bound_DB.std(0) / BOUND_DRAWS**0.5)

    def hide(self, real_BNK: Tensor, stratum_BN: Tensor, noise: Noise, call: int) -> Tensor:
        """Which holes are masked: of every block's as many as its stratum in (0, 1) says, at least one."""
        B, N, K = real_BNK.shape
        chance_BNK = noise.uniform(call, torch.arange(B, device=real_BNK.device), (N * K,)).view(B, N, K)
        masked_BN = 1 + (stratum_BN * real_BNK.sum(2)).long()
        return hide_exactly(real_BNK.flatten(0, 1), masked_BN.flatten(), chance_BNK.flatten(0, 1)).view(B, N, K)

    def weighted(self, nats_BNK: Tensor, real_BNK: Tensor, hidden_BNK: Tensor) -> Tensor:
        """b/l times the nats of a block's l hidden holes, summed over blocks, (B,)."""
        return (nats_BNK.sum(2) * real_BNK.sum(2) / hidden_BNK.sum(2).clamp(min=1)).sum(1)

    def masked_nats(self, canvas: Canvas, hidden_BNK: Tensor) -> Tensor:
        """-log p of the hidden, given what their block shows and the text before it, (B, N, K): all blocks in one call.

        The noisy text stands beside the clean, of which the last block is left out: nobody looks at it.
        """
        start, (B, N, _) = canvas.start(), hidden_BNK.shape
        text_BS, clean = canvas.ids_BL[:, start:], start + (N - 1) * self.block
        hidden_BS = hidden_BNK.flatten(1)[:, : text_BS.shape[1]]
        place_L = torch.arange(canvas.ids_BL.shape[1], device=text_BS.device)
        place_Q = torch.cat((place_L[:clean], place_L[start:]))
        logits_BSV = self.backbone(
            torch.cat((canvas.ids_BL[:, :clean], text_BS.masked_fill(hidden_BS, self.vocabulary.mask)), dim=1),
            beside(self.rule(canvas), start, clean),
            pad_BL=canvas.pad_BL[:, place_Q],
            place_BQ=place_Q.expand(B, -1),
            want_BW=torch.arange(clean, len(place_Q), device=text_BS.device).expand(B, -1),
        )
        return self.by_block(self.nats(logits_BSV, text_BS, hidden_BS))

    def by_block(self, x_BS: Tensor) -> Tensor:
        """What is said of the columns from the first hole on, block by block, (B, N, K); 0 where a block is short."""
        width = min(self.block, x_BS.shape[1])
        return F.pad(x_BS, (0, -x_BS.shape[1] % width)).unflatten(1, (-1, width))

    def blocks_up_to_the_end(self, canvas: Canvas) -> Tensor:
        """bool (B, L): the holes of all blocks up to the one in which the first end token stands."""
        start, at_L = canvas.start(), torch.arange(canvas.ids_BL.shape[1], device=canvas.ids_BL.device)
        begin_L = (start + (at_L - start) // self.block * self.block).clamp(min=0)
        return canvas.holes_BL & canvas.text_and_end(self.vocabulary.eos)[:, begin_L]

    def without_blocks_behind_the_end(self, canvas: Canvas) -> Canvas:
        """Nobody writes or reads them."""
        holes_BL = self.blocks_up_to_the_end(canvas)
        return replace(canvas, holes_BL=holes_BL).without_columns_behind(holes_BL)


def beside(rule: AttentionRule, start: int, clean: int) -> AttentionRule:
    """Of a text with its noisy copy behind it, from position `clean` on: noisy blocks see the clean ones before them.

    `rule` says which block may see which; `start` is where the text begins that the copy repeats. Blocks of one:

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
    """What one call did: the canvas behind it, its rows, the laws it saw, the tokens for them, which it wrote."""

    ids_BL: Tensor
    rows_b: Tensor
    logits_bWV: Tensor
    token_bW: Tensor
    write_bW: Tensor
