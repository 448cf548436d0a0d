"""Drafts that need neither a forward pass nor training: they reuse earlier predictions or earlier text."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import Canvas, Noise, Paradigm
from paradigms.decoders.sampling import at_least
from paradigms.decoders.verify import Writing


@dataclass(frozen=True)
class Jacobi:
    """Drafts the tokens that the previous pass predicted for the window, right or wrong (Santilli et al., 2023).

        pass 1   p p e e e .    at first, the prompt's last token, repeated
        pass 2   p p w e e e    all drafted tokens are updated at once, as in Jacobi iteration

    The fixed point is the greedy text. At temperatures above 0 the drafted tokens are still the most probable ones.
    """

    window: int = 8
    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "window", 1)
        at_least(self, "temperature", 0)

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        text = Writing(model, canvas, noise, self.temperature, self.window)
        while len(text.rows_b):
            text.verify(text.expected())
            yield text.ids_BL


@dataclass(frozen=True)
class Lookahead:
    """Jacobi's draft, headed by an n-gram that an earlier pass predicted after the same last token (Fu et al., 2024).

    This is simpler than published: the pool keeps only the latest n-gram for each first token, and one that is found
    replaces the window's first tokens instead of adding a second draft, so that a pass verifies one draft only.
    """

    window: int = 8
    ngram: int = 4
    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "window", 1)
        at_least(self, "temperature", 0)
        if not 2 <= self.ngram <= self.window + 1:
            raise ValueError(f"ngram={self.ngram}: must be from 2 to window + 1, here {self.window + 1}")

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        text, follow, unknown = Writing(model, canvas, noise, self.temperature, self.window), self.ngram - 1, -1
        pool_BVn = text.ids_BL.new_full((len(text.ids_BL), model.vocabulary.size, follow), unknown)
        while len(rows_b := text.rows_b):
            last_b1, draft_bK = text.last(), text.expected()
            found_bn = pool_BVn[rows_b, last_b1[:, 0]]
            draft_bK[:, :follow] = found_bn.where(found_bn != unknown, draft_bK[:, :follow])
            expected_bN = text.verify(draft_bK)
            yield text.ids_BL
            read_bN = torch.cat((last_b1, draft_bK), dim=1)
            for first in range(self.window + 2 - follow):  # in sequence, so that of equal tokens the last one counts
                pool_BVn[rows_b, read_bN[:, first]] = expected_bN[:, first : first + follow]


@dataclass(frozen=True)
class PromptLookup:
    """Drafts the tokens that followed an earlier occurrence of the last tokens in prompt or text (Saxena, 2023).

    a b c d , x a b [c d , x]    the longest match of at most `ngram` last tokens, at its first occurrence
    """

    window: int = 10
    ngram: int = 3
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("window", "ngram"):
            at_least(self, name, 1)
        at_least(self, "temperature", 0)

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        text, nothing = Writing(model, canvas, noise, self.temperature, self.window), model.vocabulary.pad
        while len(rows_b := text.rows_b):
            cursor_b = text.cursor_B[rows_b]
            text.verify(look_up(text.ids_BL[rows_b], cursor_b, self.window, self.ngram, nothing))
            yield text.ids_BL


def look_up(ids_bL: Tensor, cursor_b: Tensor, window: int, ngram: int, nothing: int) -> Tensor:
    """The draft for the columns from the cursors on, (b, window); `nothing`, which also pads rows, where none is found.

    Matches end before the last token; the one with the most equal last tokens wins, the first among equals.
    """
    column_L = torch.arange(ids_bL.shape[1], device=ids_bL.device)
    ids_bL = ids_bL.masked_fill(column_L >= cursor_b[:, None], nothing)
    ending_bLn = F.pad(ids_bL, (ngram - 1, 0), value=nothing).unfold(1, ngram, 1)  # the n tokens up to each column
    last_b1 = cursor_b[:, None] - 1
    suffix_b1n = ending_bLn.gather(1, last_b1[:, :, None].expand(-1, -1, ngram))
    same_bLn = (ending_bLn == suffix_b1n) & (ending_bLn != nothing)
    alike_bL = same_bLn.flip(2).long().cumprod(2).sum(2).masked_fill(column_L >= last_b1, 0)
    most_b1, place_b1 = alike_bL.max(1, keepdim=True)
    behind_bK = place_b1 + 1 + torch.arange(window, device=ids_bL.device)
    return F.pad(ids_bL, (0, window), value=nothing).gather(1, behind_bK).masked_fill(most_b1 == 0, nothing)
