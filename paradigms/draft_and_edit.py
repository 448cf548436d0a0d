"""An autoregressive draft is edited: its least likely tokens are masked and predicted again from both sides.

    pass 1..N    p p w w w w .   the draft, one token per pass
    pass N + 1   p p w w w w .   one causal pass scores each token of the draft
    then         p p w ? w w .   the least likely tokens are masked and predicted from both sides in a few passes;
                 p p w e w w .   one more pass scores the result, and the edit is kept if it is more likely

The editor is mask-predict (Ghazvininejad et al., 2019) applied to an autoregressive draft, in the manner of
deliberation networks (Xia et al., 2017). One network does both, as in GPT-BERT (Charpentier and Samuel, 2024): half of
each batch trains it as the autoregressive paradigm, half as diffusion, and it drafts and edits as those two do. The
canvas always shows the current text, never a rejected edit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from paradigms.autoregressive import Autoregressive, Decoder
from paradigms.base import LATER, Canvas, Likelihood, Loss, Noise, Paradigm, Vocabulary, loss_of_both
from paradigms.decoders.mask_predict import MaskPredict, mask_predict
from paradigms.decoders.policy import best
from paradigms.decoders.sampling import at_least
from paradigms.diffusion import Diffusion
from paradigms.trunk.attention import AttentionRule, everywhere
from paradigms.trunk.backbone import Backbone


@dataclass(frozen=True)
class Editing:
    """rounds: number of edits, each of `passes` forward passes that fill in masks and one that scores the result.

    share_first, share_last: masked share of the text in the first and in the last round, linear in between.
    """

    rounds: int = 3
    share_first: float = 0.3
    share_last: float = 0.1
    passes: int = 2
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("rounds", "passes"):
            at_least(self, name, 1)
        at_least(self, "temperature", 0)
        for name in ("share_first", "share_last"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be above 0 and at most 1")

    def masked(self, number: int, tokens_B: Tensor) -> Tensor:
        """How many tokens of each text round `number` masks, (B,): its share of the text, rounded up."""
        share = self.share_first + (self.share_last - self.share_first) * number / max(1, self.rounds - 1)
        return (tokens_B.double() * share - 1e-9).ceil().long()  # so that 0.1 x 30 gives 3 despite rounding errors


class DraftAndEdit(Paradigm):
    """Samples a draft from p(text) = prod_i p(x_i | prompt, x_<i) and keeps an edit only if it raises p(text)."""

    fills = frozenset({"suffix"})
    length = "eos"

    def __init__(self, vocabulary: Vocabulary, backbone: Backbone, decoder: Editing):
        super().__init__(vocabulary, backbone)
        self.decoder = decoder

    def rule(self, canvas: Canvas) -> AttentionRule:
        """The rule of the edits; drafting and scoring are causal."""
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        return loss_of_both(
            canvas,
            noise,
            lambda part: self.writer.loss(part, noise, progress),
            lambda part: self.editor("eos").loss(part, noise, progress),
        )

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        how, ids_BL = self.decoder, canvas.ids_BL
        for ids_BL in self.writer.decode(canvas, noise):
            yield ids_BL
        nats_BL = self.scores(replace(canvas, ids_BL=ids_BL), noise)
        yield ids_BL
        text_BL = replace(canvas, ids_BL=ids_BL).text(self.vocabulary.eos)
        if not text_BL.any():
            return
        for number in range(how.rounds):
            hidden_BL = best(nats_BL, text_BL, how.masked(number, text_BL.sum(1)))
            edited_BL = ids_BL.masked_fill(hidden_BL, self.vocabulary.mask)
            call, asked = LATER + number * how.passes, Canvas(edited_BL, hidden_BL, canvas.pad_BL)
            for edited_BL in mask_predict(  # noqa: B007
                self.editor("fixed"), asked, noise, passes=how.passes, temperature=how.temperature, first_call=call
            ):
                yield ids_BL
            edited_nats_BL = self.scores(replace(canvas, ids_BL=edited_BL), noise)
            better_B1 = edited_nats_BL.sum(1, keepdim=True) < nats_BL.sum(1, keepdim=True)
            ids_BL, nats_BL = edited_BL.where(better_B1, ids_BL), edited_nats_BL.where(better_B1, nats_BL)
            yield ids_BL

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        """The draft's, which is exact for the draft alone; the distribution of edited texts is unknown."""
        return replace(self.writer.log_likelihood(canvas, noise), kind="pseudo")

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        return self.writer.token_nats(canvas, noise)

    @property
    def writer(self) -> Autoregressive:
        return Autoregressive(self.vocabulary, self.backbone, "causal", Decoder(self.decoder.temperature))

    def editor(self, length: Literal["eos", "fixed"]) -> Diffusion:
        """The diffusion part: training (eos) includes EOS, edits (fixed) keep the length that the draft determined."""
        how = MaskPredict(self.decoder.passes, self.decoder.temperature, length)
        return Diffusion(self.vocabulary, self.backbone, how)

    def scores(self, canvas: Canvas, noise: Noise) -> Tensor:
        """Nats of the text's tokens and its EOS at their columns, (B, L), 0 elsewhere; costs one causal pass."""
        nats_BH, _ = self.token_nats(canvas, noise)
        before = canvas.start()
        return F.pad(nats_BH, (before, canvas.ids_BL.shape[1] - before - nats_BH.shape[1]))
