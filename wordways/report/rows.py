"""Which records make one row of a table, and the name it goes by everywhere."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import yaml

from wordways import CONF
from wordways.names import kind
from wordways.record import Record, canonical, digest
from wordways.report.oracles import corpus_of
from wordways.report.stats import Interval, mean

STYLE = CONF / "style.yaml"
SPARE = ("#F0E442", "#999999", "#44AA99")  # for paradigms the style file does not know yet
NOT_TELLING = ("seed", "experiment", "preset")
LONGEST = 80  # letters of a name that becomes a file's


@dataclass(frozen=True)
class Row:
    """Cells that differ in nothing but the seed."""

    label: str
    paradigm: str
    task: str
    records: Sequence[Record]

    def over_seeds(self, value: Callable[[Record], Interval | None]) -> Interval | None:
        """One checkpoint's own interval, or Student's t over the seeds' values; None where any seed has no value.

        Kept: every table, figure and export asks for the same ones again.
        """
        asked = (value.func, value.args, *sorted(value.keywords.items())) if isinstance(value, partial) else value
        if asked not in self.memory:
            self.memory[asked] = self.summary(value)
        return self.memory[asked]

    @cached_property
    def memory(self) -> dict[Any, Interval | None]:
        return {}

    def summary(self, value: Callable[[Record], Interval | None]) -> Interval | None:
        found = [value(record) for record in self.records]
        known = [interval for interval in found if interval is not None]
        if len(known) < len(found):
            return None
        return known[0] if len(known) == 1 else mean([interval.value for interval in known])

    def first(self) -> Record:
        return self.records[0]


def rows_of(records: Sequence[Record]) -> list[Row]:
    """One row for each setting, in the style file's order; its label is the preset and what tells it from others.

    Rows of one task, with the same settings, stand together under its name and what tells it from others.
    """
    groups: dict[str, list[Record]] = {}
    done = [record for record in records if record.status == "ok"]
    names = task_names(done)
    for record in done:
        settings = {name: value for name, value in record.config.items() if name not in NOT_TELLING}
        groups.setdefault(canonical([record.config["preset"], settings]), []).append(record)
    rows: list[Row] = []
    alike: dict[str, list[tuple[list[Record], dict[str, str]]]] = {}
    for group in groups.values():
        config = group[0].config
        alike.setdefault(canonical([config["preset"], config["task"]]), []).append((group, flatten(config)))
    for rivals in alike.values():
        names_here = dict.fromkeys(name for _, flat in rivals for name in flat)
        values = {name: {flat.get(name) for _, flat in rivals} for name in names_here}
        for group, flat in rivals:
            config = group[0].config
            label = " ".join([config["preset"], *(told(name, flat[name]) for name in flat if len(values[name]) > 1)])
            seeds = sorted(group, key=lambda record: record.config["seed"])
            rows.append(Row(label, kind(config["paradigm"]), names[canonical(config["task"])], seeds))
    place = list(colours([row.paradigm for row in rows])).index
    return sorted(rows, key=lambda row: (natural(row.task), place(row.paradigm), natural(row.label)))


def task_names(records: Sequence[Record]) -> dict[str, str]:
    """From a task's settings to its name, fit for a file: list_operations, or list_operations_n10 beside another.

    Tasks on different corpora are told apart by these first. Where one setting is enough its shortest is taken.
    """
    settings = {canonical(record.config["task"]): record.config["task"] for record in records}
    flats = {key: {"corpus": corpus_of(node), **flatten(node)} for key, node in settings.items()}
    names = {}
    for key, node in settings.items():
        rivals = [flats[other] for other, its in settings.items() if kind(its) == kind(node)]
        of_corpora = {
            flat["corpus"]: [rival for rival in rivals if rival["corpus"] == flat["corpus"]] for flat in rivals
        }
        telling = ["corpus"] * (len(of_corpora) > 1)
        telling += [name for name in flats[key] if any(differ(name, alike) for alike in of_corpora.values())]
        enough = [name for name in telling if len({rival.get(name) for rival in rivals}) == len(rivals) > 1]
        shortest = sorted(enough, key=lambda name: len(name + "".join(str(rival.get(name)) for rival in rivals)))[:1]
        parts = [told(name, flats[key][name]).replace("=", "") for name in shortest or telling]
        name = re.sub(r"[^\w-]+", "_", "_".join([kind(node), *parts]))
        names[key] = name if len(name) <= LONGEST else f"{name[:LONGEST]}_{digest(name)[:4]}"
    return names


def differ(name: str, settings: Sequence[Mapping[str, str]]) -> bool:
    return len({flat.get(name) for flat in settings}) > 1


def told(path: str, value: str) -> str:
    """A setting in a name: its last part and its value; a corpus alone; of a class what it is for, and its name."""
    *parents, name = path.split(".")
    if path == "corpus":
        return value
    if name != "_target_":
        return f"{name}={value}"
    return "=".join([*parents[-1:], value.rpartition(".")[2]])


def series_of(rows: Sequence[Row]) -> dict[tuple[str, str], dict[float, list[Row]]]:
    """Rows whose tasks differ in one number alone, at three values or more: {(task, setting): {value: rows}}."""
    found = {}
    for name in dict.fromkeys(kind(row.first().config["task"]) for row in rows):
        of_task = [row for row in rows if kind(row.first().config["task"]) == name]
        settings = [flatten(row.first().config["task"]) for row in of_task]
        telling = [setting for setting in settings[0] if len({flat.get(setting) for flat in settings}) > 1]
        if len(telling) != 1:
            continue
        at: dict[Any, list[Row]] = {}
        for row in of_task:
            at.setdefault(row.first().config["task"].get(telling[0]), []).append(row)
        if len(at) > 2 and all(isinstance(value, int | float) for value in at):
            at = dict(sorted(at.items()))
            found[name, telling[0]] = at
    return found


def flatten(node: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Dotted names of all settings that may tell rows apart, values as text."""
    flat = {}
    for name, value in node.items():
        if path or name not in NOT_TELLING:
            if isinstance(value, Mapping):
                flat |= flatten(value, f"{path}{name}.")
            else:
                flat[f"{path}{name}"] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return flat


def natural(label: str) -> list[tuple[int, str]]:
    """Sorts steps=10 behind steps=2."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", label)]


def colours(paradigms: Sequence[str]) -> dict[str, str]:
    """A colour for each paradigm, in the order in which they are shown."""
    known = styled()
    unknown = sorted(set(paradigms) - known.keys())
    return known | dict(zip(unknown, SPARE * (1 + len(unknown) // len(SPARE)), strict=False))


@lru_cache(maxsize=1)
def styled() -> dict[str, str]:
    return yaml.safe_load(STYLE.read_text())
