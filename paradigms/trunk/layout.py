"""The trunk's layers under the names of Llama in transformers, which is the same network in another layout.

Our rotary embedding turns pairs of neighbouring numbers, Llama's pairs that lie half a head apart: the rows of queries
and keys are reordered. Llama has separate matrices for queries, keys and values, and for the two halves of SwiGLU. With
a bias of queries, keys and values the network is Qwen2's, which has the same names.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from paradigms.trunk.backbone import Backbone

LLAMA: Mapping[str, tuple[str, ...]] = {
    "attend_norm": ("input_layernorm",),
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attend_out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp_out": ("mlp.down_proj",),
}
TURNED = ("self_attn.q_proj", "self_attn.k_proj")  # whose rows are reordered


def llama_settings(trunk: Backbone) -> dict[str, Any]:
    """The trunk's settings under the names of transformers. Raises ValueError for a network of another class."""
    if type(trunk) is not Backbone:
        raise ValueError(f"{type(trunk).__name__} is not the trunk of models trained here")
    biased = any(name.endswith("bias") for name, _ in trunk.named_parameters())
    return {
        "model_type": "qwen2" if biased else "llama",
        "vocab_size": len(trunk.embed.weight),
        "hidden_size": trunk.width,
        "intermediate_size": trunk.hidden,
        "num_hidden_layers": len(trunk.layers),
        "num_attention_heads": trunk.heads,
        "num_key_value_heads": trunk.kv_heads,
        "hidden_act": "silu",
        "rms_norm_eps": trunk.norm.eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": trunk.rotary.base},
        "tie_word_embeddings": trunk.head is None,
    }


def llama_weights(trunk: Backbone) -> dict[str, Tensor]:
    """The trunk's weights under Llama's names and in its layout; a head that is the embeddings is left out."""
    width = trunk.width // trunk.heads
    rows = {"qkv": [count * width for count in (trunk.heads, trunk.kv_heads, trunk.kv_heads)], "gate_up": trunk.hidden}
    found = {"model.embed_tokens.weight": trunk.embed.weight, "model.norm.weight": trunk.norm.weight}
    found |= {} if trunk.head is None else {"lm_head.weight": trunk.head.weight}
    for number, layer in enumerate(trunk.layers):
        for name, weight in layer.named_parameters():
            part, kind = name.split(".")
            for key, piece in zip(LLAMA[part], weight.split(rows.get(part, len(weight))), strict=True):
                found[f"model.layers.{number}.{key}.{kind}"] = halves(piece, width) if key in TURNED else piece
    return {name: weight.detach().contiguous() for name, weight in found.items()}


def halves(weight: Tensor, head_width: int) -> Tensor:
    """The rows of every head reordered: a pair that stands side by side comes to lie half a head apart."""
    return weight.view(-1, head_width // 2, 2, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def neighbours(weight: Tensor, head_width: int) -> Tensor:
    """The inverse of `halves`."""
    return weight.view(-1, 2, head_width // 2, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)
