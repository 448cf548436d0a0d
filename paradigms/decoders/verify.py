"""Draft verification: one causal pass accepts the tokens the model would have generated and adds one of its own.

    read      p p w g g g     the last generated token, which is not yet cached, and the drafted tokens
    expect    . . e e e e     the predictive distribution after each of them
    write     p p w w w .     drafted tokens up to the first rejection, then a token sampled in its place

Rows advance by different lengths, each at its own cursor. Keys and values of rejected tokens stay in the cache: a later
pass recomputes every position up to its last drafted token before a query attends to it, and causality hides the rest.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import ORDER, Canvas, Noise, Paradigm, all_rows, ban
from paradigms.decoders.sampling import pick
from paradigms.trunk.attention import AttentionRule, causal


def law(logits_bKV: Tensor, temperature: float) -> Tensor:
    """The distribution that tokens are sampled from at a temperature above 0, float64, (b, K, V)."""
    return (logits_bKV.double() / temperature).softmax(-1)


def accept(
    p_bNV: Tensor, q_bKV: Tensor, draft_bK: Tensor, chance_bK: Tensor, draw: Callable[[], Tensor]
) -> tuple[Tensor, Tensor]:
    """Accepted length of a draft from q, (b,), and the token after it, (b,), such that the text follows p; N = K + 1.

    A drafted token is accepted with probability min(1, p / q). At the first rejection a token is sampled from
    max(p - q, 0), normalised; where all are accepted, it is sampled from the last p (Leviathan et al., 2023).
    chance_bK: uniform samples.  draw: returns uniform samples, (b,).
    """
    guess_bK1 = draft_bK[:, :, None]
    stays_bK1 = chance_bK[:, :, None] * q_bKV.gather(2, guess_bK1) < p_bNV[:, :-1].gather(2, guess_bK1)
    accepted_b = stays_bK1[:, :, 0].long().cumprod(1).sum(1)
    there = torch.arange(len(draft_bK), device=draft_bK.device), accepted_b
    left_bV = (p_bNV[there] - F.pad(q_bKV, (0, 0, 0, 1))[there]).clamp(min=0)
    return accepted_b, pick(left_bV.log(), 1.0, draw)


class Writing:
    """The state of generation, with a cursor for every row; a row that has ended leaves the batch.

    ids_BL: the tokens generated so far.  rows_b: the rows that have not ended.  cursor_B: column of a row's next token.
    expected_BL: the latest most probable token at each column; initially the prompt's last token everywhere.
    unread: how many columns before the cursors no pass has read: first the prompt, later one token.
    call: number of the latest pass, from 0; it is the same for a row alone as in a batch.
    """

    def __init__(
        self,
        model: Paradigm,
        canvas: Canvas,
        noise: Noise,
        temperature: float,
        window: int,
        states: list[Tensor] | None = None,
    ):
        """window: length of the longest draft, in tokens.  states: as in `Backbone.forward`."""
        self.model, self.canvas, self.noise, self.temperature, self.window = model, canvas, noise, temperature, window
        rows, columns = canvas.ids_BL.shape
        self.roomy_BL = F.pad(canvas.ids_BL, (0, window + 1))  # a draft may extend beyond the last hole
        self.pad_BL = F.pad(canvas.pad_BL, (0, window + 1), value=True)
        self.ids_BL, self.rows_b = self.roomy_BL[:, :columns], all_rows(canvas)
        self.cursor_B = torch.full_like(self.rows_b, canvas.start())
        self.end_B = self.cursor_B + canvas.holes_BL.sum(1)
        self.expected_BL = self.ids_BL[:, canvas.start() - 1, None].repeat(1, columns + window + 1)
        self.cache = model.backbone.cache(rows, columns + window + 1)
        self.unread, self.call = canvas.start(), -1
        self.asked = {} if states is None else {"states": states}

    def places(self, first: int, past: int) -> tuple[Tensor, Tensor]:
        """An index into (B, L): the remaining rows' columns from cursor + first up to cursor + past, exclusive."""
        offset_K = torch.arange(first, past, device=self.rows_b.device)
        return self.rows_b[:, None], self.cursor_B[self.rows_b, None] + offset_K

    def last(self) -> Tensor:
        """The last token of prompt or text, (b, 1)."""
        return self.ids_BL[self.places(-1, 0)]

    def expected(self) -> Tensor:
        """The latest most probable tokens within the window, (b, K)."""
        return self.expected_BL[self.places(0, self.window)]

    def read(self, guess_bK: Tensor, rule: AttentionRule) -> Tensor:
        """One pass over the unread tokens and a draft: logits (b, K + 1, V), after the text and each drafted token."""
        queries, (_, at_bQ) = self.unread + guess_bK.shape[1], self.places(-self.unread, guess_bK.shape[1])
        want_N = torch.arange(self.unread - 1, queries, device=guess_bK.device)
        logits_bNV = self.model.backbone(
            torch.cat((self.ids_BL[self.places(-self.unread, 0)], guess_bK), dim=1),
            rule,
            pad_BL=self.pad_BL[self.rows_b, : int(at_bQ.max()) + 1],
            at_BQ=at_bQ,
            want_BW=want_N.expand(len(guess_bK), -1),
            cache=self.cache,
            **self.asked,
        )
        self.unread, self.call = 1, self.call + 1
        return ban(logits_bNV, self.model.never())

    def verify(self, draft_bK: Tensor, drawn_from_bKV: Tensor | None = None) -> Tensor:
        """Verifies a draft in one pass; appends what is accepted and one more token. Returns the argmax, (b, K + 1).

        drawn_from_bKV: the logits that the draft was sampled from; None for a draft that was not sampled, for which q
        puts all mass on the drafted token.
        """
        logits_bNV = self.read(draft_bK, causal)
        expected_bN = logits_bNV.argmax(-1)
        self.expected_BL[self.places(0, expected_bN.shape[1])] = expected_bN
        if self.temperature == 0:
            accepted_b = (draft_bK == expected_bN[:, :-1]).long().cumprod(1).sum(1)
            next_b = expected_bN.gather(1, accepted_b[:, None])[:, 0]
        else:
            p_bNV, rows_b = law(logits_bNV, self.temperature), self.rows_b
            if drawn_from_bKV is None:
                q_bKV = F.one_hot(draft_bK, p_bNV.shape[2]).double()
            else:
                q_bKV = law(drawn_from_bKV, self.temperature)
            chance_bK = self.noise.uniform(self.call, rows_b, draft_bK.shape[1:], ORDER)
            draw = partial(self.noise.uniform, self.call, rows_b, ())
            accepted_b, next_b = accept(p_bNV, q_bKV, draft_bK, chance_bK, draw)
        self.write(F.pad(draft_bK, (0, 1)).scatter(1, accepted_b[:, None], next_b[:, None]), accepted_b)
        return expected_bN

    def write(self, token_bN: Tensor, accepted_b: Tensor) -> None:
        """Appends the first accepted + 1 tokens, as far as there are holes, and EOS to the end after the first EOS."""
        rows_b, eos, place_bN = self.rows_b, self.model.vocabulary.eos, self.places(0, token_bN.shape[1])
        past_b = (self.cursor_B[rows_b] + accepted_b + 1).minimum(self.end_B[rows_b])
        written_bN = place_bN[1] < past_b[:, None]
        self.roomy_BL[place_bN] = token_bN.where(written_bN, self.roomy_BL[place_bN])
        self.cursor_B[rows_b] = past_b
        ended_b = (written_bN & (token_bN == eos)).any(1)
        if ended_b.any():
            kept_BL = replace(self.canvas, ids_BL=self.ids_BL).text_and_end(eos)
            self.ids_BL.masked_fill_(self.canvas.holes_BL & ~kept_BL, eos)
        alive_b = ~ended_b & (past_b < self.end_B[rows_b])
        if not alive_b.all():
            self.rows_b = rows_b[alive_b]
            self.cache.keep(alive_b)
