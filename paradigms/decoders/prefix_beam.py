"""Prefix beam search finds the text whose alignments are the most probable together (Hannun et al., 2014).

    slots    a: 0.4, blank: 0.6     a: 0.4, blank: 0.6     the best path says nothing, with probability 0.36
    texts    "": 0.36    a: 0.64                           "a" has three paths: a a, a blank, blank a

Slot by slot it keeps the k most probable beginnings of a text, each with the probability of all paths so far that
collapse to it: of those that end in a blank, and of those that end in its last token, which differ in what a repeated
token means. With as many beams as there are beginnings the text is the most probable one. It reads nothing but the
slots' distributions, so that it costs no further forward pass.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_BEAMS = 256  # all pairs of which are compared


@dataclass(frozen=True)
class PrefixBeamSearch:
    """beams: k."""

    beams: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.beams <= MOST_BEAMS:
            raise ValueError(f"beams={self.beams}: must be from 1 to {MOST_BEAMS}")

    def __call__(self, logits_BSV: Tensor, real_BS: Tensor, blank: int, fill: int, _: Callable[[], Tensor]) -> Tensor:
        """The texts of the slots, (B, S), filled up with `fill`; slots that are not real say nothing."""
        log_p_BSV = logits_BSV.double().log_softmax(-1)
        (B, S, V), K, none = log_p_BSV.shape, self.beams, -torch.inf
        ids_BKS = torch.full((B, K, S), fill, device=log_p_BSV.device)
        long_BK = torch.zeros((B, K), dtype=torch.long, device=log_p_BSV.device)
        token_BK = log_p_BSV.new_full((B, K), none)  # ln of the probability of paths that end in the last token
        blank_BK = token_BK.clone()  # of those that end in a blank
        blank_BK[:, 0] = 0
        for log_p_BV, real_B in zip(log_p_BSV.unbind(1), real_BS.unbind(1), strict=True):
            last_BK = ids_BKS.gather(2, (long_BK - 1).clamp(min=0)[:, :, None])[:, :, 0]
            both_BK = torch.logaddexp(blank_BK, token_BK)
            grown_BKV = both_BK[:, :, None] + log_p_BV[:, None]
            again_BK1 = (blank_BK + log_p_BV.gather(1, last_BK))[:, :, None]  # only behind a blank is it another token
            grown_BKV = grown_BKV.scatter(2, last_BK[:, :, None], again_BK1).where(long_BK[:, :, None] > 0, grown_BKV)
            grown_BKV[:, :, blank] = none
            stay_BK = token_BK + log_p_BV.gather(1, last_BK)
            # a beam that another one grows into takes over its paths: rows j, columns i of a matrix of all pairs
            child_BKK = extends(ids_BKS, long_BK) & (both_BK > none)[:, :, None]
            into_BKK = grown_BKV.transpose(1, 2).gather(1, last_BK[:, :, None].expand(-1, -1, K))
            stay_BK = torch.logaddexp(stay_BK, into_BKK.masked_fill(~child_BKK, none).logsumexp(2))
            row, beam, parent = child_BKK.nonzero(as_tuple=True)
            grown_BKV[row, parent, last_BK[row, beam]] = none
            rest_BK = both_BK + log_p_BV[:, blank, None]
            all_BC = torch.cat((torch.logaddexp(stay_BK, rest_BK), grown_BKV.flatten(1)), dim=1)
            score_BK, at_BK = all_BC.topk(K)
            grows_BK, from_BK = at_BK >= K, ((at_BK - K) // V).where(at_BK >= K, at_BK)
            new_BKS, new_BK = ids_BKS.gather(1, from_BK[:, :, None].expand(-1, -1, S)), long_BK.gather(1, from_BK)
            added_BK1 = ((at_BK - K) % V)[:, :, None]
            place_BK1 = new_BK.clamp(max=S - 1)[:, :, None]
            new_BKS = new_BKS.scatter(2, place_BK1, added_BK1).where(grows_BK[:, :, None], new_BKS)
            live_B1, live_B11 = real_B[:, None], real_B[:, None, None]
            token_BK = score_BK.where(grows_BK, stay_BK.gather(1, from_BK)).where(live_B1, token_BK)
            blank_BK = rest_BK.gather(1, from_BK).masked_fill(grows_BK, none).where(live_B1, blank_BK)
            ids_BKS, long_BK = new_BKS.where(live_B11, ids_BKS), (new_BK + grows_BK).where(live_B1, long_BK)
        best_B11 = torch.logaddexp(blank_BK, token_BK).argmax(1)[:, None, None]
        return ids_BKS.gather(1, best_B11.expand(-1, -1, S))[:, 0]


def extends(ids_BKS: Tensor, long_BK: Tensor) -> Tensor:
    """bool (B, K, K): whether the text of beam j is that of beam i and one token more."""
    place_S = torch.arange(ids_BKS.shape[2], device=ids_BKS.device)
    differ_BKKS = (ids_BKS[:, :, None] != ids_BKS[:, None]) & (place_S < long_BK[:, None, :, None])
    return (long_BK[:, :, None] == long_BK[:, None] + 1) & ~differ_BKKS.any(3)
