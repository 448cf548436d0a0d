"""The rows of a canvas that are still decoded left to right: a row that has ended leaves the batch."""

from collections.abc import Sequence

from torch import Tensor

from paradigms.base import Canvas, all_rows
from paradigms.trunk.cache import Cache


class Rows:
    """All rows' tokens so far, ids_BL, and the b rows that are not finished: rows_b, and their padding pad_bL."""

    def __init__(self, canvas: Canvas, eos: int):
        self.canvas, self.eos, self.start = canvas, eos, canvas.start()
        self.ids_BL, self.rows_b, self.pad_bL = canvas.ids_BL.clone(), all_rows(canvas), canvas.pad_BL
        self.last = (self.start - 1 + canvas.holes_BL.sum(1)).tolist()
        self.newest_b1 = self.ids_BL[:, self.start - 1 : self.start]

    def read(self, at: range) -> tuple[Tensor, Tensor | None]:
        """The tokens of these columns, (b, Q), and the index of the last one, (b, 1), or None where there is no other.

        A single column must be the one that was written last.
        """
        if len(at) == 1:
            return self.newest_b1, None
        ids_bQ = self.ids_BL[self.rows_b, at.start : at.stop]
        return ids_bQ, ids_bQ.new_full((len(ids_bQ), 1), len(at) - 1)

    def write(self, column: int, token_b: Tensor) -> None:
        """Writes the tokens into a column, and EOS into all later holes of a row whose token it is."""
        self.ids_BL[self.rows_b, column] = token_b
        self.newest_b1 = token_b[:, None]
        tokens, rows = token_b.tolist(), self.rows_b.tolist()
        self.ended = [token == self.eos or column == last for token, last in zip(tokens, self.last, strict=True)]
        for row, token in zip(rows, tokens, strict=True):
            if token == self.eos:
                later_L = self.canvas.holes_BL[row, column + 1 :]
                self.ids_BL[row, column + 1 :].masked_fill_(later_L, self.eos)

    def go_on(self, cache: Cache | None) -> bool:
        """Drops finished rows, from the cache as well; returns whether any row is left."""
        if not any(self.ended):
            return True
        order = remaining(self.ended)
        kept_b = self.rows_b.new_tensor(order)
        self.rows_b, self.pad_bL, self.newest_b1 = self.rows_b[kept_b], self.pad_bL[kept_b], self.newest_b1[kept_b]
        self.last = [self.last[row] for row in order]
        if order and cache is not None:
            cache.keep(kept_b)
        return bool(order)


def remaining(ended: Sequence[bool]) -> list[int]:
    """The rows that have not ended, in an order in which as many as possible keep their place."""
    alive = [row for row, over in enumerate(ended) if not over]
    moved = iter(row for row in alive if row >= len(alive))
    return [next(moved) if ended[row] else row for row in range(len(alive))]
