"""Masks of a canvas: what an attention rule and the padding imply for the queries of a pass, computed once."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from paradigms.trunk.attention import AttentionRule


class Sight:
    """What the positions of one canvas see under a rule: computed once, used by all passes over the canvas.

    A mask is added to attention logits: 0 where the query may attend to the key, else -inf; None where every query may
    attend to all keys. Every position sees itself, because padding would otherwise have no key to attend to.
    """

    def __init__(self, rule: AttentionRule, pad_BL: Tensor):
        self.made_for = rule, pad_BL, torch.is_inference_mode_enabled()  # whose tensors cannot serve autograd
        self.rule, self.pad_BL = rule, pad_BL
        self.padded = bool(pad_BL.any())
        self.column_L = torch.arange(pad_BL.shape[1], device=pad_BL.device)
        self.latest: tuple[object, Tensor | None] = None, None

    def serves(self, rule: AttentionRule, pad_BL: Tensor) -> bool:
        """Whether it was made for these very objects, in the present mode of autograd."""
        now = rule, pad_BL, torch.is_inference_mode_enabled()
        return all(before is after for before, after in zip(self.made_for, now, strict=True))

    @cached_property
    def everything(self) -> Tensor:
        """The rule over the whole canvas; the first dimension is 1 where rows do not differ. Padding is not hidden."""
        return self.rule(self.column_L[None, :, None], self.column_L[None, None])

    @cached_property
    def reach(self) -> list[int]:
        """How many columns from the first on each position sees without a gap."""
        hidden_BLL = ~self.everything
        first_BL = hidden_BLL.byte().argmax(-1).masked_fill(~hidden_BLL.any(-1), len(self.column_L))
        return first_BL.amin(0).tolist()

    def mask(self, at_BQ: Tensor | range, keys: int, dtype: torch.dtype) -> Tensor | None:
        """The mask (B or 1, 1, Q or 1, K) of the queries at these columns for the first K keys."""
        if isinstance(at_BQ, range) and len(at_BQ) == 1 and self.reach[at_BQ.start] >= keys:
            if not self.padded:
                return None
            whole = self.known("padding", lambda: additive(~self.pad_BL[:, None], dtype))
            return None if whole is None else whole[..., :keys]
        if isinstance(at_BQ, range):
            return self.known((at_BQ, keys), lambda: additive(self.of_columns(at_BQ, keys), dtype))
        key_11K, query_BQ1 = self.column_L[None, None, :keys], at_BQ[:, :, None]
        return additive(self.shown(self.rule(query_BQ1, key_11K), query_BQ1, keys), dtype)

    def of_columns(self, at: range, keys: int) -> Tensor:
        """bool (B or 1, Q, K): what the queries at these columns see."""
        inside = slice(at.start, at.stop)
        return self.shown(self.everything[:, inside, :keys], self.column_L[None, inside, None], keys)

    def shown(self, sees_BQK: Tensor, query_BQ1: Tensor, keys: int) -> Tensor:
        """The same without padding, which sees itself."""
        if not self.padded:
            return sees_BQK
        return sees_BQK & ~self.pad_BL[:, None, :keys] | (self.column_L[:keys] == query_BQ1)

    def known(self, key: object, make: Callable[[], Tensor | None]) -> Tensor | None:
        """The latest mask, if it was made for the same key, else a new one."""
        if self.latest[0] != key:
            self.latest = key, make()
        return self.latest[1]

    def real(self, at_BQ: Tensor | range) -> Tensor | None:
        """The indices of queries that are not padding, row by row; None where all are computed."""
        if not self.padded or not isinstance(at_BQ, range) or len(at_BQ) == 1:
            return None
        return (~self.pad_BL[:, at_BQ.start : at_BQ.stop]).flatten().nonzero()[:, 0]


def additive(sees_BQK: Tensor, dtype: torch.dtype) -> Tensor | None:
    """0 where a query sees a key, else -inf, (B, 1, Q, K); None where all queries see all keys."""
    if sees_BQK.all():
        return None
    return torch.zeros_like(sees_BQK, dtype=dtype).masked_fill_(~sees_BQK, -torch.inf)[:, None]
