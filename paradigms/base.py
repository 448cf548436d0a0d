"""What every way of writing must say: how it learns, how it writes, how likely it finds a text."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paradigms.trunk.attention import AttentionRule
from paradigms.trunk.backbone import Backbone

TOKENS, ORDER = 0, 1  # the noise's streams: which token is drawn, where it is written
LATER = 1 << 20  # what revises a text numbers its calls from here: behind those that wrote it

Length = Literal["eos", "predicted", "oracle", "fixed"]


@dataclass(frozen=True)
class Vocabulary:
    """The ids with a meaning of their own; all others are text.

    `eos` ends a text and also closes the prompt, so that an empty prompt still has one token.
    """

    size: int
    mask: int
    eos: int
    pad: int


@dataclass(frozen=True)
class Canvas:
    """B rows of L positions with holes to be filled.

    ids_BL: int64; in training the truth, in decoding the mask id inside holes.
    holes_BL: bool, True where text is to be written.
    pad_BL: bool, True where there is nothing; never attended, never scored.
    """

    ids_BL: Tensor
    holes_BL: Tensor
    pad_BL: Tensor

    def to(self, device: torch.device) -> "Canvas":
        return Canvas(self.ids_BL.to(device), self.holes_BL.to(device), self.pad_BL.to(device))

    def rows(self, rows_b: Tensor) -> "Canvas":
        return Canvas(self.ids_BL[rows_b], self.holes_BL[rows_b], self.pad_BL[rows_b])

    def hole_positions(self) -> tuple[Tensor, Tensor]:
        """Where the holes are: (at_BH, real_BH), H the most holes of a row.

        Rows with fewer holes are filled up with other positions, marked False in real_BH.
        """
        widest = int(self.holes_BL.sum(1).max())
        at_BH = (~self.holes_BL).byte().argsort(dim=1, stable=True)[:, :widest]
        return at_BH, self.holes_BL.gather(1, at_BH)

    def text(self, eos: int) -> Tensor:
        """bool (B, L): the holes before a row's first end token."""
        return self.holes_BL & (((self.ids_BL == eos) & self.holes_BL).cumsum(1) == 0)

    def text_and_end(self, eos: int) -> Tensor:
        """bool (B, L): the holes up to a row's first end token; what stands behind it is nobody's text."""
        is_end_BL = (self.ids_BL == eos) & self.holes_BL
        return self.holes_BL & (is_end_BL.cumsum(1) == is_end_BL.long())

    def without_columns_behind(self, needed_BL: Tensor) -> "Canvas":
        """The same, up to the last column that any row needs."""
        columns = int(needed_BL.any(0).nonzero().max()) + 1
        return Canvas(self.ids_BL[:, :columns], self.holes_BL[:, :columns], self.pad_BL[:, :columns])

    def start(self) -> int:
        """The column at which every row's writing begins, the same in all rows.

        Raises ValueError where rows begin at different columns.
        """
        first_B = self.starts()
        if bool((first_B != first_B[0]).any()):
            raise ValueError("canvas: the rows' holes begin at different columns")
        return int(first_B[0])

    def starts(self) -> Tensor:
        """The column at which each row's writing begins, (B,)."""
        return self.holes_BL.byte().argmax(1)


class Noise(Protocol):
    """Where all randomness comes from: reproducible draws that belong to a row, not to a batch."""

    def uniform(self, call: int, rows_b: Tensor, shape: tuple[int, ...], stream: int = TOKENS) -> Tensor:
        """float64 draws in (0, 1), shape (len(rows_b), *shape), for these rows of the canvas.

        The same (seed, row, call, stream) gives the same numbers, whichever other rows are present; a larger first
        dimension of `shape` only adds numbers at the end.
        """
        ...


class Loss(NamedTuple):
    """What one training batch costs: `mean` (nats, to be minimised) over `supervised` tokens."""

    mean: Tensor
    supervised: Tensor


@dataclass(frozen=True)
class Likelihood:
    """log p(text) of every row in nats, and what kind of number that is.

    exact: the law the decoder samples from.  bound: below the exact value, with a Monte-Carlo standard error.
    pseudo: a product of conditionals that no joint law need have.
    exact_B: beside a bound, the exact value, NaN in rows where it is not known.
    """

    kind: Literal["exact", "bound", "pseudo"]
    nats_B: Tensor
    se_B: Tensor
    exact_B: Tensor | None = None


class Paradigm(ABC, nn.Module):
    """A way of writing text over a backbone; it owns no parameters beside the backbone's."""

    fills: ClassVar[frozenset[str]]
    """The hole shapes it can fill: "suffix", "span", "scattered"."""

    aligned: ClassVar[bool] = True
    """Is every token drawn from logits for its own hole?

    Where not, no hole has a law that could be watched, and a text whose end is forbidden is no longer for it.
    """

    length: Length
    """Who says where the text ends: the paradigm (eos, predicted), the reference (oracle), or nobody (fixed)."""

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone):
        super().__init__()
        self.vocabulary = vocabulary
        self.backbone = backbone

    @abstractmethod
    def rule(self, canvas: Canvas) -> AttentionRule:
        """May this query see that key? The rule it trains under, for the canvas at hand."""

    @abstractmethod
    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """The training objective on one batch; `progress` is the share of training done, 0 to 1."""

    @abstractmethod
    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        """Fills the holes; yields ids_BL after every backbone call.

        The tensor is read-only and valid until the next step; it always has all rows in canvas order.
        """

    @abstractmethod
    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """log p(text in the holes | the rest) of every row."""

    @abstractmethod
    def token_nats(self, canvas: Canvas) -> tuple[Tensor, Tensor]:
        """-log p of each hole's token given all that the paradigm lets it see, and which count, (B, H) both.

        What counts is text and the end behind it; what does not has 0 nats.
        """

    def nats(self, logits_BHV: Tensor, truth_BH: Tensor, counted_BH: Tensor, *, training: bool = False) -> Tensor:
        """-log p of the truth, (B, H), under the law the decoder draws from; 0 where it does not count.

        In training ends are always possible, whatever the decoder will be: one training serves them all.
        """
        truth_N = truth_BH.masked_fill(~counted_BH, -100).flatten()
        never = [self.vocabulary.mask, self.vocabulary.pad] if training else self.never()
        logits_NV = ban(logits_BHV, never).flatten(0, 1)
        return F.cross_entropy(logits_NV, truth_N, reduction="none").view(truth_BH.shape)

    def never(self) -> list[int]:
        """Ids that are never written: mask and padding, and the end where its place is given from outside."""
        given = self.length in ("oracle", "fixed", "predicted")
        return [self.vocabulary.mask, self.vocabulary.pad] + [self.vocabulary.eos] * given


def all_rows(canvas: Canvas) -> Tensor:
    return torch.arange(canvas.ids_BL.shape[0], device=canvas.ids_BL.device)


def ban(logits: Tensor, ids: list[int]) -> Tensor:
    """logits (..., V) with the given ids made impossible; in place, for a copy would cost more than the rest."""
    for token in ids:
        logits[..., token] = -torch.inf
    return logits


def given_the_rest(model: Paradigm, canvas: Canvas) -> tuple[Tensor, Tensor]:
    """-log p of every hole's token given all others, a call for each hole, and which count, (B, H) both."""
    at_BH, real_BH = canvas.hole_positions()
    truth_BH = canvas.ids_BL.gather(1, at_BH)
    counted_BH = real_BH & canvas.text_and_end(model.vocabulary.eos).gather(1, at_BH)
    columns = []
    for at_B1, truth_B1, counted_B1 in zip(*(each.split(1, 1) for each in (at_BH, truth_BH, counted_BH)), strict=True):
        ids_BL = canvas.ids_BL.scatter(1, at_B1, model.vocabulary.mask)
        logits_B1V = model.backbone(ids_BL, model.rule(canvas), pad_BL=canvas.pad_BL, want_BW=at_B1)
        columns.append(model.nats(logits_B1V, truth_B1, counted_B1))
    return torch.cat(columns, dim=1), counted_BH


def loss_of_both(
    canvas: Canvas, noise: Noise, reading: Callable[[Canvas], Loss], filling: Callable[[Canvas], Loss]
) -> Loss:
    """The sum of the two objectives, each a mean over its own rows; a row's coin says which is its."""
    coin_B = noise.uniform(0, all_rows(canvas), (1,), ORDER)[:, 0]
    sides = (reading, coin_B < 0.5), (filling, coin_B >= 0.5)
    losses = [objective(canvas.rows(rows_B)) for objective, rows_B in sides if rows_B.any()]
    mean, supervised = losses[0]
    for loss in losses[1:]:
        mean, supervised = mean + loss.mean, supervised + loss.supervised
    return Loss(mean, supervised)
