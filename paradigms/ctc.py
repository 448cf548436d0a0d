"""CTC labels more slots than the text has tokens in a single pass, then merges repeats and drops blanks.

    pass 1   p p p _ _ _ _ _ _    `upsample` slots per prompt token, each independent of what the others emit
             p p p a - b b - b    a slot emits a token or a blank; repeats are merged and blanks are dropped,
             p p p a b b .        which leaves the text and thereby determines its length

Connectionist temporal classification (Graves et al., 2006) was applied to single-pass text generation by Libovicky and
Helcl (2018) and Saharia et al. (2020). The probability of a text is the sum over all alignments that collapse to it, so
training need not assign tokens to slots, and alignments that place a token differently still yield the same text. The
mask id is the blank. A text needs one slot per token and one for each blank between equal neighbours.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows, ban
from paradigms.decoders.prefix_beam import PrefixBeamSearch
from paradigms.decoders.sampling import at_least, pick
from paradigms.trunk.attention import AttentionRule, prompt_apart
from paradigms.trunk.backbone import Backbone

MOST_SLOTS = 100  # of a position of the canvas; a few are enough


@dataclass(frozen=True)
class Decoder:
    """temperature: of the slots; 0 takes each slot's mode (the best path), which need not give the likeliest text."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)

    def __call__(
        self, logits_BSV: Tensor, real_BS: Tensor, blank: int, fill: int, draw: Callable[[], Tensor]
    ) -> Tensor:
        slot_BS = pick(logits_BSV, self.temperature, draw)
        return collapse(slot_BS.masked_fill(~real_BS, blank), blank, fill)


class CTC(Paradigm):
    """p(text) = sum over alignments a of prod_s p(a_s | prompt): slots are independent, tokens are not."""

    fills = frozenset({"suffix"})
    length = "eos"
    aligned = False

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, upsample: int, decoder: Decoder | PrefixBeamSearch):
        super().__init__(vocabulary, backbone)
        if not 1 <= upsample <= MOST_SLOTS:
            raise ValueError(f"upsample={upsample}: must be from 1 to {MOST_SLOTS}")
        self.upsample, self.decoder, self.blank = upsample, decoder, vocabulary.mask

    def rule(self, canvas: Canvas) -> AttentionRule:
        return prompt_apart(canvas.start())

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """-ln p(text) per token; rows whose text does not fit into their slots are excluded from nats and token counts.

        Raises ValueError where no row of the batch fits.
        """
        if not self.fits(canvas.whole).any():
            raise ValueError(f"upsample={self.upsample}: no text of this batch fits into its slots; use a larger value")
        logits_BSV, real_BS = self.read(canvas)
        slots_B, tokens_B = real_BS.sum(1), canvas.text(self.vocabulary.eos).sum(1)
        log_p_BSV = logits_BSV.log_softmax(-1).clamp(min=torch.finfo(logits_BSV.dtype).min)  # -inf has no gradient
        nats_B = F.ctc_loss(
            log_p_BSV.transpose(0, 1), canvas.ids_BL[:, canvas.start() :], slots_B, tokens_B,
            blank=self.blank, reduction="none", zero_infinity=True,
        )  # fmt: skip
        supervised = (tokens_B * self.fits(canvas)).sum()
        return Loss([(nats_B.sum(), supervised)], supervised)

    def fits(self, canvas: Canvas) -> Tensor:
        """bool (B,): whether the slots of a row hold its text and a blank between equal neighbours."""
        text_BL, prompt_BP = canvas.text(self.vocabulary.eos), ~canvas.pad_BL[:, : canvas.start()]
        again_BL = (canvas.ids_BL[:, 1:] == canvas.ids_BL[:, :-1]) & text_BL[:, 1:] & text_BL[:, :-1]
        return text_BL.sum(1) + again_BL.sum(1) <= self.upsample * prompt_BP.sum(1)

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        """One forward pass; a text longer than the holes is truncated, a shorter one is filled up with EOS."""
        logits_BSV, real_BS = self.read(canvas)
        rows_B, eos = all_rows(canvas), self.vocabulary.eos
        text_BS = self.decoder(
            logits_BSV, real_BS, self.blank, eos, lambda: noise.uniform(0, rows_B, logits_BSV.shape[1:-1])
        )
        before_BP = canvas.ids_BL[:, : canvas.start()]
        room = canvas.ids_BL.shape[1] - before_BP.shape[1] - text_BS.shape[1]
        written_BL = torch.cat((before_BP, F.pad(text_BS, (0, room), value=eos)), dim=1)
        yield written_BL.where(canvas.holes_BL, canvas.ids_BL)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """Exact for the canvas as generated: a text with its EOS, or the prefix of a text that fills the holes.

        -inf where the slots cannot hold it.
        """
        nats_B = self.token_nats(canvas, noise)[0].sum(1)
        return Likelihood("exact", -nats_B, torch.zeros_like(nats_B))

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        """-log p of each token given the preceding ones, from the ratio of two prefix probabilities, (B, H).

        inf for a token that the slots cannot hold and for all tokens after it.
        """
        start, eos = canvas.start(), self.vocabulary.eos
        ids_BH, counted_BH = canvas.ids_BL[:, start:], canvas.text_and_end(eos)[:, start:]
        logits_BSV, real_BS = self.read(canvas)
        every_BS1 = logits_BSV.logsumexp(2, keepdim=True)
        token_BSH = logits_BSV.gather(2, ids_BH[:, None].expand(-1, real_BS.shape[1], -1)) - every_BS1
        blank_BS = logits_BSV[:, :, self.blank] - every_BS1[:, :, 0]
        begins_BN, whole_BN = forward_sums(
            token_BSH.double().masked_fill(~real_BS[:, :, None], -torch.inf),  # slots beyond a row's own are blank
            blank_BS.double().masked_fill(~real_BS, 0),
            F.pad(ids_BH[:, 1:] == ids_BH[:, :-1], (1, 0)),
        )
        given_BH, then_BH = begins_BN[:, :-1], whole_BN[:, :-1].where(ids_BH == eos, begins_BN[:, 1:])
        nats_BH = (given_BH - then_BH).masked_fill(given_BH.isneginf(), torch.inf)
        return nats_BH.masked_fill(~counted_BH, 0), counted_BH

    def read(self, canvas: Canvas) -> tuple[Tensor, Tensor]:
        """The slots' logits over text and blank, (B, S, V), and which slots belong to the row, bool (B, S)."""
        start = canvas.start()
        prompt_BP, pad_BP = canvas.ids_BL[:, :start], canvas.pad_BL[:, :start]
        slot_S = torch.arange(self.upsample * start, device=prompt_BP.device)
        real_BS = slot_S < self.upsample * (~pad_BP).sum(1, keepdim=True)
        slots_BS = torch.full_like(real_BS, self.blank, dtype=prompt_BP.dtype)
        logits_BSV = self.backbone(
            torch.cat((prompt_BP, slots_BS), dim=1),
            self.rule(canvas),
            pad_BL=torch.cat((pad_BP, ~real_BS), dim=1),
            want_BW=(start + slot_S).expand(real_BS.shape),
        )
        return ban(logits_BSV, [self.vocabulary.pad, self.vocabulary.eos]), real_BS


def collapse(slot_BS: Tensor, blank: int, fill: int) -> Tensor:
    """The text of the slots, (B, S): repeats merged, blanks dropped, and the rest filled with `fill`."""
    said_BS = (slot_BS != blank) & (slot_BS != F.pad(slot_BS[:, :-1], (1, 0), value=blank))
    first_BS = (~said_BS).byte().argsort(dim=1, stable=True)
    return slot_BS.masked_fill(~said_BS, fill).gather(1, first_BS)


def forward_sums(token_BSH: Tensor, blank_BS: Tensor, again_BH: Tensor) -> tuple[Tensor, Tensor]:
    """ln of the probabilities that a text begins with the first n tokens of this one, and that it consists of them.

    Both (B, H + 1), n = 0..H: sums over all alignments, slot by slot (Graves et al., 2006; for prefixes Graves, 2008).
    token_BSH: ln of the probability that a slot emits the token.  blank_BS: that it emits the blank.
    again_BH: True where a token equals the one before it, so that a blank must separate them.
    """
    no_BH, impossible = torch.full_like(token_BSH[:, 0], -torch.inf), -torch.inf
    begins_BN = ended_BN = F.pad(no_BH, (1, 0), value=0)  # ended: n tokens and then a blank, or no token yet
    open_BN = F.pad(no_BH, (1, 0), value=impossible)  # open: n tokens, the last of them in the latest slot
    for token_BH, blank_B1 in zip(token_BSH.unbind(1), blank_BS.split(1, dim=1), strict=True):
        next_BH = token_BH + torch.logaddexp(ended_BN[:, :-1], open_BN[:, :-1].masked_fill(again_BH, impossible))
        begins_BN = torch.logaddexp(begins_BN, F.pad(next_BH, (1, 0), value=impossible))
        ended_BN = blank_B1 + torch.logaddexp(ended_BN, open_BN)
        open_BN = F.pad(torch.logaddexp(next_BH, token_BH + open_BN[:, 1:]), (1, 0), value=impossible)
    return begins_BN, torch.logaddexp(ended_BN, open_BN)
