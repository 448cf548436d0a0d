"""Gates: whether a configuration is trained far enough to decide a claim or to be ranked in a table.

With some decoder its checkpoints must surpass the best trivial baseline of the task in the headline metric, or meet all
their analytic values. Where the task says so, accuracy at temperature 1 must also meet its analytic value: a checkpoint
that misses it has not learned the distribution of the data.
"""

from collections.abc import Sequence
from functools import partial

from wordways.record import Record, canonical
from wordways.report import derive
from wordways.report.columns import metrics_of
from wordways.report.contrasts import contrast_of
from wordways.report.oracles import lines_of, task_of
from wordways.report.rows import Row
from wordways.report.stats import LEVEL
from wordways.settings import SettingError

LIKELIHOODS = ("nats_per_token", "kl")  # measures that no untrained model has the analytic value of


def gate_of(row: Row, rows: Sequence[Row]) -> str:
    """Why a configuration does not pass, in a few words; empty where it passes or where there is no gate.

    rows: all rows of its task, the baselines included; without any of these on the same items there is no gate.
    """
    if row.baseline or not any(other.baseline for other in rows):
        return ""
    memory, key = row.first().memory, (gate_of, *(record.name for one in (row, *rows) for record in one.records))
    if key not in memory:
        memory[key] = judged(row, rows)
    return memory[key]


def judged(row: Row, rows: Sequence[Row]) -> str:
    best = best_baseline(row, rows)
    if best is None:
        return ""
    if not is_ideal(row) and not any(surpasses(other, best) for other in of_checkpoints(row, rows)):
        return f"not significantly better than the {best.label}"
    return missed(row, rows) if is_gated_by_oracle(row) else ""


def of_checkpoints(row: Row, rows: Sequence[Row]) -> list[Row]:
    """Every configuration that decodes the same checkpoints: whether one is trained does not depend on its decoder."""
    own = trainings(row)
    return [other for other in rows if not other.baseline and trainings(other) >= own]


def trainings(row: Row) -> set[str]:
    return {record.provenance["training"] for record in row.records}


def surpasses(row: Row, baseline: Row) -> bool:
    """Whether these very trainings are significantly better, with items as the only chance."""
    metric, sign = headline(row)
    contrast = contrast_of(baseline, row, metric)
    return contrast is not None and contrast.here < 1 - LEVEL and sign * contrast.difference.value > 0


def is_ideal(row: Row) -> bool:
    """Whether all trainings meet all analytic values, with one of the likelihood among them.

    A single pass over dependent tokens may then be worse than a baseline, which is no fault of its training.
    """
    lines = [lines_of(record) for record in row.records]
    return all(all(x["holds"] for x in one) and any(x["measure"] in LIKELIHOODS for x in one) for one in lines)


def headline(row: Row) -> tuple[str, int]:
    """The first metric; 1 where higher values are better, -1 where lower ones are, and 0 where neither are."""
    metric, entry = next(iter(metrics_of([row]).items()))
    return metric, {True: 1, False: -1, None: 0}[entry["higher_is_better"]]


def best_baseline(row: Row, rows: Sequence[Row]) -> Row | None:
    """The baseline with the best headline metric over all strata, of those on the configuration's items."""
    metric, sign = headline(row)
    found = [
        (sign * quality.value, other)
        for other in rows
        if other.baseline and other.task == row.task and other.first().item_ids == row.first().item_ids and sign
        if (quality := other.over_seeds(partial(derive.quality, metric=metric))) is not None
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def is_gated_by_oracle(row: Row) -> bool:
    try:
        return task_of(canonical(row.first().config["task"])).gated_by_oracle
    except SettingError:  # this version cannot build the task and therefore has no analytic values of it
        return False


def missed(row: Row, rows: Sequence[Row]) -> str:
    """Which of its trainings miss an analytic accuracy at temperature 1; empty for none."""
    every = [record for other in rows for record in other.records]
    count = sum(not reproduces(record, every) for record in row.records)
    some = f" by {count} of {len(row.records)} seeds" if count < len(row.records) else ""
    return f"analytic value at T = 1 missed{some}" if count else ""


def reproduces(record: Record, every: Sequence[Record]) -> bool:
    """Whether all analytic accuracies at temperature 1 of the record's checkpoint hold, of whichever decoder."""
    return all(
        line["holds"]
        for other in every
        if other.provenance.get("training") == record.provenance["training"]
        for line in lines_of(other)
        if line["measure"] == "accuracy" and line["temperature"] == 1
    )
