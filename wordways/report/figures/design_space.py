"""The decoders of one checkpoint."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from wordways.report import derive
from wordways.report.quality_panels import any_text, quality_against
from wordways.report.rows import Row
from wordways.report.style import Columns

ORDER = 3
CAPTION = "All decoders of one checkpoint, quality against latency. Line: the Pareto front."
DECODERS = 5  # of one checkpoint; of fewer there is no figure


def figure(rows: Sequence[Row], columns: Columns) -> Figure | None:
    """Quality against latency of all decoders of the checkpoint that has most, with the Pareto front.

    None where they are few, or settings of a single loop, whose analytic values the other figures show.
    """
    by_checkpoint: dict[str, list[Row]] = {}
    for row in rows:
        by_checkpoint.setdefault(row.first().provenance.get("training", ""), []).append(row)
    most = max(by_checkpoint.values(), key=len)
    loops = {derive.decoder_of(row.first()).get("_target_") for row in most}
    if len(most) < DECODERS or len(loops) < 2:
        return None
    return quality_against(most, any_text, "latency/token (ms)", 1e3, columns, front=True)
