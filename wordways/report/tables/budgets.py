"""Training budgets."""

from collections.abc import Sequence

import pandas as pd

from wordways.labels import spoken
from wordways.names import kind
from wordways.record import Record
from wordways.report.rows import Row
from wordways.report.table import Table

ORDER = 8


def table(rows: Sequence[Row]) -> Table:
    taught = any("teacher" in row.first().config["train"] for row in rows)
    frame = [
        {
            "": row.label,
            "parameters": f"{budgets['params']:,}",
            "steps": f"{budgets['steps']:,}",
            "tokens": f"{budgets['tokens']:,}",
            "supervised tokens": f"{budgets['supervised_tokens']:,}",
            "compute (TFLOP)": f"{budgets['flops'] / 1e12:.3g}",
        }
        | lessons(row.first(), taught)
        for row in rows
        for budgets in [row.first().budgets]
    ]
    note = "Parameters, steps and tokens are matched; supervised tokens and compute follow from the paradigm's loss."
    if taught:
        note += " A teacher's compute (training, generating the targets) comes on top."
    return Table(f"budgets_{rows[0].task}", f"Training budgets: {rows[0].title}", note, pd.DataFrame(frame))


def lessons(record: Record, shown: bool) -> dict[str, str]:
    """Columns on the training data, where some models of the table were trained on a teacher's texts."""
    if not shown:
        return {}
    teacher, flops = record.config["train"].get("teacher"), record.budgets.get("teacher_flops")
    if teacher is None or flops is None:
        return {"trained on": "data", "teacher": "–", "teacher compute (TFLOP)": "–"}
    return {
        "trained on": "teacher's texts",
        "teacher": spoken(kind(teacher)),
        "teacher compute (TFLOP)": f"{flops / 1e12:.3g}",
    }
