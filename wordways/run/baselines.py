"""Records of the trivial baselines, made beside the runs of every task: rows that a trained model has to surpass."""

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tasks.baselines import Baseline, baselines_of
from wordways.record import Record, canonical, cell_id, valid_record, write_record
from wordways.run.cell import Cell
from wordways.run.execute import blank, samples
from wordways.run.keep import keep
from wordways.run.scores import scores
from wordways.run.standing import AGAIN, standing, texts_due
from wordways.run.subject import test_set


def add_baselines(cells: Sequence[Cell]) -> None:
    """Writes the record of every baseline that the cells' folders lack, or that `overwrite` replaces.

    A folder gets those of a task and a number of items once a run of these is finished.
    """
    for cell in distinct(cells):
        for baseline in baselines_of(cell.task):
            config = config_of(cell, baseline)
            known = valid_record(Path(cell.run.results), cell_id(config))
            if known is None or known.status in AGAIN[cell.run.overwrite] or texts_due(cell, known.status, known.cell):
                write_record(Path(cell.run.results), baseline_record(cell, baseline))


def distinct(cells: Sequence[Cell]) -> Iterator[Cell]:
    """The first finished cell of each results folder, task and number of items."""
    found = set()
    for cell in cells:
        key = (cell.run.results, canonical(cell.identified_task), cell.measure.items)
        if key not in found and is_scored(cell):
            found.add(key)
            yield cell


def is_scored(cell: Cell) -> bool:
    found = standing(cell)
    return found is not None and found.status == "ok"


def baseline_record(cell: Cell, baseline: Baseline) -> Record:
    """The record of a baseline on the cell's test items; a failure is recorded with its traceback, as of a run."""
    empty = blank(config_of(cell, baseline), torch.device("cpu"))
    try:
        return scored(cell, baseline, empty)
    except Exception:
        return replace(empty, reason=traceback.format_exc())


def scored(cell: Cell, baseline: Baseline, empty: Record) -> Record:
    text = cell.text
    examples, _ = test_set(text.task, text, cell.measure.items)
    texts = baseline.texts(text.task, examples)
    record = replace(
        empty,
        status="ok",
        scores=scores(text.task, examples, texts),
        item_ids=[example.id for example in examples],
        strata={example.id: example.stratum for example in examples},
        instances={example.id: example.instance for example in examples if example.instance},
        samples=samples(text.task, examples, texts),
    )
    keep(cell, record, text.task, examples, texts)
    return record


def config_of(cell: Cell, baseline: Baseline) -> dict[str, Any]:
    """A baseline has no backbone, no training and no seed, so that these are empty and 0."""
    return {
        "preset": baseline.name,
        "experiment": cell.experiment,
        "title": {**cell.title, "paradigm": baseline.title},
        "paradigm": {"_target_": f"tasks.{type(baseline).__name__}"},
        "task": cell.identified_task,
        "backbone": {},
        "train": {},
        "seed": 0,
        "measure": {"items": cell.measure.items},
        "device": "cpu",
        "dtype": "float32",
    }
