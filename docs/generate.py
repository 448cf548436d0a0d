"""Refreshes what the documentation takes from code and from reports: `python docs/generate.py [PAGE ...]`.

<!-- generated: tasks -->                        a table from code or records, by the function of that name in TABLES
<!-- table: results/oracle/report/x.md -->       a table of a report, copied
<!-- end -->

Without pages it also writes the schema of a record, results/record.schema.json.
"""

import inspect
import json
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from tasks.base import Setting, Task
from tasks.corpus import RealText
from tasks.metrics import METRICS
from tasks.metrics.judged import JUDGED
from wordways import CONF
from wordways.compose import choices_of, presets_by_paradigm
from wordways.labels import spoken
from wordways.names import kind
from wordways.record import read_records
from wordways.report.equivalence import FAILS, HOLDS, equivalence_lines
from wordways.report.escape import in_markdown
from wordways.report.oracles import oracle_lines
from wordways.schema import json_schema
from wordways.settings import build, locate
from wordways.speed.lines import Line, read_lines
from wordways.speed.tables import every_measure, targets

ROOT = CONF.parent
SCHEMA = ROOT / "results" / "record.schema.json"
PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKED = re.compile(r"(<!-- (generated|table): (\S+) -->\n).*?(<!-- end -->)", re.S)
MEASURES = {
    "accuracy": "accuracy",
    "nats_per_token": "NLL",
    "exact_nats_per_token": "NLL over all orders",
    "kl": "KL(q, p)",
    "reverse_kl": "KL(p, q)",
    "gap_bits": "total correlation",
}  # what a task may have analytic values of, and how the table calls it
DECODING = {"order": "the task's order", "temperature": "the task's temperature"}  # settings that a task brings
DIRECTIONS = {True: "higher", False: "lower", None: "neither"}


def refreshed(text: str) -> str:
    """The page with all its marked tables as they are now. Raises OSError where a report lacks one."""

    def now(found: re.Match[str]) -> str:
        opening, source, name, end = found.groups()
        table = (
            TABLES[name]()
            if source == "generated"
            else (ROOT / name).read_text(encoding="utf-8").partition("\n<details>")[0]
        )
        return f"{opening}{table.strip()}\n{end}"

    return MARKED.sub(now, text)


@lru_cache(maxsize=1)
def tasks_table() -> str:
    """A line for each task class, with the choices of conf/task/ that configure it."""
    by_class: dict[str, dict[str, Task]] = {}
    for name, node in tasks().items():
        by_class.setdefault(node["_target_"], {})[name] = build(node, "task")
    lines = []
    for target, configured in sorted(by_class.items()):
        examples = list(configured.values())
        lines.append(
            [
                linked(locate(target)),
                ", ".join(f"`{name}`" for name in configured),
                in_cell(first_sentence(locate(target))),
                joined(task.holes for task in examples),
                joined(stratum for task in examples for stratum in task.strata),
                joined(metric.name for task in examples for metric in task.metrics),
                joined(measure for task in examples for measure in analytic(task)) or "–",
            ]
        )
    heads = ["class", "`task=`", "content", "masked positions", "strata", "metrics", "analytic values"]
    return markdown(heads, lines)


@lru_cache(maxsize=1)
def metrics_table() -> str:
    """A line for each metric of texts, then one for each metric of a judge LM."""
    lines = [
        [
            f"`{metric.name}`",
            metric.unit,
            DIRECTIONS[getattr(metric, "higher_is_better", None)],
            "yes" if getattr(metric, "pooled", True) else "no",
            in_cell(str(inspect.getdoc(type(metric))).splitlines()[0]),
        ]
        for metric in (*METRICS.values(), *JUDGED.values())
    ]
    return markdown(["metric", "unit", "better", "pooled", "definition"], lines)


@lru_cache(maxsize=1)
def presets_table() -> str:
    """A line for each preset of conf/paradigm/, under its paradigm."""
    lines = []
    for target, presets in presets_by_paradigm().items():
        for number, preset in enumerate(presets):
            paradigm = spoken(kind({"_target_": target})) if number == 0 else ""
            lines.append([paradigm, f"`{preset}`", in_cell(title_of(preset))])
    return markdown(["paradigm", "`paradigm=`", "label in tables and figures"], lines)


@lru_cache(maxsize=1)
def checks_table() -> str:
    """A line for each committed folder with checks: how many of the decoders' and of the learners' checks pass."""
    lines, total = [], [0] * 5
    for folder, (harness, learner) in checks().items():
        verdicts = [line["verdict"] for line in harness]
        counts = [verdicts.count(HOLDS), verdicts.count(FAILS), len(harness)]
        counts += [sum(line["holds"] for line in learner), len(learner)]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        lines += [[f"`{folder}`", *spelt(counts)]] if harness or learner else []
    heads = ["folder", "harness: equivalences hold", "fail", "too few items", "learner: values within tolerance"]
    return markdown(heads, [*lines, ["all", *spelt(total)]])


@lru_cache(maxsize=1)
def misses_table() -> str:
    """A line for each committed folder, task and measure of which a run missed the analytic value."""
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for folder, (_, learner) in checks().items():
        for line in learner:
            found.setdefault((folder, f"{line['task']}, n = {line['n']}", line["measure"]), []).append(line)
    lines = []
    for (folder, task, measure), tried in found.items():
        missed = [line for line in tried if not line["holds"]]
        if missed:
            asked = joined(f"{line['theory']:.3g} ± {line['tolerance']:g}" for line in missed)
            ends = dict.fromkeys(f"{end(line['measured'] for line in missed):.3f}" for end in (min, max))
            presets = joined(f"`{line['preset']}`" for line in missed)
            strata = joined(in_cell(line["operation"]) for line in missed)
            counted = f"{len(missed)} of {len(tried)}"
            lines.append([f"`{folder}`", task, strata, presets, f"`{measure}`", asked, " to ".join(ends), counted])
    heads = ["folder", "task", "strata", "`paradigm=`", "measure", "analytic value", "measured", "missed"]
    return markdown(heads, lines)


def spelt(counts: Sequence[int]) -> list[str]:
    """Cells of the table of checks: of the harness those that hold, fail and are undecided; of the learner one."""
    holds, fails, harness, within, learner = counts
    decided = [f"{holds} of {harness}", f"{fails}", f"{harness - holds - fails}"] if harness else ["–"] * 3
    return [*decided, f"{within:,} of {learner:,}" if learner else "–"]


@lru_cache(maxsize=1)
def checks() -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Of every committed results folder, by its path under results/: its checks of decoders, then of learners."""
    kept = re.findall(r"^!results/(\w+)/$", (ROOT / ".gitignore").read_text(encoding="utf-8"), re.M)
    folders = sorted(path.parent for top in kept for path in (ROOT / "results" / top).rglob("config.yaml"))
    records = {folder.relative_to(ROOT / "results").as_posix(): read_records(folder)[0] for folder in folders}
    return {name: (equivalence_lines(found), oracle_lines(found)) for name, found in records.items()}


@lru_cache(maxsize=1)
def speed_lines() -> list[Line]:
    """The committed measures of speed; none before the first run."""
    return read_lines(ROOT / "results" / "speed")


TABLES = {
    "tasks": tasks_table,
    "metrics": metrics_table,
    "presets": presets_table,
    "checks": checks_table,
    "misses": misses_table,
    "speed_targets": lambda: targets(speed_lines()).markdown(),
    "speed_measures": lambda: every_measure(speed_lines()).markdown(),
}


def tasks() -> dict[str, dict[str, Any]]:
    """The settings of every choice of conf/task/, without titles and data."""
    found = {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for name in choices_of("task"):
            if name == "lm_eval":  # any task of the harness, which downloads its data when it is built
                continue
            node: Any = OmegaConf.to_container(compose("config", [f"task={name}"]).task, resolve=True)
            allowed = {"allow_code": True} if "allow_code" in node else {}  # to build the task, of which nothing runs
            found[name] = {key: value for key, value in (node | allowed).items() if key != "title"}
    return found


def title_of(preset: str) -> str:
    """The preset's title, in which a setting that the task brings is named instead of shown."""
    with initialize_config_dir(str(CONF), version_base="1.3"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a preset composed alone: hydra asks where it would stand in a whole
        config = compose(f"paradigm/{preset}")
    with open_dict(config):
        config["decoding"] = DECODING
    return str(OmegaConf.select(config, "paradigm.title") or preset.replace("_", " "))


def analytic(task: Task) -> Iterator[str]:
    """The measures that have an analytic value in some setting."""
    if isinstance(task, RealText):
        return
    sizes = {stratum: size for example, stratum, size in sized(task)}
    for measure, name in MEASURES.items():
        if any(task.theory(setting) for stratum in task.strata for setting in settings(measure, stratum, sizes)):
            yield name


def sized(task: Task) -> Iterator[tuple[str, str, int]]:
    """The first test example of every stratum: its name, its stratum, the tokens of its target."""
    seen: set[str] = set()
    for example in task.examples("test"):
        if example.stratum not in seen:
            seen.add(example.stratum)
            yield example.id, example.stratum, len(example.target.split())
        if len(seen) == len(task.strata):
            return


def settings(measure: str, stratum: str, sizes: Mapping[str, int]) -> Iterator[Setting]:
    size = sizes[stratum]
    quotas = [(1,) * size, (size,)]
    for parts in product(quotas, (None, "random", "confidence"), (0.0, 1.0), ("exact", "bound")):
        yield Setting(measure, stratum, *parts)


def first_sentence(kind: type) -> str:
    """Of the class's docstring, or of its module's where that of the class opens with the settings."""
    own, module = inspect.getdoc(kind) or "", inspect.getdoc(inspect.getmodule(kind)) or ""
    text = module if re.match(r"[a-z_]+(, [a-z_]+)*: ", own) else own
    return re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0]


def linked(kind: type) -> str:
    path = Path(inspect.getfile(kind)).relative_to(ROOT)
    return f"[`{kind.__name__}`](../{path})"


def in_cell(text: str) -> str:
    """Escaped as in the report's tables, but for code spans."""
    return in_markdown(text).replace(r"\`", "`")


def joined(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def schema_text() -> str:
    """The schema of a record as JSON Schema."""
    return json.dumps(json_schema(), indent=1) + "\n"


def main() -> None:
    if len(sys.argv) == 1:
        SCHEMA.write_text(schema_text(), encoding="utf-8")
    for page in [Path(argument) for argument in sys.argv[1:]] or PAGES:
        before = page.read_text(encoding="utf-8")
        after = refreshed(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page}: refreshed")


if __name__ == "__main__":
    main()
