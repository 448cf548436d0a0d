"""A public checkpoint in the place of the transformer trained here: paradigms use both alike.

Its network is run by transformers, or, where its layers are those of our own trunk, by that.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from paradigms.pretrained.checkpoint import Checkpoint, checkpoint_of
from paradigms.pretrained.native import check_native, native
from paradigms.trunk.attention import AttentionRule, causal, everywhere
from paradigms.trunk.backbone import Columns, Late

LEAK = 8  # tokens of the text that the check of the attention mask reads


class Pretrained(nn.Module):
    """A causal or masked language model. It has no weights before `initialise`.

    engine: transformers, for all architectures; or native, our own trunk, for Llama's and Qwen2's.
    shifted: whether logits at a position predict the next position's token though attention is bidirectional; null:
    as the checkpoint's family does.
    Raises ValueError where the checkpoint is unusable.
    """

    def __init__(
        self,
        vocabulary_size: int,
        name: str,
        revision: str | None = None,
        engine: Literal["transformers", "native"] = "transformers",
        shifted: bool | None = None,
    ):
        super().__init__()
        self.checkpoint: Checkpoint = checkpoint_of(name, revision)
        self.checkpoints_activations = False
        self.shifted = self.checkpoint.family.shifted if shifted is None else shifted
        self.native, self.layers = engine == "native", range(0)  # transformers runs all layers or none
        if self.native:
            check_native(self.checkpoint)
            self.layers = range(self.checkpoint.settings.num_hidden_layers)

    def initialise(self, generator: torch.Generator) -> None:
        """Loads the checkpoint's weights, and checks that the network sees what an attention rule lets it see."""
        from paradigms.pretrained.network import Network  # which imports transformers

        self.trunk: Any = native(self.checkpoint) if self.native else Network(self.checkpoint)
        self.check_rules()
        self.trunk.checkpoints_activations = self.checkpoints_activations

    def forward(
        self,
        ids_BQ: Tensor,
        rule: AttentionRule,
        *,
        pad_BL: Tensor,
        at_BQ: Columns | None = None,
        want_BW: Tensor | None = None,
        **rest: Any,
    ) -> Tensor:
        """As `Backbone.forward`, `rest` included. Raises ValueError for a pass that the network cannot make."""
        if self.shifted:
            want_BW = self.one_before(want_BW, at_BQ, pad_BL)
        return self.trunk(ids_BQ, rule, pad_BL=pad_BL, at_BQ=at_BQ, want_BW=want_BW, **rest)

    def one_before(self, want_BW: Tensor | None, at_BQ: Columns | None, pad_BL: Tensor) -> Tensor:
        """The queries whose logits predict the wanted ones' own tokens. Raises ValueError where these were not read."""
        columns = pad_BL.shape[1]
        if at_BQ is not None and at_BQ != range(columns):
            raise ValueError(
                f"{self.checkpoint.title} predicts from the position before: set the decoder's cache to null"
            )
        want_BW = torch.arange(columns, device=pad_BL.device).expand_as(pad_BL) if want_BW is None else want_BW
        return (want_BW - 1).clamp(min=0)

    @torch.inference_mode()
    def check_rules(self) -> None:
        """Raises ValueError where a token that the rule hides changes a logit, or one that it shows changes none."""
        tokens = self.checkpoint.ids.size - 1
        ids_BL = torch.randint(tokens, (1, LEAK), generator=torch.Generator().manual_seed(0))
        middle = LEAK // 2
        other_BL = ids_BL.clone()
        other_BL[0, middle] = (ids_BL[0, middle] + 1) % tokens
        pad_BL = torch.zeros_like(ids_BL, dtype=torch.bool)
        self.trunk.eval()
        for rule in (causal, everywhere):
            one, two = (self.trunk(ids_BL, rule, pad_BL=pad_BL) for ids_BL in (ids_BL, other_BL))
            differs_L = (one != two).any(-1)[0]
            before = bool(differs_L[:middle].any())
            if before != (rule is everywhere) or not bool(differs_L[middle:].all()):
                saw = "sees later tokens" if before else "does not see all tokens"
                raise self.checkpoint.refused(f"{type(self.trunk).__name__} {saw} under the rule `{rule.__name__}`")

    def cache(self, rows: int, positions: int, layers: int | None = None) -> Any:
        """An empty key-value cache. Raises ValueError where the network keeps no keys and values."""
        return self.trunk.cache(rows, positions, layers)

    def names_of_kernels(self) -> dict[str, tuple[str, str]]:
        return self.trunk.names_of_kernels()

    def packed_bytes(self) -> int:
        return self.trunk.packed_bytes()

    def flops(
        self, batch: int, queries: int, keys: int, wanted: float, late: Late | None = None, skipped: int = 0
    ) -> int:
        """As `Backbone.flops`."""
        return self.trunk.flops(batch, queries, keys, wanted, late, skipped)

    def bytes_moved(self, batch: int, queries: int, keys: int, cached: bool, late: Late | None = None) -> int:
        """As `Backbone.bytes_moved`."""
        return self.trunk.bytes_moved(batch, queries, keys, cached, late)
