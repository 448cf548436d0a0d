"""The tables of the benchmark: every measure, and what was to be reached beside what was."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from wordways import CONF
from wordways.report.show import significant
from wordways.report.table import Table
from wordways.speed.lines import Line

TARGETS = CONF / "speed.yaml"
CORES = 2  # for which the targets were set
THOUSAND = 1e3


def save_tables(lines: Sequence[Line], folder: Path) -> None:
    for table in (targets(lines), every_measure(lines)):
        table.save(folder)


def targets(lines: Sequence[Line]) -> Table:
    """A row for every target, with the measured ratio or `not measured`."""
    frame = []
    for target in yaml.safe_load(TARGETS.read_text(encoding="utf-8")):
        found = [line for line in lines if fits(line, {"threads": CORES, **target["where"]})]
        reached = found[0] if len(found) == 1 else None
        frame.append(
            {
                "": target["row"],
                "at least": significant(target["least"]),
                "aim": significant(target["aim"]) if "aim" in target else "–",
                "reached": "not measured" if reached is None else ratio(reached),
                "verdict": "–" if reached is None else verdict(reached, target),
            }
        )
    note = f"Ratios of paired times, theirs / ours: medians, 95 % intervals, {CORES} threads. {measured_on(lines)}"
    return Table("targets", "What was to be reached", note.strip(), pd.DataFrame(frame))


def fits(line: Line, where: Mapping[str, Any]) -> bool:
    """Whether a line has these settings; `name` and `against` are those of the line itself."""
    known = {**line.setting, "name": line.name, "against": line.against}
    return all(known[name] == value for name, value in where.items())


def verdict(line: Line, target: Mapping[str, Any]) -> str:
    """By the median alone."""
    if line.ratio >= target.get("aim", float("inf")):
        return "aim reached"
    return "reached" if line.ratio >= target["least"] else "missed"


def every_measure(lines: Sequence[Line]) -> Table:
    shown = ("size", "batch", "prompt", "tokens", "threads", "precision")
    frame = [
        {
            "": line.name,
            "program": line.setting["title"],
            **{name: line.setting[name] for name in shown},
            "against": line.against,
            "ours (ms)": significant(line.ours * THOUSAND),
            "theirs (ms)": significant(line.theirs * THOUSAND),
            "ratio": ratio(line),
            "equal tokens": "–" if line.equal is None else significant(line.equal),
        }
        for line in lines
    ]
    heads = ["", "program", *shown, "against", "ours (ms)", "theirs (ms)", "ratio", "equal tokens"]
    note = f"Medians of times and of their paired ratios, theirs / ours, with 95 % intervals. {measured_on(lines)}"
    return Table("measures", "All measures of speed", note.strip(), pd.DataFrame(frame, columns=pd.Index(heads)))


def ratio(line: Line) -> str:
    ends = "" if line.low is None or line.high is None else f" [{significant(line.low)}, {significant(line.high)}]"
    return significant(line.ratio) + ends


def measured_on(lines: Iterable[Line]) -> str:
    """The machines and the versions of the lines, in one sentence; empty without lines."""
    found = dict.fromkeys(
        f"{line.machine['device']}, torch {line.provenance['versions']['torch']}, transformers "
        f"{line.provenance['versions']['transformers']}"
        for line in lines
    )
    return f"{'; '.join(found)}." if found else ""
