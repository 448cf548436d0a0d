"""Training budgets."""

from collections.abc import Mapping, Sequence

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
            "parameters": parameters(budgets),
            "steps": f"{budgets['steps']:,.0f}",
            "tokens": f"{budgets['tokens']:,.0f}",
            "supervised tokens": f"{budgets['supervised_tokens']:,.0f}",
            "compute (TFLOP)": f"{budgets['flops'] / 1e12:.3g}",
        }
        | lessons(row.first(), taught)
        for row in rows
        for budgets in [row.budgets]
    ]
    note = f"{matched(rows)} Supervised tokens and compute follow from the paradigm's loss."
    if taught:
        note += " A teacher's compute (training, generating the targets) comes on top."
    return Table(f"budgets_{rows[0].task}", f"Training budgets: {rows[0].title}", note, pd.DataFrame(frame))


def parameters(budgets: Mapping[str, float]) -> str:
    """The backbone's parameters and, behind a plus sign, those of modules that the paradigm owns."""
    own = budgets.get("own_params", 0)
    return f"{budgets['params'] - own:,.0f}" + f" + {own:,.0f}" * bool(own)


def matched(rows: Sequence[Row]) -> str:
    """Which of the budgets that an experiment can match are equal in all runs, and which are not."""
    runs = [
        {**record.budgets, "params": record.budgets["params"] - record.budgets.get("own_params", 0)}
        for row in rows
        for record in row.records
    ]
    equal = {name: len({run[name] for run in runs}) == 1 for name in ("params", "steps", "tokens")}
    names = {"params": "parameters", "steps": "steps", "tokens": "tokens"}
    parts = [(listed([names[name] for name in names if equal[name] == same]), what)
             for same, what in ((True, "are matched"), (False, "differ"))]  # fmt: skip
    return "; ".join(f"{which} {what}" for which, what in parts if which).capitalize() + "."


def listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


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
