"""Which holes are written next: how many a pass, in what order. Pure functions of logits and counts."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor


def quota(total_B: Tensor, parts_B: Tensor, number_B: Tensor) -> Tensor:
    """What part `number` of `parts` gets of a total shared out evenly, the remainder first (Nie et al., 2025)."""
    return total_B // parts_B + (number_B < total_B % parts_B).long()


def cosine_quota(left_B: Tensor, total_B: Tensor, parts_B: Tensor, number_B: Tensor) -> Tensor:
    """What part `number` writes of `left`: after part s of S floor(total cos(pi s / 2 S)) stay (Chang et al., 2022)."""
    done_B = ((number_B + 1).double() / parts_B).clamp(max=1)
    return left_B - (total_B * (done_B * torch.pi / 2).cos()).floor().long()


def probability(logits_BHV: Tensor, token_BH: Tensor) -> Tensor:
    """How probable the model finds the token it chose, (B, H)."""
    return (logits_BHV.gather(2, token_BH[:, :, None]).squeeze(2) - logits_BHV.logsumexp(-1)).exp()


Draw = Callable[[], Tensor]


def random(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """An order that knows nothing of what was predicted: the one under which the closed forms are exact."""
    return draw()


def confidence(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Most probable token first (Chang et al., 2022)."""
    return probability(logits_BHV, token_BH)


def margin(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Widest gap between the two likeliest first (Kim et al., 2025)."""
    top_BH2 = logits_BHV.softmax(-1).topk(2)[0]
    return top_BH2[..., 0] - top_BH2[..., 1]


def uncertainty(logits_BHV: Tensor) -> Tensor:
    """Entropy of each hole's law, nats, (B, H)."""
    return torch.special.entr(logits_BHV.softmax(-1)).sum(-1)


def entropy(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Least uncertain first (Ye et al., 2025)."""
    return -uncertainty(logits_BHV)


def left_to_right(logits_BHV: Tensor, token_BH: Tensor, draw: Draw) -> Tensor:
    """Reading order."""
    return torch.arange(token_BH.shape[1], 0, -1, device=token_BH.device).expand(token_BH.shape).float()


Order = Literal["random", "confidence", "margin", "entropy", "left_to_right"]
DETERMINISTIC = frozenset({"margin", "entropy", "left_to_right"})  # of the logits alone: no draw decides the order
ORDERS = {
    "random": random,
    "confidence": confidence,
    "margin": margin,
    "entropy": entropy,
    "left_to_right": left_to_right,
}


def best(score_BH: Tensor, open_BH: Tensor, quota_B: Tensor) -> Tensor:
    """The quota's best open holes of every row, as a mask; of equals the leftmost."""
    descending = score_BH.masked_fill(~open_BH, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return (descending.argsort(dim=1) < quota_B[:, None]) & open_BH


def ranked(value_BH: Tensor, score_BH: Tensor, open_BH: Tensor, closed: float) -> Tensor:
    """Values of the open holes, best score first, then `closed` for those that are not open."""
    order_BH = score_BH.masked_fill(~open_BH, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return value_BH.masked_fill(~open_BH, closed).gather(1, order_BH)


def as_many_as_sure(ranked_BH: Tensor, factor: float) -> Tensor:
    """The first, and all behind it up to the first whose r-th probability is below 1 - factor / (r + 1), (B,).

    Written together, r tokens so probable are the likeliest jointly, too, where factor is 1 (Wu et al., 2025).
    """
    place_H = torch.arange(1, ranked_BH.shape[1] + 1, device=ranked_BH.device)
    sure_BH = (ranked_BH >= 1 - factor / (place_H + 1)) | (place_H == 1)
    return sure_BH.long().cumprod(1).sum(1)


def few_nats_at_stake(ranked_BH: Tensor, bound: float) -> Tensor:
    """As many as have entropies that, the largest left out, add up to at most `bound` nats, (B,).

    What they can tell of each other is at most that much (Ben-Hamu et al., 2025).
    """
    stake_BH = ranked_BH.cumsum(1) - ranked_BH.cummax(1)[0]
    return (stake_BH <= bound).long().cumprod(1).sum(1)


def hide_exactly(real_BH: Tensor, count_B: Tensor, uniform_BH: Tensor) -> Tensor:
    """`count` holes of every row, each set of that size as likely as any other."""
    return best(uniform_BH, real_BH, count_B)
