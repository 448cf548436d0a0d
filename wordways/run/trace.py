"""What a decoder did, seen from outside: a hook on the backbone and the canvases that were yielded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from paradigms.base import Canvas, Noise, Paradigm


@dataclass
class Meter:
    """Sums over backbone calls: how many, rows, positions (rows x queries), arithmetic; and each call's work."""

    calls: int = 0
    rows: int = 0
    positions: int = 0
    flops: int = 0
    work: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Trace:
    """filled_BL, settled_BL: the call, from 1, at which a hole was first written and last changed; 0 elsewhere.

    evaluations: rows summed over calls; of a text decoded alone its NFE, in which a guided call counts twice.
    work: of every call, the least arithmetic and the least bytes that it has to move.
    """

    ids_BL: Tensor
    filled_BL: Tensor
    settled_BL: Tensor
    calls: int
    evaluations: int
    positions: int
    work: list[tuple[int, int]]


@contextmanager
def metered(paradigm: Paradigm) -> Iterator[Meter]:
    """Counts the backbone's calls from outside. A call under autograd counts three times in flops: its backward too."""
    meter, backbone = Meter(), paradigm.backbone

    def count(_: object, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        batch, queries = args[0].shape
        keys, wanted, late = named["pad_BL"].shape[1], named.get("want_BW"), named.get("late")
        flops = backbone.flops(batch, queries, keys, queries if wanted is None else wanted.shape[1], late)
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


def judged_places(args: tuple[Any, ...], named: dict[str, Any], mask: int) -> Tensor:
    """Whose law each row of a call's logits is, (B, W): of the query's own position where a mask stands there or the

    query sees what follows it; of the position behind it otherwise.
    """
    ids_BQ, rule = args
    at_BQ, want_BW = named.get("at_BQ"), named.get("want_BW")
    if at_BQ is None:
        at_BQ = torch.arange(ids_BQ.shape[1], device=ids_BQ.device).expand_as(ids_BQ)
    at_BW, ids_BW = (at_BQ, ids_BQ) if want_BW is None else (x.gather(1, want_BW) for x in (at_BQ, ids_BQ))
    sees_on_BW = rule(at_BW[:, :, None], at_BW[:, :, None] + 1)[:, :, 0]
    return at_BW + ((ids_BW != mask) & ~sees_on_BW)


@contextmanager
def forbidding(paradigm: Paradigm, token: int) -> Iterator[None]:
    """Makes a token impossible for any paradigm, to force texts to a length."""

    def forbid(_: object, __: object, logits: Tensor) -> Tensor:
        logits[..., token] = -torch.inf
        return logits

    handle = paradigm.backbone.register_forward_hook(forbid)
    try:
        yield
    finally:
        handle.remove()


def check_written(ids_BL: Tensor, canvas: Canvas, mask: int) -> None:
    """Raises RuntimeError where a hole is still open, or where anything else is not what it was."""
    if (ids_BL == mask)[canvas.holes_BL].any():
        raise RuntimeError("decode left a hole open")
    if (ids_BL != canvas.ids_BL)[~canvas.holes_BL].any():
        raise RuntimeError("decode changed the context")


@torch.inference_mode()
def trace(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> Trace:
    """Decodes once, watching. Raises RuntimeError where calls and yields do not match or a hole stays open."""
    before_BL = canvas.ids_BL.clone()
    filled_BL, settled_BL = torch.zeros_like(before_BL), torch.zeros_like(before_BL)
    with metered(paradigm) as meter:
        for yields, ids_BL in enumerate(paradigm.decode(canvas, noise), start=1):
            if yields != meter.calls:
                raise RuntimeError(f"decode yielded {yields} times in {meter.calls} backbone calls")
            changed_BL = ids_BL != before_BL
            settled_BL[changed_BL] = yields
            filled_BL[changed_BL & (filled_BL == 0)] = yields
            before_BL = ids_BL.clone()
    check_written(before_BL, canvas, paradigm.vocabulary.mask)
    return Trace(before_BL, filled_BL, settled_BL, meter.calls, meter.rows, meter.positions, meter.work)
