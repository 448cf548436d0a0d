"""The paradigm interface: training loss, decoding, likelihood."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paradigms.pretrained.checkpoint import Checkpoint as Checkpoint
from paradigms.trunk.attention import AttentionRule as AttentionRule
from paradigms.trunk.backbone import Backbone
from paradigms.trunk.layout import TURNED as TURNED
from paradigms.trunk.layout import halves as halves
from paradigms.trunk.layout import llama_settings as llama_settings
from paradigms.trunk.layout import llama_weights as llama_weights
from paradigms.trunk.products import candidates as candidates

BOUND_DRAWS = 128  # Monte-Carlo samples of one likelihood's bound
TOKENS, ORDER = 0, 1  # streams of the noise: which token is sampled, and at which position it is committed
LATER = 1 << 20  # a decoder that revises a text numbers its forward passes from here, after those of the first decoder

Length = Literal["eos", "predicted", "oracle", "fixed"]


@dataclass(frozen=True)
class Vocabulary:
    """The ids with a special role; all others are text.

    `eos` (end of sequence) ends a text and also closes the prompt, so that an empty prompt still has one token.
    """

    size: int
    mask: int
    eos: int
    pad: int


@dataclass(frozen=True)
class Canvas:
    """B rows of L positions, of which the holes are to be generated.

    ids_BL: int64; at the holes, the target tokens in training and the mask id in decoding.
    holes_BL: bool, True at positions to be generated.
    pad_BL: bool, True at padding, which is never attended to and never scored.
    batch: the training batch of which these are some rows, from row `first` on; None where they are all of it.
    """

    ids_BL: Tensor
    holes_BL: Tensor
    pad_BL: Tensor
    batch: "Canvas | None" = None
    first: int = 0

    def to(self, device: torch.device) -> "Canvas":
        return Canvas(self.ids_BL.to(device), self.holes_BL.to(device), self.pad_BL.to(device))

    def rows(self, rows_b: Tensor) -> "Canvas":
        return Canvas(self.ids_BL[rows_b], self.holes_BL[rows_b], self.pad_BL[rows_b])

    @property
    def whole(self) -> "Canvas":
        """All rows of the batch."""
        return self if self.batch is None else self.batch

    def part(self, first: int, end: int) -> "Canvas":
        """The rows from `first` to before `end`, which still know of their batch."""
        return Canvas(self.ids_BL[first:end], self.holes_BL[first:end], self.pad_BL[first:end], self, first)

    def within(self, batch: "Canvas") -> "Canvas":
        """The same rows of a batch that was made of this one's by a change to all of its rows."""
        return batch.part(self.first, self.first + len(self.ids_BL))

    def among(self, chosen_B: Tensor) -> "Canvas":
        """Those of these rows that `chosen_B` (bool, over the whole batch) marks, as a part of all that it marks."""
        first, end = (int(chosen_B[:row].sum()) for row in (self.first, self.first + len(self.ids_BL)))
        return self.whole.rows(chosen_B).part(first, end)

    def hole_positions(self) -> tuple[Tensor, Tensor]:
        """The columns of the holes: (at_BH, real_BH), int64 and bool, H the largest number of holes in a row.

        Rows with fewer holes are filled up with other columns, for which real_BH is False.
        """
        widest = int(self.holes_BL.sum(1).max())
        at_BH = (~self.holes_BL).byte().argsort(dim=1, stable=True)[:, :widest]
        return at_BH, self.holes_BL.gather(1, at_BH)

    def text(self, eos: int) -> Tensor:
        """bool (B, L): the holes before each row's first EOS."""
        return self.holes_BL & (((self.ids_BL == eos) & self.holes_BL).cumsum(1) == 0)

    def text_and_end(self, eos: int) -> Tensor:
        """bool (B, L): the holes up to and including each row's first EOS; tokens after it are not part of the text."""
        is_end_BL = (self.ids_BL == eos) & self.holes_BL
        return self.holes_BL & (is_end_BL.cumsum(1) == is_end_BL.long())

    def without_columns_behind(self, needed_BL: Tensor) -> "Canvas":
        """The canvas up to the last column that `needed_BL` (B, L) marks in any row."""
        end = int(needed_BL.any(0).nonzero().max()) + 1
        return replace(self, ids_BL=self.ids_BL[:, :end], holes_BL=self.holes_BL[:, :end], pad_BL=self.pad_BL[:, :end])

    def start(self) -> int:
        """The column of the first hole, which must be the same in all rows.

        Raises ValueError where it differs between rows.
        """
        first_B = self.starts()
        if bool((first_B != first_B[0]).any()):
            raise ValueError("canvas: the first hole must be at the same column in all rows")
        return int(first_B[0])

    def starts(self) -> Tensor:
        """The column of each row's first hole, (B,)."""
        return self.holes_BL.byte().argmax(1)


class Noise(Protocol):
    """The only source of randomness: reproducible samples that depend on the row, not on the batch."""

    def uniform(self, call: int, rows_b: Tensor, shape: tuple[int, ...], stream: int = TOKENS) -> Tensor:
        """Uniform float64 samples in (0, 1), shape (len(rows_b), *shape), for these rows of the batch.

        The same (seed, row, call, stream) gives the same numbers, whichever other rows are present; `call` numbers the
        forward passes. A larger first dimension of `shape` only appends numbers.
        """
        ...


class Edited(NamedTuple):
    """The canvas after a forward pass, ids_BL, and where its tokens come from.

    from_BL: the column at which each token stood before the pass, -1 for one that the pass inserted; None where no
    token ever moves, so that a column is a token's identity.
    """

    ids_BL: Tensor
    from_BL: Tensor | None = None


class Loss(NamedTuple):
    """The loss of a training batch, or of some of its rows, in nats, to be minimised.

    terms: sums over tokens or over rows, each with the number that it is divided by. They are kept apart because rows
    may be computed by several processes, or one after another: sums and numbers are then added up before the division.
    supervised: how many tokens were predicted.
    """

    terms: Sequence[tuple[Tensor, Tensor]]
    supervised: Tensor

    @property
    def mean(self) -> Tensor:
        """The loss where these rows are the whole batch."""
        return self.divided_by([count for _, count in self.terms])

    def divided_by(self, counts: Sequence[Tensor]) -> Tensor:
        """What these rows contribute to the loss of a batch with these counts."""
        shares = [total / count.clamp(min=1) for (total, _), count in zip(self.terms, counts, strict=True)]
        return torch.stack(shares).sum() if len(shares) > 1 else shares[0]


@dataclass(frozen=True)
class Likelihood:
    """log p(text) of every row in nats, (B,), and how that number relates to the decoder's distribution.

    exact: the distribution that the decoder samples from.  bound: a lower bound on the exact value, with its
    Monte-Carlo standard error.  pseudo: a product of conditionals that need not belong to any joint distribution.
    exact_B: in addition to a bound, the exact value, NaN in rows where it is unknown.
    """

    kind: Literal["exact", "bound", "pseudo"]
    nats_B: Tensor
    se_B: Tensor
    exact_B: Tensor | None = None


class Paradigm(ABC, nn.Module):
    """A text-generation paradigm over a backbone.

    Its parameters are the backbone's. A paradigm that reads more than tokens, such as a noise level, may own small
    modules for it (`Own`), whose parameters are counted apart from the matched backbone's.
    """

    fills: ClassVar[frozenset[str]]
    """The arrangements of holes that it can fill: "suffix", "span", "scattered"."""

    aligned: ClassVar[bool] = True
    """Whether every token is sampled from logits for its own hole.

    Otherwise no hole has a predictive distribution to record, and banning EOS does not lengthen the text.
    """

    length: Length
    """What determines the length: the paradigm (eos, predicted), the reference (oracle) or the canvas (fixed)."""

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone):
        super().__init__()
        self.vocabulary = vocabulary
        self.backbone = backbone

    def own(self) -> "Iterator[Own]":
        """The modules beside the backbone."""
        return (module for module in self.children() if isinstance(module, Own))

    def initialise(self, generator: torch.Generator) -> None:
        """Samples the backbone's weights, then those of the paradigm's own modules."""
        self.backbone.initialise(generator)
        for module in self.own():
            module.initialise(generator)

    @abstractmethod
    def rule(self, canvas: Canvas) -> AttentionRule:
        """The attention rule of training on this canvas: which query may attend to which key."""

    @abstractmethod
    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """The training objective on one batch; `progress` is the completed fraction of training, from 0 to 1.

        The canvas may be a part of a batch. What a row contributes must not depend on which other rows are present;
        `canvas.whole` has all of them.
        """

    @abstractmethod
    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        """Fills the holes; yields ids_BL, int64 (B, L), after every forward pass of the backbone.

        The tensor is read-only and valid until the next step; it always contains all rows in canvas order.
        """

    def edits(self, canvas: Canvas, noise: Noise) -> Iterator[Edited]:
        """The same passes with the identity of tokens, which a paradigm overrides whose insertions shift others."""
        return (Edited(ids_BL) for ids_BL in self.decode(canvas, noise))

    @abstractmethod
    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """log p(tokens in the holes | all other tokens) of every row, in nats."""

    @abstractmethod
    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        """-log p of each hole's token given the context that the paradigm allows, and which tokens count, both (B, H).

        The text and the EOS after it count; every other entry has 0 nats. Only a paradigm whose corruption is random
        draws from `noise`.
        """

    def nats(self, logits: Tensor, truth_BH: Tensor, counted_BH: Tensor, *, training: bool = False) -> Tensor:
        """-log p of the targets, (B, H), under the distribution that the decoder samples from; 0 where not counted.

        logits: (B, H, V), or (N, V) of the counted targets alone.
        In training EOS is always possible, whatever the decoder's `length`, so that one trained model serves all.
        """
        never = [self.vocabulary.mask, self.vocabulary.pad] if training else self.never()
        logits_NV = ban(logits if logits.dim() == 2 else logits[counted_BH], never)
        nats_N = F.cross_entropy(logits_NV, truth_BH[counted_BH], reduction="none")
        return nats_N.new_zeros(truth_BH.shape).masked_scatter(counted_BH, nats_N)

    def never(self) -> list[int]:
        """Ids that are never generated: mask, padding, and EOS where the length is given in advance."""
        given = self.length in ("oracle", "fixed", "predicted")
        return [self.vocabulary.mask, self.vocabulary.pad] + [self.vocabulary.eos] * given


class Own(ABC, nn.Module):
    """A small module that a paradigm owns beside the backbone."""

    @abstractmethod
    def initialise(self, generator: torch.Generator) -> None:
        """Samples the weights."""

    @abstractmethod
    def flops(self, rows: int, positions: int) -> int:
        """Floating-point operations of its part in a forward pass of the backbone over B rows of Q positions."""


def all_rows(canvas: Canvas) -> Tensor:
    """The numbers of the canvas's rows in their batch, (B,)."""
    return torch.arange(canvas.first, canvas.first + canvas.ids_BL.shape[0], device=canvas.ids_BL.device)


def strata(canvas: Canvas, noise: Noise, call: int) -> Tensor:
    """A uniform sample for each row, (B,), spread evenly over the batch: its variance is the least there can be."""
    rows_B = all_rows(canvas.whole)
    return ((noise.uniform(call, rows_B[:1], (1,))[0] + rows_B / len(rows_B)) % 1)[all_rows(canvas)]


def sampled_bound(
    canvas: Canvas, noise: Noise, sample: Callable[[int, Tensor], Tensor], *, parts: int = 1, first: int = 0
) -> Likelihood:
    """The mean of samples of a bound on log p; its standard error treats them as independent.

    sample: maps the number of a sample and uniform numbers (B, parts), stratified over the samples, to nats (B,).
    first: the call of the noise from which these numbers come on.
    """
    draws_DB = []
    for draw in range(BOUND_DRAWS):
        stratum_BN = (draw + noise.uniform(first + draw, all_rows(canvas), (parts,), ORDER)) / BOUND_DRAWS
        draws_DB.append(sample(draw, stratum_BN))
    bound_DB = torch.stack(draws_DB)
    return Likelihood("bound", bound_DB.mean(0), bound_DB.std(0) / BOUND_DRAWS**0.5)


def precise(logits: Tensor) -> Tensor:
    """Logits in float32 at least: products in bfloat16 are precise enough, differences of their results are not."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def ban(logits: Tensor, ids: list[int]) -> Tensor:
    """logits (..., V) with the given ids set to -inf, in place because a copy would cost more than the operation.

    Autograd need not know: a logit of -inf has probability 0, and with it gradient 0.
    """
    logits.detach().index_fill_(-1, index_of(tuple(ids), logits.device), -torch.inf)
    return logits


@functools.cache
def index_of(ids: tuple[int, ...], device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # the same tensor serves training
        return torch.tensor(ids, dtype=torch.long, device=device)


@functools.cache
def all_ids_but(ids: tuple[int, ...], size: int, device: torch.device) -> Tensor:
    """The other ids of a vocabulary, ascending."""
    with torch.inference_mode(False):
        kept_V = torch.ones(size, dtype=torch.bool, device=device)
        kept_V[list(ids)] = False
        return kept_V.nonzero()[:, 0]


def given_the_rest(model: Paradigm, canvas: Canvas) -> tuple[Tensor, Tensor]:
    """-log p of each hole's token given all other tokens, and which tokens count, both (B, H).

    Each hole costs one forward pass, in which it alone is masked: the terms of the pseudo-log-likelihood (Salazar et
    al., 2020).
    """
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
    """The loss of one network under two attention rules: some rows train `reading` on, the others `filling` in.

    A fair coin assigns each row, and the result is the sum of the two objectives, each a mean over its own rows, as in
    GPT-BERT (Charpentier and Samuel, 2024) in the proportion one to one. A hybrid thus needs a single set of weights,
    at the price of half the training examples for each objective.
    """
    coin_B = noise.uniform(0, all_rows(canvas.whole), (1,), ORDER)[:, 0]
    none = torch.zeros((), device=coin_B.device)
    terms, supervised = [], none.long()
    for objective, chosen_B in ((reading, coin_B < 0.5), (filling, coin_B >= 0.5)):
        rows = canvas.among(chosen_B)
        loss = objective(rows) if len(rows.ids_BL) else Loss([(none, none)], none.long())
        terms, supervised = [*terms, *loss.terms], supervised + loss.supervised
    return Loss(terms, supervised)
