"""Accuracy beside its expectation under the model's own probabilities, which holds for every model, trained or not."""

from collections.abc import Sequence

import pandas as pd

from wordways.report.equivalence import ALPHA, FEWEST, MARGIN, PER_ANSWER, equivalence_lines, in_words
from wordways.report.rows import Row
from wordways.report.show import fixed, p_value
from wordways.report.table import Table

ORDER = 10


def table(rows: Sequence[Row]) -> Table | None:
    """A line for each run and stratum; None where no decoder samples from a distribution that is known exactly."""
    labels = {record.name: row.label for row in rows for record in row.records}
    lines = equivalence_lines([record for row in rows for record in row.records])
    if not lines:
        return None
    order = {cell: number for number, cell in enumerate(labels)}
    frame = [
        {
            "": f"{labels[line['cell']]}, seed {line['seed']}",
            "stratum": line["operation"],
            "expected": fixed(line["expected"], 4),
            "accuracy": fixed(line["measured"], 4),
            "difference": fixed(line["difference"], 4),
            "90 % interval": f"{fixed(line['low'], 4)} to {fixed(line['high'], 4)}",
            "margin": fixed(line["margin"], 4),
            "p": p_value(line["p_holm"]),
            "verdict": line["verdict"],
        }
        for line in sorted(lines, key=lambda line: order[line["cell"]])
    ]
    task = rows[0]
    note = (
        f"Given a model's own probabilities, the accuracy of sampling from it is known, however well it is trained. "
        f"{in_words(lines)}"
    )
    details = (
        "expected: mean of p(x) / q(x) over the references x that have a likelihood, p: model distribution, q: data "
        "distribution; accuracy: of all items. Interval: Wilson's and Student's t combined (MOVER). margin: "
        f"{MARGIN:g}, at most half of the expected accuracy. holds: the interval lies within the margin (TOST at 5 %); "
        f"fails: not so, and p, adjusted over this table (Holm), is below {ALPHA:g}; else too few items, as with less "
        f"than {FEWEST} likelihoods. A higher accuracy only counts as a failure from {PER_ANSWER} items per right text "
        "on. Left out: decoders whose distribution is not the model's or not known exactly (other temperatures, "
        "truncation, guidance, orders by confidence, revision, predicted lengths)."
    )
    return Table(f"equivalence_{task.task}", f"Own probabilities: {task.title}", note, pd.DataFrame(frame), "", details)
