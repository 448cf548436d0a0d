"""Likelihood of the reference texts."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from wordways.report import likelihoods
from wordways.report.columns import beside_theory
from wordways.report.derive import decoder_of
from wordways.report.oracles import lines_of
from wordways.report.rows import Row
from wordways.report.table import Table

ORDER = 6


def table(rows: Sequence[Row]) -> Table:
    frame = []
    for row in rows:
        law, theory = row.first().likelihood, {(x["measure"], x["operation"]): x for x in lines_of(row.first())}
        kind = law["kind"] if law else "–"
        if kind == "exact" and decoder_of(row.first()).get("order") is not None:
            kind = "exact, along its passes"
        kinds = {"nats_per_token": (kind, likelihoods.nats_per_token)}
        if law and law.get("exact"):
            kinds["exact_nats_per_token"] = ("exact, over all orders", likelihoods.exact_nats_per_token)
        for name, (sort, value) in kinds.items():
            cells = {"": row.label, "kind": sort}
            for stratum in row.first().groups():
                measured = row.over_seeds(partial(value, stratum=stratum))
                cells[stratum] = beside_theory(measured, 3, theory.get((name, stratum)))
            if law and "bytes" in law:
                cells["bits/byte"] = beside_theory(row.over_seeds(likelihoods.bits_per_byte), 3, None)
            frame.append(cells)
    note = (
        "Nats per token of the reference and its end, ± half-width of a 95 % interval over texts. Different kinds are "
        "not comparable."
    )
    details = (
        "exact: the distribution that is sampled from; along its passes: by a rule that sees no sampled token; bound: "
        "an upper bound on the nats of one masked position per pass; pseudo: a product of conditionals that need not "
        "be a distribution over texts."
    )
    task = rows[0]
    return Table(f"likelihood_{task.task}", f"Likelihood: {task.title}", note, pd.DataFrame(frame), "", details)
