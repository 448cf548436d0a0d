"""Order maps: for each position of a text, the forward pass at which its token became final."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wordways.report import derive
from wordways.report.page.limits import ROOM
from wordways.report.rows import Row

FINEST = 48  # cells of an order map, across and down
SHADES = 9  # levels of a cell, so that one digit holds it


def orders(rows: Sequence[Row]) -> list[dict[str, Any] | None]:
    """The order map of each configuration; None where it was not recorded or does not fit."""
    room, found = ROOM["orders"], []
    for row in rows:
        settled = list(filter(any, derive.traced(row.first(), "settled")))
        entry = order_map(settled) if settled and room > 0 else None
        room -= len(entry["shares"]) if entry else 0
        found.append(entry)
    return found


def order_map(settled: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Shares of texts, one digit a cell, row by row.  settled: for each text the forward pass of each position."""
    calls, holes = (max(f(one) for one in settled) for f in (max, len))
    high, wide = min(calls, FINEST), min(holes, FINEST)
    share = np.zeros((high, wide))
    for one in settled:
        np.add.at(share, ((np.array(one) - 1) * high // max(1, calls), np.arange(len(one)) * wide // max(1, holes)), 1)
    share /= np.maximum(1e-9, share.max(0))
    digits = np.ceil(share * SHADES).astype(int)
    return {"calls": calls, "holes": holes, "high": high, "wide": wide, "shares": "".join(map(str, digits.flat))}
