"""Textbook claims about paradigms beside measurements: each holds, does not hold, or is not decided.

conf/claims.yaml declares every claim: sentence, measure, task, configurations, and the rule that decides it.
"""

import argparse
import sys
from collections import defaultdict
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
from wordways.command import interruptible, print_anywhere
from wordways.labels import flatten, phrase, titled
from wordways.names import kind
from wordways.record import Record, holds_records, read_records, same_numbers
from wordways.report import derive, likelihoods, ratios
from wordways.report.baselines import all_rows
from wordways.report.contrasts import contrast_of
from wordways.report.escape import one_line
from wordways.report.gates import gate_of
from wordways.report.rows import Row, trained
from wordways.report.show import p_value, significant
from wordways.report.signature import signature
from wordways.report.stats import Interval, half_width
from wordways.report.table import Table
from wordways.report.verdicts import verdicts

DECLARED = CONF / "claims.yaml"
REFERENCES = " minus the references'"
BELOW_GATE = "not trained far enough"


@derive.of_timing
def latency_exponent(record: Record) -> Interval | None:
    """b of E2E ~ N^b over forced lengths at batch 1: least squares on logarithms of medians, t interval."""
    found = derive.latency_by_length(record)
    if len(found) < 3:
        return None
    fit: Any = stats.linregress(np.log(list(found)), np.log([interval.value for interval in found.values()]))
    errors = ((float(fit.stderr), len(found) - 2),)
    half = half_width(errors)
    return Interval(
        float(fit.slope), fit.slope - half, fit.slope + half, "least squares, t", len(found), errors=errors
    )  # fmt: skip


OF_RECORDS: dict[str, Callable[[Record], Interval | None]] = {
    "latency_exponent": latency_exponent,
    "exposure_bias": likelihoods.exposure_bias,
    "accuracy minus the draft's": derive.beyond_draft,
    "calls": derive.calls,
    "tokens_per_pass": derive.tokens_per_pass,
}
PAIRED: dict[str, ratios.Paired] = {
    "latency": ratios.latency_by_text,
    "tokens per second": partial(ratios.tokens_by_round, batch=1),
    "tokens per second, batch 8": partial(ratios.tokens_by_round, batch=8),
    "tokens per second, batch 128": partial(ratios.tokens_by_round, batch=128),
}
OF_TRUNK = ("latency_exponent",)  # texts of a forced length take the same time whatever the weights have learned


def measured(rows: Sequence[Row], asked: Mapping[str, Any]) -> Interval | None:
    """The number a claim is about: of a configuration; minus another's (against); or divided by another's (over)."""
    row = row_of(rows, asked["task"], asked["row"])
    other = row_of(rows, asked["task"], asked.get("against") or asked.get("over") or asked["row"])
    if row is None or other is None:
        return None
    stratum, name = asked.get("stratum") or row.first().groups()[0], asked["measure"]
    if "against" in asked:
        contrast = contrast_of(other, row, name, stratum)
        return None if contrast is None else contrast.difference
    if "over" in asked and name in PAIRED:
        return ratios.paired_ratio(row, other, PAIRED[name])
    value = OF_RECORDS.get(name) or partial(derive.quality, metric=name, stratum=stratum)
    if name.endswith(REFERENCES):
        value = partial(derive.beyond_data, metric=name.removesuffix(REFERENCES), stratum=stratum)
    if "over" in asked:
        a, b = row.over_seeds(value), other.over_seeds(value)
        return None if a is None or b is None else ratios.ratio_of_means(a, b)
    return row.over_seeds(value)


def below_gate(rows: Sequence[Row], asked: Mapping[str, Any]) -> bool:
    """Whether a configuration of the claim fails its task's gate, so that the claim cannot be decided with it."""
    presets = [asked[key] for key in ("row", "against", "over") if key in asked]
    found = [row for preset in presets if (row := row_of(rows, asked["task"], preset)) is not None]
    return asked["measure"] not in OF_TRUNK and any(gate_of(row, of_task(row, rows)) for row in found)


def of_task(row: Row, rows: Sequence[Row]) -> list[Row]:
    return [one for one in rows if one.task == row.task]


def row_of(rows: Sequence[Row], task: str | Mapping[str, Any], asked: str | Mapping[str, Any]) -> Row | None:
    """The configuration of a preset, or of a preset with these settings. Raises ValueError where several match."""
    (name, tasks), (preset, presets) = declared_of(task), declared_of(asked)
    found = [
        row
        for row in rows
        if not row.baseline
        and (kind(row.first().config["task"]), row.first().config["preset"]) == (name, preset)
        and holds(row.first().config["task"], tasks)
        and holds(row.first().config, presets)
    ]
    if len(found) > 1 and all(row.machine for row in found):
        return None  # machines disagree on its numbers, so that none is to be chosen
    if len(found) > 1:
        labels = ", ".join(row.label for row in found)
        raise ValueError(
            f"{name}, {preset}: several configurations match ({labels}); conf/claims.yaml must name more settings"
        )
    return found[0] if found else None


def holds(node: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    flat = flatten(node)
    return all(flat.get(name) == str(value) for name, value in settings.items())


def claims_table(rows: Sequence[Row], declared: Mapping[str, Mapping[str, Any]]) -> Table:
    found = {name: measured(rows, asked) for name, asked in declared.items()}
    gated = {name for name, asked in declared.items() if found[name] is not None and below_gate(rows, asked)}
    decided = verdicts({name: (found[name], asked["rule"]) for name, asked in declared.items() if name not in gated})
    frame = [
        {
            "": name.replace("_", " "),
            "claim": asked["sentence"],
            "measure": asked["measure"] + (f", {asked['stratum']}" if "stratum" in asked else ""),
            "task": shown(rows, asked["task"]),
            "of": compared_rows(rows, asked),
            "measured": "not measured" if (interval := found[name]) is None else with_ends(interval),
            "rule": asked["rule"],
            "p": "–" if (one := decided.get(name)) is None or one.p is None else p_value(one.p),
            "adjusted p": "–" if one is None or one.adjusted is None else p_value(one.adjusted),
            "verdict": BELOW_GATE if name in gated else "–" if interval is None or one is None else one.word,
        }
        for name, asked in declared.items()
    ]
    family = sum(one.p is not None for one in decided.values())
    note = (
        f"95 % intervals in brackets. p: of the rule's number, adjusted for {family} claims (Holm). A claim holds, or "
        "does not, where the adjusted p is below .05."
    )
    methods = sorted({interval.method for interval in found.values() if interval is not None})
    details = (
        f"Methods: {'; '.join(methods)}. Not trained far enough: a configuration does not pass its task's gate, and "
        "decides no claim. A value without an interval is undecided."
    )
    return Table("claims", "Claims", note, pd.DataFrame(frame), "", details)


def compared_rows(rows: Sequence[Row], asked: Mapping[str, Any]) -> str:
    """The configurations of a claim, in words."""
    own = spoken_row(rows, asked, asked["row"])
    others = {"against": asked.get("against"), "over": asked.get("over")}
    return own + "".join(f" {word} {spoken_row(rows, asked, other)}" for word, other in others.items() if other)


def claims_of(rows: Sequence[Row]) -> list[Table]:
    """The claims that these configurations can decide; none where a claim matches several of them."""
    try:
        table = claims_table(rows, yaml.safe_load(DECLARED.read_text(encoding="utf-8"))["claims"])
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
    ends = [significant(end) for end in (interval.low, interval.high)]
    return significant(interval.value) + (f" [{', '.join(ends)}]" if interval.known() else "")


def main() -> None:
    """The `wordways-claims` command."""
    print_anywhere()
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
    records: list[Record] = []
    seen: defaultdict[str, list[Record]] = defaultdict(list)
    for folder in folders:
        if not holds_records(folder):
            print(f"wordways-claims: {folder}: has no records", file=sys.stderr)
            sys.exit(2)
        found, refused = read_records(folder)
        for reason in refused:
            print(one_line(f"wordways-claims: not a record: {reason}"), file=sys.stderr)
        records += [record for record in found if not any(same_numbers(record, other) for other in seen[record.cell])]
        for record in found:
            seen[record.cell].append(record)
    rows, declared = all_rows(records), yaml.safe_load(DECLARED.read_text(encoding="utf-8"))
    try:
        tables = [claims_table(rows, declared["claims"]), textbook_table(rows, declared["textbook"])]
    except ValueError as error:
        print(f"wordways-claims: {error}", file=sys.stderr)
        sys.exit(2)
    for table in (replace(table, signature=signature(trained(rows))) for table in tables):
        try:
            table.save(out)
        except OSError as error:
            print(f"wordways-claims: --out {out}: cannot be written to ({error.strerror})", file=sys.stderr)
            sys.exit(2)
        print(table.markdown())


if __name__ == "__main__":
    main()
