"""The training loop, equal for all paradigms: same batches in the same order, same optimiser, same number of steps."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from paradigms.base import Canvas, Loss, Paradigm
from wordways.record import canonical, write_atomically
from wordways.run.lock import file_lock
from wordways.run.noise import SeededNoise
from wordways.run.text import Stream
from wordways.run.trace import metered

CHECKS = 10  # validations per training, after each of which an interrupted training can resume
MOMENTS = ("step", "exp_avg", "exp_avg_sq")

Batch = tuple[Canvas, list[str]]  # a canvas and the names of its rows


@dataclass(frozen=True)
class TrainSettings:
    """AdamW (Loshchilov and Hutter, 2019) with linear warm-up and cosine decay to `floor` times the peak learning rate.

    precision: of matrix products; weights, their moments and all sums stay in float32.
    Raises ValueError where a number is out of range.
    """

    steps: int
    batch: int
    lr: float
    warmup: int
    floor: float
    beta2: float
    weight_decay: float
    clip: float
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1")
        for name in ("lr", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)}: must be above 0")
        for name in ("warmup", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 0")
        for name in ("floor", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 0 and below 1")

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rise = (step + 1) / (self.warmup + 1)
        done = max(0, step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * min(rise, self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class TrainLog:
    """Training statistics, interruptions excluded.

    curve: (step, mean training loss since the previous point, validation loss), in nats of the paradigm's objective.
    """

    curve: list[tuple[int, float, float]]
    best_step: int
    tokens: int
    supervised_tokens: int
    flops: int
    seconds: float


def fit(
    paradigm: Paradigm,
    stream: Stream,
    valid: list[Batch],
    settings: TrainSettings,
    seed: int,
    folder: Path,
    advance: Callable[[int], None],
) -> TrainLog:
    """Starts or resumes training, unless `folder` holds a finished one, and loads the best weights.

    Writes best.safetensors, last.safetensors and log.json, and during training state.safetensors to resume from.
    Raises FloatingPointError where training diverges.
    """
    with file_lock(folder / "lock", alone=True, why=f"another run is training the same model, {folder.name}"):
        if not (folder / "log.json").is_file():
            log = train(paradigm, stream, valid, settings, seed, folder, advance)
            write_atomically(folder / "log.json", canonical(asdict(log)))
            (folder / "state.safetensors").unlink(missing_ok=True)
    load_weights(paradigm, folder / "best.safetensors")
    paradigm.eval()
    return TrainLog(**json.loads((folder / "log.json").read_text()))


def train(
    paradigm: Paradigm,
    stream: Stream,
    valid: list[Batch],
    settings: TrainSettings,
    seed: int,
    folder: Path,
    advance: Callable[[int], None],
) -> TrainLog:
    """The loop itself, from the last saved state on."""
    device = device_of(paradigm)
    optimizer = optimizer_of(paradigm, settings)
    log = TrainLog([], 0, 0, 0, 0, 0.0)
    if (folder / "state.safetensors").is_file():
        log = restore(paradigm, optimizer, folder / "state.safetensors")
    began = log.curve[-1][0] if log.curve else 0
    advance(began)
    every = math.ceil(settings.steps / CHECKS)
    losses, supervised, tokens, flops, clock = [], [], 0, 0, time.perf_counter()
    paradigm.train()
    for step in range(began, settings.steps):
        canvas = stream.canvas(step).to(device)
        loss, passed = take_step(paradigm, optimizer, canvas, settings, seed, step)
        losses.append(loss.mean.detach())
        supervised.append(loss.supervised)
        tokens, flops = tokens + int((~canvas.pad_BL).sum()), flops + passed
        stopped = time.perf_counter()
        advance(1)  # may wait while another process times, which is not training time
        clock += time.perf_counter() - stopped
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            checked = validation_loss(paradigm, valid, seed)
            if not math.isfinite(checked):
                raise FloatingPointError(f"training diverged by step {step + 1}: lower train.lr={settings.lr}")
            better = checked <= min((point[2] for point in log.curve), default=math.inf)
            log = TrainLog(
                [*log.curve, (step + 1, float(torch.stack(losses).mean()), checked)],
                step + 1 if better else log.best_step,
                log.tokens + tokens,
                log.supervised_tokens + int(torch.stack(supervised).sum()),
                log.flops + flops,
                log.seconds + time.perf_counter() - clock,
            )
            losses, supervised, tokens, flops, clock = [], [], 0, 0, time.perf_counter()
            for name in ["last"] + ["best"] * better:
                write_atomically(folder / f"{name}.safetensors", save(weights_of(paradigm)))
            write_atomically(folder / "state.safetensors", snapshot(paradigm, optimizer, log))
    return log


def optimizer_of(paradigm: Paradigm, settings: TrainSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        paradigm.parameters(), betas=(0.9, settings.beta2), weight_decay=settings.weight_decay, fused=True
    )


def take_step(
    paradigm: Paradigm,
    optimizer: torch.optim.Optimizer,
    canvas: Canvas,
    settings: TrainSettings,
    seed: int,
    step: int,
) -> tuple[Loss, int]:
    """One update of the weights on a batch; returns the loss before it, and its FLOP."""
    device = canvas.ids_BL.device
    noise = SeededNoise(seed, [f"train/{step}/{row}" for row in range(len(canvas.ids_BL))], device)
    with metered(paradigm) as meter, autocast(device, settings.precision):
        loss = paradigm.loss(canvas, noise, step / settings.steps)
    for group in optimizer.param_groups:
        group["lr"] = settings.rate(step)
    optimizer.zero_grad()
    loss.mean.backward()
    torch.nn.utils.clip_grad_norm_(paradigm.parameters(), settings.clip)
    optimizer.step()
    return loss, meter.flops


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision (Micikevicius et al., 2018) where products are to run in bfloat16.

    Casts are not kept, because torch 2.8 also uses one that was made without a gradient where a gradient is asked for.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


@torch.inference_mode()
def validation_loss(paradigm: Paradigm, valid: list[Batch], seed: int) -> float:
    """The training objective on validation examples, with the same noise at every call."""
    paradigm.eval()
    total, count = 0.0, 0
    for canvas, ids in valid:
        loss = paradigm.loss(canvas, SeededNoise(seed, ids, canvas.ids_BL.device), 1.0)
        total, count = total + float(loss.mean) * int(loss.supervised), count + int(loss.supervised)
    paradigm.train()
    return total / max(1, count)


def weights_of(paradigm: Paradigm) -> dict[str, Tensor]:
    """All weights by name, each once: a head may share the embeddings."""
    return {name: weight.detach() for name, weight in paradigm.named_parameters()}


def load_weights(paradigm: Paradigm, path: Path) -> dict[str, Tensor]:
    """Gives the paradigm the weights of a file; returns all its tensors. Raises KeyError where a weight is missing."""
    tensors = load_file(path, device=str(device_of(paradigm)))
    with torch.no_grad():
        for name, weight in paradigm.named_parameters():
            weight.copy_(tensors[name])
    return tensors


def snapshot(paradigm: Paradigm, optimizer: torch.optim.Optimizer, log: TrainLog) -> bytes:
    """Weights, optimiser moments and log as one safetensors file."""
    tensors = weights_of(paradigm)
    for name, weight in paradigm.named_parameters():
        for moment, value in optimizer.state[weight].items():
            tensors[f"{moment}/{name}"] = value
    return save(tensors, metadata={"log": canonical(asdict(log))})


def restore(paradigm: Paradigm, optimizer: torch.optim.Optimizer, path: Path) -> TrainLog:
    """Loads a snapshot into the paradigm and the optimiser; returns its log."""
    tensors = load_weights(paradigm, path)
    for name, weight in paradigm.named_parameters():
        optimizer.state[weight] = {moment: tensors[f"{moment}/{name}"] for moment in MOMENTS}
    with safe_open(path, framework="pt") as file:
        return TrainLog(**json.loads(file.metadata()["log"]))


def device_of(paradigm: Paradigm) -> torch.device:
    return next(paradigm.parameters()).device
