"""The key-value cache: allocated once per canvas, written in place, shrunk when rows finish."""

import torch
from torch import Tensor


class Cache:
    """Keys and values of some layers for B rows and L positions, (layers, 2, B, heads, L, head width)."""

    def __init__(self, like: Tensor, layers: int, rows: int, heads: int, positions: int, head_width: int):
        """Empty, with the dtype and device of `like`."""
        self.layers = like.new_zeros((layers, 2, rows, heads, positions, head_width))
        self.row_B1 = torch.arange(rows, device=like.device)[:, None]

    def exchange(self, layer: int, at_BQ: Tensor | range, keys: int, kv_2BNQE: Tensor) -> Tensor:
        """Stores the keys and values of these columns; returns those of the first K columns, (2, B, N, K, E)."""
        stored = self.layers[layer]
        if isinstance(at_BQ, range):
            stored[:, :, :, at_BQ.start : at_BQ.stop] = kv_2BNQE
        else:
            stored[:, self.row_B1, :, at_BQ] = kv_2BNQE.permute(1, 3, 0, 2, 4)
        return stored[:, :, :, :keys]

    def keep(self, rows_b: Tensor) -> None:
        """Keeps only these rows, in this order; a row that stays in its place is not copied."""
        rows_b = self.row_B1[rows_b, 0]
        place_b = self.row_B1[: len(rows_b), 0]
        moved_m = rows_b != place_b
        self.layers[:, :, place_b[moved_m]] = self.layers[:, :, rows_b[moved_m]]
        self.layers, self.row_B1 = self.layers[:, :, : len(rows_b)], self.row_B1[: len(rows_b)]

    def spread(self, times: int) -> None:
        """Repeats every row, so that its continuations can differ: row r becomes rows r x times and following."""
        self.layers = self.layers.repeat_interleave(times, dim=2)
        self.row_B1 = torch.arange(self.layers.shape[2], device=self.layers.device)[:, None]
