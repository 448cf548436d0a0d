"""What a decoder does, observed from outside through a hook on the backbone and the canvases that it yields."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm
from wordways.run.measure import TRACED
from wordways.run.subject import Subject


@dataclass
class Meter:
    """Sums over forward passes: their number, rows, positions (rows x queries) and FLOP; and the work of each pass."""

    calls: int = 0
    rows: int = 0
    positions: int = 0
    flops: int = 0
    work: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Trace:
    """filled_BL, settled_BL: the forward pass, from 1, that first filled and last changed a hole; 0 elsewhere.

    Where tokens move, both belong to the token that stands in the hole at the end: moving is no change.
    evaluations: rows summed over forward passes; for a text decoded alone its NFE, where guidance doubles a pass.
    work: for every forward pass, (FLOP, bytes that it must move at least).
    """

    ids_BL: Tensor
    filled_BL: Tensor
    settled_BL: Tensor
    calls: int
    evaluations: int
    positions: int
    work: list[tuple[int, int]]


@torch.inference_mode()
def trace(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> Trace:
    """Decodes once under observation.

    Raises RuntimeError where the numbers of yields and forward passes differ, or where `check_written` does.
    """
    before_BL = canvas.ids_BL.clone()
    filled_BL, settled_BL = torch.zeros_like(before_BL), torch.zeros_like(before_BL)
    with metered(paradigm) as meter:
        for yields, (ids_BL, from_BL) in enumerate(paradigm.edits(canvas, noise), start=1):
            if yields != meter.calls:
                raise RuntimeError(f"decode yielded {yields} times in {meter.calls} forward passes")
            if from_BL is not None:
                carried = (x_BL.gather(1, from_BL.clamp(min=0)) for x_BL in (before_BL, filled_BL, settled_BL))
                new = (-1, 0, 0)  # -1 is no token, so that what is inserted counts as a change
                before_BL, filled_BL, settled_BL = (
                    x_BL.masked_fill(from_BL < 0, value) for x_BL, value in zip(carried, new, strict=True)
                )
            changed_BL = ids_BL != before_BL
            settled_BL[changed_BL] = yields
            filled_BL[changed_BL & (filled_BL == 0)] = yields
            before_BL = ids_BL.clone()
    check_written(before_BL, canvas, paradigm.vocabulary.mask)
    return Trace(before_BL, filled_BL, settled_BL, meter.calls, meter.rows, meter.positions, meter.work)


def traces(subject: Subject) -> list[Trace]:
    """Traces of the first test items, each decoded alone."""
    indices = range(min(TRACED, len(subject.rows)))
    return [trace(subject.paradigm, subject.blank([index]), subject.noise([index])) for index in indices]


def trace_entry(subject: Subject, found: Sequence[Trace]) -> dict[str, Any]:
    """The record's entry: for every item, the forward pass, from 1, that filled and that settled each hole."""
    holes = [subject.blank([index]).holes_BL for index in range(len(found))]
    return {
        "items": [example.id for example in subject.examples[: len(found)]],
        "calls": [one.calls for one in found],
        "nfe": [one.evaluations for one in found],
        "positions": [one.positions for one in found],
        "useful_tokens": [
            len(subject.text.useful(one.ids_BL[0].cpu(), hole[0].cpu())) for one, hole in zip(found, holes, strict=True)
        ],
        "filled": [one.filled_BL[hole].tolist() for one, hole in zip(found, holes, strict=True)],
        "settled": [one.settled_BL[hole].tolist() for one, hole in zip(found, holes, strict=True)],
        "aligned": subject.paradigm.aligned,
    }


def check_written(ids_BL: Tensor, canvas: Canvas, mask: int) -> None:
    """Raises RuntimeError where a hole is still masked, or where a position outside the holes has changed."""
    if (ids_BL == mask)[canvas.holes_BL].any():
        raise RuntimeError("decode left a position masked")
    if (ids_BL != canvas.ids_BL)[~canvas.holes_BL].any():
        raise RuntimeError("decode changed the context")


@contextmanager
def metered(paradigm: Paradigm) -> Iterator[Meter]:
    """Counts the backbone's forward passes; FLOP under autograd are tripled to include the backward pass."""
    meter, backbone = Meter(), paradigm.backbone

    def count(_: object, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        batch, queries = args[0].shape
        keys = named.get("keys") or named["pad_BL"].shape[1]
        wanted, late = named.get("want_BW"), named.get("late")
        need, at = named.get("need_BW"), named.get("at_BQ")
        per_row = queries if wanted is None else wanted.shape[1] if need is None else int(need.sum()) / batch
        columns = range(queries) if at is None else at
        whole = late is None and isinstance(columns, range) and len(columns) > 1
        skipped = int(named["pad_BL"][:, columns.start : columns.stop].sum()) if whole else 0
        flops = backbone.flops(batch, queries, keys, per_row, late, skipped)
        flops += sum(module.flops(batch, queries) for module in paradigm.own())
        meter.calls += 1
        meter.rows += batch
        meter.positions += batch * queries
        meter.flops += flops * (3 if torch.is_grad_enabled() else 1)
        moved = backbone.bytes_moved(batch, queries, keys, named.get("cache") is not None, late)
        meter.work.append((flops, moved))

    handle = backbone.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield meter
    finally:
        handle.remove()


def predicted_places(args: tuple[Any, ...], named: dict[str, Any], mask: int) -> Tensor:
    """The position whose token each row of a forward pass's logits predicts, (B, W).

    It is the query's own position where the query is a mask or attends to the next position, else the next position.
    """
    ids_BQ, rule = args
    at_BQ, want_BW = named.get("at_BQ"), named.get("want_BW")
    if not isinstance(at_BQ, Tensor):
        columns = range(ids_BQ.shape[1]) if at_BQ is None else at_BQ
        at_BQ = torch.arange(columns.start, columns.stop, device=ids_BQ.device).expand_as(ids_BQ)
    at_BW, ids_BW = (at_BQ, ids_BQ) if want_BW is None else (x.gather(1, want_BW) for x in (at_BQ, ids_BQ))
    sees_on_BW = rule(at_BW[:, :, None], at_BW[:, :, None] + 1)[:, :, 0]
    return at_BW + ((ids_BW != mask) & ~sees_on_BW)


@contextmanager
def forbidding(paradigm: Paradigm, token: int) -> Iterator[None]:
    """Gives a token probability 0 in any paradigm; without EOS, texts have a fixed length."""

    def forbid(_: object, __: object, logits: Tensor) -> Tensor:
        logits[..., token] = -torch.inf
        return logits

    handle = paradigm.backbone.register_forward_hook(forbid)
    try:
        yield
    finally:
        handle.remove()
