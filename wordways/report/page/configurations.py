"""A configuration as the page shows it: its quality and speed, and its settings without repetition."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from wordways.labels import flatten
from wordways.report import derive
from wordways.report.columns import Measure, digits_of, metrics_of, quality_columns, speed_measures
from wordways.report.machines import device_of
from wordways.report.oracles import lines_of
from wordways.report.page.limits import numbers, short
from wordways.report.rows import Row
from wordways.report.tables.speed import signs_of

THROUGHPUT = "tokens_per_second_at_"
SHOWN = ("end_to_end", "time_to_first_token", "calls", "tokens_per_pass", "positions_per_token")  # by charts and table


class Settings:
    """Each value of each setting once; a configuration stores indices, and only where they differ from the first's."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.values: list[list[str | None]] = []
        self.begun = False

    def indices(self, config: Mapping[str, Any]) -> dict[int, int]:
        """From a setting's place in `names` to its value's place in `values`; -1 where the setting is absent.

        A setting that the configurations before this one did not have begins with None, their value.
        """
        flat, before, self.begun = flatten(config), self.begun, True
        for name in flat:
            if name not in self.names:
                self.names.append(name)
                self.values.append([None] if before else [])
        found = {}
        for place, (name, known) in enumerate(zip(self.names, self.values, strict=True)):
            value = flat.get(name)
            if value is not None and value not in known:
                known.append(value)
            if value != known[0]:
                found[place] = -1 if value is None else known.index(value)
        return found


def row_entries(groups: Mapping[str, Sequence[Row]], settings: Settings) -> list[dict[str, Any]]:
    """groups: the configurations of each task."""
    found = []
    for group in groups.values():
        columns, speeds = quality_columns(group), speed_measures(group)
        for row, sign in zip(group, signs_of(group), strict=True):
            found.append(row_entry(row, columns, speeds, settings) | ({"sign": sign} if sign else {}))
    return found


def baseline_entries(
    baselines: Mapping[str, Sequence[Row]], groups: Mapping[str, Sequence[Row]], settings: Settings
) -> list[dict[str, Any]]:
    """Trivial baselines with the quality columns of the configurations that they stand beside; nothing was timed."""
    return [
        row_entry(row, quality_columns(groups[task]), [], settings) | {"muted": True}
        for task, of_task in baselines.items()
        for row in of_task
    ]


def row_entry(
    row: Row, columns: Sequence[tuple[str, str, str | None]], speeds: Sequence[Measure], settings: Settings
) -> dict[str, Any]:
    """columns: heading, metric, stratum."""
    first = row.first()
    measures = {m.name: numbers(row.over_seeds(m.value), m.scale) for m in speeds}
    known = {name: found for name, found in measures.items() if found}
    metric = next(iter(metrics_of([row])))
    return {
        "label": row.label,
        "paradigm": row.paradigm,
        "task": row.task,
        "device": f"{' and '.join(dict.fromkeys(map(device_of, row.records)))}, {first.config['dtype']}",
        "seeds": [record.config["seed"] for record in row.records],
        "training": first.provenance.get("training"),
        "q": quality_of(row, columns),
        "marks": {},
        "overall": numbers(row.over_seeds(partial(derive.quality, metric=metric))),
        "m": {name: dense(known[name]) for name in SHOWN if name in known},
        "perToken": measures.get("latency_per_token"),
        "rates": {name.removeprefix(THROUGHPUT): found for name, found in known.items() if name.startswith(THROUGHPUT)},
        "lengths": [[n, *(numbers(i, 1e3) or [])] for n, i in sorted(derive.latency_by_length(first).items())],
        "config": settings.indices(first.config),
    } | ({"by": order} if (order := derive.decoder_of(first).get("order")) else {})


def dense(found: list[float]) -> list[float]:
    """The value alone where there is no interval, so that the page stays small."""
    return found[:1] if found[1] == found[2] else found


def quality_of(row: Row, columns: Sequence[tuple[str, str, str | None]]) -> dict[str, list[float] | None]:
    """By heading [value, low, high], and where it is known the analytic value and 1 if the measurement agrees."""
    theory = {(line["measure"], line["operation"]): line for line in lines_of(row.first())}
    quality = {}
    for heading, metric, stratum in columns:
        found = numbers(row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum)))
        line = theory.get((metric, stratum))
        if found and line:
            found += [short(line["theory"]), int(abs(found[0] - line["theory"]) <= line["tolerance"])]
        quality[heading] = found
    return quality


def column_entries(group: Sequence[Row]) -> list[dict[str, Any]]:
    """The quality columns of a task."""
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


def speed_headings(groups: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """From the name of a speed measure to its heading in the tables."""
    return {measure.name: measure.heading for group in groups.values() for measure in speed_measures(group)}
