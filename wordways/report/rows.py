"""Groups records into configurations, and names them as tables and figures do."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from statistics import fmean
from typing import Any

import yaml

from wordways import CONF
from wordways.labels import NOT_TELLING, differ, file_name, flatten, natural, phrase, spoken, titled
from wordways.names import kind
from wordways.record import Record, canonical, digest
from wordways.report.derive import is_of_timing
from wordways.report.machines import by_machine, run_of
from wordways.report.oracles import corpus_of
from wordways.report.stats import Interval, over_trainings

STYLE = CONF / "style.yaml"
BASELINE = "baseline"  # the paradigm of rows that no model wrote
SPARE = ("#F0E442", "#999999", "#44AA99")  # for paradigms that are not in the style file


@dataclass(frozen=True)
class Row:
    """Records that differ in nothing but the seed.

    label: what tables call the configuration.  task: the task's name in file names.  title: the task's name in prose.
    again: further records of the same cells with the same scores, whose timings come from other machines.  machine: of
    a row whose numbers differ from those of other machines.  whole: of a row that has the timings of one machine, the
    row over all machines, which has all else.
    """

    label: str
    paradigm: str
    task: str
    records: Sequence[Record]
    title: str = ""
    again: Sequence[Record] = ()
    machine: str = ""
    whole: "Row | None" = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.task)

    def over_seeds(self, value: Callable[[Record], Interval | None]) -> Interval | None:
        """A single training's own interval, or the crossed model's over trainings; None where any seed has no value.

        Timings of several machines have none either. Results are cached, since every table, figure and export needs the
        same ones.
        """
        if self.whole is not None and not is_of_timing(value):
            return self.whole.over_seeds(value)
        asked = (value.func, value.args, *sorted(value.keywords.items())) if isinstance(value, partial) else value
        if asked not in self.memory:
            self.memory[asked] = self.summary(value)
        return self.memory[asked]

    @cached_property
    def memory(self) -> dict[Any, Interval | None]:
        return {}

    @cached_property
    def compared(self) -> dict[Any, Any]:
        """Cache of contrasts with other rows."""
        return {}

    @property
    def baseline(self) -> bool:
        """Whether no model wrote its texts."""
        return self.paradigm == BASELINE

    def all_timed(self) -> list[Record]:
        """The records that were timed, on whichever machine."""
        return [record for record in (*self.records, *self.again) if record.timing]

    @cached_property
    def machines(self) -> int:
        """The number of machines that timed it."""
        return len(by_machine(self.all_timed()))

    def summary(self, value: Callable[[Record], Interval | None]) -> Interval | None:
        if is_of_timing(value) and self.machines > 1:
            return None
        found = [value(record) for record in self.records]
        known = [interval for interval in found if interval is not None]
        if len(known) < len(found):
            return None
        return known[0] if len(known) == 1 else over_trainings(known)

    @cached_property
    def budgets(self) -> Mapping[str, float]:
        """Every training budget that all seeds have, mean over seeds: supervised tokens depend on random masks."""
        shared = [name for name in self.first().budgets if all(name in record.budgets for record in self.records)]
        return {name: fmean(record.budgets[name] for record in self.records) for name in shared}

    def first(self) -> Record:
        return self.records[0]


def rows_of(records: Sequence[Record]) -> list[Row]:
    """One row for each configuration, by task and then in the style file's order of paradigms.

    A row's label is its preset's title; where titles are equal, the settings that differ are added.
    """
    groups: dict[str, list[Record]] = {}
    done = [record for record in records if record.status == "ok" and not record.is_baseline]
    tasks = task_names(done)
    for record in done:
        settings = {name: value for name, value in record.config.items() if name not in NOT_TELLING}
        groups.setdefault(canonical([record.config["preset"], settings]), []).append(record)
    alike: dict[str, list[tuple[list[Record], dict[str, str]]]] = {}
    for group in groups.values():
        config = group[0].config
        flat = flatten(config) | {"preset": config["preset"]}
        alike.setdefault(canonical([title_of(config), config["task"]]), []).append((group, flat))
    rows: list[Row] = []
    for rivals in alike.values():
        telling = telling_settings([flat for _, flat in rivals])
        for group, flat in rivals:
            config = group[0].config
            label = titled(title_of(config), [phrase(name, flat[name]) for name in telling if name in flat])
            slug, title = tasks[canonical(config["task"])]
            rows += [
                replace(row, label=titled(label, [row.machine]) if row.machine else label)
                for row in side_by_side(Row(label, kind(config["paradigm"]), slug, group, title))
            ]
    rows = told_apart(rows)
    place = list(colours([row.paradigm for row in rows])).index
    return sorted(rows, key=lambda row: (natural(row.task), place(row.paradigm), natural(row.label)))


def side_by_side(row: Row) -> list[Row]:
    """A row for each machine where a run has different scores on several; else one, with one record for each run."""
    runs: dict[str, list[Record]] = {}
    for record in sorted(row.records, key=lambda record: record.config["seed"]):
        runs.setdefault(run_of(record), []).append(record)
    if any(other.scores != own.scores for own, *others in runs.values() for other in others):
        return [replace(row, records=own, machine=name) for name, own in by_machine(row.records).items()]
    again = [other for _, *others in runs.values() for other in others]
    return [replace(row, records=[own for own, *_ in runs.values()], again=again)]


def apart_by_machine(rows: Sequence[Row]) -> list[Row]:
    """Rows for tables of times, grouped by machine where they were timed on several.

    A row that several machines timed is then one for each of them; one that none did stands last.
    """
    machines = by_machine([record for row in rows for record in row.all_timed()])
    if len(machines) < 2:
        return list(rows)
    parts = []
    for name, records in machines.items():
        there = set(map(id, records))
        for row in rows:
            if own := [record for record in row.all_timed() if id(record) in there]:
                label = row.label if row.machine == name else titled(row.label, [name])
                parts.append(replace(row, label=label, records=own, again=(), whole=row.whole or row))
    return [*parts, *(row for row in rows if not row.all_timed())]


def told_apart(rows: Sequence[Row]) -> list[Row]:
    """Configurations whose settings differ in signs that labels do not show have the name of their first run beside."""
    counts = Counter((row.task, row.label) for row in rows)
    return [
        replace(row, label=titled(row.label, [f"run {row.first().cell[:8]}"]))
        if counts[row.task, row.label] > 1
        else row
        for row in rows
    ]


def trained(rows: Sequence[Row]) -> list[Row]:
    """The rows without trivial baselines."""
    return [row for row in rows if not row.baseline]


def telling_settings(flats: Sequence[Mapping[str, str]]) -> list[str]:
    """Settings in which configurations of one title differ; the preset's name only where no other setting differs."""
    names = [name for name in dict.fromkeys(name for flat in flats for name in flat) if differ(name, flats)]
    return [name for name in names if name != "preset"] or names


def title_of(config: Mapping[str, Any]) -> str:
    """The preset's title; for records older than titles, the preset's name in words."""
    return config.get("title", {}).get("paradigm") or config["preset"].replace("_", " ")


def task_names(records: Sequence[Record]) -> dict[str, tuple[str, str]]:
    """File name part and title by task settings, such as `list_operations_n_6` and `list operations, n = 6`.

    Tasks of equal title are distinguished by corpus first, then by settings: by a single one where that suffices.
    """
    settings = {canonical(record.config["task"]): record.config for record in records}
    titles = {
        key: config.get("title", {}).get("task") or spoken(kind(config["task"])) for key, config in settings.items()
    }
    flats = {key: {"corpus": corpus_of(config["task"]), **flatten(config["task"])} for key, config in settings.items()}
    names: dict[str, tuple[str, str]] = {}
    for key, title in titles.items():
        rivals = [flats[other] for other, its in titles.items() if its == title]
        of_corpora = {flat["corpus"]: [one for one in rivals if one["corpus"] == flat["corpus"]] for flat in rivals}
        telling = ["corpus"] * (len(of_corpora) > 1)
        telling += [name for name in flats[key] if any(differ(name, alike) for alike in of_corpora.values())]
        enough = [name for name in telling if len({rival.get(name) for rival in rivals}) == len(rivals) > 1]
        shortest = sorted(enough, key=lambda name: len(name + "".join(str(rival.get(name)) for rival in rivals)))[:1]
        full = ", ".join([title, *(phrase(name, flats[key][name]) for name in shortest or telling)])
        slug = file_name(full)
        taken = {known for known, _ in names.values()}
        names[key] = (f"{slug}_{digest(key)[:4]}" if slug in taken else slug, full)
    return names


def series_of(rows: Sequence[Row]) -> dict[tuple[str, str], dict[float, list[Row]]]:
    """Rows whose tasks differ only in one number, at three or more values: {(task, setting): {value: rows}}."""
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


def colours(paradigms: Sequence[str]) -> dict[str, str]:
    """A colour for each paradigm, in the order in which they are shown."""
    known = styled()
    unknown = sorted(set(paradigms) - known.keys())
    return known | dict(zip(unknown, SPARE * (1 + len(unknown) // len(SPARE)), strict=False))


@lru_cache(maxsize=1)
def styled() -> dict[str, str]:
    return yaml.safe_load(STYLE.read_text(encoding="utf-8"))
