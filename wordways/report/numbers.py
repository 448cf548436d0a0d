"""Every number of the tables and others, one per line, unrounded: the content of data.csv."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import pandas as pd

from wordways.labels import flatten
from wordways.report import derive, likelihoods
from wordways.report.columns import data_measures
from wordways.report.derive import is_of_timing
from wordways.report.oracles import lines_of
from wordways.report.rows import Row, apart_by_machine, telling_settings
from wordways.report.signature import signature
from wordways.report.stats import Interval
from wordways.report.sweeps import number_of

TAKEN = {  # the columns that every line has
    "task", "row", "paradigm", "seeds", "stratum", "measure", "unit", "value", "low", "high", "training", "sampling",
    "method", "level", "n", "theory", "tolerance", "signature",
}  # fmt: skip


def data_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per number, with its interval, method, analytic value and tolerance, and with every swept setting."""
    lines, measures, settings = [], data_measures(rows), swept_settings(rows)
    for row, swept in zip(rows, settings, strict=True):
        names = {"task": row.task, "row": row.label, "paradigm": row.paradigm, "seeds": len(row.records), **swept}
        signed = {"signature": signature([row])}
        theory = {(line["measure"], line["operation"]): line for line in lines_of(row.first())}
        strata = row.first().groups()
        found: list[tuple[str, str, str, float, Interval | None]] = [
            (stratum, metric, entry["unit"], 1, row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum)))
            for stratum in strata
            for metric, entry in row.first().scores.items()
        ]
        found += [
            (stratum, "nats_per_token", "nats", 1, row.over_seeds(partial(likelihoods.nats_per_token, stratum=stratum)))
            for stratum in strata
        ]
        found += [
            (stratum, "bits_per_byte", "bits", 1, row.over_seeds(partial(likelihoods.bits_per_byte, stratum=stratum)))
            for stratum in strata
        ]
        every = [(row.label, *one) for one in found]
        every += [
            (part.label, "", m.name, m.unit, m.scale, part.over_seeds(m.value))
            for m in measures
            for part in (apart_by_machine([row]) if is_of_timing(m.value) else [row])
        ]
        for label, stratum, name, unit, scale, interval in every:
            if interval is not None:
                line = theory.get((name, stratum), {})
                lines.append(
                    names
                    | {"row": label}
                    | {"stratum": stratum, "measure": name, "unit": unit}
                    | {key: getattr(interval, key) * scale for key in ("value", "low", "high")}
                    | {name: scaled(getattr(interval, name), scale) for name in ("training", "sampling")}
                    | {"method": interval.method, "level": interval.level, "n": interval.n}
                    | {key: line.get(key) for key in ("theory", "tolerance")}
                    | signed
                )
        kind = row.first().likelihood
        lines += [
            names | {"stratum": "", "measure": name, "unit": "", "value": value, "method": "count", "n": 1} | signed
            for name, value in row.budgets.items()
        ] + ([names | {"stratum": "", "measure": "likelihood_kind", "unit": kind["kind"]} | signed] if kind else [])
    return pd.DataFrame(lines)


def swept_settings(rows: Sequence[Row]) -> list[dict[str, float | str | bool | None]]:
    """Of each row the settings in which rows differ; None of one that the row does not have.

    Numbers and truth values are such. A setting's name is the last part of its dotted one, such as `steps`, or all of
    it where that is ambiguous.
    """
    flats = [flatten(row.first().config) for row in rows]
    paths = telling_settings(flats)
    short = {path: last_part(path) for path in paths}
    counts = Counter(short.values())
    names = {path: short[path] if counts[short[path]] == 1 and short[path] not in TAKEN else path for path in paths}
    values: dict[str, Sequence[float | str | bool | None]] = {}
    for path, name in names.items():
        known = [None if flat.get(path) == "None" else flat.get(path) for flat in flats]
        numeric = [number_of(value) for value in known]
        whole = all(value is None or number is not None for value, number in zip(known, numeric, strict=True))
        truths = [None if value is None else value == "True" for value in known]
        boolean = {value for value in known if value is not None} <= {"True", "False"}
        values[name] = numeric if whole else truths if boolean else known
    return [{name: column[place] for name, column in values.items()} for place in range(len(rows))]


def last_part(path: str) -> str:
    """`steps` of `paradigm.decoder.steps`; of a class what it is for: `decoder` of `paradigm.decoder._target_`."""
    *parents, name = path.split(".")
    return parents[-1] if name == "_target_" and parents else name


def scaled(error: float | None, scale: float) -> float | None:
    """A standard error in the number's unit."""
    return None if error is None else error * scale
