"""Edits of a text until none is made: which are sampled, what the text is after them, and where its tokens stood.

    pass 1   p p b | s            behind every position a token may be inserted, every token may be deleted
    pass 2   p p a b x | s        a token that is inserted shifts those behind it
    pass 3   p p a b c | s        x is deleted, c inserted behind b
    pass 4   p p a b c | s        nothing changes: the text has ended

The holes of the canvas are the room. What is no text in them is masked while the text grows, and EOS once it has ended.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import Canvas, Edited, Noise, Vocabulary, all_rows
from paradigms.decoders.sampling import at_least, pick


class Editor(Protocol):
    """A paradigm that edits: in dimension suffixes T runs over the text so far, W over it and the token before it.

    G runs over what is sampled at once: W, or 1 where a pass makes one edit of the whole text. Deletion has the id of
    padding, and no edit that of the mask.
    """

    vocabulary: Vocabulary

    def odds(self, canvas: Canvas, now_BT: Tensor, real_BT: Tensor, room_B: Tensor | None = None) -> Tensor: ...

    def ln_p(self, odds_BWV: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class EditAndStop:
    """temperature: of an edit; at 0 something changes where that is likelier than not, and then what is likeliest."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)

    def __call__(self, model: Editor, canvas: Canvas, noise: Noise) -> Iterator[Edited]:
        none, delete, eos = model.vocabulary.mask, model.vocabulary.pad, model.vocabulary.eos
        at_BH, real_BH = canvas.hole_positions()
        room_B, column_H = real_BH.sum(1), torch.arange(at_BH.shape[1], device=at_BH.device)
        text_BL = canvas.text(eos) & (canvas.ids_BL != none)
        draft_BH = text_BL.gather(1, at_BH) & real_BH
        text_BH, _ = packed(canvas.ids_BL.gather(1, at_BH), draft_BH, none, len(column_H))
        tokens_B, ids_BL, rows_b = draft_BH.sum(1), canvas.ids_BL, all_rows(canvas)
        for call in itertools.count():
            now_bT = text_BH[rows_b, : int(tokens_B[rows_b].max())]
            real_bT, room_b = column_H[: now_bT.shape[1]] < tokens_B[rows_b, None], room_B[rows_b]
            odds_bWV = model.odds(canvas.rows(rows_b), now_bT, real_bT, room_b)
            edit_bW = self.drawn(model, odds_bWV, call, rows_b, noise)
            next_bH, from_bH, changed_b = applied(now_bT, real_bT, edit_bW, room_b, len(column_H), none, delete)
            done_b = ~changed_b | (call > 2 * room_b)
            text_BH, tokens_B = text_BH.clone(), tokens_B.clone()
            text_BH[rows_b], tokens_B[rows_b] = next_bH, (next_bH != none).sum(1)
            # what is no text is masked until the text is known to have ended
            shown_bH = next_bH.masked_fill((next_bH == none) & done_b[:, None], eos)
            at_bH, hole_bH = at_BH[rows_b], real_BH[rows_b]
            moved_bH = at_bH.gather(1, from_bH.clamp(min=0)).masked_fill(from_bH < 0, -1)
            ids_BL, from_BL = ids_BL.clone(), torch.arange(ids_BL.shape[1], device=ids_BL.device).repeat(len(ids_BL), 1)
            ids_BL[rows_b[:, None], at_bH] = shown_bH.where(hole_bH, ids_BL[rows_b[:, None], at_bH])
            from_BL[rows_b[:, None], at_bH] = moved_bH.where(hole_bH, at_bH)
            yield Edited(ids_BL, from_BL)
            rows_b = rows_b[~done_b]
            if not len(rows_b):
                return

    def drawn(self, model: Editor, odds_bWV: Tensor, call: int, rows_b: Tensor, noise: Noise) -> Tensor:
        """What happens at every position, (b, W): an inserted token, the id of deletion, or that of none."""
        edit_bWV, none_bG = model.ln_p(odds_bWV)
        ln_p_bGC = torch.cat((none_bG[:, :, None], edit_bWV.reshape(*none_bG.shape, -1)), dim=2)
        if self.temperature == 0:
            acts_bG = ln_p_bGC[:, :, 1:].logsumexp(2) > ln_p_bGC[:, :, 0]
            ln_p_bGC[:, :, 0].masked_fill_(acts_bG, -torch.inf)
        choice_bG = pick(ln_p_bGC, self.temperature, lambda: noise.uniform(call, rows_b, none_bG.shape[1:]))
        at_bG, what_bG = (choice_bG - 1).clamp(min=0) // odds_bWV.shape[2], (choice_bG - 1) % odds_bWV.shape[2]
        if none_bG.shape[1] > 1:  # every position makes its own choice
            at_bG = torch.arange(none_bG.shape[1], device=at_bG.device).expand_as(at_bG)
        none_bW = torch.full_like(odds_bWV[:, :, 0], model.vocabulary.mask, dtype=torch.long)
        return none_bW.scatter(1, at_bG, what_bG.masked_fill(choice_bG == 0, model.vocabulary.mask))


def applied(
    now_bT: Tensor, real_bT: Tensor, edit_bW: Tensor, room_b: Tensor, holes: int, none: int, delete: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The text after the edits, (b, H), where its tokens stood before, (b, H), and whether it changed, (b,).

    Both are filled up: the text with the id of none, the places with -1 as for a token that was inserted.
    """
    stays_bT = real_bT & (edit_bW[:, 1:] != delete)
    inserts_bW = (edit_bW != none) & (edit_bW != delete)
    inserts_bW &= inserts_bW.cumsum(1) <= (room_b - stays_bT.sum(1))[:, None]
    there_bX = F.pad(torch.stack((F.pad(stays_bT, (1, 0)), inserts_bW), dim=2).flatten(1), (0, holes))
    stood_bW = torch.arange(-1, now_bT.shape[1], device=now_bT.device).expand_as(edit_bW)
    ids_bX = F.pad(torch.stack((F.pad(now_bT, (1, 0)), edit_bW), dim=2).flatten(1), (0, holes))
    from_bX = F.pad(torch.stack((stood_bW, torch.full_like(stood_bW, -1)), dim=2).flatten(1), (0, holes))
    changed_b = inserts_bW.any(1) | (real_bT & ~stays_bT).any(1)
    next_bH, from_bH = (packed(x_bX, there_bX, fill, holes)[0] for x_bX, fill in ((ids_bX, none), (from_bX, -1)))
    return next_bH, from_bH, changed_b


def packed(ids_BX: Tensor, there_BX: Tensor, fill: int, width: int | None = None) -> tuple[Tensor, Tensor]:
    """The ids that are there, moved to the left and filled up with `fill`, and where they are, both (B, width).

    width: by default that of the row with the most.
    """
    width = int(there_BX.sum(1).max()) if width is None else width
    order_BQ = (~there_BX).byte().argsort(dim=1, stable=True)[:, :width]
    real_BQ = there_BX.gather(1, order_BQ)
    return ids_BX.gather(1, order_BQ).masked_fill(~real_BQ, fill), real_BQ
