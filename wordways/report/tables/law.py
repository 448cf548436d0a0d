"""Divergences between model and data distribution, where the latter is known exactly."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from wordways.report import derive, likelihoods
from wordways.report.columns import beside_theory
from wordways.report.oracles import lines_of
from wordways.report.rows import Row
from wordways.report.table import Table

ORDER = 7
COLUMNS = {
    "KL(q, p)": ("law_kl", likelihoods.law_kl_per_token),
    "bound": ("bound_kl", likelihoods.bound_kl_per_token),
    "slack": ("", likelihoods.slack_per_token),
    "KL(p, q)": ("reverse_kl", likelihoods.reverse_kl_per_token),
}


def table(rows: Sequence[Row]) -> Table | None:
    """None where the data distribution is unknown; without configurations that do not sample from the model's own."""
    frame = []
    for row in rows:
        law, (stratum, *_) = row.first().likelihood, row.first().groups()
        if law is None or not law.get("exposure") or not likelihoods.undistorted(row.first()):
            continue
        theory: dict[str, Any] = {line["measure"]: line for line in lines_of(row.first())}
        theory["law_kl" if law["kind"] == "exact" else "bound_kl"] = theory.get("kl")
        cells = {"": row.label}
        for heading, (measure, value) in COLUMNS.items():
            measured = row.over_seeds(partial(value, stratum=stratum))
            cells[heading] = beside_theory(measured, 4, theory.get(measure))
        cells["token error"] = beside_theory(row.over_seeds(likelihoods.token_error), 4, None)
        right = row.over_seeds(partial(derive.quality, metric="accuracy"))
        cells["sequence error"] = "–" if right is None else f"{1 - right.value:.3f}"
        cells["ExAccErr"] = beside_theory(row.over_seeds(likelihoods.exposure_bias), 2, None)
        frame.append(cells)
    note = (
        "q: data distribution; p: model distribution. KL in nats per token, ± half-width of a 95 % interval. Brackets: "
        "analytic value (✗: outside its tolerance)."
    )
    details = (
        "bound: of one masked position per pass in random order; slack: bound minus the exact value over all orders; "
        "KL(p, q): given that the text has probability under q; token error: KL after one token, along the data; "
        "sequence error: share of texts of probability 0 under q; ExAccErr: excess accumulated error (exposure bias) "
        "at a text's last token."
    )
    if not frame:
        return None
    task = rows[0]
    return Table(f"law_{task.task}", f"Data distribution: {task.title}", note, pd.DataFrame(frame), "", details)
