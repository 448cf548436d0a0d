"""The weights of our trunk as a Llama of transformers, which is the same network in another layout."""

from typing import Any

from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from paradigms.base import LLAMA, TURNED, Paradigm, halves

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
    model.load_state_dict(weights_of(dict(backbone.named_parameters()), backbone.width // backbone.heads))
    for layer in model.model.layers:
        layer.self_attn.is_causal = causal
    return model.eval()


def weights_of(trunk: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """The trunk's weights under Llama's names and in its layout; width: of a head."""
    found = {f"{name}.weight": trunk["embed.weight"] for name in ("model.embed_tokens", "lm_head")}
    found["model.norm.weight"] = trunk["norm.weight"]
    for name, weight in trunk.items():
        _, _, rest = name.partition("layers.")
        number, _, part = rest.partition(".")
        if rest:
            parts = LLAMA[part.removesuffix(".weight")]
            for key, piece in zip(parts, weight.chunk(len(parts)), strict=True):
                found[f"model.layers.{number}.{key}.weight"] = halves(piece, width) if key in TURNED else piece
    return found
