"""Which holes next: shares that add up, the best and only the best, every set alike."""

from collections import Counter

import torch
from conftest import noise
from hypothesis import given
from hypothesis import strategies as st

from paradigms.decoders.policy import ORDERS, best, hide_exactly, quota


@given(st.integers(0, 64), st.integers(1, 70))
def test_quotas_add_up_and_give_the_remainder_first(total: int, parts: int) -> None:
    shares = [int(quota(torch.tensor(total), torch.tensor(parts), torch.tensor(number))) for number in range(parts)]
    assert sum(shares) == total
    assert shares == sorted(shares, reverse=True)
    assert max(shares) - min(shares) <= 1


def test_best_takes_the_quota_of_open_holes_leftmost_of_equals() -> None:
    score = torch.tensor([[0.5, 0.9, 0.5, 0.9], [0.1, 0.2, 0.3, 0.4]])
    is_open = torch.tensor([[True, True, True, False], [True, True, True, True]])
    chosen = best(score, is_open, torch.tensor([2, 3]))
    assert chosen.tolist() == [[True, True, False, False], [False, True, True, True]]
    assert not best(score, is_open, torch.tensor([0, 0])).any()
    assert torch.equal(best(score, is_open, torch.tensor([9, 9])), is_open)


def test_every_set_of_a_size_is_hidden_equally_often() -> None:
    n = 30_000
    uniform = noise("a").uniform(0, torch.tensor([0]), (n, 4))[0]
    real = torch.tensor([True, True, False, True]).expand(n, 4)
    hidden = hide_exactly(real, torch.full((n,), 2), uniform)
    counts = Counter(map(tuple, hidden.tolist()))
    assert len(counts) == 3
    assert all(abs(count - n / 3) < 4 * (n * 2 / 9) ** 0.5 for count in counts.values())


def test_orders_rank_as_their_names_say() -> None:
    laws = torch.tensor([[[0.70, 0.15, 0.15], [0.60, 0.38, 0.02], [0.65, 0.34, 0.01]]])  # three holes
    logits, token, draws = laws.log(), torch.zeros(1, 3, dtype=torch.long), torch.tensor([[0.2, 0.9, 0.5]])

    def ranking(name: str) -> list[int]:
        return ORDERS[name](logits, token, lambda: draws)[0].argsort(descending=True).tolist()

    assert ranking("confidence") == [0, 2, 1]
    assert ranking("margin") == [0, 2, 1]
    assert ranking("entropy") == [2, 1, 0]
    assert ranking("random") == [1, 2, 0]
    assert ranking("left_to_right") == [0, 1, 2]
