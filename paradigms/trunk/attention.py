"""Who may look at whom: one rule a line, each a function of two positions.

A rule takes query positions (B, Q, 1) and key positions (1, 1, L) and says where the query may see the key.
In the drawings rows are queries, columns are keys; `p` is a prompt position, `w` one that is written.
"""

from collections.abc import Callable

from torch import Tensor

AttentionRule = Callable[[Tensor, Tensor], Tensor]


def causal(query_BQ1: Tensor, key_11L: Tensor) -> Tensor:
    """Only what came before.

      p p w w
    p x . . .
    p x x . .
    w x x x .
    w x x x x
    """
    return key_11L <= query_BQ1


def everywhere(query_BQ1: Tensor, key_11L: Tensor) -> Tensor:
    """Everything, written or not.

      p p w w
    p x x x x
    p x x x x
    w x x x x
    w x x x x
    """
    return key_11L >= query_BQ1.new_zeros(query_BQ1.shape)


def prefix(start: int) -> AttentionRule:
    """The prompt sees itself whole; what is written sees what came before (prefix LM; Raffel et al., 2020).

      p p w w
    p x x . .
    p x x . .
    w x x x .
    w x x x x
    """
    return lambda query_BQ1, key_11L: key_11L <= query_BQ1.clamp(min=start - 1)


def prompt_apart(start: Tensor | int) -> AttentionRule:
    """The prompt sees itself; what is written sees everything: an encoder and a decoder in one stack.

    start: where writing begins, or (B, 1, 1) where rows begin apart.

      p p w w
    p x x . .
    p x x . .
    w x x x x
    w x x x x
    """
    return lambda query_BQ1, key_11L: (key_11L < start) | (query_BQ1 >= start)


def drafting(first_B11: Tensor | int, masks: int) -> AttentionRule:
    """What came before, and so many masks from `first` on see each other, too: a draft in one call.

    Before the masks this is causal, so that keys and values of written text serve both rules.

      p w w w
    p x . . .
    w x x x .
    w x x x .
    w x x x x
    """
    return lambda query_BQ1, key_11L: (key_11L <= query_BQ1) | (query_BQ1 >= first_B11) & (key_11L < first_B11 + masks)


def blockwise(start: int, block: int) -> AttentionRule:
    """The prompt sees itself; a block of so many sees everything up to its own end (Arriola et al., 2025).

    Blocks of one make it prefix(start), one block over all that is written prompt_apart(start).

      p w w w
    p x . . .
    w x x x .
    w x x x .
    w x x x x
    """

    def number(at: Tensor) -> Tensor:
        return ((at - start) // block).clamp(min=-1)

    return lambda query_BQ1, key_11L: number(key_11L) <= number(query_BQ1)
