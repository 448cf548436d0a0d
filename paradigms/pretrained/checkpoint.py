"""A checkpoint of a public model: its files, its tokenizer and its network, or one line that says why it is refused.

Only safetensors weights are read, every tensor must be named as the network names it, and code that a checkpoint brings
along is never run.
"""

import functools
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from paradigms.pretrained.families import FAMILIES, Family

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
WANTED = ("*.json", "*.txt", "*.model", "*.safetensors", "*.jinja")
MEMINFO = Path("/proc/meminfo")


class Ids(NamedTuple):
    """The size of the vocabulary and the ids with a special role; `own_mask`: whether the checkpoint knows the mask.

    A mask that it does not know has the first id after its vocabulary, and the mean of all embeddings.
    """

    size: int
    mask: int
    eos: int
    pad: int
    own_mask: bool


@dataclass(frozen=True)
class Checkpoint:
    """name: a folder, or a repository of the Hugging Face hub.  revision: a commit of it. Raises ValueError."""

    name: str
    revision: str | None

    @cached_property
    def folder(self) -> Path:
        local = Path(self.name).expanduser()
        if local.is_dir():
            return local
        if self.name.startswith((".", "/", "~")) or (
            self.name.count("/") != 1 and not re.fullmatch(r"[\w.-]+", self.name)
        ):
            raise ValueError(f"name={self.name}: no such folder")
        return Path(downloaded(self.name, self.revision))

    @property
    def title(self) -> str:
        """The repository's name, or that of the folder alone."""
        return self.folder.name if Path(self.name).expanduser().is_dir() else self.name

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of config.json."""
        path = self.folder / "config.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise self.refused(f"config.json cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError) as error:
            raise self.damaged(path, error) from None
        if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
            raise self.refused("config.json has no model_type")
        return found

    @property
    def trained_here(self) -> bool:
        """Whether `wordways-export` wrote it, so that its texts are laid out as those of models trained here."""
        return "wordways" in self.config

    @cached_property
    def family(self) -> Family:
        return FAMILIES.get(self.config["model_type"], Family())

    @cached_property
    def settings(self) -> Any:
        """The network's configuration in transformers, without dropout, whose noise no seed of ours governs."""
        from transformers import AutoConfig
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING

        kind = self.family.network or self.config["model_type"]
        if kind not in CONFIG_MAPPING:
            code = self.config.get("auto_map")
            needed = (
                f"it needs the code of {sorted(map(str, code.values()))[0]}, which is not run" if code else "unknown"
            )
            raise self.refused(f"model_type={kind} is not one that transformers has ({needed})")
        try:
            if self.family.network is None:
                found = AutoConfig.from_pretrained(self.folder, local_files_only=True)
            else:
                found = CONFIG_MAPPING[kind](**self.family.configured(self.config))
            for name in [name for name in vars(found) if "drop" in name and isinstance(getattr(found, name), float)]:
                setattr(found, name, 0.0)
            return found
        except Exception as error:  # pydantic-like validation of transformers raises many kinds
            raise self.refused(f"config.json describes no network ({told(error)})") from None

    @cached_property
    def architecture(self) -> Any:
        """The class of transformers with the network and its head over the vocabulary."""
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

        causal, masked = MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING
        said = str((self.config.get("architectures") or [""])[0])
        if getattr(self.settings, "num_experts", None) or getattr(self.settings, "num_local_experts", None):
            raise self.refused("is a mixture of experts, whose cost is not counted yet")
        first, second = (causal, masked) if said.endswith("CausalLM") else (masked, causal)
        for mapping in (first, second):
            if type(self.settings) in mapping:
                return mapping[type(self.settings)]
        raise self.refused(f"model_type={self.config['model_type']} has no head over the vocabulary")

    @property
    def positions(self) -> int:
        """The largest number of tokens in a text."""
        return int(getattr(self.settings, "max_position_embeddings", None) or 1 << 30)

    @cached_property
    def tokenizer(self) -> Any:
        """The fast tokenizer, a `PreTrainedTokenizerFast` of transformers."""
        from transformers import AutoTokenizer, PreTrainedTokenizerFast

        fast = (self.folder / "tokenizer.json").is_file()
        loader: Any = PreTrainedTokenizerFast if fast else AutoTokenizer
        try:
            found = loader.from_pretrained(self.folder, local_files_only=True)
        except Exception as error:
            names = ", ".join(path.name for path in sorted(self.folder.glob("*token*")))
            remedy = f"fetch {names} again" if names else "fetch tokenizer.json, which it lacks"
            raise self.refused(f"its tokenizer cannot be read ({told(error)}); {remedy}") from None
        if not found.is_fast:
            raise self.refused(f"{type(found).__name__} has no fast version")
        found.backend_tokenizer.no_padding()
        found.backend_tokenizer.no_truncation()
        return found

    @cached_property
    def ids(self) -> Ids:
        """EOS is the tokenizer's, else its separator; padding that is also EOS is replaced by the mask."""
        config, tokenizer = self.config, self.tokenizer
        size = int(self.settings.vocab_size)
        if len(tokenizer) > size:
            raise self.refused(f"its tokenizer has {len(tokenizer)} ids, its network {size}")
        eos = next((i for i in (tokenizer.eos_token_id, tokenizer.sep_token_id) if i is not None), None)
        if eos is None:
            raise self.refused("its tokenizer has no end-of-sequence token")
        told = (config.get("mask_token_id"), tokenizer.mask_token_id, self.family.mask)
        known = [int(i) for i in told if i is not None and int(i) < size]
        mask = known[0] if known else size
        pad = tokenizer.pad_token_id
        return Ids(max(size, mask + 1), mask, eos, mask if pad in (None, eos) else pad, bool(known))

    @cached_property
    def around(self) -> tuple[list[int], list[int]]:
        """The ids that the tokenizer places before and after a text."""
        backend = self.tokenizer.backend_tokenizer
        bare, whole = (backend.encode("a", add_special_tokens=special).ids for special in (False, True))
        start = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
        return whole[:start], whole[start + len(bare) :]

    @cached_property
    def files(self) -> list[Path]:
        """The safetensors files, each of which must be there and have an intact header."""
        from safetensors import SafetensorError, safe_open

        names = [SINGLE]
        if (self.folder / INDEX).is_file():
            try:
                names = sorted(
                    set(json.loads((self.folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
                )
            except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
                raise self.damaged(self.folder / INDEX, error) from None
        found = [self.folder / name for name in names]
        for path in found:
            if not path.is_file():
                pickled = next((bad.name for kind in PICKLED for bad in self.folder.glob(kind)), None)
                only = f"; {pickled} is pickled, which is never loaded" if pickled and names == [SINGLE] else ""
                raise self.refused(f"{path.name} is missing{only}")
            try:
                with safe_open(path, framework="pt") as file:
                    file.keys()
            except (SafetensorError, OSError) as error:
                raise self.damaged(path, error) from None
        return found

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify configuration, tokenizer and weights, wherever the files are."""
        whole = hashlib.sha256(json.dumps(self.config, sort_keys=True).encode())
        whole.update(self.tokenizer.backend_tokenizer.to_str().encode())
        for path in self.files:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        return whole.hexdigest()[:16]

    @cached_property
    def names(self) -> dict[str, tuple[Path, str]]:
        """Where each tensor of the network is: its file, and its name there.

        Raises ValueError where a tensor is missing, has another shape, or is one that the network does not have.
        """
        from safetensors import safe_open

        expected, tied = self.expected
        found: dict[str, tuple[Path, str, tuple[int, ...]]] = {}
        for path in self.files:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 (the file is no mapping)
                    found[self.family.renamed(key)] = path, key, tuple(file.get_slice(key).get_shape())
        prefix = f"{self.architecture.base_model_prefix}."
        if not any(name.startswith(prefix) for name in found):  # saved without its head, as GPT-2 was
            found = {name if name in expected else prefix + name: place for name, place in found.items()}
        shapes = {name: shape for name, (_, _, shape) in found.items()}
        spare = sorted(
            name for name in found.keys() - expected if not any(re.search(p, name) for p in self.family.unused)
        )
        lacking = sorted(expected.keys() - found.keys() - tied)
        other = sorted(name for name in found.keys() & expected if shapes[name] != expected[name])
        wrong = [f"lacks {name}" for name in lacking[:1]] + [f"has {name}, which that has not" for name in spare[:1]]
        wrong += [f"has {name} of shape {list(shapes[name])}, not {list(expected[name])}" for name in other[:1]]
        if wrong:
            raise self.refused(f"its weights do not fit {self.architecture.__name__}: it {' and '.join(wrong)}")
        return {name: (path, key) for name, (path, key, _) in found.items() if name in expected}

    @cached_property
    def expected(self) -> tuple[dict[str, tuple[int, ...]], set[str]]:
        """The shapes of the network's tensors by name, and the names of those that are others' copies."""
        try:
            with torch.device("meta"):
                model = self.architecture._from_config(self.settings, attn_implementation="sdpa")
        except Exception as error:  # settings that do not fit each other raise many kinds
            raise self.refused(f"config.json describes no network ({told(error)})") from None
        named = {**model.state_dict(), **dict(model.named_parameters())}
        return {name: tuple(tensor.shape) for name, tensor in named.items()}, set(model.all_tied_weights_keys)

    def network(self) -> nn.Module:
        """The network with the checkpoint's weights, in evaluation, with a row for the mask where it has none."""
        from safetensors import safe_open

        self.check_memory()
        tensors: dict[str, Tensor] = {}
        for path in self.files:
            with safe_open(path, framework="pt") as file:
                tensors |= {name: file.get_tensor(key) for name, (place, key) in self.names.items() if place == path}
        return loaded(self, tensors)

    def check_memory(self) -> None:
        """Raises ValueError where the weights are larger than the memory that the system has left."""
        needed = sum(path.stat().st_size for path in self.files)
        left = (
            re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text(encoding="utf-8")) if MEMINFO.is_file() else None
        )
        if left and needed > int(left[1]) * 1024:
            raise self.refused(f"needs {needed / 1e9:.1f} GB of memory, {int(left[1]) / 1e6:.1f} GB are available")

    def damaged(self, path: Path, error: Exception) -> ValueError:
        """The refusal of a file that cannot be read, with what can be done about it."""
        return self.refused(f"{path} is damaged ({told(error)}); fetch this file again")

    def refused(self, why: str) -> ValueError:
        return ValueError(f"name={self.name}: {why}")


@functools.lru_cache(maxsize=8)
def checkpoint_of(name: str, revision: str | None) -> Checkpoint:
    """The same object for all runs of a sweep, so that files are checked and tokenizers are read once."""
    return Checkpoint(name, revision)


def downloaded(name: str, revision: str | None) -> str:
    """The local folder of a repository's snapshot. Raises ValueError where it cannot be fetched."""
    from huggingface_hub import snapshot_download

    try:
        return snapshot_download(name, revision=revision, allow_patterns=list(WANTED))
    except Exception as error:
        raise ValueError(
            f"name={name}: no such folder, and no such repository could be fetched "
            f"({type(error).__name__}: {told(error)})"
        ) from None


def told(error: Exception) -> str:
    """The beginning of an error's text as one line; its class where it has none."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def loaded(checkpoint: Checkpoint, tensors: dict[str, Tensor]) -> nn.Module:
    """The network with these weights; embeddings grow by one row, their mean, where the mask has no id of its own."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = checkpoint.architecture.from_pretrained(
        None, config=checkpoint.settings, state_dict=tensors, dtype="auto", attn_implementation="sdpa"
    )
    rows, size = model.get_input_embeddings().weight.shape[0], checkpoint.ids.size
    if size > rows:
        with torch.no_grad():
            mean_D = model.get_input_embeddings().weight.mean(0)
            model.resize_token_embeddings(size, mean_resizing=False)
            model.get_input_embeddings().weight[rows:] = mean_D
            head = model.get_output_embeddings()
            head.weight[rows:] = head.weight[:rows].mean(0)
            if head.bias is not None:
                head.bias[rows:] = 0
    return model.eval()
