"""Small checkpoints with random weights in the formats that public models are published in."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

WORDS = ["the cat sat on the mat.", "a dog ran to the house!", "one two three four five", "she said: it's fine?"]
SIZE = 320
NARROW: Mapping[str, Any] = {
    "vocab_size": SIZE, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 128, "initializer_range": 0.2, "bos_token_id": 1, "eos_token_id": 0,
    "pad_token_id": None,
}  # fmt: skip
SPECIAL: Mapping[str, Any] = {
    "pad_token_id": 0,
    "cls_token_id": 1,
    "sep_token_id": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CAUSAL: Mapping[str, Mapping[str, Any]] = {
    "llama": NARROW | {"num_key_value_heads": 2, "rope_theta": 5e5, "tie_word_embeddings": True},
    "qwen2": NARROW | {"num_key_value_heads": 2},
    "qwen3": NARROW | {"num_key_value_heads": 2, "head_dim": 16},
    "mistral": NARROW | {"num_key_value_heads": 2, "sliding_window": 6},
    "gpt2": {
        "vocab_size": SIZE,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 128,
        "initializer_range": 0.2,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
}
MASKED: Mapping[str, Mapping[str, Any]] = {
    "bert": NARROW,
    "roberta": NARROW | {"max_position_embeddings": 130, "pad_token_id": 0},
    "distilbert": {
        "vocab_size": SIZE, "dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4, "initializer_range": 0.2,
        "max_position_embeddings": 128,
    },
    "modernbert": NARROW | SPECIAL | {"local_attention": 6, "global_attn_every_n_layers": 2},
}  # fmt: skip


def tokenizer(folder: Path, specials: Mapping[str, str], opening: str = "", closing: str = "") -> None:
    """A byte-level BPE of SIZE ids with these special tokens, by their role, in a checkpoint's folder."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=list(dict.fromkeys(specials.values())),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    made.train_from_iterator(WORDS * 10, trainer)
    if opening or closing:
        ids = [(token, made.token_to_id(token)) for token in (opening, closing) if token]
        made.post_processor = processors.TemplateProcessing(f"{opening} $A {closing}".strip(), special_tokens=ids)
    PreTrainedTokenizerFast(tokenizer_object=made, **specials).save_pretrained(folder)


def published(folder: Path, kind: str, causal: bool, seed: int = 0, **changed: Any) -> Any:
    """A checkpoint that transformers wrote, of model type `kind`; returns its network."""
    torch.manual_seed(seed)
    settings = {**(CAUSAL if causal else MASKED)[kind], **changed}
    config = transformers.AutoConfig.for_model(kind, **settings)
    auto = transformers.AutoModelForCausalLM if causal else transformers.AutoModelForMaskedLM
    network: Any = auto.from_config(config)
    network.save_pretrained(folder)
    if causal:
        tokenizer(folder, {"eos_token": "</s>", "bos_token": "<s>"}, "<s>" if kind == "llama" else "")
    else:
        special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
        tokenizer(folder, special, "[CLS]", "[SEP]")
    return network.eval()


def rewritten(
    source: Path, folder: Path, config: Mapping[str, Any], rename: Callable[[str], str], shards: int = 1
) -> None:
    """The weights of a checkpoint under other names and another configuration, in one or several files."""
    from safetensors.torch import load_file

    tensors = {rename(name): tensor for name, tensor in load_file(source / "model.safetensors").items()}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    for path in source.glob("*token*.json"):
        (folder / path.name).write_text(path.read_text())
    save_sharded(folder, tensors, shards)


def save_sharded(folder: Path, tensors: Mapping[str, Tensor], shards: int) -> None:
    if shards == 1:
        save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
        return
    names = sorted(tensors)
    place = {name: f"model-{1 + i % shards:05}-of-{shards:05}.safetensors" for i, name in enumerate(names)}
    for file in sorted(set(place.values())):
        inside = {name: tensors[name] for name in names if place[name] == file}
        save_file(inside, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": place}))


def with_checkpoints(arguments: list[str], folder: Path) -> list[str]:
    """A command in which every checkpoint that it names is a small one in a folder."""
    found = []
    for argument in arguments:
        option, _, names = argument.partition("=")
        if option == "backbone.name":
            places = [folder / f"checkpoint-{number}" for number, _ in enumerate(names.split(","))]
            for place in places:
                published(place, "llama", causal=True, max_position_embeddings=4096)
            argument = f"{option}={','.join(map(str, places))}"
        found.append(argument)
    return found
