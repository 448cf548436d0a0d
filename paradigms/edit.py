"""Edits grow a text: every pass inserts tokens between others or deletes them, until a pass changes nothing.

    pass 1   p p | s s            behind the prompt there is one gap, into which a token is inserted
    pass 2   p p b | s s          behind every token there is one: each inserts a token or none
    pass 3   p p a b x d | s s    a token may instead be deleted; a wrong one is replaced by deleting it and inserting
    pass 4   p p a b c d | s s    the right one, behind the token before it

Insertions follow the Insertion Transformer (Stern et al., 2019), deletions the Levenshtein Transformer (Gu et al.,
2019), and training on all states between nothing and the text, with wrong tokens among its own, Edit Flows (Havasi et
al., 2025). The trunk reads no masks: only the text as it is, however long, between prompt and suffix. Its logits at a
position say what happens there: a token is inserted behind it, it is deleted (padding's id), or neither (the mask's
id). Length is therefore the model's own, and the holes are no more than the room: a text that fills it takes no
insertions, and of insertions that do not fit the leftmost are kept. As deleting and inserting may go on for ever,
decoding ends after 2 room + 2 passes at the latest.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import (
    Canvas,
    Edited,
    Likelihood,
    Loss,
    Noise,
    Paradigm,
    Vocabulary,
    all_ids_but,
    all_rows,
    ban,
    precise,
    sampled_bound,
    strata,
)
from paradigms.decoders.edits import EditAndStop, packed
from paradigms.decoders.insertions import (
    Kept,
    gap_by_gap,
    gaps_of,
    joint_steps,
    ln_p_of_growing,
    one_by_one,
    separate_steps,
)
from paradigms.decoders.orders import FEW_HOLES
from paradigms.trunk.attention import AttentionRule, everywhere
from paradigms.trunk.backbone import Backbone


class Edit(Paradigm):
    """Every position has odds o of each edit against none; a pass samples from p(edit) = o / (1 + sum of o).

    per_pass: all: the sum is over a position's edits, and all positions act at once.  one: it is over all positions',
    so that a pass makes one edit; an ideal model then samples from the data, lengths included.
    wrong: in half of the training examples, the probability that a wrong token follows a position; 0: no deletions.
    In dimension suffixes T runs over the text so far, W = 1 + T over it and the token before it, G over what is
    sampled at once: W, or 1 with one edit per pass.
    """

    fills = frozenset({"suffix", "span"})
    length = "eos"
    aligned = False

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        per_pass: Literal["all", "one"],
        wrong: float,
        decoder: EditAndStop,
    ):
        super().__init__(vocabulary, backbone)
        if not 0 <= wrong < 1:
            raise ValueError(f"wrong={wrong}: must be at least 0 and below 1")
        self.per_pass, self.wrong, self.decoder = per_pass, wrong, decoder
        self.none, self.delete = vocabulary.mask, vocabulary.pad

    def rule(self, canvas: Canvas) -> AttentionRule:
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """The bound on the likelihood, at one of a text's states; half of the rows have wrong tokens besides."""
        rows_B = all_rows(canvas)
        wrong_B = self.wrong * (noise.uniform(2, rows_B, (1,))[:, 0] < 0.5)
        state = self.state(canvas, strata(canvas, noise, 1), noise, 0, wrong_B)
        ends_B = canvas.text(self.vocabulary.eos).sum(1) + 1
        return Loss([((self.nats_of(canvas, state) * state.weight_B).sum(), ends_B.sum())], state.todo_BE.sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return (one.ids_BL for one in self.edits(canvas, noise))

    def edits(self, canvas: Canvas, noise: Noise) -> Iterator[Edited]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The sum over all ways to insert the text's tokens, exact where nothing is deleted; a bound for long texts.

        Ways that also insert wrong tokens and delete them are left out, hence a bound where deletions are possible.
        """
        tokens_B = canvas.text(self.vocabulary.eos).sum(1)
        nats_B = torch.zeros_like(tokens_B, dtype=torch.float64)
        se_B = torch.zeros_like(nats_B)
        long_B = tokens_B > FEW_HOLES
        if bool(long_B.any()):
            law = self.bound(canvas, noise)
            nats_B, se_B = (found_B.where(long_B, nats_B) for found_B in (law.nats_B, law.se_B))
        full_B = tokens_B == canvas.holes_BL.sum(1)
        for tokens, full in {*zip(tokens_B[~long_B].tolist(), full_B[~long_B].tolist(), strict=True)}:
            rows_b = ((tokens_B == tokens) & (full_B == full)).nonzero()[:, 0]
            nats_B[rows_b] = self.over_insertions(canvas.rows(rows_b), tokens, full)
        return Likelihood("bound" if self.wrong or bool(long_B.any()) else "exact", nats_B, se_B)

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        """ln (1 + odds that the token is deleted); for EOS, the nats of inserting nothing at any position.

        They say which tokens are wrong, in one pass over the text; their sum is not -log p(text).
        """
        at_BH, _ = canvas.hole_positions()
        eos, ids_BH = self.vocabulary.eos, canvas.ids_BL.gather(1, at_BH)
        text_BH, counted_BH = (f(eos).gather(1, at_BH) for f in (canvas.text, canvas.text_and_end))
        odds_BWV = self.odds(canvas, ids_BH, text_BH)
        deleted_BH = F.softplus(odds_BWV[:, 1:, self.delete])
        quiet_B1 = F.softplus(ban(odds_BWV, [self.delete]).logsumexp(2)).sum(1, keepdim=True)
        return deleted_BH.where(text_BH, quiet_B1).masked_fill(~counted_BH, 0), counted_BH

    def over_insertions(self, canvas: Canvas, tokens: int, full: bool) -> Tensor:
        """ln p of texts of so many tokens, which fill the room or not, by a sum over their subsets, (B,)."""
        at_BH, _ = canvas.hole_positions()
        text_BH, room_B = canvas.ids_BL.gather(1, at_BH), canvas.holes_BL.sum(1)

        def law(kept: Kept) -> tuple[Tensor, Tensor]:
            now_BT = text_BH[:, list(kept)]
            return self.ln_p(self.odds(canvas, now_BT, torch.ones_like(now_BT, dtype=torch.bool), room_B).double())

        def steps(kept: Kept) -> Iterator[tuple[Kept, Tensor]]:
            edit_BWV, none_BG = law(kept)
            insert = {i: edit_BWV[:, gap].gather(1, text_BH[:, [i]])[:, 0] for i, gap in gaps_of(kept, tokens).items()}
            if self.per_pass == "one":
                return joint_steps(kept, insert)
            stays_BW = (-edit_BWV[:, :, self.delete].exp()).log1p()
            return separate_steps(kept, insert, none_BG.unbind(1), stays_BW.unbind(1), tokens + (not full))

        return ln_p_of_growing(tokens, steps) + law(tuple(range(tokens)))[1].sum(1)

    def bound(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Stratifies the states over the samples."""

        def sample(draw: int, stratum_B1: Tensor) -> Tensor:
            stratum_B = stratum_B1[:, 0]
            state = self.state(canvas, stratum_B, noise, draw, torch.zeros_like(stratum_B))
            return -self.nats_of(canvas, state, canvas.holes_BL.sum(1)).double() * state.weight_B

        return sampled_bound(canvas, noise, sample)

    def state(self, canvas: Canvas, stratum_B: Tensor, noise: Noise, call: int, wrong_B: Tensor) -> "State":
        """Tokens of less than a random depth, of an order sampled as `per_pass` says, and the edits still to make.

        Missing tokens belong behind the last token of the text before them, which any wrong ones follow.
        """
        at_BH, _ = canvas.hole_positions()
        truth_BH, text_BH = (x_BL.gather(1, at_BH) for x_BL in (canvas.ids_BL, canvas.text(self.vocabulary.eos)))
        depths = gap_by_gap if self.per_pass == "all" else one_by_one
        depth_BH = depths(noise.uniform(call, all_rows(canvas), at_BH.shape[1:]), text_BH)
        levels_B = 1 + (depth_BH + 1).masked_fill(~text_BH, 0).amax(1)
        keeps_BH = text_BH & (depth_BH < (stratum_B * levels_B).long()[:, None])
        false_BW, wrong_BW = self.wrong_tokens(canvas, truth_BH, text_BH, keeps_BH, wrong_B, noise)
        there_BW2 = torch.stack((F.pad(keeps_BH, (1, 0)), wrong_BW), dim=2)
        ids_BT, real_BT = packed(
            torch.stack((F.pad(truth_BH, (1, 0)), false_BW), dim=2).flatten(1), there_BW2.flatten(1), self.none
        )
        place_BW2 = there_BW2.flatten(1).cumsum(1).view(there_BW2.shape)
        gap_BH = (place_BW2 * there_BW2)[:, :, 0].cummax(1)[0][:, 1:]
        return State(
            ids_BT,
            real_BT,
            torch.cat((gap_BH, place_BW2[:, :, 1]), dim=1),
            torch.cat((truth_BH, torch.full_like(false_BW, self.delete)), dim=1),
            torch.cat((text_BH & ~keeps_BH, wrong_BW), dim=1),
            levels_B,
        )

    def wrong_tokens(
        self, canvas: Canvas, truth_BH: Tensor, text_BH: Tensor, keeps_BH: Tensor, wrong_B: Tensor, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """A wrong token for every position and where it stands, both (B, W): half of them from the text, half any.

        None is the missing token of its place or the next one of the text, which would not be wrong there.
        """
        chance_BW3 = noise.uniform(3, all_rows(canvas), (1 + text_BH.shape[1], 3))
        tokens_B1 = text_BH.sum(1, keepdim=True)
        own_BW = truth_BH.gather(1, (chance_BW3[:, :, 1] * tokens_B1).long())
        special = (self.vocabulary.mask, self.vocabulary.pad, self.vocabulary.eos)
        words_K = all_ids_but(special, self.vocabulary.size, truth_BH.device)
        any_BW = words_K[(chance_BW3[:, :, 1] * len(words_K)).long()]
        false_BW = own_BW.where((chance_BW3[:, :, 2] < 0.5) & (tokens_B1 > 0), any_BW)
        lost_BW = F.pad(truth_BH.masked_fill(keeps_BH, self.none), (1, 0), value=self.none)
        right_BW = (false_BW == lost_BW) | (false_BW == F.pad(truth_BH, (0, 1), value=self.none))
        follows_BW = F.pad(text_BH, (1, 0), value=True)
        return false_BW, follows_BW & ~right_BW & (chance_BW3[:, :, 0] < wrong_B[:, None])

    def nats_of(self, canvas: Canvas, state: "State", room_B: Tensor | None = None) -> Tensor:
        """-ln p of a state's next edits, each of those sampled together equally likely, less their entropy, (B,)."""
        edit_BWV, none_BG = self.ln_p(self.odds(canvas, state.ids_BT, state.real_BT, room_B))
        ln_p_BE = edit_BWV.flatten(1).gather(1, state.where_BE * self.vocabulary.size + state.what_BE)
        group_BE = state.where_BE.clamp(max=none_BG.shape[1] - 1)
        of_BG = torch.zeros_like(none_BG).scatter_add(1, group_BE, state.todo_BE.to(none_BG.dtype))
        of_BE = of_BG.gather(1, group_BE).clamp(min=1)
        edits_B = ((-ln_p_BE - of_BE.log()) / of_BE).masked_fill(~state.todo_BE, 0).sum(1)
        quiet_BG = F.pad(state.real_BT, (1, 0), value=True)[:, : none_BG.shape[1]] & (of_BG == 0)
        return edits_B - none_BG.masked_fill(~quiet_BG, 0).sum(1)

    def ln_p(self, odds_BWV: Tensor) -> tuple[Tensor, Tensor]:
        """ln p of every edit, (B, W, V), and of none, (B, G)."""
        odds_BGC = odds_BWV if self.per_pass == "all" else odds_BWV.flatten(1)[:, None]
        ln_p_BGC = F.pad(odds_BGC, (1, 0)).log_softmax(-1)
        return ln_p_BGC[:, :, 1:].reshape(odds_BWV.shape), ln_p_BGC[:, :, 0]

    def odds(self, canvas: Canvas, now_BT: Tensor, real_BT: Tensor, room_B: Tensor | None = None) -> Tensor:
        """ln of the odds of every edit of this text against none, (B, W, V); -inf where it is impossible.

        room_B: how many tokens fit; a full text takes no insertions. Raises ValueError where no token precedes a hole.
        """
        column_L = torch.arange(canvas.ids_BL.shape[1], device=now_BT.device)
        context_BL = ~canvas.holes_BL & ~canvas.pad_BL
        before_BL = context_BL & (column_L < canvas.starts()[:, None])
        if not before_BL.any(1).all():
            raise ValueError("canvas: a token must precede the first hole, behind which the first insertion is made")
        there_BX = torch.cat((before_BL, real_BT, context_BL & ~before_BL), dim=1)
        ids_BQ, read_BQ = packed(
            torch.cat((canvas.ids_BL, now_BT, canvas.ids_BL), dim=1), there_BX, self.vocabulary.pad
        )
        first_B1 = before_BL.sum(1, keepdim=True) - 1
        want_BW = first_B1 + torch.arange(1 + now_BT.shape[1], device=now_BT.device)
        logits_BWV = precise(
            self.backbone(ids_BQ, self.rule(canvas), pad_BL=~read_BQ, want_BW=want_BW.clamp(max=ids_BQ.shape[1] - 1))
        )
        never = [self.none, self.vocabulary.eos] + [self.delete] * (self.wrong == 0)
        odds_BWV = ban(logits_BWV - logits_BWV[:, :, self.none, None], never)
        odds_BWV = odds_BWV.masked_fill(~F.pad(real_BT, (1, 0), value=True)[:, :, None], -torch.inf)
        deletes_V = torch.arange(odds_BWV.shape[2], device=now_BT.device) == self.delete
        odds_BWV = torch.cat((odds_BWV[:, :1].masked_fill(deletes_V, -torch.inf), odds_BWV[:, 1:]), dim=1)
        if room_B is None:
            return odds_BWV
        full_B = real_BT.sum(1) >= room_B
        return odds_BWV.masked_fill(full_B[:, None, None] & ~deletes_V, -torch.inf)


class State(NamedTuple):
    """A text on its way, ids_BT where real_BT, and the E edits, at positions where_BE, that turn it into the target.

    what_BE: the token to insert, or the id of deletion.  todo_BE: which of the E there are.  weight_B: how many states
    an order leads through.
    """

    ids_BT: Tensor
    real_BT: Tensor
    where_BE: Tensor
    what_BE: Tensor
    todo_BE: Tensor
    weight_B: Tensor
