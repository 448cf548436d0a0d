"""The training loop, equal for all paradigms: same batches in the same order, same optimiser, same number of steps.

Of several processes the first one runs the loop, tells the others every batch, and alone reads and writes files.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from paradigms.base import Canvas, Loss, Paradigm
from wordways.run.gradient import parts_of, set_gradient
from wordways.run.lock import device_lock, file_lock
from wordways.run.noise import SeededNoise
from wordways.run.sealed import DamagedError, built, read_sealed, read_tensors, sound, write_sealed, write_tensors
from wordways.run.text import Stream
from wordways.run.trace import metered
from wordways.run.workers import add, agreed, copy_from_first, hear, rank, size, speaks_for_machine, tell

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

    def checks(self, step: int) -> bool:
        """Whether a validation follows a step, counted from 0."""
        return (step + 1) % math.ceil(self.steps / CHECKS) == 0 or step + 1 == self.steps


@dataclass(frozen=True)
class TrainLog:
    """Training statistics, interruptions excluded.

    curve: (step, mean training loss since the previous point, validation loss), in nats of the paradigm's objective.
    processes: how many of them ended the training; its seconds are those of the first.
    """

    curve: list[tuple[int, float, float]]
    best_step: int
    tokens: int
    supervised_tokens: int
    flops: int
    seconds: float
    processes: int = 1


def fit(
    paradigm: Paradigm,
    stream: Stream,
    valid: list[Batch],
    settings: TrainSettings,
    seed: int,
    folder: Path,
    advance: Callable[[int], None],
    micro_batch: int | None = None,
) -> TrainLog:
    """Starts or resumes training, unless `folder` holds a finished one, and loads the best weights.

    micro_batch: see `take_step`.
    Writes best.safetensors, last.safetensors and log.json, and during training state.safetensors to resume from. A
    damaged file is set aside, and what cannot go on without it starts anew.
    Raises FloatingPointError where training diverges.
    """
    with file_lock(folder / "lock", alone=True, why=f"another run is training the same model, {folder.name}"):
        log = finished(paradigm, folder)
        if log is None:
            log = train(paradigm, stream, valid, settings, seed, folder, advance, micro_batch)
            write_sealed(folder / "log.json", folder.name, asdict(log))
            (folder / "state.safetensors").unlink(missing_ok=True)
            load_weights(paradigm, folder / "best.safetensors")
    paradigm.eval()
    return log


def finished(paradigm: Paradigm, folder: Path) -> TrainLog | None:
    """The log of a finished training, whose best weights are then loaded; None where one of the two is not sound."""
    log = sound(folder / "log.json", partial(read_sealed, key=folder.name, kind=TrainLog))
    if log is not None and sound(folder / "best.safetensors", partial(load_weights, paradigm)) is None:
        (folder / "log.json").unlink()  # its training, made again, is not finished before its own log is written
        return None
    return log


def train(
    paradigm: Paradigm,
    stream: Stream,
    valid: list[Batch],
    settings: TrainSettings,
    seed: int,
    folder: Path,
    advance: Callable[[int], None],
    micro_batch: int | None = None,
) -> TrainLog:
    """The loop itself, from the last saved state on, if the best weights until then are there too."""
    device = device_of(paradigm)
    optimizer = optimizer_of(paradigm, settings)
    log = TrainLog([], 0, 0, 0, 0, 0.0)
    if sound(folder / "best.safetensors", partial(weights_in, paradigm)):
        log = sound(folder / "state.safetensors", partial(restore, paradigm, optimizer)) or log
    began = log.curve[-1][0] if log.curve else 0
    advance(began)
    tell([(canvas.to(torch.device("cpu")), names) for canvas, names in valid])
    copy_state(paradigm, optimizer)
    losses, supervised, tokens, flops, clock = [], [], 0, 0, time.perf_counter()
    paradigm.train()
    for step in range(began, settings.steps):
        canvas = stream.canvas(step)
        tell((step, canvas))
        loss, passed = take_step(paradigm, optimizer, canvas.to(device), settings, seed, step, micro_batch)
        losses.append(loss.mean.detach())
        supervised.append(loss.supervised)
        tokens, flops = tokens + int((~canvas.pad_BL).sum()), flops + passed
        stopped = time.perf_counter()
        advance(1)  # may wait while another process times, which is not training time
        clock += time.perf_counter() - stopped
        if settings.checks(step):
            checked, flops = validation_loss(paradigm, valid, seed), int(add(torch.tensor(flops)))
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
                size(),
            )
            losses, supervised, tokens, flops, clock = [], [], 0, 0, time.perf_counter()
            for name in ["last"] + ["best"] * better:
                write_tensors(folder / f"{name}.safetensors", folder.name, weights_of(paradigm), {})
            write_tensors(folder / "state.safetensors", folder.name, state_of(paradigm, optimizer), asdict(log))
    return log


def train_along(
    paradigm: Paradigm, settings: TrainSettings, seed: int, micro_batch: int | None, state: list[Batch]
) -> None:
    """What the other processes do in `train`, until the first one tells them None; `state` is what it told them first.

    Each machine's device stays locked while they compute, so that nothing else is timed there.
    """
    device = device_of(paradigm)
    valid = [(canvas.to(device), names) for canvas, names in state]
    optimizer, flops = optimizer_of(paradigm, settings), 0
    copy_state(paradigm, optimizer)
    paradigm.train()
    while (told := hear()) is not None:
        step, canvas = told
        with device_lock(device.type, alone=False) if speaks_for_machine() else nullcontext():
            flops += take_step(paradigm, optimizer, canvas.to(device), settings, seed, step, micro_batch)[1]
            if settings.checks(step):
                validation_loss(paradigm, valid, seed)
                add(torch.tensor(flops))
                flops = 0


def copy_state(paradigm: Paradigm, optimizer: torch.optim.Optimizer) -> None:
    """Gives weights and moments of all processes the values that they have in the first one."""
    if size() == 1:
        return
    resumed = torch.tensor(len(optimizer.state))
    copy_from_first(resumed)
    for weight in paradigm.parameters():
        copy_from_first(weight.data)
        if resumed and rank() > 0:
            zero = torch.zeros_like(weight.data)
            optimizer.state[weight] = {name: zero.clone() for name in MOMENTS} | {"step": zero.new_zeros(())}
        for name in MOMENTS if resumed else ():
            copy_from_first(optimizer.state[weight][name])


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
    micro_batch: int | None = None,
) -> tuple[Loss, int]:
    """One update of the weights on a batch; returns the loss before it, and the FLOP of this process.

    micro_batch: how many rows are computed at once, by default all that fall to this process.
    """
    device, weights = canvas.ids_BL.device, list(paradigm.parameters())
    noise = SeededNoise(seed, [f"train/{step}/{row}" for row in range(len(canvas.ids_BL))], device)

    def loss_of(part: Canvas) -> Loss:
        with autocast(device, settings.precision):
            return paradigm.loss(part, noise, step / settings.steps)

    for group in optimizer.param_groups:
        group["lr"] = settings.rate(step)
    optimizer.zero_grad()
    with metered(paradigm) as meter:
        loss = set_gradient(weights, loss_of, parts_of(canvas, micro_batch))
    torch.nn.utils.clip_grad_norm_(weights, settings.clip)
    optimizer.step()
    return loss, meter.flops


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision (Micikevicius et al., 2018) where products are to run in bfloat16.

    Casts are not kept, because torch 2.8 also uses one that was made without a gradient where a gradient is asked for.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


@torch.inference_mode()
def validation_loss(paradigm: Paradigm, valid: list[Batch], seed: int) -> float:
    """The training objective on validation examples, with the same noise at every call; batches go round processes."""
    paradigm.eval()
    total, count = 0.0, 0
    with agreed():
        for canvas, ids in valid[rank() :: size()]:
            loss = paradigm.loss(canvas, SeededNoise(seed, ids, canvas.ids_BL.device), 1.0)
            total, count = total + float(loss.mean) * int(loss.supervised), count + int(loss.supervised)
    paradigm.train()
    total, count = add(torch.tensor([total, count], dtype=torch.float64)).tolist()
    return total / max(1, count)


def weights_of(paradigm: Paradigm) -> dict[str, Tensor]:
    """All weights by name, each once: a head may share the embeddings."""
    return {name: weight.detach() for name, weight in paradigm.named_parameters()}


def load_weights(paradigm: Paradigm, path: Path) -> dict[str, Tensor]:
    """Gives the paradigm the weights of a file; returns them. Raises DamagedError, and then changes nothing."""
    return give(paradigm, weights_in(paradigm, path))


def give(paradigm: Paradigm, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        for name, weight in paradigm.named_parameters():
            weight.copy_(tensors[name])
    return tensors


def weights_in(paradigm: Paradigm, path: Path) -> dict[str, Tensor]:
    """The tensors of a file that has all weights of the paradigm. Raises DamagedError."""
    tensors, _ = read_tensors(path, path.parent.name)
    check_shapes(tensors, weights_of(paradigm))
    return tensors


def check_shapes(tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Raises DamagedError where a tensor is missing or of another shape."""
    for name, tensor in expected.items():
        found = tensors.get(name)
        if found is None or found.shape != tensor.shape:
            other = "no" if found is None else f"another shape, {list(found.shape)}, of"
            raise DamagedError(f"it has {other} {name}, which this model has in {list(tensor.shape)}")


def state_of(paradigm: Paradigm, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Weights and optimiser moments by name."""
    tensors = weights_of(paradigm)
    for name, weight in paradigm.named_parameters():
        for moment, value in optimizer.state[weight].items():
            tensors[f"{moment}/{name}"] = value
    return tensors


def restore(paradigm: Paradigm, optimizer: torch.optim.Optimizer, path: Path) -> TrainLog:
    """Gives a state to the paradigm and the optimiser; returns its log. Raises DamagedError, and changes nothing."""
    tensors, fields = read_tensors(path, path.parent.name)
    log, expected = built(fields, TrainLog), weights_of(paradigm)
    for name, weight in paradigm.named_parameters():
        shapes = dict.fromkeys(MOMENTS, weight) | {"step": torch.zeros(())}
        expected |= {f"{moment}/{name}": shape for moment, shape in shapes.items()}
    check_shapes(tensors, expected)
    give(paradigm, tensors)
    for name, weight in paradigm.named_parameters():
        optimizer.state[weight] = {moment: tensors[f"{moment}/{name}"].to(weight.device) for moment in MOMENTS}
    return log


def device_of(paradigm: Paradigm) -> torch.device:
    return next(paradigm.parameters()).device
