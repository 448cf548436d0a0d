"""Checkpoints with the layers of Llama or Qwen2 in our own trunk."""

from typing import Any

import torch
from torch import Tensor

from paradigms.pretrained.checkpoint import Checkpoint
from paradigms.trunk.backbone import Backbone
from paradigms.trunk.layout import LLAMA, TURNED, neighbours

NATIVE = ("llama", "qwen2")


def check_native(checkpoint: Checkpoint) -> None:
    """Raises ValueError where our trunk is another network than the checkpoint's."""
    settings: Any = checkpoint.settings
    if settings.model_type not in NATIVE:
        known = " and ".join(NATIVE)
        raise ValueError(f"engine=native: {checkpoint.title} is a {settings.model_type}; only {known} are supported")
    rope = settings.rope_parameters
    width = settings.hidden_size // settings.num_attention_heads
    odd = {
        "rope_type": (rope.get("rope_type", "default"), "default"),
        "hidden_act": (settings.hidden_act, "silu"),
        "head_dim": (getattr(settings, "head_dim", None) or width, width),
        "mlp_bias": (getattr(settings, "mlp_bias", False), False),
        "attention_bias": (getattr(settings, "attention_bias", False), False),
        "use_sliding_window": (getattr(settings, "use_sliding_window", False), False),
    }
    for name, (value, allowed) in odd.items():
        if value != allowed:
            raise ValueError(f"engine=native: {checkpoint.title} has {name}={value}; only {allowed} is supported")


def native(checkpoint: Checkpoint) -> Backbone:
    """Our trunk with the checkpoint's weights, in evaluation."""
    network: Any = checkpoint.network()
    settings = checkpoint.settings
    weights: dict[str, Tensor] = {name: weight.detach() for name, weight in network.named_parameters()}
    tied = network.get_output_embeddings().weight is network.get_input_embeddings().weight
    with torch.device("meta"):
        trunk = Backbone(
            len(weights["model.embed_tokens.weight"]),
            settings.num_hidden_layers,
            settings.hidden_size,
            settings.num_attention_heads,
            settings.intermediate_size,
            kv_heads=settings.num_key_value_heads,
            base=float(settings.rope_parameters["rope_theta"]),
            eps=settings.rms_norm_eps,
            tied=tied,
            bias=settings.model_type == "qwen2",
        )
    found = {"embed.weight": weights["model.embed_tokens.weight"], "norm.weight": weights["model.norm.weight"]}
    found |= {} if tied else {"head.weight": weights["lm_head.weight"]}
    width = settings.hidden_size // settings.num_attention_heads
    for name in trunk.state_dict().keys() - found.keys():
        _, number, part, kind = name.split(".")
        pieces = {piece: weights[f"model.layers.{number}.{piece}.{kind}"] for piece in LLAMA[part]}
        found[name] = torch.cat([neighbours(w, width) if piece in TURNED else w for piece, w in pieces.items()])
    trunk.load_state_dict(found, assign=True)
    return trunk.eval()
