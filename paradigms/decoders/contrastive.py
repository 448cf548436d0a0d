"""Contrastive search takes the candidate that is probable and whose hidden state is unlike those of all earlier tokens.

    pass 1   p p ?          the prompt gives the k most probable next tokens
    pass 2   . . w ?        k rows read one candidate each: their hidden states decide which one is committed, and its
    pass 3   . . . w ?      row gives the next k candidates

The score of a candidate v is (1 - alpha) p(v | text) - alpha max_j cos(h_v, h_j) over all earlier tokens j, those of
the prompt included (Su et al., 2022). With alpha = 0 or k = 1 this is greedy decoding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import Canvas, Noise, Paradigm, ban
from paradigms.decoders.rows import Rows

MOST_CANDIDATES = 1000  # every row of the batch becomes as many


@dataclass(frozen=True)
class ContrastiveSearch:
    """candidates: k.  alpha: weight of the degeneration penalty, from 0 to 1."""

    candidates: int = 4
    alpha: float = 0.6

    def __post_init__(self) -> None:
        if not 1 <= self.candidates <= MOST_CANDIDATES:
            raise ValueError(f"candidates={self.candidates}: must be from 1 to {MOST_CANDIDATES:,}")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha={self.alpha}: must be from 0 to 1")

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        """A pass over the prompt, then one for every token, over k positions of each row that is left."""
        text, rule, never = Rows(canvas, model.vocabulary.eos), model.rule(canvas), model.never()
        k, start, states = min(self.candidates, model.vocabulary.size), canvas.start(), []
        cache, (read_bQ, want_b1) = model.backbone.cache(*canvas.ids_BL.shape), text.read(range(start))
        logits_b1V = model.backbone(
            read_bQ,
            rule,
            pad_BL=text.pad_bL,
            at_BQ=range(start),
            keys=start,
            want_BW=want_b1,
            cache=cache,
            states=states,
        )
        yield text.ids_BL
        cache.spread(k)
        p_bV, past_bLD = ban(logits_b1V[:, 0], never).softmax(-1), F.normalize(states.pop(), dim=-1)
        pad_nL = text.pad_bL.repeat_interleave(k, 0)
        for column in range(start, canvas.ids_BL.shape[1]):
            p_bk, token_bk = p_bV.topk(k)
            logits_n1V = model.backbone(
                token_bk.view(-1, 1),
                rule,
                pad_BL=pad_nL,
                at_BQ=range(column, column + 1),
                keys=column + 1,
                cache=cache,
                states=states,
            )
            state_bkD = F.normalize(states.pop().view(*token_bk.shape, -1), dim=-1)
            best_b = self.scores(p_bk, state_bkD, past_bLD, text.pad_bL[:, :column]).argmax(1)
            place_b, rows_b = torch.arange(len(best_b), device=best_b.device), text.rows_b
            text.write(column, token_bk[place_b, best_b])
            yield text.ids_BL
            if not text.go_on(None):
                return
            stays_b = (text.rows_b[:, None] == rows_b).byte().argmax(1)
            best_b, chosen_b = best_b[stays_b], (k * place_b + best_b)[stays_b]
            cache.keep(chosen_b.repeat_interleave(k))
            past_bLD = torch.cat((past_bLD[stays_b], state_bkD[stays_b, best_b][:, None]), dim=1)
            p_bV = ban(logits_n1V[chosen_b, 0], never).softmax(-1)
            pad_nL = pad_nL if len(stays_b) == len(rows_b) else text.pad_bL.repeat_interleave(k, 0)

    def scores(self, p_bk: Tensor, state_bkD: Tensor, past_bLD: Tensor, pad_bL: Tensor) -> Tensor:
        """The score of each candidate, (b, k); -inf where it has probability 0. States have length 1."""
        alike_bkL = state_bkD @ past_bLD.transpose(1, 2)
        penalty_bk = alike_bkL.masked_fill(pad_bL[:, None], -torch.inf).amax(2)
        return ((1 - self.alpha) * p_bk - self.alpha * penalty_bk).masked_fill(p_bk == 0, -torch.inf)
