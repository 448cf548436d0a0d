"""Any-order autoregression generates one token per pass in any order of positions, with a key-value cache.

    pass 1   p p . ? . .    a mask stands where the next token is to be; positions without token are seen by none
    pass 2   . . ? w . .    the pass also reads the last token, whose keys and values are then cached
    pass 3   . . w . . ?    each token sees the given text and the tokens before it in the order

It stands between autoregression, whose cache and exact likelihood it has, and masked diffusion with one token per pass,
whose orders it has (XLNet; Yang et al., 2019; sigma-GPT, Pannatier et al., 2024). The two streams of XLNet are two
copies of each position in one transformer: the token, which later ones see, and a mask, which predicts it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import ORDER, Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows, ban
from paradigms.decoders.sampling import at_least, pick
from paradigms.trunk.attention import AttentionRule
from paradigms.trunk.backbone import Backbone

FEW_ORDERED = 5  # holes up to which a likelihood is summed over all orders, 120
BOUND_ORDERS = 16  # orders sampled for the bound on the likelihood of longer texts


@dataclass(frozen=True)
class OneByOne:
    """order: of the positions; a random one is drawn for every text."""

    order: Literal["random", "left_to_right"] = "random"
    temperature: float = 1.0
    length: Literal["eos", "oracle", "fixed"] = "eos"

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)


class AnyOrder(Paradigm):
    """p(text | order) = prod_t p(x at the order's t-th hole | given text, x at its first t - 1 holes).

    A rank is 0 for given text, and for a hole its number in the order, from 1.
    """

    fills = frozenset({"suffix", "span", "scattered"})

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, decoder: OneByOne):
        super().__init__(vocabulary, backbone)
        self.decoder, self.length = decoder, decoder.length

    def rule(self, canvas: Canvas) -> AttentionRule:
        """The rule of the order from left to right."""
        return in_order(from_left(canvas))

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """Next-token prediction in a random order of each text's holes, whatever order the decoder has."""
        nats_BH = self.nats_in_order(canvas, self.random_ranks(canvas, noise, 0), training=True)
        count = canvas.holes_BL.sum()
        return Loss([(nats_BH.sum(), count)], count)

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        never, eos, rank_BL = self.never(), self.vocabulary.eos, self.ranks(canvas, noise)
        in_order_BL, given_b = rank_BL.argsort(dim=1, stable=True), (rank_BL == 0).sum(1)
        text, open_BL, rows_b = replace(canvas, ids_BL=canvas.ids_BL.clone()), canvas.holes_BL.clone(), all_rows(canvas)
        ids_BL = text.ids_BL
        cache, rule, pad_bL = self.backbone.cache(*ids_BL.shape), in_order(rank_BL), canvas.pad_BL
        at_bQ, want_b1 = in_order_BL[:, : int(given_b.max()) + 1], given_b[:, None]
        for call in itertools.count():
            logits_b1V = self.backbone(
                ids_BL[rows_b].gather(1, at_bQ), rule, pad_BL=pad_bL, at_BQ=at_bQ, want_BW=want_b1, cache=cache
            )
            rows_now_b = rows_b
            token_b1 = pick(
                ban(logits_b1V, never), self.decoder.temperature, lambda: noise.uniform(call, rows_now_b, (1,))
            )
            at_b1 = at_bQ.gather(1, want_b1)
            ids_BL[rows_b[:, None], at_b1], open_BL[rows_b[:, None], at_b1] = token_b1, False
            alive_b = (open_BL & text.text(eos))[rows_b].any(1)
            done_b = rows_b[~alive_b]  # what is open there follows an EOS
            ids_BL[done_b] = ids_BL[done_b].masked_fill(open_BL[done_b], eos)
            yield ids_BL
            if not alive_b.any():
                return
            if not alive_b.all():
                rows_b, given_b = rows_b[alive_b], given_b[alive_b]
                rule, pad_bL = in_order(rank_BL[rows_b]), canvas.pad_BL[rows_b]
                cache.keep(alive_b)
            last_b1 = (given_b + call)[:, None]
            at_bQ = in_order_BL[rows_b].gather(1, torch.cat((last_b1, last_b1 + 1), dim=1))
            want_b1 = torch.ones_like(last_b1)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Exact from left to right. A random order leaves a mean over orders, a bound by Jensen's inequality.

        The bound is over all orders of few holes, and over sampled ones of more. It is accompanied by the exact value
        where all orders are known and no hole follows an EOS, because whatever is generated there is no part of a text.
        """
        if self.decoder.order == "left_to_right":
            nats_B = self.token_nats(canvas, noise)[0].double().sum(1)
            return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))
        holes_B = canvas.holes_BL.sum(1)
        nats_B, se_B, exact_B = (torch.zeros_like(holes_B, dtype=torch.float64) for _ in range(3))
        behind_B = (canvas.holes_BL & ~canvas.text_and_end(self.vocabulary.eos)).any(1)
        for holes in set(holes_B.tolist()):
            rows_b = (holes_B == holes).nonzero()[:, 0]
            part = canvas.rows(rows_b)
            if holes <= FEW_ORDERED:
                orders = torch.tensor(list(itertools.permutations(range(1, holes + 1))), device=rows_b.device)
                ranks = (ranks_of(part, order_H.expand(len(rows_b), -1)) for order_H in orders)
            else:
                rank_DBL = (self.random_ranks(canvas, noise, draw) for draw in range(BOUND_ORDERS))
                ranks = (rank_BL[rows_b] for rank_BL in rank_DBL)
            law_Db = torch.stack([-self.nats_in_order(part, rank_bL).double().sum(1) for rank_bL in ranks])
            nats_B[rows_b] = law_Db.mean(0)
            few = holes <= FEW_ORDERED
            se_B[rows_b] = 0.0 if few else law_Db.std(0) / BOUND_ORDERS**0.5
            exact_B[rows_b] = law_Db.exp().mean(0).log() if few else torch.nan
        return Likelihood("bound", nats_B, se_B, exact_B.masked_fill(behind_B, torch.nan))

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        """Of each token given those before it in the decoder's order, which for a random one is drawn from `noise`."""
        at_BH, real_BH = canvas.hole_positions()
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        nats_BH = self.nats_in_order(canvas, self.ranks(canvas, noise))
        return nats_BH.masked_fill(~counted_BH, 0), counted_BH

    def nats_in_order(self, canvas: Canvas, rank_BL: Tensor, *, training: bool = False) -> Tensor:
        """-log p of every hole's token given those of lower rank, (B, H), in one pass over tokens and masks."""
        (at_BH, real_BH), (B, L) = canvas.hole_positions(), canvas.ids_BL.shape
        mask_BH = torch.full_like(at_BH, self.vocabulary.mask)
        place_L = torch.arange(L, device=at_BH.device)
        logits_NV = self.backbone(
            torch.cat((canvas.ids_BL, mask_BH), dim=1),
            in_order(torch.cat((rank_BL, rank_BL.gather(1, at_BH)), dim=1), copies_from=L),
            pad_BL=torch.cat((canvas.pad_BL, ~real_BH), dim=1),
            place_BQ=torch.cat((place_L.expand(B, -1), at_BH), dim=1),
            want_BW=torch.arange(L, L + at_BH.shape[1], device=at_BH.device).expand(B, -1),
            need_BW=real_BH,
        )
        return self.nats(logits_NV, canvas.ids_BL.gather(1, at_BH), real_BH, training=training)

    def ranks(self, canvas: Canvas, noise: Noise) -> Tensor:
        """The decoder's order, (B, L)."""
        if self.decoder.order == "random":
            return self.random_ranks(canvas, noise, 0)
        return from_left(canvas)

    def random_ranks(self, canvas: Canvas, noise: Noise, draw: int) -> Tensor:
        real_BH = canvas.hole_positions()[1]
        chance_BH = noise.uniform(draw, all_rows(canvas), real_BH.shape[1:], ORDER).masked_fill(~real_BH, 2.0)
        return ranks_of(canvas, chance_BH.argsort(1).argsort(1) + 1)


def from_left(canvas: Canvas) -> Tensor:
    """Ranks from left to right, (B, L)."""
    return canvas.holes_BL.cumsum(1).where(canvas.holes_BL, 0)


def ranks_of(canvas: Canvas, rank_BH: Tensor) -> Tensor:
    """Ranks by column, (B, L), from those of the holes from left to right."""
    at_BH, real_BH = canvas.hole_positions()
    return torch.zeros_like(canvas.ids_BL).scatter(1, at_BH, rank_BH.where(real_BH, 0))


def in_order(rank_BL: Tensor, copies_from: int | None = None) -> AttentionRule:
    """A token sees itself and what has a lower rank; given text, of rank 0, sees itself.

    Columns from `copies_from` on are masks, which see lower ranks and themselves, and which nothing else sees. With
    `p` given text, `w` tokens of ranks 2 and 1, and `?` their masks:

      p w w ? ?
    p x . . . .
    w x x x . .
    w x . x . .
    ? x . x x .
    ? x . . . x
    """
    copies = rank_BL.shape[1] if copies_from is None else copies_from
    row_B11 = torch.arange(len(rank_BL), device=rank_BL.device)[:, None, None]
    behind_BL = F.pad(rank_BL, (0, 1), value=rank_BL.shape[1] + 1)  # no query sees a column behind the canvas

    def seen(query_BQ1: Tensor, key_11L: Tensor) -> Tensor:
        of_query_BQ1, of_key_B1L = (behind_BL[row_B11, at] for at in (query_BQ1, key_11L))
        before_BQL = of_key_B1L < of_query_BQ1 + (query_BQ1 < copies).long()  # ranks of holes differ
        return before_BQL & (key_11L < copies) | (query_BQ1 == key_11L)

    return seen
