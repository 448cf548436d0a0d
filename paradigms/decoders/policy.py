"""Which positions a pass unmasks, how many and in which order: pure functions of logits and counts."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor


def quota(total_B: Tensor, parts_B: Tensor, number_B: Tensor) -> Tensor:
    """Part `number` of an even split of the total; the first parts take the remainder (Nie et al., 2025)."""
    return total_B // parts_B + (number_B < total_B % parts_B).long()


def cosine_quota(left_B: Tensor, total_B: Tensor, parts_B: Tensor, number_B: Tensor) -> Tensor:
    """Part `number` of `left`, so that floor(total cos(pi s / 2 S)) remain after part s of S (Chang et al., 2022)."""
    done_B = ((number_B + 1).double() / parts_B).clamp(max=1)
    return left_B - (total_B * (done_B * torch.pi / 2).cos()).floor().long()


def probability(logits_BHV: Tensor, token_BH: Tensor) -> Tensor:
    """The probability of each chosen token under the model, (B, H)."""
    return (logits_BHV.gather(2, token_BH[:, :, None]).squeeze(2) - logits_BHV.logsumexp(-1)).exp()


Draw = Callable[[], Tensor]


def random(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Random order, independent of the predictions: the one under which the closed forms are exact."""
    return draw()


def confidence(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Most probable token first (Chang et al., 2022)."""
    return probability(logits_BHV, token_BH)


def margin(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Largest margin between the two most probable tokens first (Kim et al., 2025)."""
    top_BH2 = logits_BHV.softmax(-1).topk(2)[0]
    return top_BH2[..., 0] - top_BH2[..., 1]


def uncertainty(logits_BHV: Tensor) -> Tensor:
    """Entropy of each hole's predictive distribution in nats, (B, H)."""
    return torch.special.entr(logits_BHV.softmax(-1)).sum(-1)


def entropy(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Lowest entropy first (Ye et al., 2025)."""
    return -uncertainty(logits_BHV)


def left_to_right(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Leftmost position first."""
    return torch.arange(token_BH.shape[1], 0, -1, device=token_BH.device).expand(token_BH.shape).float()


Order = Literal["random", "confidence", "margin", "entropy", "left_to_right"]
DETERMINISTIC = frozenset({"margin", "entropy", "left_to_right"})  # depend on the logits alone, not on sampled tokens
ORDERS = {
    "random": random,
    "confidence": confidence,
    "margin": margin,
    "entropy": entropy,
    "left_to_right": left_to_right,
}


def best(score_BH: Tensor, open_BH: Tensor, quota_B: Tensor) -> Tensor:
    """bool (B, H): the `quota_B` open holes with the highest scores in every row; ties go to the leftmost."""
    descending = score_BH.masked_fill(~open_BH, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return (descending.argsort(dim=1) < quota_B[:, None]) & open_BH


def ranked(value_BH: Tensor, score_BH: Tensor, open_BH: Tensor, closed: float) -> Tensor:
    """Values of the open holes, highest score first, then `closed` for the other holes, (B, H)."""
    order_BH = score_BH.masked_fill(~open_BH, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return value_BH.masked_fill(~open_BH, closed).gather(1, order_BH)


def as_many_as_sure(ranked_BH: Tensor, factor: float) -> Tensor:
    """Length of the longest prefix whose r-th probability is at least 1 - factor / (r + 1) for all r > 1, (B,).

    With factor 1, r tokens of such probabilities are also the most probable ones jointly (Wu et al., 2025).
    """
    place_H = torch.arange(1, ranked_BH.shape[1] + 1, device=ranked_BH.device)
    sure_BH = (ranked_BH >= 1 - factor / (place_H + 1)) | (place_H == 1)
    return sure_BH.long().cumprod(1).sum(1)


def few_nats_at_stake(ranked_BH: Tensor, bound: float) -> Tensor:
    """Length of the longest prefix whose entropies, except the largest, add up to at most `bound` nats, (B,).

    This sum is an upper bound on the total correlation of the tokens (Ben-Hamu et al., 2025).
    """
    stake_BH = ranked_BH.cumsum(1) - ranked_BH.cummax(1)[0]
    return (stake_BH <= bound).long().cumprod(1).sum(1)


def hide_share(real_BH: Tensor, share_B: Tensor, uniform_BH: Tensor) -> tuple[Tensor, Tensor]:
    """Hides l = 1 + floor(share x L) of each row's L holes, share in (0, 1): which, bool (B, H), and l, (B,)."""
    count_B = 1 + (share_B * real_BH.sum(1)).long()
    return hide_exactly(real_BH, count_B, uniform_BH), count_B


def hide_exactly(real_BH: Tensor, count_B: Tensor, uniform_BH: Tensor) -> Tensor:
    """bool (B, H): `count_B` holes of every row; all sets of that size are equally likely."""
    return best(uniform_BH, real_BH, count_B)
