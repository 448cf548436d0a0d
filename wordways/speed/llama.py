"""The weights of our trunk as a Llama of transformers, which is the same network in another layout.

Our rotary embedding turns pairs of neighbouring numbers, Llama's pairs that lie half a head apart: the rows of queries
and keys are reordered. Llama has separate matrices for queries, keys and values, and for the two halves of SwiGLU.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from paradigms.base import Paradigm

EPS = 1e-5  # of the trunk's RMSNorm
ROTARY: Any = {"rope_theta": 10_000.0}  # base of the trunk's rotary frequencies


def llama_of(paradigm: Paradigm, positions: int, *, causal: bool = True) -> LlamaForCausalLM:
    """A copy of the paradigm's weights, in evaluation, for texts of at most `positions` tokens.

    causal: False lets every position attend to all others.
    """
    backbone, vocabulary = paradigm.backbone, paradigm.vocabulary
    config: Any = LlamaConfig(
        vocab_size=vocabulary.size,
        hidden_size=backbone.width,
        intermediate_size=backbone.hidden,
        num_hidden_layers=len(backbone.layers),
        num_attention_heads=backbone.heads,
        num_key_value_heads=backbone.heads,
        rms_norm_eps=EPS,
        tie_word_embeddings=True,
        max_position_embeddings=positions,
        bos_token_id=None,
        eos_token_id=vocabulary.eos,
        pad_token_id=vocabulary.pad,
        **ROTARY,
    )
    model: Any = LlamaForCausalLM(config)
    model.to(backbone.embed.weight.dtype)
    model.load_state_dict(weights_of(dict(backbone.named_parameters()), backbone.heads))
    for layer in model.model.layers:
        layer.self_attn.is_causal = causal
    return model.eval()


def weights_of(trunk: dict[str, Tensor], heads: int) -> dict[str, Tensor]:
    """The trunk's weights under Llama's names and in its layout."""
    found = {f"{name}.weight": trunk["embed.weight"] for name in ("model.embed_tokens", "lm_head")}
    found["model.norm.weight"] = trunk["norm.weight"]
    for name, weight in trunk.items():
        _, _, rest = name.partition("layers.")
        number, _, part = rest.partition(".")
        if rest:
            parts = PARTS[part.removesuffix(".weight")]
            for key, piece in zip(parts, weight.chunk(len(parts)), strict=True):
                turned = key in ("self_attn.q_proj", "self_attn.k_proj")
                found[f"model.layers.{number}.{key}.weight"] = halves(piece, heads) if turned else piece
    return found


PARTS = {
    "attend_norm": ("input_layernorm",),
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attend_out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp_out": ("mlp.down_proj",),
}


def halves(weight_DI: Tensor, heads: int) -> Tensor:
    """The rows of every head reordered: those of even number first, so that a pair lies half a head apart."""
    weight_NEI = weight_DI.unflatten(0, (heads, -1))
    return torch.cat((weight_NEI[:, 0::2], weight_NEI[:, 1::2]), dim=1).flatten(0, 1)
