"""Implementation efficiency: measured and ideal latency, and whether their rankings agree."""

import math
from collections.abc import Sequence

import pandas as pd

from wordways.report.columns import rounded
from wordways.report.efficiency import compared, flips
from wordways.report.machines import mixed_machines, peaks_of
from wordways.report.rows import Row
from wordways.report.table import Table

ORDER = 9
TIMES = True  # each machine has rows of its own
IMPOSSIBLE = 1.02  # an eta above this is a measurement error


def table(rows: Sequence[Row]) -> Table | None:
    """None where no run measured its machine's peak rates."""
    found = compared(rows)
    if not found:
        return None
    ranks = [ranking([one.value for _, one, _, _ in found]), ranking([one.value for _, _, one, _ in found])]
    turned = flips(found)
    changed = {id(row) for pair in turned for row, *_ in pair}
    frame = [
        {
            "": row.label,
            "latency/token (ms)": rounded(measured, 1e3),
            "ideal latency/token (ms)": rounded(best, 1e3),
            "eta": rounded(eta, 1) + (" ✗" if eta.value > IMPOSSIBLE else ""),
            "rank": str(rank),
            "ideal rank": str(ideally) + (" ⇄" if id(row) in changed else ""),
        }
        for (row, measured, best, eta), rank, ideally in zip(found, *ranks, strict=True)
    ]
    records = [record for row, *_ in found for record in row.records]
    note = (
        f"Ideal: every forward pass at the machine's peaks, {' and '.join(peaks_of(records))}, whichever takes longer; "
        f"eta = ideal / measured. {len(turned)} of {math.comb(len(found), 2)} pairs change rank (⇄)."
    )
    details = (
        "A pair changes rank where the measured order is the opposite of the ideal one and the measured intervals do "
        "not overlap: there the implementation decides and not the paradigm. ✗: eta above "
        f"{IMPOSSIBLE}, an error of the measurement. Every run is compared with the peaks that it measured itself. "
        f"{mixed_machines(records)}"
    )
    name, title = rows[0].task, f"Implementation efficiency: {rows[0].title}"
    return Table(f"efficiency_{name}", title, note, pd.DataFrame(frame), "", details)


def ranking(values: Sequence[float]) -> list[int]:
    """Ranks, 1 for the least."""
    order = sorted(values)
    return [order.index(value) + 1 for value in values]
