"""The key-value cache: allocated once per canvas, written in place, shrunk when rows finish."""

from torch import Tensor


class Cache:
    """Keys and values of `layers` layers for B rows and L positions, with the dtype and device of `like`."""

    def __init__(self, like: Tensor, layers: int, rows: int, heads: int, positions: int, head_width: int):
        self.layers = like.new_zeros((layers, 2, rows, heads, positions, head_width))

    def keep(self, rows_b: Tensor) -> None:
        """Drops all rows except these."""
        self.layers = self.layers[:, :, rows_b]
