"""Extra heads on an autoregressive model draft the tokens after the next one; the next pass verifies them.

    pass 1   p p ? g g        at the last token, the model predicts the next token, and each head a later one
    pass 2   . . w g g ? g g  one causal pass reads what was written and drafted, accepts the drafted tokens that the
             . . w w x        model would have generated, adds one of its own, and drafts anew from there

Multi-token prediction (Gloeckle et al., 2024) trains trunk and heads together, each head on the token that it is to
draft; the heads are those of Medusa (Cai et al., 2024): a residual block each, under the model's own output embedding.
A draft costs no pass of its own, and its tokens are independent of each other. Whatever they are, the text is the
autoregressive model's: identical tokens at temperature 0, the same distribution above 0 (Leviathan et al., 2023).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paradigms.autoregressive import Autoregressive, Decoder
from paradigms.base import LATER, Canvas, Likelihood, Loss, Noise, Own, Paradigm, Vocabulary, ban
from paradigms.decoders.sampling import at_least, pick
from paradigms.decoders.verify import Writing
from paradigms.trunk.attention import AttentionRule, causal
from paradigms.trunk.backbone import Backbone

MOST_HEADS = 64


class Heads(Own):
    """K heads: head j maps the hidden state at a token to logits for the token j + 1 places on, j = 1..K."""

    def __init__(self, heads: int, width: int, size: int):
        super().__init__()
        self.width, self.size = width, size
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(heads))

    def initialise(self, generator: torch.Generator) -> None:
        """Zero, so that every head begins as the model's own (Cai et al., 2024)."""
        with torch.no_grad():
            for weight in self.parameters():
                weight.zero_()

    def forward(self, state_ND: Tensor, head: int, unembed_VD: Tensor) -> Tensor:
        """Logits (N, V) of head number `head`, from 0."""
        return F.linear(state_ND + F.silu(self.blocks[head](state_ND)), unembed_VD)

    def flops(self, rows: int, positions: int) -> int:
        """In training every position drafts, in decoding one of each row."""
        drafting = rows * (positions if torch.is_grad_enabled() else 1)
        return 2 * drafting * len(self.blocks) * self.width * (self.width + self.size)


@dataclass(frozen=True)
class HeadsDraft:
    """Every pass verifies the heads' last draft; the next one starts at the last accepted token."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)

    def __call__(self, model: "MultiToken", canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        states: list[Tensor] = []
        text = Writing(model, canvas, noise, self.temperature, model.draft, states)
        draft_bK, logits_bKV = canvas.ids_BL[:, :0], None
        while len(rows_b := text.rows_b):
            unread, before_b = text.unread, text.cursor_B[rows_b]
            text.verify(draft_bK, logits_bKV)
            yield text.ids_BL
            accepted_b, stays_b = text.cursor_B[rows_b] - before_b - 1, torch.isin(rows_b, text.rows_b)
            state_bD = states.pop()[stays_b, (unread - 1 + accepted_b)[stays_b]]
            logits_bKV = model.drafted(state_bD)
            shape = logits_bKV.shape[1:-1]
            draft_bK = pick(logits_bKV, self.temperature, lambda: noise.uniform(LATER + text.call, text.rows_b, shape))


class MultiToken(Paradigm):
    """p(text) = prod_i p(x_i | prompt, x_<i), generated several tokens per forward pass. draft: number of heads."""

    fills = frozenset({"suffix"})
    length = "eos"

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, draft: int, decoder: HeadsDraft):
        super().__init__(vocabulary, backbone)
        if not 1 <= draft <= MOST_HEADS:
            raise ValueError(f"draft={draft}: must be from 1 to {MOST_HEADS}")
        if backbone.checkpoint is not None:
            raise ValueError(f"draft={draft}: heads need a trunk that is trained here, not a public checkpoint")
        self.draft, self.decoder = draft, decoder
        self.heads = Heads(draft, backbone.width, backbone.embed.num_embeddings)

    def rule(self, canvas: Canvas) -> AttentionRule:
        return causal

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        """The sum over the model and all heads of the cross-entropies of their tokens, each a mean over its own."""
        canvas = canvas.within(canvas.whole.without_columns_behind(canvas.whole.text_and_end(self.vocabulary.eos)))
        at_BH, real_BH = canvas.hole_positions()
        truth_BH, before_BH = canvas.ids_BL.gather(1, at_BH), (at_BH - 1).clamp(min=0)
        counted_BH = real_BH & canvas.text_and_end(self.vocabulary.eos).gather(1, at_BH)
        states: list[Tensor] = []
        logits_NV = self.backbone(
            canvas.ids_BL,
            causal,
            pad_BL=canvas.pad_BL,
            want_BW=before_BH,
            need_BW=counted_BH,
            states=states,
        )
        nats_BH = self.nats(logits_NV, truth_BH, counted_BH, training=True)
        terms = [(nats_BH.sum(), counted_BH.sum())]
        state_BHD = states.pop().gather(1, before_BH[:, :, None].expand(-1, -1, self.heads.width))
        for head in range(self.draft):
            ahead = min(head + 1, truth_BH.shape[1])
            later_BH, kept_BH = (F.pad(each_BH[:, ahead:], (0, ahead)) for each_BH in (truth_BH, counted_BH))
            logits_NV = self.heads(state_BHD[kept_BH], head, self.unembed())
            terms.append((self.nats(logits_NV, later_BH, kept_BH, training=True).sum(), kept_BH.sum()))
        return Loss(terms, torch.stack([count for _, count in terms]).sum())

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        return self.decoder(self, canvas, noise)

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        return self.writer().log_likelihood(canvas, noise)

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        return self.writer().token_nats(canvas, noise)

    def writer(self) -> Autoregressive:
        return Autoregressive(self.vocabulary, self.backbone, "causal", Decoder())

    def unembed(self) -> Tensor:
        """The output embedding (V, D), which all heads share with the model."""
        return (self.backbone.head or self.backbone.embed).weight

    def drafted(self, state_bD: Tensor) -> Tensor:
        """The logits of all heads, (b, K, V)."""
        each = [self.heads(state_bD, head, self.unembed()) for head in range(self.draft)]
        return ban(torch.stack(each, dim=1), self.never())
