"""Attention rules: which query position may attend to which key position, each as a function of the two.

A rule takes query positions (B, Q, 1) and key positions (1, 1, L) and returns bool (B, Q, L), True where the query may
attend to the key. In the drawings rows are queries and columns are keys; `p` is a prompt position, `w` a generated one.
"""

from collections.abc import Callable

from torch import Tensor

AttentionRule = Callable[[Tensor, Tensor], Tensor]


def causal(query_BQ1: Tensor, key_11L: Tensor) -> Tensor:
    """Every position sees itself and those before it.

      p p w w
    p x . . .
    p x x . .
    w x x x .
    w x x x x
    """
    return key_11L <= query_BQ1


def everywhere(query_BQ1: Tensor, key_11L: Tensor) -> Tensor:
    """Every position sees all positions, masked or not.

      p p w w
    p x x x x
    p x x x x
    w x x x x
    w x x x x
    """
    return key_11L >= query_BQ1.new_zeros(query_BQ1.shape)


def prefix(start: int) -> AttentionRule:
    """The prompt sees itself; a generated position sees all before it and itself (prefix LM; Raffel et al., 2020).

      p p w w
    p x x . .
    p x x . .
    w x x x .
    w x x x x
    """
    return lambda query_BQ1, key_11L: key_11L <= query_BQ1.clamp(min=start - 1)


def prompt_apart(start: Tensor | int) -> AttentionRule:
    """The prompt sees itself; generated positions see everything: an encoder and a decoder in one stack.

    start: the first generated position, (B, 1, 1) where it differs between rows.

      p p w w
    p x x . .
    p x x . .
    w x x x x
    w x x x x
    """
    return lambda query_BQ1, key_11L: (key_11L < start) | (query_BQ1 >= start)


def drafting(first_B11: Tensor | int, masks: int) -> AttentionRule:
    """The causal rule, under which `masks` positions from `first` on also see each other: a draft in one pass.

    Before the masks the rule is causal, so that cached keys and values of the text serve both rules.

      p w w w
    p x . . .
    w x x x .
    w x x x .
    w x x x x
    """
    return lambda query_BQ1, key_11L: (key_11L <= query_BQ1) | (query_BQ1 >= first_B11) & (key_11L < first_B11 + masks)


def blockwise(start: int, block: int) -> AttentionRule:
    """The prompt sees itself; a block of `block` positions sees everything up to its own end (Arriola et al., 2025).

    Blocks of one are equivalent to prefix(start), a single block over the whole text to prompt_apart(start).

      p w w w
    p x . . .
    w x x x .
    w x x x .
    w x x x x
    """

    def number(at: Tensor) -> Tensor:
        return ((at - start) // block).clamp(min=-1)

    return lambda query_BQ1, key_11L: number(key_11L) <= number(query_BQ1)
