"""A network of transformers behind the trunk's signature.

The attention rule becomes an additive mask that is passed in every forward pass, because a network that gets none falls
back to its own rule; positions count from each row's first token; keys and values are written at given positions; and
logits are computed only where they are wanted.
"""

from typing import Any

import torch
from torch import Tensor, nn

from paradigms.pretrained.cache import PlacedCache
from paradigms.pretrained.checkpoint import Checkpoint
from paradigms.trunk.attention import AttentionRule
from paradigms.trunk.backbone import Columns, Late
from paradigms.trunk.cache import Cache
from paradigms.trunk.sight import Sight


class Network(nn.Module):
    """A causal or masked language model of transformers, with the weights of a checkpoint."""

    def __init__(self, checkpoint: Checkpoint):
        super().__init__()
        self.name = checkpoint.title
        self.network: Any = checkpoint.network()
        self.network.base_model.register_forward_hook(self.only_wanted)
        settings = self.network.config
        heads = settings.num_attention_heads
        width = getattr(settings, "head_dim", None) or settings.hidden_size // heads
        self.head_shape = getattr(settings, "num_key_value_heads", None) or heads, width
        self.layers, self.mixed = settings.num_hidden_layers, heads * width
        head = self.network.get_output_embeddings().weight
        body = sum(weight.numel() for weight in self.network.base_model.parameters() if weight.dim() == 2)
        tables = {
            id(m.weight): m.weight.numel() for m in self.network.base_model.modules() if isinstance(m, nn.Embedding)
        }
        above = sum(w.numel() for w in self.network.parameters() if w.dim() == 2) - body - head.numel()
        tied = id(head) in tables
        self.per_token, self.per_logit = body - sum(tables.values()), head.numel() + max(0, above + head.numel() * tied)
        self.offset, self.window = first_position(self.network), window_of(settings)
        self.kinds = getattr(settings, "layer_types", None) or ()
        self.sight: Sight | None = None
        self.wanted: tuple[Tensor, ...] | None = None
        self.states: list[Tensor] | None = None

    @property
    def checkpoints_activations(self) -> bool:
        return self.network.is_activation_checkpointing

    @checkpoints_activations.setter
    def checkpoints_activations(self, on: bool) -> None:
        """Raises ValueError where transformers cannot."""
        if on:
            self.network.activation_checkpointing_enable({"use_reentrant": False})

    def cache(self, rows: int, positions: int, layers: int | None = None) -> Any:
        """An empty key-value cache. Raises ValueError where the network keeps no keys and values."""
        if not self.network.can_generate():
            raise ValueError(
                f"{type(self.network).__name__} keeps no keys and values: set the decoder's cache to false"
            )
        heads, width = self.head_shape
        like = self.network.get_input_embeddings().weight
        return PlacedCache(Cache(like, self.layers, rows, heads, positions, width))

    def forward(
        self,
        ids_BQ: Tensor,
        rule: AttentionRule,
        *,
        pad_BL: Tensor,
        at_BQ: Columns | None = None,
        keys: int | None = None,
        place_BQ: Tensor | None = None,
        want_BW: Tensor | None = None,
        need_BW: Tensor | None = None,
        cache: Any = None,
        late: Late | None = None,
        states: list[Tensor] | None = None,
    ) -> Tensor:
        """As `Backbone.forward`. Raises ValueError for a pass that the network cannot make."""
        if late is not None:
            raise ValueError(f"{self.name} cannot run some of its layers only")
        B, Q = ids_BQ.shape
        at_BQ = range(Q) if at_BQ is None else at_BQ
        keys = pad_BL.shape[1] if keys is None else keys
        if self.sight is None or not self.sight.serves(rule, pad_BL):
            self.sight = Sight(rule, pad_BL)
            self.before_B1 = pad_BL.long().cumprod(1).sum(1, keepdim=True)
        columns_BQ = (
            torch.arange(at_BQ.start, at_BQ.stop, device=ids_BQ.device)[None] if isinstance(at_BQ, range) else at_BQ
        )
        place_BQ = columns_BQ if place_BQ is None else place_BQ
        seen: dict[str, Any] = {}
        if cache is not None:
            cache.place(at_BQ, keys)
            seen = {"cache": cache, "use_cache": True}
        self.wanted = None if want_BW is None else (want_BW,) if need_BW is None else (want_BW, need_BW)
        self.states = states
        logits = self.network(
            input_ids=ids_BQ,
            attention_mask=self.masks(at_BQ, keys, columns_BQ),
            position_ids=(place_BQ - self.before_B1).clamp(min=0).expand(B, Q) + self.offset,
            **seen,
        ).logits
        return logits[0] if need_BW is not None else logits

    def masks(self, at_BQ: Columns, keys: int, columns_BQ: Tensor) -> Any:
        """The additive mask (B or 1, 1, Q, K); by type of layer where some layers only see a window of the text."""
        assert self.sight is not None
        dtype, device = self.network.dtype, columns_BQ.device
        mask = self.sight.mask(at_BQ, keys, dtype)
        if mask is None:
            mask = torch.zeros(1, 1, columns_BQ.shape[1], keys, dtype=dtype, device=device)
        window = self.window
        if window is None:
            return mask
        far_BQK = (columns_BQ[:, :, None] - torch.arange(keys, device=device)).abs() >= window
        near = mask.masked_fill(far_BQK[:, None], -torch.inf)
        return {"full_attention": mask, "sliding_attention": near} if self.kinds else near

    def only_wanted(self, _: object, __: object, output: Any) -> Any:
        """Keeps the hidden states whose logits are wanted, so that the head computes no others."""
        if self.states is not None:
            self.states.append(output.last_hidden_state)
        if self.wanted is None:
            return output
        hidden_BQD, (want_BW, *need) = output.last_hidden_state, self.wanted
        hidden_BWD = hidden_BQD.gather(1, want_BW[:, :, None].expand(-1, -1, hidden_BQD.shape[2]))
        output.last_hidden_state = hidden_BWD[need[0]][None] if need else hidden_BWD
        return output

    def names_of_kernels(self) -> dict[str, tuple[str, str]]:
        """None of our own."""
        return {}

    def packed_bytes(self) -> int:
        return 0

    def flops(
        self, batch: int, queries: int, keys: int, wanted: float, late: Late | None = None, skipped: int = 0
    ) -> int:
        """As `Backbone.flops`; padding is computed like any position."""
        attention = 2 * batch * queries * keys * 2 * self.mixed * self.layers
        return 2 * batch * queries * self.per_token + attention + 2 * round(batch * wanted) * self.per_logit

    def bytes_moved(self, batch: int, queries: int, keys: int, cached: bool, late: Late | None = None) -> int:
        """As `Backbone.bytes_moved`."""
        heads, width = self.head_shape
        size = self.network.get_input_embeddings().weight.element_size()
        entries = 2 * self.layers * batch * (keys + queries) * heads * width
        return (self.per_token + self.per_logit + cached * entries) * size


def first_position(network: Any) -> int:
    """The number of a text's first position: behind the padding's in models after RoBERTa (Liu et al., 2019)."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return module.padding_idx + 1
    return 0


def window_of(settings: Any) -> int | None:
    """The distance from which on a layer of sliding attention sees nothing; None where all layers see everything."""
    kinds = getattr(settings, "layer_types", None)
    if (kinds and "sliding_attention" not in kinds) or getattr(settings, "use_sliding_window", None) is False:
        return None
    both_sides = getattr(settings, "local_attention", None)  # of ModernBERT (Warner et al., 2024)
    return both_sides // 2 + 1 if both_sides else getattr(settings, "sliding_window", None)
