"""Beam search keeps the k most probable beginnings of a text and extends all of them by one token in every pass.

    pass 1   p p a | p p b          the k best first tokens; keys and values of the prompt are copied to k rows
    pass 2   p p a c | p p a d      the k best of all continuations of all beams, here both of the first
    pass 3   p p a c . | p p a d e  a beam that ends is kept as finished, and the search goes on with k others

A text of n tokens (its end token is one of them) scores log p / n^alpha, as in transformers' `generate`, whose rules of
continuation are these, too: of the 2 k best continuations, those that end are finished if they are among the first k,
and the k best others stay open (Sutskever et al., 2014; Wu et al., 2016, normalise by another function of the length).
A row stops as soon as no open beam can exceed its best finished text, which loses nothing (`early_stopping="never"`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm, all_rows, ban
from paradigms.decoders.sampling import at_least

MOST_BEAMS = 1000  # every row of the batch becomes as many


@dataclass(frozen=True)
class BeamSearch:
    """beams: k.  length_penalty: alpha, above 0 in favour of long texts; with 0 the score is log p."""

    beams: int = 4
    length_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.beams <= MOST_BEAMS:
            raise ValueError(f"beams={self.beams}: must be from 1 to {MOST_BEAMS:,}")
        at_least(self, "length_penalty", 0)
        if self.length_penalty > 10:
            raise ValueError(f"length_penalty={self.length_penalty}: must be at most 10")

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        """Yields each row's best text so far, finished or open; a pass reads k positions of each row that is left."""
        start, rule, k = canvas.start(), model.rule(canvas), self.beams
        beams, cache = Beams(canvas, k, self.length_penalty), model.backbone.cache(*canvas.ids_BL.shape)
        read_nQ, pad_nL, at = canvas.ids_BL[:, :start], canvas.pad_BL, range(start)
        for column in range(start, canvas.ids_BL.shape[1]):
            logits_nV = model.backbone(
                read_nQ,
                rule,
                pad_BL=pad_nL,
                at_BQ=at,
                keys=column,
                want_BW=read_nQ.new_full((len(read_nQ), 1), len(at) - 1),
                cache=cache,
            )[:, 0]
            log_p_nV = ban(logits_nV, model.never()).double().log_softmax(-1)
            from_bk, alive_b = beams.extend(column, log_p_nV, model.vocabulary.eos)
            yield beams.shown_BL
            if not alive_b.any():
                return
            if column == start:
                cache.spread(k)
            place_b1 = k * torch.arange(len(alive_b), device=alive_b.device)[:, None]
            cache.keep((place_b1 + from_bk)[alive_b].flatten())
            if column == start or not alive_b.all():
                pad_nL = canvas.pad_BL[beams.rows_b].repeat_interleave(k, 0)
            read_nQ, at = beams.ids_bkL[:, :, column].reshape(-1, 1), range(column, column + 1)


class Beams:
    """The hypotheses of the b rows that go on: ids_bkL, score_bk (log p), best first; and each row's best finished one.

    shown_BL: the best text of every row so far.  best_B: the score of its best finished text, -inf where there is none.
    """

    def __init__(self, canvas: Canvas, k: int, alpha: float):
        self.canvas, self.k, self.alpha, self.start = canvas, k, alpha, canvas.start()
        self.rows_b, self.holes_B = all_rows(canvas), canvas.holes_BL.sum(1)
        self.ids_bkL = canvas.ids_BL[:, None].repeat(1, k, 1)
        self.score_bk = torch.full((len(self.rows_b), k), -torch.inf, dtype=torch.float64, device=self.rows_b.device)
        self.score_bk[:, 0] = 0
        self.best_B = self.score_bk[:, 0] - torch.inf
        self.shown_BL, self.finished_BL = canvas.ids_BL.clone(), canvas.ids_BL.clone()

    def extend(self, column: int, log_p_nV: Tensor, eos: int) -> tuple[Tensor, Tensor]:
        """Extends the beams to a column; returns which beam each new one extends, (b, k), and which rows go on, (b,).

        log_p_nV: of the next token after each beam, or, before the first token, after each row's prompt.
        """
        rows_b, k, V = self.rows_b, self.k, log_p_nV.shape[1]
        total_bkV = self.score_bk[:, :, None] + log_p_nV.view(len(rows_b), -1, V)
        score_bC, flat_bC = total_bkV.flatten(1).topk(2 * k)
        from_bC, token_bC = flat_bC // V, flat_bC % V
        length, last_b = column - self.start + 1, self.holes_B[rows_b] == column - self.start + 1
        ends_bC = (token_bC == eos) | last_b[:, None]
        self.finish(column, score_bC[:, :k].masked_fill(~ends_bC[:, :k], -torch.inf), from_bC, token_bC, eos)
        score_bk, place_bk = score_bC.masked_fill(ends_bC, -torch.inf).topk(k)
        from_bk, token_bk = from_bC.gather(1, place_bk), token_bC.gather(1, place_bk)
        ids_bkL = self.ids_bkL.gather(1, from_bk[:, :, None].expand_as(self.ids_bkL))
        ids_bkL[:, :, column] = token_bk.where(score_bk > -torch.inf, self.ids_bkL[:, :, column])
        open_b = score_bk[:, 0] / length**self.alpha > self.best_B[rows_b]
        self.shown_BL[rows_b] = ids_bkL[:, 0].where(open_b[:, None], self.finished_BL[rows_b])
        alive_b = self.could_win(score_bk[:, 0])
        over_b = rows_b[~alive_b]
        self.shown_BL[over_b] = self.finished_BL[over_b]
        self.rows_b, self.ids_bkL, self.score_bk = rows_b[alive_b], ids_bkL[alive_b], score_bk[alive_b]
        return from_bk, alive_b

    def finish(self, column: int, score_bk: Tensor, from_bC: Tensor, token_bC: Tensor, eos: int) -> None:
        """Keeps the best continuation that ends here, with log p of score_bk, if it is the row's best so far."""
        found_b, place_b = (score_bk / (column - self.start + 1) ** self.alpha).max(1)
        better_b = found_b > self.best_B[self.rows_b]
        rows_b, place_b1 = self.rows_b[better_b], place_b[better_b, None]
        from_b, token_b1 = from_bC[better_b].gather(1, place_b1)[:, 0], token_bC[better_b].gather(1, place_b1)
        later_bL = self.canvas.holes_BL[rows_b] & (torch.arange(self.ids_bkL.shape[2], device=rows_b.device) > column)
        text_bL = self.ids_bkL[better_b, from_b].masked_fill(later_bL, eos)
        self.finished_BL[rows_b] = text_bL.index_copy(1, rows_b.new_tensor([column]), token_b1)
        self.best_B[rows_b] = found_b[better_b]

    def could_win(self, score_b: Tensor) -> Tensor:
        """bool (b,): whether a beam with this log p, which cannot rise, can exceed the best finished at full length."""
        return score_b / self.holes_B[self.rows_b] ** self.alpha > self.best_B[self.rows_b]
