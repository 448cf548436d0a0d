"""Token error and sequence error against forward passes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from matplotlib.figure import Figure

from wordways.labels import spoken
from wordways.record import Record
from wordways.report import derive, likelihoods
from wordways.report.drawing import Curve
from wordways.report.quality_panels import Panel, draw
from wordways.report.rows import Row
from wordways.report.stats import Interval
from wordways.report.style import Columns

ORDER = 6
CAPTION = (
    "Error against forward passes, samples in random order: of single tokens (KL from the data distribution, along the "
    "data) and of whole texts. A line joins the configurations of a paradigm."
)


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Errors of configurations that sample in random order; a line joins those of a paradigm."""
    measured = [row for row in rows if row.over_seeds(likelihoods.token_error) and in_random_order(row.first())]
    right, panels = partial(derive.quality, metric="accuracy"), []
    errors: dict[str, Callable[[Row], Interval | None]] = {
        "token error (nats)": lambda row: row.over_seeds(likelihoods.token_error),
        "sequence error": lambda row: one_minus(row.over_seeds(right)),
    }
    for name, error in errors.items():
        by_paradigm: dict[str, list[tuple[Interval, Interval]]] = {}
        for row in measured:
            x, y = row.over_seeds(derive.calls), error(row)
            if x is not None and y is not None:
                by_paradigm.setdefault(row.paradigm, []).append((x, y))
        curves = [
            Curve(spoken(paradigm), paradigm, *zip(*sorted(found, key=lambda point: point[0].value), strict=True))
            for paradigm, found in by_paradigm.items()
        ]
        if curves:
            panels.append(Panel(name, name, "share" if name == "sequence error" else "", False, curves))
    return draw(panels, columns, "forward passes per text", True) if panels else None


def in_random_order(record: Record) -> bool:
    """Whether samples follow the model distribution, in random order or in the only order there is."""
    decoder = derive.decoder_of(record)
    free = decoder.get("order") in (None, "random") and decoder.get("threshold") is None
    return free and likelihoods.undistorted(record)


def one_minus(share: Interval | None) -> Interval | None:
    return share and replace(share, value=1 - share.value, low=1 - share.high, high=1 - share.low, sample=None)
