"""The decoding of each example, forward pass by forward pass, with the time that each pass took."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from wordways.record import Record, canonical
from wordways.report import derive
from wordways.report.page.limits import LONGEST, ROOM
from wordways.report.rows import Row


def players(groups: Mapping[str, Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
    """By task and example, the decoding that the first record of each configuration holds."""
    room, found = ROOM["players"], {}
    for task, group in groups.items():
        plays: dict[str, dict[str, Any]] = {}
        for row in group:
            record = row.first()
            asked = {sample["id"]: sample for sample in record.samples}
            for film in record.replay:
                entry = {
                    "label": row.label,
                    "paradigm": row.paradigm,
                    "start": film["start"],
                    "calls": [[call["wrote"], call["likeliest"], *moves(call)] for call in film["calls"]],
                    "ms": durations(record, film),
                }
                prompt = {k: asked.get(film["item"], {}).get(k, "")[:LONGEST] for k in ("prompt", "suffix", "target")}
                play = plays.setdefault(film["item"], {"item": film["item"], **prompt, "of": [], "left": 0})
                room -= len(canonical(entry))
                if room >= 0:
                    play["of"].append(entry)
                else:
                    play["left"] += 1
        found[task] = list(plays.values())
    return found


def durations(record: Record, film: Mapping[str, Any]) -> list[float]:
    """Milliseconds of each forward pass: of this text if it was timed, otherwise the median over the timed texts."""
    calls, timed = len(film["calls"]), derive.alone(record)
    place = record.item_ids.index(film["item"])
    own = [entry for entry in timed if entry["first"] == place]
    if own:
        return [round(median(of_call) / 1e6, 4) for of_call in zip(*own[0]["repeats_ns"], strict=True)]
    every = [ns for entry in timed for repeat in entry["repeats_ns"] for ns in repeat]
    return [round(median(every) / 1e6, 4) if every else 1.0] * calls


def moves(call: Mapping[str, Any]) -> list[Any]:
    """Where tokens moved in a forward pass, if any did."""
    return [call["moved"]] if "moved" in call else []
