"""Commitments seen from outside: the laws are those that were drawn from, and who knows the law never strays."""

import math
from dataclasses import replace

import pytest
import torch
from conftest import noise, sampling, suffix_canvas
from test_record import EMPTY

from tasks.hidden_markov import HiddenMarkov
from wordways.report.likelihoods import (
    accumulated_error,
    exact_nats_per_token,
    gap_bits,
    reverse_kl_per_token,
    slack_per_token,
    token_error,
)
from wordways.run.exposure import Commitment, commitments, divergences

PRESETS = ["autoregressive", "masked_infill", "parallel", "diffusion_k1", "diffusion_k2"]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_hole_is_committed_once_from_a_law(preset: str) -> None:
    paradigm = sampling(preset)
    calls = commitments(paradigm, suffix_canvas([[3, 4, 1]], 4), noise("a"), None)
    made = [one for committed in calls for one in committed]
    assert sorted(one.hole for one in made) == list(range(len(made)))
    for one in made:
        assert float(one.law_V.sum()) == pytest.approx(1)
        assert one.law_V[0] == one.law_V[2] == 0, "padding and mask are never written"
        assert one.law_V[one.token] > 0


@pytest.mark.parametrize("preset", PRESETS)
def test_along_the_data_the_laws_multiply_to_the_likelihood(preset: str) -> None:
    """Exact for a chain of conditionals, whatever decoder made it; here two holes, and one call or two."""
    paradigm = sampling(preset)
    truth = [7, 9]
    calls = commitments(paradigm, suffix_canvas([[3, 4, 1]], 2), noise("a"), truth)
    made = [one for committed in calls for one in committed]
    assert [one.token for one in sorted(made, key=lambda one: one.hole)] == truth
    if preset in ("autoregressive", "parallel"):
        filled = suffix_canvas([[3, 4, 1]], 2, truth=lambda row, i: truth[i])
        with torch.inference_mode():
            expected = float(paradigm.log_likelihood(filled, noise("a")).nats_B[0])
        assert sum(math.log(float(one.law_V[one.token])) for one in made) == pytest.approx(expected, abs=1e-9)


def test_divergence_is_zero_for_the_exact_law_and_ends_where_a_text_is_impossible() -> None:
    chain = HiddenMarkov(states=3, symbols=3, n=4, branches=2, law=3).chain

    def exact(known):
        return torch.from_numpy(chain.infill_law(list(known)))

    text = next([a, b, c, d] for a in range(3) for b in range(3) for c in range(3) for d in range(3)
                if math.isfinite(chain.nats([a, b, c, d])))  # fmt: skip
    known: list[int | None] = [None] * 4
    calls, uniform = [], []
    for hole, token in enumerate(text):
        calls.append([Commitment(hole, token, exact(known)[hole])])
        uniform.append([Commitment(hole, token, torch.full((3,), 1 / 3, dtype=torch.float64))])
        known[hole] = token
    assert divergences(calls, exact, 4) == pytest.approx([0] * 4, abs=1e-12)
    first = exact([None] * 4)[0]
    assert divergences(uniform, exact, 4)[0] == pytest.approx(
        math.log(3) + float(torch.special.entr(first).neg().sum())
    )
    wrong = next(ids for ids in ([a, b] for a in range(3) for b in range(3))
                 if chain.next_law([ids[0]])[ids[1]] == 0)  # fmt: skip
    strayed = [
        [Commitment(hole, token, torch.full((3,), 1 / 3, dtype=torch.float64))]
        for hole, token in enumerate([*wrong, 0, 0])
    ]
    assert len(divergences(strayed, exact, 4)) == 2


def test_accumulated_error_is_the_excess_over_the_data() -> None:
    record = replace(EMPTY, likelihood={"exposure": {"own": [[0.2, 0.4], [0.2]], "data": [[0.1, 0.1], [0.1, 0.1]]}})
    errors = accumulated_error(record)
    assert errors is not None
    assert [error.value for error in errors] == pytest.approx([1.0, 2.0])  # (.2 - .1) / .1; (.6 - .2) / .2
    assert accumulated_error(EMPTY) is None


DRAWN = {"paradigm": {"decoder": {"temperature": 1.0}}}


def test_gaps_are_measured_against_what_the_texts_themselves_lose() -> None:
    """By hand: the texts lose 3 and 2 nats by law; the models' gap is 3 and 3, so half a nat above what theory says."""
    law = {"item_ids": ["a", "b"], "law_nats": [2.0, 3.0], "tokens": [4, 4]}
    pair = [
        replace(EMPTY, item_ids=["a", "b"], strata={"a": "all", "b": "all"}, likelihood=law | more)
        for more in ({"nats": [5.0, 6.0], "apart_nats": [5.0, 5.0]}, {"nats": [2.0, 3.0]})
    ]
    found = gap_bits(pair[0], pair[1], "all", 7.0)
    assert found is not None
    assert found.value == pytest.approx(7.0 + 0.5 / math.log(2))
    plain = gap_bits(replace(pair[0], likelihood=law | {"nats": [5.0, 6.0]}), pair[1], "all", 7.0)
    assert plain is not None
    assert plain.value == pytest.approx(3 / math.log(2)), "nothing known of the texts, nothing corrected"


def test_reverse_divergence_is_of_the_law_given_that_a_text_is_possible() -> None:
    """By hand: of four texts written one is impossible; ln p - ln q of the others is .5, .3 and .1 nats."""
    own = {"kind": "exact", "nats": [2.0, 2.0, 2.0], "law_nats": [2.5, 2.3, 2.1], "tokens": [2] * 3, "texts": 4}
    items = ["a", "b", "c", "d"]
    record = replace(
        EMPTY,
        item_ids=items,
        strata=dict.fromkeys(items, "all"),
        scores={"accuracy": {"items": [1, 1, 1, 0], "unit": "share"}},
        config=DRAWN,
        likelihood={"own": own},
    )
    found = reverse_kl_per_token(record, "all")
    assert found is not None
    assert found.value == pytest.approx((0.3 - math.log(0.75)) / 2)
    bound = replace(record, likelihood={"own": own | {"kind": "bound", "exact": None}})
    assert reverse_kl_per_token(bound, "all") is None, "a bound is no law"


def test_slack_is_bound_minus_exact_and_token_error_is_of_the_data() -> None:
    law = {"kind": "bound", "item_ids": ["a"], "nats": [3.0], "exact": [2.6], "tokens": [4], "se": [0.0]}
    law["exposure"] = {"own": [[9.0, 9.0]], "data": [[0.1, 0.3]]}
    trace = {"items": ["a"], "filled": [[1, 2, 3, 4]], "settled": [[1, 2, 3, 4]]}
    record = replace(EMPTY, item_ids=["a"], strata={"a": "all"}, likelihood=law, config=DRAWN, trace=trace)
    slack, exact, error = slack_per_token(record, "all"), exact_nats_per_token(record, "all"), token_error(record)
    assert slack is not None
    assert exact is not None
    assert error is not None
    assert (slack.value, exact.value, error.value) == pytest.approx((0.1, 0.65, 0.2))
    two_a_pass = {**trace, "filled": [[1, 1, 2, 2]], "settled": [[1, 1, 2, 2]]}
    assert slack_per_token(replace(record, trace=two_a_pass), "all") is None, "that law is not what is bounded"
    nothing = replace(record, likelihood=law | {"exposure": {"own": [[0.1]], "data": [[0.0]]}})
    assert accumulated_error(nothing) is None, "no error to compare with, no value"
