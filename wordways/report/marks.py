"""Which configurations of a column are best, and which are not significantly different from the best."""

from collections.abc import Sequence
from functools import partial

from wordways.report import derive
from wordways.report.columns import metrics_of
from wordways.report.contrasts import contrast_of
from wordways.report.gates import gate_of
from wordways.report.rows import Row
from wordways.report.stats import LEVEL
from wordways.report.table import Mark

RULE = (
    "Marks compare the best of a column with every other row, paired on identical items and trainings, adjusted "
    "for all pairs of the column's rows (Bonferroni), so that the choice of the best is paid for."
)


def marks_of(rows: Sequence[Row], metric: str, stratum: str | None) -> dict[int, Mark]:
    """By row: the best, and those not significantly different from it; none where no row differs significantly.

    Only rows that passed their task's gate are ranked. None also where the metric has no better direction.
    """
    higher_is_better = metrics_of(rows)[metric]["higher_is_better"]
    if higher_is_better is None:
        return {}
    sign, value = 1 if higher_is_better else -1, partial(derive.quality, metric=metric, stratum=stratum)
    found = {i: row.over_seeds(value) for i, row in enumerate(rows) if not gate_of(row, rows) and not row.baseline}
    values = {i: sign * interval.value for i, interval in found.items() if interval is not None}
    top = max(values.values(), default=0)
    best = [i for i, value in values.items() if value == top]
    pairs = len(values) * (len(values) - 1) / 2
    compared = {i: contrast_of(rows[best[0]], rows[i], metric, stratum) for i in values if i not in best}
    against = {i: min(1.0, pairs * contrast.p) for i, contrast in compared.items() if contrast is not None}
    level = [i for i, p in against.items() if p >= 1 - LEVEL]
    if len(level) == len(against):
        return {}
    marks: dict[int, Mark] = dict.fromkeys(best, "best")
    marks.update(dict.fromkeys(level, "level"))
    return marks
