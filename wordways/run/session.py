"""Times the rows of a sweep together, in one process and in turns, after all of them are trained and scored.

Ratios between rows then do not depend on when each of them ran: a drift of the machine affects all rows alike. What
the machine can do at best, and what other programs take of it, is measured before and after; where its peaks changed by
more than a tenth, everything is timed once more.
"""

import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from paradigms.base import Paradigm
from tasks.base import Example
from wordways.record import canonical, valid_record, write_record
from wordways.run.cell import Cell
from wordways.run.clock import Timed, time_together
from wordways.run.idle import BUSY, busy_cores
from wordways.run.lock import device_lock
from wordways.run.progress import progress_bar
from wordways.run.provenance import machine, now, tree
from wordways.run.roofline import machine_peaks
from wordways.run.sealed import DamagedError
from wordways.run.standing import awaits_timing, standing
from wordways.run.subject import Subject, test_set
from wordways.run.text import Encoded, Text
from wordways.run.timing import entries, workloads
from wordways.run.train import load_weights
from wordways.run.training import trained, untrained
from wordways.run.working import working

CHANGED = 0.1  # relative difference of a machine's peaks from which it counts as changed
ATTEMPTS = 2
TIMING, ANOTHER = "timing", "another process times runs of this folder"
WORKLOADS = ("items", "batches", "timed", "lengths", "repeats")  # settings of `measure` that decide what is timed

Condition = tuple[float | None, dict[str, float]]  # cores that other programs use; peak rates


@dataclass(frozen=True)
class Row:
    """A cell in a session: its record's configuration, what it decodes, and its durations."""

    cell: Cell
    subject: Subject
    timed: Timed


def time_cells(cells: Sequence[Cell]) -> None:
    """Times all cells that await it, together where they are comparable, and rewrites their records."""
    groups: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        if awaits_timing(cell):
            groups.setdefault(comparable(cell), {})[cell.id] = cell
    for group in groups.values():
        before = {name: standing(cell) for name, cell in group.items()}
        with working(Path(next(iter(group.values())).run.results), TIMING, wait=True, why=ANOTHER):
            left = [cell for name, cell in group.items() if standing(cell) == before[name]]
            if left:  # else another process timed them meanwhile
                time_group(left)


def comparable(cell: Cell) -> str:
    """A key that cells share whose timings are compared: same task, texts, device, precision and threads."""
    measure = {name: cell.nodes["measure"].get(name) for name in WORKLOADS}
    run = [cell.run.results, cell.run.torch_device().type, cell.run.dtype, cell.run.threads]
    return canonical([cell.identified_task, measure, run])


def time_group(cells: Sequence[Cell]) -> None:
    """One session. Records are written at its end; an interruption leaves them as they were."""
    began, run, repeats = time.perf_counter(), cells[0].run, cells[0].measure.repeats
    device, started = run.torch_device(), now()
    run.use_threads()
    rows = ready_rows(cells, device)
    with (
        device_lock(device.type, alone=True),
        progress_bar(f"timing {len(rows)} runs", len(rows) * repeats, run.progress) as advance,
    ):
        found = steadily(
            [row.timed for row in rows], repeats, lambda: condition(device, run.torch_dtype(), run.progress), advance
        )
    session = {"session": uuid.uuid4().hex[:16], "started": started, "rows": len(rows), **found}
    seconds = (time.perf_counter() - began) / max(1, len(rows))
    for row in rows:
        if row.timed.failure:
            fail(row.cell, row.timed.failure)
        else:
            complete(row, session, seconds, device)


def ready_rows(cells: Sequence[Cell], device: torch.device) -> list[Row]:
    """Trained paradigms with what they are to decode. A cell that cannot be prepared becomes a failure."""
    sets: dict[Text, tuple[list[Example], list[Encoded]]] = {}
    rows = []
    with device_lock(device.type, alone=False) as make_way:
        for cell in cells:
            try:
                text = cell.text
                if text not in sets:
                    sets[text] = test_set(text.task, text, cell.measure.items)
                rows.append(ready_row(cell, text, *sets[text], make_way))
            except Exception:
                fail(cell, traceback.format_exc())
            make_way()
    return rows


def ready_row(
    cell: Cell, text: Text, examples: list[Example], encoded: list[Encoded], make_way: Callable[[], None]
) -> Row:
    device = cell.run.torch_device()
    paradigm = trained_paradigm(cell, text, device, make_way).to(cell.run.torch_dtype())
    subject = Subject(paradigm, text, examples, encoded, cell.run.seed, device)
    return Row(cell, subject, Timed(paradigm, workloads(subject, cell.measure)))


def trained_paradigm(cell: Cell, text: Text, device: torch.device, make_way: Callable[[], None]) -> Paradigm:
    """The paradigm with the weights of its checkpoint, without its training data; trains it where there is none."""
    if cell.training is None or not cell.has_checkpoint:
        return trained(cell, text, device, make_way).paradigm
    paradigm = untrained(cell, text.vocabulary, device)
    try:
        load_weights(paradigm, cell.checkpoint / "best.safetensors")
    except DamagedError:
        return trained(cell, text, device, make_way).paradigm  # sets it aside
    return paradigm.eval()


def condition(device: torch.device, dtype: torch.dtype, said: bool) -> Condition:
    """The machine's state right now; says in one line where it is not idle."""
    busy = busy_cores()
    if said and busy is not None and busy > BUSY:
        print(f"wordways: other programs use {busy:.1f} processor cores, which disturbs timings", file=sys.stderr)
    return busy, machine_peaks(device, dtype)


def steadily(
    rows: Sequence[Timed], repeats: int, observed: Callable[[], Condition], advance: Callable[[int], None]
) -> dict[str, Any]:
    """Times rows, once more where the machine changed meanwhile; returns what the session's records say of it."""
    found: dict[str, Any] = {}
    for _ in range(ATTEMPTS):
        busy, peaks = observed()
        rounds = time_together(rows, repeats, advance)
        busy_after, peaks_after = observed()
        steady = not any(changed(peaks[name], peaks_after[name]) for name in peaks)
        found = {"rounds": rounds, "busy": [busy, busy_after], "peaks": [peaks, peaks_after], "steady": steady}
        if steady:
            break
    return found


def changed(one: float, other: float) -> bool:
    return max(one, other) > (1 + CHANGED) * min(one, other)


def complete(row: Row, session: Mapping[str, Any], seconds: float, device: torch.device) -> None:
    """Adds timings to a cell's record, and the machine that they were measured on; a peak is the better of both."""
    record = valid_record(Path(row.cell.run.results), *row.cell.names)
    if record is None:  # it was deleted meanwhile
        return
    code, before = tree(), record.provenance
    provenance = {
        **before,
        **machine(device),
        "seconds": {**before.get("seconds", {}), "time": seconds},
        "peak": {name: max(peak[name] for peak in session["peaks"]) for name in session["peaks"][0]},
        "timing": {**session, **code},
        "dirty": before.get("dirty") or code["dirty"],
    }
    write_record(
        Path(row.cell.run.results), replace(record, provenance=provenance, timing=entries(row.subject, row.timed))
    )


def fail(cell: Cell, reason: str) -> None:
    """Turns a cell's record into that of a failure."""
    record = valid_record(Path(cell.run.results), *cell.names)
    if record is not None:
        write_record(Path(cell.run.results), replace(record, status="failed", reason=reason, timing=[]))
