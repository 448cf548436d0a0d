"""Our side of the benchmark: a paradigm of conf/ with random weights, and a canvas of random tokens.

Random weights take as long as trained ones, so nothing is trained. Decoding is greedy, so that tokens can be compared.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import Canvas, Paradigm, Vocabulary
from wordways.compose import compose_cells
from wordways.names import kind
from wordways.run.cell import Cell
from wordways.run.noise import SeededNoise
from wordways.run.trace import metered
from wordways.run.train import optimizer_of, take_step

CPU = torch.device("cpu")
TEXT = 3  # the first id that is text; mask, EOS and padding come before
VOCABULARIES = {"nano": 26, "mini": 4_000, "small": 32_000, "base": 32_000}  # tokens, by backbone

Precision = Literal["float32", "bfloat16"]
Work = Sequence[tuple[int, int]]
"""For every forward pass, (FLOP, bytes that it must move at least)."""


@dataclass(frozen=True)
class Subject:
    """A preset at one size: `batch` texts of `tokens` tokens after prompts of `prompt` tokens.

    changes: settings that differ from the preset's, as on a command line.  silent: ids with embedding 0. Their logit is
    0 and never the greatest, so that no program has to suppress them; a mask that is read must not be among them.
    threads: of torch; None: as many as it has.
    """

    size: str
    tokens: int
    preset: str = "autoregressive"
    changes: Sequence[str] = ()
    batch: int = 1
    prompt: int = 16
    silent: Sequence[str] = ("eos", "pad", "mask")
    threads: int | None = None

    @property
    def length(self) -> int:
        return self.prompt + self.tokens

    @cached_property
    def cell(self) -> Cell:
        greedy = ["decoding.temperature=0.0", "decoding.order=confidence"]
        return compose_cells([f"paradigm={self.preset}", f"backbone={self.size}", *greedy, *self.changes])[0]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(VOCABULARIES[self.size], mask=2, eos=1, pad=0)

    @cached_property
    def paradigm(self) -> Paradigm:
        """The model in evaluation; the weights of a size are the same in every subject."""
        paradigm = self.cell.paradigm(self.vocabulary).eval()
        generator = torch.Generator().manual_seed(0)
        paradigm.initialise(generator)
        with torch.no_grad():
            for name, weight in paradigm.backbone.named_parameters():
                if name.endswith("_out.weight"):  # at first 0, which would leave out a layer's effect
                    weight.normal_(0, weight.shape[1] ** -0.5, generator=generator)
            paradigm.backbone.embed.weight[[getattr(self.vocabulary, name) for name in self.silent]] = 0.0
        return paradigm

    @cached_property
    def canvas(self) -> Canvas:
        """Random prompts; in training also random targets."""
        generator = torch.Generator().manual_seed(0)
        shape = self.batch, self.length
        ids_BL = torch.randint(TEXT, self.vocabulary.size, shape, generator=generator)
        holes_BL = (torch.arange(shape[1]) >= self.prompt).expand(shape)
        return Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))

    @property
    def blank(self) -> Canvas:
        """The canvas with masks in its holes."""
        ids_BL = self.canvas.ids_BL.masked_fill(self.canvas.holes_BL, self.vocabulary.mask)
        return Canvas(ids_BL, self.canvas.holes_BL, self.canvas.pad_BL)

    @property
    def noise(self) -> SeededNoise:
        return SeededNoise(0, [str(row) for row in range(self.batch)], CPU)

    def decoder(self) -> Callable[[], Tensor]:
        """A program that decodes the canvas and returns the generated tokens, (B, N)."""
        paradigm, canvas, noise = self.paradigm, self.blank, self.noise

        @torch.inference_mode()
        def decode() -> Tensor:
            ids_BL = canvas.ids_BL
            for ids_BL in paradigm.decode(canvas, noise):  # noqa: B007
                pass
            return ids_BL[:, self.prompt :]

        return decode

    def trainer(self) -> Callable[[], Tensor]:
        """A program that trains on the canvas for one step, as `wordways.run.train` does; returns the loss before."""
        paradigm, canvas, settings, steps = self.paradigm.train(), self.canvas, self.cell.train, itertools.count()
        optimizer = optimizer_of(paradigm, settings)
        return lambda: take_step(paradigm, optimizer, canvas, settings, 0, next(steps))[0].mean.detach()

    def work(self) -> Work:
        """Of decoding the canvas."""
        with metered(self.paradigm) as meter:
            self.decoder()()
        return meter.work

    def training_work(self) -> Work:
        """Of a training step: the operations of its forward and its backward pass; what it moves is not counted."""
        with metered(self.paradigm) as meter:
            self.paradigm.loss(self.canvas, self.noise, 0.0)
        return [(meter.flops, 0)]

    def setting(self) -> dict[str, str | int]:
        """What a line of the results says of it."""
        return {
            "size": self.size,
            "parameters": sum(weight.numel() for weight in self.paradigm.parameters()),
            "vocabulary": self.vocabulary.size,
            "preset": self.preset,
            "paradigm": kind(self.cell.nodes["paradigm"]),
            "title": self.cell.title["paradigm"],
            "batch": self.batch,
            "prompt": self.prompt,
            "tokens": self.tokens,
            "threads": torch.get_num_threads(),
            "precision": self.cell.train.precision,
        }
