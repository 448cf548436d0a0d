"""A checked configuration and the names that it leads to: of its record, its training, its decoding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from paradigms.base import Checkpoint, Paradigm, Vocabulary
from tasks.base import Task
from wordways.names import public, renamed, schema_1
from wordways.record import canonical, cell_id, digest
from wordways.run.limits import Limits
from wordways.run.measure import MeasureSettings
from wordways.run.shared import checkpoint_of, task_of, text_of
from wordways.run.text import Text
from wordways.run.train import TrainSettings
from wordways.settings import build

SEEDS = 2**63  # more than the generators tell apart
THREADS = 1024  # more than a machine has; thread pools fail at some ten thousand, each in its own way
TRAINING = 3  # counted up when code changes what training produces, so that old checkpoints are not taken for new ones


@dataclass(frozen=True)
class RunSettings:
    """What belongs to a run rather than to a part of it. device: auto takes an accelerator where there is one.

    micro_batch, activation_checkpointing: how training divides its memory, which changes its numbers by rounding only;
    they are no part of `TrainSettings`, so that a training keeps its key wherever it is continued.
    """

    seed: int
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["float32", "float64", "bfloat16"]
    threads: int | None
    results: str
    checkpoints: str
    overwrite: Literal["missing", "failed", "timing", "always"]
    progress: bool
    limits: Limits = field(default_factory=Limits)
    micro_batch: int | None = None
    activation_checkpointing: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.seed < SEEDS:
            raise ValueError(f"seed={self.seed}: must be at least 0 and below {SEEDS}")
        if self.threads is not None and not 1 <= self.threads <= THREADS:
            raise ValueError(f"threads={self.threads}: must be at least 1 and at most {THREADS}")
        if self.micro_batch is not None and self.micro_batch < 1:
            raise ValueError(f"micro_batch={self.micro_batch}: must be at least 1")
        for name in ("results", "checkpoints"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name}={getattr(self, name)}: must be a folder")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device=cuda: this machine has none; use cpu or auto")

    def use_threads(self) -> None:
        """Sets the number of torch's CPU threads, where one was asked for."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)

    def torch_device(self) -> torch.device:
        return torch.device("cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu")

    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)


@dataclass(frozen=True)
class Cell:
    """A checked configuration and the name of the record it leads to.

    title: what tables call its paradigm and its task.  training: None where a public checkpoint is used as it is.
    """

    preset: str
    experiment: str
    title: Mapping[str, str]
    nodes: Mapping[str, Any]
    run: RunSettings
    training: TrainSettings | None
    measure: MeasureSettings
    teacher: "Cell | None" = None  # whose texts stand for the data's in training
    judge: "Cell | None" = None  # of what was written
    overrides: tuple[str, ...] = field(default=(), compare=False)  # of the command that leads to it

    @property
    def task(self) -> Task:
        return task_of(canonical(self.nodes["task"]))

    @property
    def train(self) -> TrainSettings:
        """Of a cell that is trained."""
        assert self.training is not None
        return self.training

    @property
    def pretrained(self) -> Checkpoint | None:
        """The public checkpoint that it starts from, if any."""
        return checkpoint_of(canonical(self.nodes["backbone"]))

    @property
    def text(self) -> Text:
        """Its tokenizer and canvas layout."""
        backbone = "" if self.pretrained is None else canonical(self.nodes["backbone"])
        return text_of(canonical(self.nodes["task"]), self.run.checkpoints, backbone)

    @property
    def identified_backbone(self) -> dict[str, Any]:
        """The backbone's settings; those of a public checkpoint by what its files are rather than by where they lie."""
        node, checkpoint = dict(self.nodes["backbone"]), self.pretrained
        if checkpoint is None:
            return node
        return node | {"name": checkpoint.title, "weights": checkpoint.fingerprint}

    @property
    def identified_task(self) -> dict[str, Any]:
        """The task's settings, by what its data are rather than by where they lie."""
        task, node = self.task, self.nodes["task"]
        said = {name: value for name, value in node.items() if name not in task.hashed}
        said = {name: value for name, value in said.items() if (name, value) not in task.unsaid.items()}
        return said | {"data_hash": task.data_hash()}

    @property
    def training_settings(self) -> dict[str, Any]:
        """The settings of the training loop without float32 precision, which older records leave unsaid."""
        return {name: value for name, value in self.nodes["train"].items() if (name, value) != ("precision", "float32")}

    @property
    def config(self) -> dict[str, Any]:
        """What the record keeps: all that makes the cell what it is, and the names it goes by."""
        measure = {name: value for name, value in self.nodes["measure"].items() if name != "keep"}
        if self.judge is not None:
            measure["judge"] = measure["judge"] | {"task": self.judge.identified_task}
        return {
            "preset": self.preset,
            "experiment": self.experiment,
            "title": dict(self.title),
            "paradigm": self.nodes["paradigm"],
            "task": self.identified_task,
            "backbone": self.identified_backbone,
            "train": self.training_settings,
            "seed": self.run.seed,
            "measure": {name: value for name, value in measure.items() if name != "extra" or value},
            "device": self.run.torch_device().type,
            "dtype": self.run.dtype,
        }

    @cached_property
    def id(self) -> str:
        return cell_id(self.config)

    @cached_property
    def names(self) -> tuple[str, str]:
        """The record's name, and the one that schema 1 gave it."""
        return self.id, cell_id(self.config, 1)

    @property
    def training_key(self) -> str:
        """A hash of everything that shapes training and of nothing else, so that a sweep over decoders trains once."""
        return self.training_key_by(public)

    @property
    def checkpoint(self) -> Path:
        """The training's folder; one made under schema 1 keeps its name."""
        root = Path(self.run.checkpoints)
        return existing(root / self.training_key, root / self.training_key_by(schema_1))

    @property
    def has_checkpoint(self) -> bool:
        """Whether its training is finished and kept, or it needs none."""
        return self.training is None or (self.checkpoint / "log.json").is_file()

    def training_key_by(self, naming: Callable[[str], str]) -> str:
        shaping = {name: value for name, value in self.nodes["paradigm"].items() if name != "decoder"}
        task = shaping_settings(self.task, self.nodes["task"]) | {"data_hash": self.task.training_hash()}
        parts = [shaping, task, self.identified_backbone, self.training_settings]
        return digest([TRAINING, *renamed(parts, naming), self.run.seed])

    @property
    def texts(self) -> Path:
        """The folder of the texts that its decoder generated as a teacher, in its training's folder."""
        decoder = self.nodes["paradigm"].get("decoder")
        new, old = (self.checkpoint / f"texts-{digest(renamed(decoder, by))}" for by in (public, schema_1))
        return existing(new, old)

    def paradigm(self, vocabulary: Vocabulary, path: str = "paradigm") -> Paradigm:
        backbone = build(self.nodes["backbone"], "backbone", vocabulary_size=vocabulary.size)
        backbone.checkpoints_activations = self.run.activation_checkpointing
        return build(self.nodes["paradigm"], path, vocabulary=vocabulary, backbone=backbone)


def shaping_settings(task: Any, node: Mapping[str, Any]) -> dict[str, Any]:
    """A task's settings that shape training; where it only changes what another asks in its test, that one's."""
    kept = {name: value for name, value in node.items() if name not in task.hashed | task.not_for_training}
    return shaping_settings(task.task, kept["task"]) if kept.keys() == {"_target_", "task"} else kept


def existing(new: Path, old: Path) -> Path:
    return old if old.is_dir() and not new.is_dir() else new
