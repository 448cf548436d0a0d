"""Orders in which a text can grow by insertions: how they are sampled, and likelihoods as a sum over all of them.

A text of n tokens grows from nothing through subsets of its tokens. An order gives every token a depth, the forward
pass that inserts it:

    one a pass     a 2   b 0   c 1      depths are a permutation
    all gaps       a 1   b 0   c 1      a token splits a gap into two, which are filled independently of each other
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

Kept = tuple[int, ...]
"""The numbers of the tokens that a text has so far, ascending."""


def one_by_one(chance_BH: Tensor, text_BH: Tensor) -> Tensor:
    """The depth of every token of a text, int64 (B, H), where a pass inserts one of those that are missing.

    chance_BH: uniform samples, the priorities.  text_BH: True at tokens.
    """
    return chance_BH.masked_fill(~text_BH, torch.inf).argsort(1).argsort(1)


def gap_by_gap(chance_BH: Tensor, text_BH: Tensor) -> Tensor:
    """The same where a pass inserts, into every gap that misses tokens, one of these: depths in a random search tree.

    The token with the least priority of a gap comes first, so that the ancestors of token i are those tokens j whose
    priority is the least of all from i to j (a treap; Seidel and Aragon, 1996).
    """
    chance_BH = chance_BH.masked_fill(~text_BH, torch.inf)
    H = chance_BH.shape[1]
    right_HH = torch.ones(H, H, dtype=torch.bool, device=chance_BH.device).triu(1)
    least_BHH = chance_BH[:, None].expand(-1, H, -1).masked_fill(right_HH.T, torch.inf).cummin(2)[0]  # row to column
    right_BHH = (least_BHH == chance_BH[:, None]) & right_HH & text_BH[:, None]
    left_BHH = (least_BHH == chance_BH[:, :, None]) & right_HH & text_BH[:, :, None]
    return right_BHH.sum(2) + left_BHH.sum(1)


def ln_p_of_growing(tokens: int, steps: Callable[[Kept], Iterator[tuple[Kept, Tensor]]]) -> Tensor:
    """ln of the probability that the empty text grows to all its tokens without a detour, (B,).

    steps: from the tokens so far to those after one more pass, each with its ln p, (B,). Every subset is one state: as
    insertions name their gap, different orders of equal tokens are different sequences of insertions.
    """
    reached: dict[Kept, list[Tensor]] = {}
    for kept in (kept for size in range(tokens + 1) for kept in itertools.combinations(range(tokens), size)):
        if kept and kept not in reached:
            continue
        ln_p_B = torch.stack(reached[kept]).logsumexp(0) if kept else None
        if len(kept) == tokens:
            return torch.zeros(()) if ln_p_B is None else ln_p_B
        for grown, step_B in steps(kept):
            reached.setdefault(grown, []).append(step_B if ln_p_B is None else ln_p_B + step_B)
    raise AssertionError("the whole text is the last subset")


def gaps_of(kept: Kept, tokens: int) -> dict[int, int]:
    """The gap of every missing token: how many tokens of the text so far stand before it."""
    return {token: sum(other < token for other in kept) for token in range(tokens) if token not in kept}


def joint_steps(kept: Kept, insert: Mapping[int, Tensor]) -> Iterator[tuple[Kept, Tensor]]:
    """The steps where a pass inserts one token.  insert: ln p of inserting each missing token, (B,)."""
    for token, ln_p_B in insert.items():
        yield tuple(sorted((*kept, token))), ln_p_B


def separate_steps(
    kept: Kept, insert: Mapping[int, Tensor], none: Sequence[Tensor], stays: Sequence[Tensor], room: int
) -> Iterator[tuple[Kept, Tensor]]:
    """The steps where every gap inserts a token or none, of which at least one inserts.

    none: ln p that a gap inserts nothing and the token before it stays, (B,).  stays: that it stays.  room: the most
    tokens of a text; behind the insertion that fills it nothing fits, whatever the gaps there would insert.
    """
    gaps: dict[int, list[int]] = {}
    for token, gap in gaps_of(kept, len(kept) + len(insert)).items():
        gaps.setdefault(gap, []).append(token)
    for chosen in itertools.product(*([None, *gaps.get(gap, [])] for gap in range(len(none)))):
        tokens = [token for token in chosen if token is not None]
        if not tokens:
            continue
        last = max(gap for gap, token in enumerate(chosen) if token is not None)
        quiet = stays if len(kept) + len(tokens) == room else none
        parts = [
            insert[token] if token is not None else (quiet if gap > last else none)[gap]
            for gap, token in enumerate(chosen)
        ]
        yield tuple(sorted((*kept, *tokens))), torch.stack(parts).sum(0)
