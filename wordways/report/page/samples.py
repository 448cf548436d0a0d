"""Generated texts of the first test items, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from wordways.report.page.limits import LONGEST, ROOM
from wordways.report.rows import Row

SAMPLES = 4  # items of a task


def samples(rows: Sequence[Row], groups: Mapping[str, Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
    """By task and item, the text that the first seed of each configuration generated."""
    room, found = ROOM["samples"], {}
    places = {id(row): place for place, row in enumerate(rows)}
    for task, group in groups.items():
        items: dict[str, dict[str, Any]] = {}
        for row in group:
            for sample in row.first().samples[:SAMPLES]:
                asked = {name: sample.get(name, "")[:LONGEST] for name in ("prompt", "suffix", "target")}
                item = items.setdefault(sample["id"], {"id": sample["id"], **asked, "of": []})
                room -= len(sample["text"]) + 8
                if room >= 0:
                    item["of"].append([places[id(row)], sample["text"][:LONGEST]])
        found[task] = list(items.values())
    return found
