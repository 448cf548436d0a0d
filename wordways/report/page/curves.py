"""Training curves: the validation loss of each checkpoint."""

from collections.abc import Sequence
from typing import Any

from wordways.labels import spoken
from wordways.report.page.limits import ROOM, short, within
from wordways.report.rows import Row

CURVE = 40  # points of a curve


def curves(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One curve for each checkpoint, under its paradigm's name if the task has no other checkpoint of the paradigm."""
    firsts: dict[str, Row] = {}
    for row in rows:
        firsts.setdefault(row.first().provenance["training"], row)
    found = []
    for key, row in firsts.items():
        alike = [other for other in firsts.values() if (other.task, other.paradigm) == (row.task, row.paradigm)]
        known = [[step, short(valid)] for step, _, valid in row.first().provenance["curve"] if valid is not None]
        points = known[:: -(-len(known) // CURVE) or 1]
        label = spoken(row.paradigm) if len(alike) == 1 else row.label
        found.append({"training": key, "label": label, "paradigm": row.paradigm, "points": points})
    return within(found, ROOM["curves"])[0]
