"""Families of public checkpoints: what their configurations do not say, or say in words of their own.

A family that is not listed is read as transformers reads it. The facts come from the published configurations and
samplers: LLaDA (Nie et al., 2025), Dream (Ye et al., 2025), A2D (dllm), SDAR (Cheng et al., 2025).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """network: the model type of transformers that has the same layers; None where the checkpoint is one of its own.

    settings: the network's settings by the names of the checkpoint's.  fixed: settings that only one value of is
    supported.  renames: patterns of the checkpoint's tensor names and the network's names for them.
    shifted: whether the logits at a position predict the next one although attention is bidirectional.
    mask: the id of the mask token, where neither configuration nor tokenizer tells.
    unused: patterns of tensors that generation does not need.
    """

    network: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    shifted: bool = False
    mask: int | None = None
    unused: tuple[str, ...] = ()

    def configured(self, config: Config) -> dict[str, Any]:
        """The network's settings. Raises ValueError where the checkpoint has one that the network lacks."""
        for name, value in self.fixed.items():
            if config.get(name, value) != value:
                raise ValueError(f"config.json has {name}={config[name]!r}; only {value!r} is supported")
        if not self.settings:
            return {name: value for name, value in config.items() if name not in DESCRIPTIONS}
        lacking = [theirs for theirs in self.settings if theirs not in config]
        if lacking:
            raise ValueError(f"config.json lacks {', '.join(lacking)}")
        return {ours: config[theirs] for theirs, ours in self.settings.items()}

    def renamed(self, tensor: str) -> str:
        for theirs, ours in self.renames.items():
            tensor, found = re.subn(theirs, ours, tensor)
            if found:
                break
        return tensor


DESCRIPTIONS = ("model_type", "architectures", "auto_map", "transformers_version", "torch_dtype", "dtype")

BLOCK = r"^model\.transformer\.blocks\.(\d+)"
LLADA = Family(
    network="llama",
    settings={
        "d_model": "hidden_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "mlp_hidden_size": "intermediate_size",
        "embedding_size": "vocab_size",
        "max_sequence_length": "max_position_embeddings",
        "rope_theta": "rope_theta",
        "rms_norm_eps": "rms_norm_eps",
        "weight_tying": "tie_word_embeddings",
    },
    fixed={
        "block_type": "llama",
        "block_group_size": 1,
        "activation_type": "silu",
        "layer_norm_type": "rms",
        "rope": True,
        "alibi": False,
        "scale_logits": False,
        "input_emb_norm": False,
        "attention_layer_norm": False,
        "include_bias": False,
        "include_qkv_bias": False,
    },
    renames={
        rf"{BLOCK}\.attn_norm\.": r"model.layers.\1.input_layernorm.",
        rf"{BLOCK}\.attn_out\.": r"model.layers.\1.self_attn.o_proj.",
        rf"{BLOCK}\.([qkv]_proj)\.": r"model.layers.\1.self_attn.\2.",
        rf"{BLOCK}\.ff_norm\.": r"model.layers.\1.post_attention_layernorm.",
        rf"{BLOCK}\.ff_proj\.": r"model.layers.\1.mlp.gate_proj.",  # the side that SiLU is applied to
        rf"{BLOCK}\.up_proj\.": r"model.layers.\1.mlp.up_proj.",
        rf"{BLOCK}\.ff_out\.": r"model.layers.\1.mlp.down_proj.",
        r"^model\.transformer\.wte\.": "model.embed_tokens.",
        r"^model\.transformer\.ln_f\.": "model.norm.",
        r"^model\.transformer\.ff_out\.": "lm_head.",
    },
    mask=126336,
)
BERT = Family(unused=(r"^cls\.seq_relationship\.", r"\.pooler\.", r"\.position_ids$"))

FAMILIES: Mapping[str, Family] = {
    "llada": LLADA,
    "Dream": Family(network="qwen2", shifted=True, mask=151666),
    "a2d-llama": Family(network="llama"),
    "a2d-qwen2": Family(network="qwen2"),
    "a2d-qwen3": Family(network="qwen3"),
    "sdar": Family(network="qwen3", mask=151669),
    "bert": BERT,
    "roberta": BERT,
    "distilbert": BERT,
    "gpt2": Family(unused=(r"\.attn\.(masked_)?bias$",)),
    "llama": Family(unused=(r"\.rotary_emb\.inv_freq$",)),
}
