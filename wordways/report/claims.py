"""Textbook claims about paradigms beside measurements: each holds, does not hold, or is undecided.

conf/claims.yaml declares every claim: sentence, measure, task, configurations, and the rule that decides it.
"""

import argparse
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import stats

from wordways import CONF
from wordways.command import interruptible
from wordways.labels import flatten, phrase, titled
from wordways.names import kind
from wordways.record import holds_records, read_records
from wordways.report import derive, likelihoods
from wordways.report.contrasts import contrast_of
from wordways.report.rows import Row, rows_of
from wordways.report.signature import signature
from wordways.report.stats import LEVEL, Interval, mean
from wordways.report.table import Table

DECLARED = CONF / "claims.yaml"
RULES: dict[str, Callable[[float, float], bool]] = {">": operator.gt, "<": operator.lt}


def latency_exponent(row: Row) -> Interval | None:
    """b of E2E ~ N^b over forced lengths at batch 1: least squares on logarithms of medians, t interval."""
    found = derive.latency_by_length(row.first())
    if len(found) < 3:
        return None
    fit: Any = stats.linregress(np.log(list(found)), np.log([interval.value for interval in found.values()]))
    half = float(stats.t.ppf(0.5 + LEVEL / 2, len(found) - 2) * fit.stderr)
    return Interval(float(fit.slope), fit.slope - half, fit.slope + half, "least squares, t", len(found))


def beyond_data(row: Row, metric: str, stratum: str) -> Interval | None:
    """A metric of the generated texts minus that of the references, paired by item."""
    entry = row.first().scores.get(metric, {})
    if "data" not in entry:
        return None
    chosen = row.first().places.get(stratum, ())
    pairs = [(entry["items"][i], entry["data"][i]) for i in chosen]
    return mean([own - data for own, data in pairs if own is not None and data is not None])


OF_ROWS: dict[str, Callable[[Row], Interval | None]] = {
    "latency_exponent": latency_exponent,
    "exposure_bias": lambda row: row.over_seeds(likelihoods.exposure_bias),
    "latency": lambda row: row.over_seeds(derive.latency),
    "tokens per second": lambda row: row.over_seeds(partial(derive.throughput, batch=1)),
    "tokens per second, batch 8": lambda row: row.over_seeds(partial(derive.throughput, batch=8)),
    "tokens per second, batch 128": lambda row: row.over_seeds(partial(derive.throughput, batch=128)),
    "accuracy minus the draft's": lambda row: row.over_seeds(derive.beyond_draft),
    "calls": lambda row: row.over_seeds(derive.calls),
    "tokens_per_pass": lambda row: row.over_seeds(derive.tokens_per_pass),
}


def measured(rows: Sequence[Row], asked: Mapping[str, Any]) -> Interval | None:
    """The number a claim is about: of a configuration; minus another's (against); or divided by another's (over)."""
    row = row_of(rows, asked["task"], asked["row"])
    other = row_of(rows, asked["task"], asked.get("against") or asked.get("over") or asked["row"])
    if row is None or other is None:
        return None
    stratum, name = asked.get("stratum") or row.first().groups()[0], asked["measure"]
    if name.endswith(" minus the references'"):
        return beyond_data(row, name.removesuffix(" minus the references'"), stratum)
    value = OF_ROWS.get(name) or (lambda one: one.over_seeds(partial(derive.quality, metric=name, stratum=stratum)))
    if "against" in asked:
        contrast = contrast_of(other, row, name, stratum)
        return None if contrast is None else contrast.difference
    if "over" in asked:
        a, b = value(row), value(other)
        return None if a is None or b is None else ratio(a, b)
    return value(row)


def ratio(a: Interval, b: Interval) -> Interval:
    """The ratio of two positive numbers; its interval combines the extreme ends and is therefore conservative."""
    return Interval(a.value / b.value, a.low / b.high, a.high / b.low, f"ratio of {a.method}", a.n)


def row_of(rows: Sequence[Row], task: str | Mapping[str, Any], asked: str | Mapping[str, Any]) -> Row | None:
    """The configuration of a preset, or of a preset with these settings. Raises ValueError where several match."""
    (name, tasks), (preset, presets) = declared_of(task), declared_of(asked)
    found = [
        row
        for row in rows
        if (kind(row.first().config["task"]), row.first().config["preset"]) == (name, preset)
        and holds(row.first().config["task"], tasks)
        and holds(row.first().config, presets)
    ]
    if len(found) > 1:
        labels = ", ".join(row.label for row in found)
        raise ValueError(
            f"{name}, {preset}: several configurations match ({labels}); conf/claims.yaml must name more settings"
        )
    return found[0] if found else None


def holds(node: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    flat = flatten(node)
    return all(flat.get(name) == str(value) for name, value in settings.items())


def verdict(interval: Interval, rule: str) -> str:
    """Decides by the whole interval: on the claimed side of the rule's number, on the other side, or across it."""
    sign, number = rule.split()
    sides = {RULES[sign](end, float(number)) for end in (interval.low, interval.high)}
    return "undecided" if len(sides) > 1 else "holds" if sides.pop() else "does not hold"


def claims_table(rows: Sequence[Row], declared: Mapping[str, Mapping[str, Any]]) -> Table:
    frame, methods = [], set()
    for name, asked in declared.items():
        interval = measured(rows, asked)
        pair = " against " if "against" in asked else " over "
        other = asked.get("against") or asked.get("over")
        frame.append(
            {
                "": name.replace("_", " "),
                "claim": asked["sentence"],
                "measure": asked["measure"] + (f", {asked['stratum']}" if "stratum" in asked else ""),
                "task": shown(rows, asked["task"]),
                "of": spoken_row(rows, asked, asked["row"]) + (pair + spoken_row(rows, asked, other) if other else ""),
                "measured": "not measured" if interval is None else with_ends(interval),
                "rule": asked["rule"],
                "verdict": "–" if interval is None else verdict(interval, asked["rule"]),
            }
        )
        methods |= set() if interval is None else {interval.method}
    note = "95 % intervals in brackets. A claim holds where the whole interval is on the rule's side of the number."
    details = f"Methods: {'; '.join(sorted(methods))}."
    return Table("claims", "Claims", note, pd.DataFrame(frame), "", details)


def claims_of(rows: Sequence[Row]) -> list[Table]:
    """The claims that these configurations can decide; none where a claim matches several of them."""
    try:
        table = claims_table(rows, yaml.safe_load(DECLARED.read_text())["claims"])
    except ValueError:
        return []
    measured = table.frame[table.frame["measured"] != "not measured"]
    return [replace(table, frame=measured)] if len(measured) else []


def textbook_table(rows: Sequence[Row], declared: Mapping[str, Mapping[str, Any]]) -> Table:
    """The textbook comparison, a measurement beside every adjective."""
    frame = []
    for name, entry in declared.items():
        cells = {"": name}
        for paradigm, asked in entry["of"].items():
            interval = measured(
                rows, {"task": entry["task"], "measure": entry["measure"]} | entry.get("where", {}) | asked
            )
            cells[paradigm] = f"{asked['says']}: " + ("not measured" if interval is None else with_ends(interval))
        frame.append(cells | {"measure": entry["reads"]})
    note = "The adjectives of textbooks, each beside a measurement; 95 % intervals in brackets."
    return Table("textbook", "The textbook comparison, measured", note, pd.DataFrame(frame))


def shown(rows: Sequence[Row], task: str | Mapping[str, Any]) -> str:
    """A task's title; where it was not measured, its name and settings."""
    name, settings = declared_of(task)
    found = {
        row.title
        for row in rows
        if kind(row.first().config["task"]) == name and holds(row.first().config["task"], settings)
    }
    return found.pop() if len(found) == 1 else titled(name.replace("_", " "), phrases(settings))


def spoken_row(rows: Sequence[Row], asked: Mapping[str, Any], row: str | Mapping[str, Any]) -> str:
    """A configuration's label; where it was not measured, its preset and settings."""
    found, (name, settings) = row_of(rows, asked["task"], row), declared_of(row)
    return titled(name.replace("_", " "), phrases(settings)) if found is None else found.label


def declared_of(asked: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    settings = {} if isinstance(asked, str) else dict(asked)
    return (asked if isinstance(asked, str) else settings.pop("name")), settings


def phrases(settings: Mapping[str, Any]) -> list[str]:
    return [phrase(path, str(value)) for path, value in settings.items()]


def with_ends(interval: Interval) -> str:
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def main() -> None:
    """The `wordways-claims` command."""
    parser = argparse.ArgumentParser(prog="wordways-claims", description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="+", help="results folders, each with a cells/ folder or an archive"
    )
    parser.add_argument("--out", type=Path, default=Path("results/claims"), help="folder for the tables")
    arguments = parser.parse_args()
    with interruptible("wordways-claims"):
        write_claims(arguments.results, arguments.out)


def write_claims(folders: Sequence[Path], out: Path) -> None:
    """Prints both tables and saves them; exits with status 2 where a folder or a claim is wrong."""
    records, seen = [], set()
    for folder in folders:
        if not holds_records(folder):
            print(f"wordways-claims: {folder}: has no records", file=sys.stderr)
            sys.exit(2)
        records += [record for record in read_records(folder)[0] if record.cell not in seen]
        seen |= {record.cell for record in records}
    rows, declared = rows_of(records), yaml.safe_load(DECLARED.read_text())
    try:
        tables = [claims_table(rows, declared["claims"]), textbook_table(rows, declared["textbook"])]
    except ValueError as error:
        print(f"wordways-claims: {error}", file=sys.stderr)
        sys.exit(2)
    for table in (replace(table, signature=signature(rows)) for table in tables):
        table.save(out)
        print(table.markdown())


if __name__ == "__main__":
    main()
