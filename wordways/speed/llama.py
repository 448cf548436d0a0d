"""The weights of our trunk as a Llama of transformers, which is the same network in another layout."""

from typing import Any

from transformers import LlamaConfig, LlamaForCausalLM

from paradigms.base import Paradigm, llama_settings, llama_weights


def llama_of(paradigm: Paradigm, positions: int, *, causal: bool = True) -> LlamaForCausalLM:
    """A copy of the paradigm's weights, in evaluation, for texts of at most `positions` tokens.

    causal: False lets every position attend to all others.
    """
    backbone, vocabulary = paradigm.backbone, paradigm.vocabulary
    config: Any = LlamaConfig(
        max_position_embeddings=positions,
        bos_token_id=None,
        eos_token_id=vocabulary.eos,
        pad_token_id=vocabulary.pad,
        **llama_settings(backbone),
    )
    model: Any = LlamaForCausalLM(config)
    model.to(backbone.embed.weight.dtype)
    model.load_state_dict(llama_weights(backbone) | {"lm_head.weight": backbone.embed.weight})
    for layer in model.model.layers:
        layer.self_attn.is_causal = causal
    return model.eval()
