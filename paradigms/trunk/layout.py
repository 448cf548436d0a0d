"""The trunk's layers under the names of Llama in transformers, which is the same network in another layout.

Our rotary embedding turns pairs of neighbouring numbers, Llama's pairs that lie half a head apart: the rows of queries
and keys are reordered. Llama has separate matrices for queries, keys and values, and for the two halves of SwiGLU.
"""

from collections.abc import Mapping

from torch import Tensor

LLAMA: Mapping[str, tuple[str, ...]] = {
    "attend_norm": ("input_layernorm",),
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attend_out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp_out": ("mlp.down_proj",),
}
TURNED = ("self_attn.q_proj", "self_attn.k_proj")  # whose rows are reordered


def halves(weight: Tensor, head_width: int) -> Tensor:
    """The rows of every head reordered: a pair that stands side by side comes to lie half a head apart."""
    return weight.view(-1, head_width // 2, 2, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def neighbours(weight: Tensor, head_width: int) -> Tensor:
    """The inverse of `halves`."""
    return weight.view(-1, 2, head_width // 2, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)
