"""Speculative decoding drafts a few tokens cheaply and verifies them in one causal pass: the same text in fewer passes.

    pass 1   p p ? ? ? .    a pass over masks drafts the next tokens, each independent of the others
    pass 2   p p g g g g    a causal pass reads the draft and accepts the tokens that it would have generated,
             p p w w w .    after which it adds one token of its own

One network is drafter and verifier (Leviathan et al., 2023; Chen et al., 2023); it is trained under both attention
rules and predicts the next token under either (GPT-BERT; Charpentier and Samuel, 2024). The same weights also serve
drafts that need no training: Jacobi, lookahead, prompt lookup. Whatever the draft, the text is the causal model's own:
identical tokens at temperature 0, the same distribution above 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from paradigms.autoregressive import Autoregressive, Decoder
from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, all_rows, loss_of_both
from paradigms.decoders.drafts import Jacobi, Lookahead, PromptLookup
from paradigms.decoders.sampling import MOST, at_least, pick
from paradigms.decoders.verify import Writing
from paradigms.trunk.attention import AttentionRule, causal, drafting
from paradigms.trunk.backbone import Backbone


@dataclass(frozen=True)
class NoDraft:
    """One token per forward pass: the reference that decoding with any draft must reproduce."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)

    def __call__(self, model: "Speculative", canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return model.writer(self.temperature).decode(canvas, noise)


@dataclass(frozen=True)
class MaskDraft:
    """One pass over masks drafts as many tokens as in training, and the next pass verifies them.

    The first drafted token is the causal model's own, predicted at the last generated token, so that two passes
    generate at least two tokens.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)

    def __call__(self, model: "Speculative", canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        text, masks = Writing(model, canvas, noise, self.temperature, model.draft), model.draft - 1
        while len(rows_b := text.rows_b):
            masks_bM = rows_b.new_full((len(rows_b), masks), model.vocabulary.mask)
            logits_bKV = text.read(masks_bM, drafting(text.cursor_B[rows_b, None, None], masks))
            draft_bK = pick(
                logits_bKV, self.temperature, lambda: noise.uniform(text.call, rows_b, logits_bKV.shape[1:-1])
            )
            yield text.ids_BL
            text.verify(draft_bK, logits_bKV)
            yield text.ids_BL


class Speculative(Paradigm):
    """p(text) = prod_i p(x_i | prompt, x_<i), generated several tokens per forward pass."""

    fills = frozenset({"suffix"})
    length = "eos"

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        draft: int,
        decoder: NoDraft | MaskDraft | Jacobi | Lookahead | PromptLookup,
    ):
        super().__init__(vocabulary, backbone)
        if not 2 <= draft <= MOST:
            raise ValueError(
                f"draft={draft}: must be from 2 to {MOST:,}, because the first drafted token needs no mask"
            )
        self.draft, self.decoder = draft, decoder

    def rule(self, canvas: Canvas) -> AttentionRule:
        """The rule of the text; the masks of a draft also see each other."""
        return causal

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        return loss_of_both(
            canvas,
            noise,
            lambda part: self.writer().loss(part, noise, progress),
            lambda part: self.draft_loss(part, noise),
        )

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        return self.writer().log_likelihood(canvas, noise)

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        return self.writer().token_nats(canvas, noise)

    def writer(self, temperature: float = 1.0) -> Autoregressive:
        return Autoregressive(self.vocabulary, self.backbone, "causal", Decoder(temperature))

    def draft_loss(self, canvas: Canvas, noise: Noise) -> Loss:
        """Cuts each text at a random position, places masks after the cut, and trains each mask on the next token."""
        masks, tokens_B1 = self.draft - 1, canvas.text_and_end(self.vocabulary.eos).sum(1, keepdim=True)
        cuts_B1 = (tokens_B1 - 1).clamp(min=1)  # before any token but the last, so that a target remains
        cut_B1 = canvas.start() + (noise.uniform(0, all_rows(canvas), (1,)) * cuts_B1).long()
        column_L = torch.arange(canvas.ids_BL.shape[1], device=cut_B1.device)
        canvas = canvas.without_columns_behind(column_L <= cut_B1 + masks)
        column_L = column_L[: canvas.ids_BL.shape[1]]
        hidden_BL = canvas.holes_BL & (column_L >= cut_B1) & (column_L < cut_B1 + masks)
        at_BM = cut_B1 + torch.arange(masks, device=cut_B1.device)
        said_BL = F.pad(canvas.ids_BL, (0, masks))
        counted_BL = F.pad(canvas.text_and_end(self.vocabulary.eos), (0, masks))
        counted_BM = counted_BL.gather(1, at_BM + 1)
        logits_NV = self.backbone(
            canvas.ids_BL.masked_fill(hidden_BL, self.vocabulary.mask),
            drafting(cut_B1[:, :, None], masks),
            pad_BL=canvas.pad_BL,
            want_BW=at_BM.clamp(max=len(column_L) - 1),
            need_BW=counted_BM,
        )
        nats_BM = self.nats(logits_NV, said_BL.gather(1, at_BM + 1), counted_BM)
        return Loss([(nats_BM.sum(), counted_BM.sum())], counted_BM.sum())
