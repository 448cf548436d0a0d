"""Every number of the tables and others, one per line, unrounded: the content of data.csv."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from wordways.report import derive, likelihoods
from wordways.report.columns import data_measures
from wordways.report.oracles import lines_of
from wordways.report.rows import Row
from wordways.report.signature import signature
from wordways.report.stats import Interval


def data_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per number, with its interval, method, analytic value and tolerance."""
    lines, measures = [], data_measures(rows)
    for row in rows:
        names = {"task": row.task, "row": row.label, "paradigm": row.paradigm, "seeds": len(row.records)}
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
        found += [("", m.name, m.unit, m.scale, row.over_seeds(m.value)) for m in measures]
        for stratum, name, unit, scale, interval in found:
            if interval is not None:
                line = theory.get((name, stratum), {})
                lines.append(
                    names
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


def scaled(error: float | None, scale: float) -> float | None:
    """A standard error in the number's unit."""
    return None if error is None else error * scale
