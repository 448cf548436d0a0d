"""What the page shows, from rows and records: numbers rounded to what a screen can tell apart, texts as they are.

A page has to stay small. What grows with the number of cells has a share of it, filled in the order of the rows; what
finds no room is counted, and the page says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, TypeVar

import numpy as np

from wordways.names import kind
from wordways.record import Record, canonical
from wordways.report import derive
from wordways.report.oracles import lines_of
from wordways.report.rows import Row, colours, flatten
from wordways.report.stats import Interval
from wordways.report.tables import Measure, Table, digits_of, metrics_of, quality_columns, speed_measures

ROOM = {
    "players": 800_000,
    "orders": 250_000,
    "samples": 200_000,
    "oracles": 200_000,
    "tables": 300_000,
    "latex": 100_000,
    "curves": 200_000,
}
HEADLINE = 2  # tables that the page shows in one of its own, quality and speed
FINEST = 48  # cells of an order map, across and down
SAMPLES = 4  # items whose texts stand side by side
LONGEST = 12_000  # characters of a text that is shown
CURVE = 40  # points of a loss curve
SHADES = 9
Shown = TypeVar("Shown")


def payload(
    title: str,
    rows: Sequence[Row],
    tables: Mapping[str, Sequence[Table]],
    oracles: tuple[Table, Sequence[Mapping[str, Any]]] | None,
    claims: Sequence[Table],
    missing: Sequence[str],
    bibtex: str,
) -> dict[str, Any]:
    """tables: by task, quality and speed first; oracles: the table and the lines it was made from."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    groups = {task: [row for row in rows if row.task == task] for task in tasks}
    settings = Settings()
    asked = {task: (quality_columns(group), speed_measures(group)) for task, group in groups.items()}
    shown = [row_entry(row, *asked[row.task], settings) for row in rows]
    for task, (quality, *_) in tables.items():
        of_task = [entry for entry in shown if entry["task"] == task]
        for (line, column), mark in quality.marks.items():
            if mark and line < len(of_task):  # the data's own line stands last
                of_task[line]["marks"][str(quality.frame.columns[column])] = mark
    for entry, found in zip(shown, orders(rows), strict=True):
        entry["order"] = found
    kept_tables = within(
        (table_entry(table) | {"task": task} for task, of_task in tables.items() for table in of_task[HEADLINE:]),
        ROOM["tables"],
    )[0]
    return {
        "title": title,
        "tasks": tasks,
        "colours": colours([row.paradigm for row in rows]),
        "columns": {task: column_entries(group) for task, group in groups.items()},
        "settings": {"names": settings.names, "values": settings.values},
        "rows": shown,
        "notes": {task: notes(*of_task[:HEADLINE]) for task, of_task in tables.items()},
        "players": players(groups),
        "curves": within(curves(rows), ROOM["curves"])[0],
        "samples": samples(rows, groups),
        "oracles": oracle_entry(oracles, rows),
        "claims": [table_entry(table) for table in claims],
        "tables": kept_tables,
        "missing": list(missing),
        "provenance": provenance(rows),
        "bibtex": bibtex,
    }


class Settings:
    """Every value of every setting once; of a row only where its values stand, and only what is not the first's."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.values: list[list[str]] = []

    def indices(self, config: Mapping[str, Any]) -> dict[int, int]:
        flat = flatten(config)
        for name in flat:
            if name not in self.names:
                self.names.append(name)
                self.values.append([])
        found = {}
        for place, (name, known) in enumerate(zip(self.names, self.values, strict=True)):
            value = flat.get(name)
            if value is not None and value not in known:
                known.append(value)
            if value is None or value != known[0]:
                found[place] = -1 if value is None else known.index(value)
        return found


def row_entry(
    row: Row, columns: Sequence[tuple[str, str, str]], speeds: Sequence[Measure], settings: Settings
) -> dict[str, Any]:
    first = row.first()
    theory = {(line["measure"], line["operation"]): line for line in lines_of(first)}
    quality = {}
    for heading, metric, stratum in columns:
        found = numbers(row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum)))
        line = theory.get((metric, stratum))
        if found and line:
            found += [short(line["theory"]), int(abs(found[0] - line["theory"]) <= line["tolerance"])]
        quality[heading] = found
    measures = {m.name: numbers(row.over_seeds(m.value), m.scale) for m in speeds}
    rates = {
        name.removeprefix("tokens_per_second_at_"): found
        for name, found in measures.items()
        if name.startswith("tokens_per_second_at_") and found
    }
    metric = next(iter(metrics_of([row])))
    return {
        "label": row.label,
        "paradigm": row.paradigm,
        "task": row.task,
        "device": f"{first.provenance['device']}, {first.provenance['threads']} threads, {first.config['dtype']}",
        "seeds": [record.config["seed"] for record in row.records],
        "training": first.provenance["training"],
        "q": quality,
        "marks": {},
        "overall": numbers(row.over_seeds(partial(derive.quality, metric=metric))),
        "m": {name: found[0] for name, found in measures.items() if found and not name.startswith("tokens_per_second")},
        "perToken": measures["latency_per_token"],
        "rates": rates,
        "lengths": [[n, *(numbers(i, 1e3) or [])] for n, i in sorted(derive.latency_by_length(first).items())],
        "config": settings.indices(first.config),
    }


def short(value: float) -> float:
    return float(f"{value:.5g}")


def numbers(interval: Interval | None, scale: float = 1) -> list[float] | None:
    return None if interval is None else [short(x * scale) for x in (interval.value, interval.low, interval.high)]


def column_entries(group: Sequence[Row]) -> list[dict[str, Any]]:
    scores = metrics_of(group)
    return [
        {
            "name": heading,
            "unit": scores[metric]["unit"],
            "digits": digits_of(scores[metric]),
            "up": scores[metric]["higher_is_better"],
        }
        for heading, metric, _ in quality_columns(group)
    ]


def notes(quality: Table, speed: Table) -> dict[str, str]:
    latex = quality.latex() + "\n" + speed.latex()
    if len(latex) > ROOM["latex"]:
        latex = f"% no room on this page: {quality.name}.tex and {speed.name}.tex beside it"
    return {"quality": quality.note, "speed": speed.note, "signature": quality.signature, "latex": latex}


def within(entries: Iterable[Shown], room: int) -> tuple[list[Shown], int]:
    """As many from the front as fit into so many bytes of JSON, and how many were left over."""
    kept: list[Shown] = []
    left = 0
    for entry in entries:
        room -= len(canonical(entry))
        if room >= 0:
            kept.append(entry)
        else:
            left += 1
    return kept, left


def orders(rows: Sequence[Row]) -> list[dict[str, Any] | None]:
    """Of every row the share of texts in which a position settled at a call, a digit a cell."""
    room, found = ROOM["orders"], []
    for row in rows:
        settled = derive.traced(row.first(), "settled")
        entry = order_map(settled) if settled and room > 0 else None
        room -= len(entry["shares"]) if entry else 0
        found.append(entry)
    return found


def order_map(settled: Sequence[Sequence[int]]) -> dict[str, Any]:
    calls, holes = (max(f(one) for one in settled) for f in (max, len))
    high, wide = min(calls, FINEST), min(holes, FINEST)
    share = np.zeros((high, wide))
    for one in settled:
        np.add.at(share, ((np.array(one) - 1) * high // max(1, calls), np.arange(len(one)) * wide // max(1, holes)), 1)
    share /= np.maximum(1e-9, share.max(0))
    digits = np.ceil(share * SHADES).astype(int)
    return {"calls": calls, "holes": holes, "high": high, "wide": wide, "shares": "".join(map(str, digits.flat))}


def players(groups: Mapping[str, Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
    """By task and item, what every row's first record shows of writing it."""
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
                    "calls": [[call["wrote"], call["likeliest"]] for call in film["calls"]],
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
    """Milliseconds of every call: this text's where it was timed, else what a call of the timed ones takes."""
    calls, timed = len(film["calls"]), derive.alone(record)
    place = record.item_ids.index(film["item"])
    own = [entry for entry in timed if entry["first"] == place]
    if own:
        return [round(median(of_call) / 1e6, 4) for of_call in zip(*own[0]["repeats_ns"], strict=True)]
    every = [ns for entry in timed for repeat in entry["repeats_ns"] for ns in repeat]
    return [round(median(every) / 1e6, 4) if every else 1.0] * calls


def curves(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Validation loss of every first training, under its paradigm's name where that tells it from the task's others."""
    firsts: dict[str, Row] = {}
    for row in rows:
        firsts.setdefault(row.first().provenance["training"], row)
    found = []
    for key, row in firsts.items():
        alone = [other for other in firsts.values() if (other.task, other.paradigm) == (row.task, row.paradigm)] == [
            row
        ]
        known = [[step, short(valid)] for step, _, valid in row.first().provenance["curve"] if valid is not None]
        points = known[:: -(-len(known) // CURVE) or 1]
        label = row.paradigm if alone else row.label
        found.append({"training": key, "label": label, "paradigm": row.paradigm, "points": points})
    return found


def samples(rows: Sequence[Row], groups: Mapping[str, Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
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


def table_entry(table: Table) -> dict[str, Any]:
    frame = table.frame.astype(str)
    cells = frame.to_numpy().tolist()
    wordy = [max((len(line[i]) for line in cells), default=0) > 24 for i in range(len(frame.columns))]
    return {
        "title": table.title,
        "columns": [str(name) for name in frame.columns],
        "text": wordy,
        "rows": cells,
        "note": table.note,
        "signature": table.signature,
    }


def oracle_entry(oracles: tuple[Table, Sequence[Mapping[str, Any]]] | None, rows: Sequence[Row]) -> dict[str, Any]:
    """As many lines as there is room for, those that miss first."""
    if oracles is None:
        return {"columns": [], "rows": [], "tasks": [], "note": "", "text": [], "title": "", "left": 0}
    table, lines = oracles
    entry = table_entry(table)
    names = {
        (kind(row.first().config["task"]), derive.holes(row.first(), stratum), stratum): row.task
        for row in rows
        for stratum in row.first().groups()
    }
    tasks = [names[line["task"], line["n"], line["operation"]] for line in lines]
    both = list(zip(entry["rows"], tasks, strict=True))
    order = sorted(range(len(both)), key=lambda i: lines[i]["holds"])
    room, kept = ROOM["oracles"], set()
    for i in order:
        room -= len(canonical(both[i]))
        if room >= 0:
            kept.add(i)
    return entry | {
        "rows": [both[i][0] for i in sorted(kept)],
        "tasks": [both[i][1] for i in sorted(kept)],
        "left": len(both) - len(kept),
    }


def provenance(rows: Sequence[Row]) -> dict[str, Any]:
    """One line for each machine, set of versions and commit."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for record in row.records:
            p = record.provenance
            versions = ", ".join(f"{name} {v}" for name, v in p["versions"].items() if v)
            commit = "–" if p["commit"] is None else p["commit"][:12] + (" with changes" if p["dirty"] else "")
            key = [p["device"], str(p["threads"]), p["platform"], f"Python {p['python']}, {versions}", commit]
            found.setdefault(canonical(key), [*key, 0])[-1] += 1
    lines = [[str(cell) for cell in line] for line in found.values()]
    return {
        "title": "",
        "columns": ["machine", "threads", "platform", "versions", "commit", "cells"],
        "text": [True, False, True, True, False, False],
        "rows": lines,
        "note": "",
    }
