"""Keeps every generated text beside the record where `measure.keep` is `all`; decodes finished cells again for that."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.base import Example, Task
from wordways.record import Record, valid_record
from wordways.run.cell import Cell
from wordways.run.lock import device_lock
from wordways.run.progress import progress_bar
from wordways.run.scores import scores
from wordways.run.session import trained_paradigm
from wordways.run.subject import Subject, test_set
from wordways.run.writing import decoded
from wordways.texts import belong, save_texts, scores_by_item


def keep(cell: Cell, record: Record, task: Task, examples: Sequence[Example], texts: Sequence[str]) -> None:
    """Writes the texts of a cell that has just been scored, where they are asked for."""
    if cell.measure.keep == "all":
        save_texts(Path(cell.run.results), record, columns_of(task, examples, texts))


def columns_of(task: Task, examples: Sequence[Example], texts: Sequence[str]) -> dict[str, list[Any]]:
    """A row for every item; prompt, suffix and references only where the data's licence allows copying them."""
    found: dict[str, list[Any]] = {"id": [e.id for e in examples], "stratum": [e.stratum for e in examples]}
    if task.shareable:
        found |= {"prompt": [e.prompt for e in examples], "suffix": [e.suffix for e in examples]}
        found |= {"references": [list(references_of(e)) for e in examples]}
    if any(e.draft for e in examples):
        found |= {"draft": [e.draft for e in examples]}
    return found | {"text": list(texts)}


def references_of(example: Example) -> Sequence[str]:
    """What a metric compares with: the target where an example has no references."""
    return example.references or (example.target,)


def keep_again(cell: Cell) -> None:
    """Decodes a finished cell once more and keeps its texts; the record stays as it is. Says in one line why not."""
    cell.run.use_threads()
    record = valid_record(Path(cell.run.results), *cell.names)
    assert record is not None
    try:
        why = kept_again(cell, record)
    except Exception:
        why = traceback.format_exc().strip().splitlines()[-1]
    if why:
        name = f"{cell.preset}, seed {cell.run.seed}"
        print(f"wordways: measure.keep=all: {name}: {why}; overwrite=always repeats the run", file=sys.stderr)


def kept_again(cell: Cell, record: Record) -> str:
    """Keeps the texts and returns an empty line, or returns why it cannot: nothing is trained, no score may differ."""
    if not cell.has_checkpoint:
        return f"its texts are not kept, and its training is not in {cell.checkpoint}"
    run, text, device = cell.run, cell.text, cell.run.torch_device()
    examples, rows = test_set(text.task, text, cell.measure.items)
    with device_lock(device.type, alone=False) as make_way:
        paradigm = trained_paradigm(cell, text, device, make_way).to(run.torch_dtype())
        subject = Subject(paradigm, text, examples, rows, run.seed, device)
        with progress_bar(f"{cell.preset}: decoding", len(examples), run.progress) as advance:
            subject, texts = decoded(subject, cell.measure, advance)
    columns = columns_of(text.task, subject.examples, texts)
    known, now = scores_by_item(record), scores(text.task, subject.examples, texts)
    if not belong(record, columns) or any(now[name]["items"] != known[name] for name in now.keys() & known.keys()):
        return "its texts are not kept, and this version or machine decodes others than those that were scored"
    save_texts(Path(run.results), record, columns)
    return ""
