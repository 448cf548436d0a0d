"""The files of an exported model: weights and settings in the layout of Llama, its tokenizer, how it generates."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save
from tokenizers import Tokenizer, processors

from paradigms.base import Vocabulary, llama_settings, llama_weights
from wordways import __version__
from wordways.export.readings import Reading
from wordways.files import write_atomically
from wordways.run.text import Text

CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def write_weights(folder: Path, backbone: Any) -> None:
    weights = {name: weight.float().cpu() for name, weight in llama_weights(backbone).items()}
    write_atomically(folder / "model.safetensors", save(weights, metadata={"format": "pt"}))


def config_of(
    backbone: Any, vocabulary: Vocabulary, positions: int, readings: Sequence[Reading], cell: str
) -> dict[str, Any]:
    """The content of config.json. `wordways` says how the model is read, and that texts are laid out as ours are."""
    settings = llama_settings(backbone)
    return {
        "architectures": [CLASSES[settings["model_type"]]],
        **settings,
        "rope_theta": settings["rope_parameters"]["rope_theta"],  # for versions of transformers before 5
        "max_position_embeddings": positions,
        "bos_token_id": None,
        "eos_token_id": vocabulary.eos,
        "pad_token_id": vocabulary.pad,
        "mask_token_id": vocabulary.mask,
        "dtype": "float32",
        "wordways": {
            "version": __version__,
            "cell": cell,
            "attention": [
                {"rule": one.rule, "sees": one.sees, "logits": "next" if one.predicts_next else "own"}
                for one in readings
            ],
        },
    }


def generation_of(
    vocabulary: Vocabulary, decoder: Mapping[str, Any], holes: int, readings: Sequence[Reading]
) -> dict[str, Any]:
    """The content of generation_config.json: for a causal model the decoder's settings, else the special ids alone.

    Raises ValueError for a search that `generate` does not have.
    """
    plain = {
        "eos_token_id": vocabulary.eos,
        "pad_token_id": vocabulary.pad,
        "suppress_tokens": sorted([vocabulary.mask, vocabulary.pad]),
    }
    if readings[0].rule != "causal":
        return plain
    if "beams" in decoder:
        beams = {"num_beams": decoder["beams"], "length_penalty": decoder["length_penalty"]}
        exact = {"early_stopping": "never", "renormalize_logits": True}  # without the suppressed tokens, as ours are
        sampling: dict[str, Any] = {"do_sample": False} | exact | beams
    elif "candidates" in decoder:
        raise ValueError(
            "its decoder is contrastive search, which transformers does not have; export a run of the same training "
            "that samples"
        )
    elif not decoder.get("temperature", 1.0):
        sampling = {"do_sample": False}
        penalty = decoder.get("repetition_penalty", 1.0)
        sampling |= {"repetition_penalty": penalty} if penalty != 1 else {}
    else:
        known = {name: decoder[name] for name in SAMPLING if decoder.get(name) is not None}
        sampling = {"do_sample": True, "top_k": 0} | known
    return {**plain, "max_new_tokens": holes, **sampling}


def write_tokenizer(folder: Path, text: Text) -> None:
    """The tokenizer, which appends EOS where special tokens are asked for, because every prompt ends with it."""
    special, tokenizer = text.vocabulary, Tokenizer.from_str(text.tokenizer.to_str())
    names = {role: tokenizer.id_to_token(getattr(special, role)) for role in ("eos", "pad", "mask")}
    tokenizer.post_processor = processors.TemplateProcessing(
        f"$A {names['eos']}", special_tokens=[(names["eos"], special.eos)]
    )
    write_atomically(folder / "tokenizer.json", tokenizer.to_str())
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{role}_token": name for role, name in names.items()},
        "split_special_tokens": True,  # "<eos>" in a text is ordinary text
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
    }
    write_json(folder / "tokenizer_config.json", settings)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
