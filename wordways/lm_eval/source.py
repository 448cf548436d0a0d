"""What the harness asks: a paradigm with weights, its tokenizer, and the layout of a context and its continuation."""

import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from hydra import compose
from omegaconf import OmegaConf
from torch import Tensor

from paradigms.base import Canvas, Checkpoint, Paradigm, Vocabulary
from wordways.compose import UNCOMPOSED, cell_of_overrides, one_line
from wordways.composition import hydra_here
from wordways.names import kind, public, renamed
from wordways.overrides import checked
from wordways.record import digest
from wordways.run.check import TINY_TRUNK, check_weights, untitled
from wordways.run.checkpoint_text import vocabulary_of
from wordways.run.noise import SeededNoise
from wordways.run.rehearse import rehearse_paradigm
from wordways.run.session import trained_paradigm
from wordways.run.text import laid
from wordways.settings import SettingError, build


@dataclass(frozen=True)
class Source:
    """A paradigm and its tokenizer.

    before: the ids before every text.  after: the ids between a context and its continuation.
    longest: tokens of a context and its continuation.  key: identifies weights and paradigm.
    """

    node: Mapping[str, Any]
    vocabulary: Vocabulary
    backbone: Any
    tokenizer: Any
    before: list[int]
    after: list[int]
    longest: int
    key: str
    checkpoint: Checkpoint | None

    def paradigm(self, **decoder: Any) -> Paradigm:
        """The paradigm with some settings of its decoder replaced where it has them."""
        known = dict(self.node.get("decoder", {}))
        settings = known | {name: value for name, value in decoder.items() if name in known}
        node = {**self.node, "decoder": settings} if known else self.node
        return build(node, "paradigm", vocabulary=self.vocabulary, backbone=self.backbone).eval()

    @cached_property
    def device(self) -> torch.device:
        return next(self.backbone.parameters()).device

    def ids(self, text: str, special: bool) -> list[int]:
        """The ids of a text, behind those that open one, unless it has these already."""
        found = self.tokenizer.encode(text, add_special_tokens=False).ids
        return found if not special or found[: len(self.before)] == self.before else [*self.before, *found]

    def text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def canvas(self, contexts: Sequence[Sequence[int]], holes: Sequence[Sequence[int]]) -> Canvas:
        """Contexts, aligned at their end, and the holes after them, which are equally many in all rows."""
        prompts = [[*context, *self.after] for context in contexts]
        parts = [(prompt, list(hole), []) for prompt, hole in zip(prompts, holes, strict=True)]
        return laid(parts, max(map(len, prompts)), self.vocabulary.pad).to(self.device)

    def decoded(self, model: Paradigm, contexts: Sequence[Sequence[int]], tokens: int) -> Tensor:
        """The ids of so many tokens that a paradigm generates after each context, (B, H), on the CPU."""
        canvas = self.canvas(contexts, [[self.vocabulary.mask] * tokens] * len(contexts))
        ids_BL = deque(model.decode(canvas, self.noise(contexts)), maxlen=1).pop()
        return ids_BL[canvas.holes_BL].view(len(contexts), tokens).cpu()

    def noise(self, contexts: Sequence[Sequence[int]]) -> SeededNoise:
        """Noise that depends on the context alone, so that all answers to a question are treated alike."""
        names = [f"lm-eval/{zlib.crc32(repr(list(context)).encode())}" for context in contexts]
        return SeededNoise(0, names, self.device)


def source_of(arguments: Mapping[str, Any]) -> Source:
    """The source that settings of `wordways` describe. Raises SettingError with one line."""
    overrides = [f"{name}={'null' if value is None else value}" for name, value in arguments.items()]
    if any(override.startswith("backbone=pretrained") for override in overrides):
        return public_source(overrides)
    cell = cell_of_overrides(overrides)
    if not cell.has_checkpoint:
        raise SettingError(f"paradigm={cell.preset}: has no finished training in {cell.checkpoint}; run wordways first")
    text, device = cell.text, cell.run.torch_device()
    paradigm = trained_paradigm(cell, text, device, lambda: None).to(cell.run.torch_dtype())
    return Source(
        cell.nodes["paradigm"], text.vocabulary, paradigm.backbone, text.tokenizer, [], [text.vocabulary.eos], 1 << 20,
        digest([cell.training_key, cell.nodes["paradigm"], cell.run.seed]), None,
    )  # fmt: skip


def public_source(overrides: Sequence[str]) -> Source:
    """A public checkpoint, as it is, under any paradigm that needs no training."""
    with hydra_here():
        try:
            config = compose("config", checked(overrides))
        except UNCOMPOSED as error:
            raise SettingError(one_line(error, list(overrides))) from None
    parts: Any = {name: OmegaConf.to_container(config[name], resolve=True) for name in ("paradigm", "backbone")}
    nodes = untitled(renamed(parts, public))
    with torch.device("meta"):
        checkpoint: Checkpoint = build(nodes["backbone"], "backbone", vocabulary_size=8).checkpoint
    name = kind(nodes["paradigm"])
    check_weights(checkpoint, name if rehearse_paradigm(nodes["paradigm"], TINY_TRUNK, f"paradigm={name}") else "")
    vocabulary = vocabulary_of(checkpoint)
    backbone = build(nodes["backbone"], "backbone", vocabulary_size=vocabulary.size)
    backbone.initialise(torch.Generator())
    cuda = config.device != "cpu" and torch.cuda.is_available()
    backbone = backbone.to(torch.device("cuda" if cuda else "cpu"), getattr(torch, config.dtype)).eval()
    after = [vocabulary.eos] if checkpoint.trained_here else []
    return Source(
        nodes["paradigm"], vocabulary, backbone, checkpoint.tokenizer.backend_tokenizer, checkpoint.around[0], after,
        checkpoint.positions, digest([checkpoint.fingerprint, nodes["paradigm"], config.seed]), checkpoint,
    )  # fmt: skip
