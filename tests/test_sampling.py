"""Drawing a token: the law is the softmax, the cuts are those the field uses."""

from typing import Any

import pytest
import torch
from conftest import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from paradigms.base import ban
from paradigms.decoders.sampling import Sampling, keep_min_p, keep_top_k, keep_top_p, penalise, pick

LOGITS = st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=9, unique=True).map(lambda row: torch.tensor([row]))


def warped(warper: Any, ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return warper(ids, logits)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_tempered_softmax(temperature: float) -> None:
    logits, n = torch.tensor([0.0, 1.0, -1.0, 2.5]), 40_000
    uniform = noise("a").uniform(0, torch.tensor([0]), (n, 4))[0]
    counts = pick(logits.expand(n, 4), temperature, lambda: uniform).bincount(minlength=4)
    expected = (logits.double() / temperature).softmax(-1) * n
    assert stats.chisquare(counts.numpy(), expected.numpy()).pvalue > 1e-4


def test_greedy_takes_the_likeliest_and_asks_for_no_noise() -> None:
    def never() -> torch.Tensor:
        raise AssertionError("noise was drawn")

    assert pick(torch.tensor([[0.0, 3.0, 1.0]]), 0, never).tolist() == [1]


def test_rare_tokens_are_drawn_as_often_as_they_should_be() -> None:
    """A token of probability 1e-5: float32 noise cannot tell values so near 1 apart and would cut this tail."""
    n = 2_000_000
    logits = torch.tensor([0.0, float(torch.logit(torch.tensor(1e-5, dtype=torch.float64)))]).double()
    uniform = noise("a").uniform(0, torch.tensor([0]), (n, 2))[0]
    drawn = int((pick(logits.expand(n, 2), 1.0, lambda: uniform) == 1).sum())
    assert stats.binomtest(drawn, n, 1e-5).pvalue > 1e-3


@given(LOGITS, st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_top_k_is_transformers(logits: torch.Tensor, k: int) -> None:
    ids = torch.zeros(1, 1, dtype=torch.long)
    assert torch.equal(keep_top_k(logits, k), warped(TopKLogitsWarper(k), ids, logits))


@given(LOGITS, st.floats(0.05, 0.999))
@settings(max_examples=200, deadline=None)
def test_top_p_is_transformers(logits: torch.Tensor, p: float) -> None:
    ids = torch.zeros(1, 1, dtype=torch.long)
    descending = logits.softmax(-1).sort(descending=True)[0].cumsum(-1)
    if (descending - p).abs().min() > 1e-5:  # at the very edge rounding decides
        assert torch.equal(keep_top_p(logits, p), warped(TopPLogitsWarper(p), ids, logits))


@given(LOGITS, st.floats(0.01, 0.99))
@settings(max_examples=200, deadline=None)
def test_min_p_is_transformers(logits: torch.Tensor, p: float) -> None:
    ids = torch.zeros(1, 1, dtype=torch.long)
    assert torch.equal(keep_min_p(logits, p), warped(MinPLogitsWarper(p), ids, logits))


@given(LOGITS, st.lists(st.integers(0, 2), min_size=1, max_size=6), st.floats(0.5, 2.0))
@settings(max_examples=200, deadline=None)
def test_repetition_penalty_is_transformers(logits: torch.Tensor, seen: list[int], penalty: float) -> None:
    ids = torch.tensor([seen])
    assert torch.equal(penalise(logits, ids, penalty), warped(RepetitionPenaltyLogitsProcessor(penalty), ids, logits))


def test_banned_tokens_are_never_drawn() -> None:
    logits = ban(torch.tensor([[9.0, 9.0, 0.0]]), [0, 1])
    uniform = noise("a").uniform(0, torch.tensor([0]), (1000, 3))[0]
    assert set(pick(logits.expand(1000, 3), 5.0, lambda: uniform).tolist()) == {2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature=-1.0: must be at least 0"),
        ({"temperature": float("nan")}, "temperature=nan: must be at least 0"),
        ({"top_k": 0}, "top_k=0: must be at least 1"),
        ({"top_p": 0.0}, "top_p=0.0: must be above 0 and at most 1"),
        ({"min_p": 1.5}, "min_p=1.5: must be above 0 and at most 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty=0.0: must be at least 1e-06"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)
