"""The checks of decoders against the models' own probabilities: identity, error rates, and where they do not apply."""

import itertools
import math
import runpy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

from wordways.record import Record, read_records
from wordways.report.answers import oracle_table
from wordways.report.equivalence import (
    FAILS,
    FEWEST,
    HOLDS,
    MARGIN,
    UNDECIDED,
    checks_of,
    difference,
    equivalence_lines,
    own_nats,
    verdict,
)
from wordways.report.oracles import oracle_lines
from wordways.report.rows import rows_of
from wordways.report.table import NOTE
from wordways.report.tables.equivalence import table
from wordways.settings import build

RNG = np.random.default_rng(0)
FOLDER = ROOT / "results" / "reference" / "list_operations"


def line_of(right: np.ndarray, ratios: np.ndarray, answers: float = 1) -> dict[str, Any]:
    found = difference(right.tolist(), ratios.tolist())
    margin = min(MARGIN, float(ratios.mean()) / 2)
    return {
        "difference": found.value, "low": found.low, "high": found.high, "p": found.p, "margin": margin,
        "likelihood_items": len(ratios), "answers": answers,
    }  # fmt: skip


def verdict_of(line: Mapping[str, Any]) -> str:
    return verdict(line, line["p"])


def sampled(p_N: np.ndarray, known: int, shift: float = 0) -> dict[str, Any]:
    """One check of a model whose texts are right with probabilities p_N, by a decoder that is off by `shift`."""
    right = RNG.random(len(p_N)) < p_N + shift
    return line_of(right.astype(float), p_N[:known])


@pytest.mark.parametrize("spread", [0.5, 4, 100])
@pytest.mark.parametrize("quality", [0.02, 0.4, 0.9, 0.97, 0.999])
def test_a_sound_decoder_hardly_ever_fails_however_bad_the_model(quality: float, spread: float) -> None:
    """At a level of 5 %, with probabilities that vary over items from little to all or nothing (spread .5)."""
    lines = [sampled(RNG.beta(quality * spread, (1 - quality) * spread, 2000), 200) for _ in range(400)]
    assert sum(verdict_of(line) == FAILS for line in lines) <= 400 * 0.05 + 13  # three standard errors


@pytest.mark.parametrize(("quality", "shift"), [(0.9, -0.02), (0.5, 0.02), (0.97, 0.02)])
def test_a_decoder_that_is_off_by_the_margin_is_hardly_ever_called_equivalent(quality: float, shift: float) -> None:
    lines = [sampled(np.full(4000, quality), 400, shift) for _ in range(400)]
    assert sum(verdict_of(line) == HOLDS for line in lines) <= 400 * 0.05 + 13


def test_a_sound_decoder_is_called_equivalent_and_a_faulty_one_fails() -> None:
    sound = [sampled(np.full(2000, 0.95), 200) for _ in range(100)]
    faulty = [sampled(np.full(2000, 0.95), 200, shift=-0.06) for _ in range(100)]
    assert sum(verdict_of(line) == HOLDS for line in sound) >= 80
    assert sum(verdict_of(line) == FAILS for line in faulty) >= 95


def test_without_any_error_the_interval_still_has_a_width() -> None:
    """None of n texts wrong: the share of wrong ones may be 1 / n and more."""
    for n, holds in ((2000, True), (100, False)):
        line = line_of(np.ones(n), np.ones(min(n, 200)))
        assert line["difference"] == 0
        assert line["low"] < -1 / n
        assert (verdict_of(line) == HOLDS) == holds


def test_a_share_below_the_margin_is_not_equivalent_to_none() -> None:
    """A single pass is right on 1.5 % of shuffles; a decoder that never is lies within .02 and is not equivalent."""
    never = line_of(np.zeros(2000), np.full(200, 0.0154))
    assert never["low"] > -MARGIN
    assert never["high"] < MARGIN
    assert verdict_of(never) == FAILS
    assert verdict_of(line_of(np.repeat([1.0, 0.0], [31, 1969]), np.full(200, 0.0154))) == HOLDS


def test_few_items_decide_nothing() -> None:
    assert verdict_of(line_of(np.ones(2000), np.ones(FEWEST - 1))) == UNDECIDED
    assert verdict_of(line_of(np.zeros(2000), np.ones(FEWEST - 1))) == UNDECIDED


def ratios_of(answers: int, sharp: float, known: int) -> np.ndarray:
    """p(x) / q(x) of references among equally likely answers, by a model that gives one of them all but 1 - sharp."""
    p_A = np.full(answers, (1 - sharp) / (answers - 1))
    p_A[0] = sharp
    return p_A[RNG.integers(answers, size=known)] * answers


def test_the_identity_holds_of_a_model_that_prefers_one_of_many_answers() -> None:
    assert ratios_of(6, 0.9, 400_000).mean() == pytest.approx(1, abs=0.02)


def test_a_model_that_prefers_one_of_many_answers_does_not_fail() -> None:
    """Of 720 permutations it always generates the identity, which is right, and which 200 references may lack."""
    right = np.ones(2000)
    lines = [line_of(right, ratios_of(720, 0.999, 200), answers=720) for _ in range(50)]
    assert FAILS not in {verdict_of(line) for line in lines}
    assert any(line["p"] < 1e-6 for line in lines), "the p-value alone would call it a failure"
    lower = line_of(np.zeros(2000), np.full(200, 0.98), answers=720)
    assert verdict_of(lower) == FAILS, "preferred answers cannot make a share lower than expected"


def test_of_many_failures_only_those_beyond_holm_count() -> None:
    record = next(r for r in records() if r.config["preset"] == "parallel")
    (line, *_) = equivalence_lines([record])
    assert line["p_holm"] >= line["p"]
    assert {"task", "operation", "expected", "measured", "low", "high", "margin", "verdict"} <= line.keys()


def records() -> list[Record]:
    return read_records(FOLDER)[0]


def changed(record: Record, decoder: Mapping[str, Any] | None = None, **law: Any) -> Record:
    """The record with other settings of its decoder, and other entries of its likelihood."""
    paradigm = dict(record.config["paradigm"])
    paradigm["decoder"] = {**paradigm["decoder"], **(decoder or {})}
    return replace(
        record, config={**record.config, "paradigm": paradigm}, likelihood={**(record.likelihood or {}), **law}
    )


def test_committed_decoders_agree_with_their_models() -> None:
    lines = equivalence_lines(records())
    assert {line["preset"] for line in lines} == {
        "autoregressive", "parallel", "diffusion_k1", "diffusion_k2", "diffusion_k3"
    }  # fmt: skip
    assert [line for line in lines if line["verdict"] == FAILS] == []
    held = {(line["preset"], line["operation"]) for line in lines if line["verdict"] == HOLDS}
    assert {("parallel", "shuffle"), ("diffusion_k3", "shuffle"), ("autoregressive", "copy")} <= held


def test_a_decoder_at_another_temperature_fails_its_check() -> None:
    """Greedy texts beside the likelihood of sampling: the parallel model then never shuffles."""
    record = next(r for r in records() if r.config["preset"] == "parallel")
    accuracy = dict(record.scores["accuracy"])
    accuracy["items"] = [
        0 if record.strata[item] == "shuffle" else right
        for item, right in zip(record.item_ids, accuracy["items"], strict=True)
    ]
    lines = equivalence_lines([replace(record, scores={**record.scores, "accuracy": accuracy})])
    assert {line["operation"] for line in lines if line["verdict"] == FAILS} == {"shuffle"}


@pytest.mark.parametrize("setting", [{"temperature": 0.5}, {"top_k": 2}, {"guidance": 1.0}, {"cache": "dual"}])
def test_a_distribution_that_is_not_the_models_is_left_out(setting: Mapping[str, Any]) -> None:
    for record in records():
        if own_nats(record) is not None:
            assert checks_of(changed(record, setting)) == []


def test_a_likelihood_that_is_not_the_decoders_is_left_out() -> None:
    by_preset = {record.config["preset"]: record for record in records()}
    two = by_preset["diffusion_k2"]
    assert two.likelihood is not None
    assert own_nats(two) == two.likelihood["exact"] != two.likelihood["nats"]
    assert checks_of(two)
    assert checks_of(changed(two, exact=None)) == [], "a bound"
    assert checks_of(changed(two, kind="pseudo", exact=None)) == []
    assert checks_of(changed(two, {"length": "fixed"})) == [], "a given number of tokens"
    assert checks_of(changed(by_preset["parallel"], {"length": "predicted"})) == [], "given the length"
    assert checks_of(changed(by_preset["parallel"], law_nats=[None] * len(two.likelihood["item_ids"]))) == []
    assert checks_of(replace(two, likelihood=None)) == [], "a trivial baseline"
    assert checks_of(replace(two, scores={})) == []


def test_free_positions_behind_the_end_are_left_out() -> None:
    """A canvas with room behind the end token: diffusion fills it with any tokens, which were not summed over."""
    by_preset = {record.config["preset"]: record for record in records()}
    for preset, applies in (("diffusion_k1", False), ("parallel", True), ("autoregressive", True)):
        law = by_preset[preset].likelihood
        assert law is not None
        shorter = changed(by_preset[preset], tokens=[tokens - 1 for tokens in law["tokens"]])
        assert (own_nats(shorter) is not None) == applies


def test_the_exact_nats_are_those_of_the_number_of_positions_per_pass() -> None:
    """Of shuffle, a text has 1/720 of the accuracy: more positions per pass, less accuracy, more nats."""
    nats = {}
    for record in records():
        law, found = record.likelihood, own_nats(record)
        if law is not None and found is not None:
            items = [i for i, item in enumerate(law["item_ids"]) if record.strata[item] == "shuffle"]
            nats[record.config["preset"]] = np.mean([math.exp(-(found[i] or 0)) for i in items]) * 720
    assert nats["diffusion_k1"] == pytest.approx(1, abs=0.05)
    assert nats["diffusion_k2"] == pytest.approx(0.3125, abs=0.03)
    assert nats["diffusion_k3"] == pytest.approx(0.1235, abs=0.01)
    assert nats["parallel"] == pytest.approx(0.0154, abs=0.002)


TASKS = {
    name: build(node, "task")
    for name, node in runpy.run_path(str(ROOT / "docs" / "generate.py"))["tasks"]().items()
    if "data" not in node
}


@pytest.mark.parametrize("name", TASKS)
def test_right_texts_are_those_of_positive_probability(name: str) -> None:
    """Of every task whose probabilities are known, on texts of other examples and on rearranged ones."""
    task = TASKS[name]
    asked = list(itertools.islice(task.examples("test"), 12))
    texts = {text for e in asked for words in [e.target.split()] for text in (e.target, " ".join(words[::-1]))}
    texts |= {" ".join([*words[2:], *words[:2]]) for e in asked for words in [e.target.split()]} | {""}
    differ = set()
    for example in asked:
        for text in texts:
            nats, right = task.nats(example, text), task.score(example, text).get("accuracy")
            if nats is not None and right is not None:
                differ.add(right == math.isfinite(nats))
    assert differ <= {True} or getattr(task, "written", None) == "solver", "see accepts_other_texts"


def test_a_task_that_accepts_texts_of_probability_0_is_left_out() -> None:
    record = next(r for r in records() if r.config["preset"] == "parallel")
    assert checks_of(replace(record, config={**record.config, "task": {**record.config["task"], "written": "rows"}}))
    solver = {**record.config["task"], "written": "solver"}
    assert checks_of(replace(record, config={**record.config, "task": solver})) == []


def test_both_counts_stand_in_the_note_of_the_oracles() -> None:
    found = records()
    harness, learner = equivalence_lines(found), oracle_lines(found)
    note = oracle_table(learner, harness).note
    held = sum(line["verdict"] == HOLDS for line in harness)
    assert f"Harness: {held} of {len(harness)} equivalences hold" in note
    assert f"Learner: {sum(line['holds'] for line in learner)} of {len(learner)} measurements" in note
    assert len(note) <= NOTE
    assert "Harness" not in oracle_table(learner).note


def test_the_table_has_a_line_for_every_check() -> None:
    found = records()
    made = table(rows_of(found))
    assert made is not None
    assert len(made.frame) == len(equivalence_lines(found))
    assert len(made.note) <= NOTE
    assert set(made.frame["verdict"]) <= {HOLDS, FAILS, UNDECIDED}
    assert table([row for row in rows_of(found) if row.label == "masked infill"]) is None
