"""A draft is read in one causal call: what the model would have written stays, and one token of its own follows.

    read      p p w g g g     the last token written, whose keys and values are still missing, and the guesses
    expect    . . e e e e     a law behind each of them
    write     p p w w w .     guesses up to the first that is refused, then a token drawn in its place

Rows advance by different lengths, each at its own cursor. Keys and values of refused guesses stay where they are: a
later call reads every position up to its last guess anew before anything attends to it, and causality hides the rest.
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
    """What tokens are drawn from at a temperature above 0, float64."""
    return (logits_bKV.double() / temperature).softmax(-1)


def accept(
    p_bNV: Tensor, q_bKV: Tensor, draft_bK: Tensor, chance_bK: Tensor, draw: Callable[[], Tensor]
) -> tuple[Tensor, Tensor]:
    """How much of a draft from q stays, (b,), and the token behind it, (b,), so that the text has law p; N = K + 1.

    A guess stays with min(1, p / q); for the first that does not, a token is drawn from max(p - q, 0), normalised, and
    where all stay, from the last p (Leviathan et al., 2023). chance: uniform.  draw: uniform, (b, V).
    """
    guess_bK1 = draft_bK[:, :, None]
    stays_bK1 = chance_bK[:, :, None] * q_bKV.gather(2, guess_bK1) < p_bNV[:, :-1].gather(2, guess_bK1)
    accepted_b = stays_bK1[:, :, 0].long().cumprod(1).sum(1)
    there = torch.arange(len(draft_bK), device=draft_bK.device), accepted_b
    left_bV = (p_bNV[there] - F.pad(q_bKV, (0, 0, 0, 1))[there]).clamp(min=0)
    return accepted_b, pick(left_bV.log(), 1.0, draw)


class Writing:
    """A canvas being written, every row at its own cursor; a row that has ended leaves the batch.

    ids_BL: what is written so far.  rows_b: the rows still being written.  cursor_B: where a row's next token goes.
    expected_BL: what the model last found likeliest at each position; at first, the prompt's last token everywhere.
    unread: how many columns before the cursors no call has read: the prompt, later one token.
    call: the last one's number, from 0; it is the same for a row alone as in a batch.
    """

    def __init__(self, model: Paradigm, canvas: Canvas, noise: Noise, temperature: float, window: int):
        """window: the longest draft."""
        self.model, self.canvas, self.noise, self.temperature, self.window = model, canvas, noise, temperature, window
        rows, columns = canvas.ids_BL.shape
        self.roomy_BL = F.pad(canvas.ids_BL, (0, window + 1))  # a draft may reach past the last hole
        self.pad_BL = F.pad(canvas.pad_BL, (0, window + 1), value=True)
        self.ids_BL, self.rows_b = self.roomy_BL[:, :columns], all_rows(canvas)
        self.cursor_B = torch.full_like(self.rows_b, canvas.start())
        self.end_B = self.cursor_B + canvas.holes_BL.sum(1)
        self.expected_BL = self.ids_BL[:, canvas.start() - 1, None].repeat(1, columns + window + 1)
        self.cache = model.backbone.cache(rows, columns + window + 1)
        self.unread, self.call = canvas.start(), -1

    def places(self, first: int, past: int) -> tuple[Tensor, Tensor]:
        """The remaining rows' columns from cursor + first to before cursor + past, as an index into (B, L)."""
        offset_K = torch.arange(first, past, device=self.rows_b.device)
        return self.rows_b[:, None], self.cursor_B[self.rows_b, None] + offset_K

    def last(self) -> Tensor:
        """The last token of prompt or text, (b, 1)."""
        return self.ids_BL[self.places(-1, 0)]

    def expected(self) -> Tensor:
        """What the model last expected in the window, (b, K)."""
        return self.expected_BL[self.places(0, self.window)]

    def read(self, guess_bK: Tensor, rule: AttentionRule) -> Tensor:
        """One call over what is unread and the guesses: logits (b, K + 1, V), behind the text and behind each guess."""
        queries, (_, at_bQ) = self.unread + guess_bK.shape[1], self.places(-self.unread, guess_bK.shape[1])
        want_N = torch.arange(self.unread - 1, queries, device=guess_bK.device)
        logits_bNV = self.model.backbone(
            torch.cat((self.ids_BL[self.places(-self.unread, 0)], guess_bK), dim=1),
            rule,
            pad_BL=self.pad_BL[self.rows_b, : int(at_bQ.max()) + 1],
            at_BQ=at_bQ,
            want_BW=want_N.expand(len(guess_bK), -1),
            cache=self.cache,
        )
        self.unread, self.call = 1, self.call + 1
        return ban(logits_bNV, self.model.never())

    def verify(self, draft_bK: Tensor, drawn_from_bKV: Tensor | None = None) -> Tensor:
        """One call over a draft; writes what stays and a token more. Returns the likeliest behind each, (b, K + 1).

        drawn_from_bKV: the logits a draft was drawn from; of guesses that were not drawn, all of q is on the guess.
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
            draw = partial(self.noise.uniform, self.call, rows_b, p_bNV.shape[2:])
            accepted_b, next_b = accept(p_bNV, q_bKV, draft_bK, chance_bK, draw)
        self.write(F.pad(draft_bK, (0, 1)).scatter(1, accepted_b[:, None], next_b[:, None]), accepted_b)
        return expected_bN

    def write(self, token_bN: Tensor, accepted_b: Tensor) -> None:
        """The first accepted + 1 tokens, as far as there are holes; from the first end on, ends."""
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
