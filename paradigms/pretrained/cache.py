"""Our key-value cache as transformers' networks use one: keys and values are written at the positions of the pass."""

import torch
from torch import Tensor
from transformers.cache_utils import Cache as TransformersCache
from transformers.cache_utils import DynamicLayer

from paradigms.trunk.cache import Cache


class PlacedCache(TransformersCache):
    """Writes at the columns `at_BQ` and returns the first `keys` columns, which `place` sets before a pass."""

    def __init__(self, kept: Cache):
        super().__init__(layer_class_to_replicate=DynamicLayer)
        self.kept, self.at_BQ, self.keys = kept, range(0), 0

    def place(self, at_BQ: Tensor | range, keys: int) -> None:
        self.at_BQ, self.keys = at_BQ, keys

    def keep(self, rows_b: Tensor) -> None:
        self.kept.keep(rows_b)

    def spread(self, times: int) -> None:
        self.kept.spread(times)

    def update(  # type: ignore[override]
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        pair_2BNQE = torch.stack((key_states, value_states))
        key_BNKE, value_BNKE = self.kept.exchange(layer_idx, self.at_BQ, self.keys, pair_2BNQE).unbind()
        return key_BNKE, value_BNKE
