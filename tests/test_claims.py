"""Claims are declared of things that exist, measured by known formulas, and decided by one rule for all of them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PRESETS, ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_derive import RECORD

from wordways.record import Record, read_records, write_record
from wordways.report.claims import (
    DECLARED,
    OF_RECORDS,
    PAIRED,
    claims_table,
    latency_exponent,
    main,
    measured,
    row_of,
    textbook_table,
)
from wordways.report.derive import beyond_data
from wordways.report.rows import rows_of
from wordways.report.stats import Interval, mean
from wordways.report.verdicts import parsed, verdicts

CLAIMS = yaml.safe_load(DECLARED.read_text())


def asked() -> list[dict[str, Any]]:
    cells = [
        {"task": entry["task"], "measure": entry["measure"]} | one
        for entry in CLAIMS["textbook"].values()
        for one in entry["of"].values()
    ]
    return [*CLAIMS["claims"].values(), *cells]


def named(what: Any) -> str:
    return what if isinstance(what, str) else what["name"]


@pytest.mark.parametrize("one", asked(), ids=str)
def test_what_is_declared_exists(one: dict[str, Any]) -> None:
    assert named(one["task"]) in {path.stem for path in (ROOT / "conf" / "task").glob("*.yaml")}
    presets = [named(one[key]) for key in ("row", "against", "over") if key in one]
    assert set(presets) <= set(PRESETS)
    assert not {"against", "over"} <= one.keys()
    if "rule" in one:
        parsed(one["rule"])


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=8), st.integers(1, 40), st.sampled_from("<>"))
def test_a_verdict_needs_the_adjusted_p_and_the_side(values: list[float], claims: int, sign: str) -> None:
    """As many equal claims as there are, each with Holm's factor for all of them."""
    interval = mean(values)
    found = verdicts({f"{i}": (interval, f"{sign} 0.5") for i in range(claims)})
    p = interval.p(0.5)
    assert p is not None
    assert {one.p for one in found.values()} == {p}
    assert [one.adjusted for one in found.values()] == [pytest.approx(min(1.0, p * claims))] * claims
    above = interval.value > 0.5
    word = "undecided" if min(1.0, p * claims) >= 0.05 else "holds" if above == (sign == ">") else "does not hold"
    assert {one.word for one in found.values()} == {word}


def test_claims_without_an_interval_are_undecided_and_cost_the_others_nothing() -> None:
    sure, alone = mean([1.0, 1.1, 1.2]), Interval(3, 3, 3, "none", 1)
    found = verdicts({"a": (sure, "> 0"), "b": (alone, "> 0"), "c": (None, "> 0")})
    assert found["a"].p == found["a"].adjusted
    assert (found["b"].word, found["b"].p) == ("undecided", None)
    assert "c" not in found


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    timing = [
        {"batch": 1, "workload": "forced", "first": 0, "repeats_ns": [[int(1e6 * n**power)]] * 3, "useful_tokens": n}
        for n in (32, 64, 128, 256)
    ]
    found = latency_exponent(replace(RECORD, timing=timing))
    assert found is not None
    assert found.value == pytest.approx(power, abs=1e-4)
    assert latency_exponent(replace(RECORD, timing=timing[:2])) is None


def test_beyond_the_data_is_paired_by_item() -> None:
    record = next(iter([RECORD]))
    stratum = record.groups()[0]
    size = len(record.item_ids)
    scores = {"seq_rep_4": {"unit": "share", "items": [0.5] * size, "data": [0.2] * size}}
    found = beyond_data(replace(record, scores=scores), "seq_rep_4", stratum)
    assert found is not None
    assert (found.value, found.high - found.low) == (pytest.approx(0.3), pytest.approx(0))


def test_rows_are_found_by_preset_and_settings_and_compared(results: Path) -> None:
    rows = rows_of(read_records(results)[0])
    task = "list_operations"
    found = row_of(rows, {"name": task, "n": 4}, "parallel")
    assert found is not None
    assert (found.first().config["preset"], len(found.records)) == ("parallel", 2)
    assert row_of(rows, {"name": task, "n": 9}, "parallel") is None
    assert row_of(rows, task, {"name": "diffusion_k2", "paradigm.decoder.per_pass": 2}) is not None
    assert row_of(rows, task, {"name": "diffusion_k2", "paradigm.decoder.per_pass": 1}) is None
    base = {"task": task, "row": "diffusion_k2", "stratum": "shuffle"}
    one, other = (
        measured(rows, base | {"row": row, "measure": "accuracy"}) for row in ("diffusion_k2", "diffusion_k1")
    )
    difference = measured(rows, base | {"measure": "accuracy", "against": "diffusion_k1"})
    assert one is not None
    assert other is not None
    assert difference is not None
    assert difference.value == pytest.approx(one.value - other.value)
    times = measured(rows, base | {"measure": "calls", "over": "diffusion_k1"})
    assert times is not None
    assert times.value == pytest.approx(2 / 4)
    assert measured(rows, base | {"measure": "latency", "over": "speculative"}) is None


def test_the_command_writes_both_tables_and_says_what_is_not_there(results: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from wordways.report.claims import main; main()"]
    done = subprocess.run([*command, str(results), "--out", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not measured" in done.stdout
    for name in ("claims", "textbook"):
        assert {path.suffix for path in tmp_path.glob(f"{name}.*")} == {".md", ".csv", ".tex"}
    nowhere = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (2, 1)


def test_tables_have_a_line_for_everything_declared(results: Path) -> None:
    rows = rows_of(read_records(results)[0])
    assert len(claims_table(rows, CLAIMS["claims"]).frame) == len(CLAIMS["claims"])
    table = textbook_table(rows, CLAIMS["textbook"]).frame
    assert list(table[""]) == ["directionality", "error correction", "latency"]
    assert json.dumps(list(table.columns)) == json.dumps(["", "autoregressive", "autoencoding", "diffusion", "measure"])


MEASURES = sorted({one["measure"] for one in asked()} | set(OF_RECORDS) | set(PAIRED))
WORDS = {"holds", "does not hold", "undecided", "not trained far enough", "–"}


def emptied(record: Record, texts: int, tokens: int, score: float | None) -> Record:
    """The record of a model whose first texts have so many tokens, of a test set of so many texts, all scored alike."""
    kept = record.item_ids[:texts]
    trace = record.trace
    assert trace is not None
    traced = {name: value[: len(kept)] if isinstance(value, list) else value for name, value in trace.items()}
    timing = [
        {**entry, "useful_tokens": tokens, "useful_chars": tokens, "settled": [1] * tokens}
        for entry in record.timing
        if entry["first"] < len(kept)
    ]
    likelihood = {**(record.likelihood or {})}
    likelihood |= {name: value[:1] for name, value in likelihood.items() if isinstance(value, list)}
    likelihood |= {"item_ids": kept[:1], "tokens": [tokens], "exposure": None, "own": None}
    scores = {name: {**entry, "items": [score] * len(kept)} for name, entry in record.scores.items()}
    return replace(
        record, item_ids=kept, strata={item: record.strata[item] for item in kept}, scores=scores, timing=timing,
        trace=traced | {"useful_tokens": [tokens] * len(traced["items"])}, likelihood=likelihood,
    )  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2), st.sampled_from([None, 0, 1])), min_size=3, max_size=3),
    st.sampled_from(["< 1", "> 0"]),
)
def test_a_claim_that_cannot_be_decided_is_undecided(
    results: Path, models: list[tuple[int, int, float | None]], rule: str
) -> None:
    """Texts without tokens, test sets of one text, equal scores: nothing divides by zero, whatever a claim asks for."""
    records = [record for record in read_records(results)[0] if record.status == "ok"]
    rows = rows_of([emptied(record, *models[number % 3]) for number, record in enumerate(records)])
    task, row = {"name": "list_operations", "n": 4}, {"row": "parallel"}
    declared = {
        f"{measure} {kind}": {"sentence": "", "task": task, "measure": measure, "rule": rule} | row | other
        for measure in MEASURES
        for kind, other in {"": {}, "against": {"against": "diffusion_k2"}, "over": {"over": "diffusion_k2"}}.items()
    }
    assert set(claims_table(rows, declared).frame["verdict"]) <= WORDS


def test_what_is_left_out_is_said(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = next(record for record in read_records(results)[0] if record.status == "ok")
    path = write_record(tmp_path / "r", record)
    (path.parent / "half.json").write_text(path.read_text()[:100])
    (tmp_path / "file").touch()
    monkeypatch.setattr("signal.signal", lambda *_: None)
    command = ["wordways-claims", str(tmp_path / "r"), "--out"]
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "out")])
    main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("wordways-claims: not a record: half.json: not readable as JSON")
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "file" / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"wordways-claims: --out {tmp_path / 'file' / 'out'}: cannot be written to (")
