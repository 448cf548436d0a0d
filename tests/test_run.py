"""A cell from configuration to record, run for real on a small task."""

import json
from pathlib import Path

import pytest
from conftest import SMALL, cell

from wordways.record import Record, read_records, valid_record
from wordways.run.execute import run_cell


def record_of(results: Path, preset: str) -> Record:
    return next(r for r in read_records(results)[0] if r.config["preset"] == preset and r.status == "ok")


def test_every_cell_has_its_record_and_no_other_file(results: Path) -> None:
    records, refused = read_records(results)
    assert not refused
    assert sorted(r.status for r in records) == ["ok"] * 6 + ["skipped"]
    assert all(path.stem == r.cell for path, r in zip(sorted((results / "cells").iterdir()), records, strict=True))


def test_a_paradigm_that_cannot_fill_the_holes_is_skipped_with_the_reason(results: Path) -> None:
    skipped = next(r for r in read_records(results)[0] if r.status == "skipped")
    assert skipped.reason == "autoregressive supports suffix targets only; this task has span targets"
    assert not skipped.scores
    assert not skipped.timing


def test_scores_are_per_item_and_paired_across_paradigms(results: Path) -> None:
    records = [r for r in read_records(results)[0] if r.status == "ok"]
    assert len({tuple(r.item_ids) for r in records}) == 1
    for r in records:
        assert len(r.item_ids) == len(set(r.item_ids)) == 3 * 40 == len(r.scores["accuracy"]["items"])
        assert r.groups() == ["copy", "replace_random", "shuffle"]
        assert set(r.scores["accuracy"]["items"]) <= {0, 1}
        assert r.scores["accuracy"] | {"items": None} == {"unit": "share", "higher_is_better": True, "items": None}


def test_parameters_and_tokens_are_matched_flops_and_supervision_are_reported(results: Path) -> None:
    records = [record_of(results, preset) for preset in ("autoregressive", "masked_infill", "parallel", "diffusion_k1")]
    for name in ("params", "steps", "tokens"):
        assert len({r.budgets[name] for r in records}) == 1
    supervised = {r.config["preset"]: r.budgets["supervised_tokens"] for r in records}
    assert supervised["autoregressive"] == supervised["parallel"] == 20 * 16 * 4
    assert supervised["masked_infill"] < supervised["diffusion_k1"] < supervised["parallel"]
    assert all(r.budgets["flops"] > 0 for r in records)


@pytest.mark.parametrize(
    ("preset", "calls", "positions"),
    [
        ("masked_infill", 4, 44),
        ("parallel", 1, 11),
        ("diffusion_k1", 4, 44),
        ("diffusion_k2", 2, 22),
    ],
)
def test_traces_are_those_of_the_paradigm(results: Path, preset: str, calls: int, positions: int) -> None:
    trace = record_of(results, preset).trace
    assert trace is not None
    assert len(trace["items"]) == 16
    assert set(trace["calls"]) == {calls}
    assert set(trace["positions"]) == {positions}
    assert set(trace["useful_tokens"]) <= {0, 1, 2, 3, 4}
    assert all(len(filled) == 4 and max(filled) == calls for filled in trace["filled"])


def test_an_autoregressive_trace_ends_with_its_text(results: Path) -> None:
    trace = record_of(results, "autoregressive").trace
    assert trace is not None
    for calls, positions, useful in zip(trace["calls"], trace["positions"], trace["useful_tokens"], strict=True):
        assert calls == min(useful + 1, 4), "a call a token, and one for the end token where one was written"
        assert positions == 7 + calls - 1


def test_raw_durations_are_kept_for_every_workload(results: Path) -> None:
    timing = record_of(results, "autoregressive").timing
    shapes = [(t["workload"], t["batch"]) for t in timing]
    assert shapes == [("natural", 1)] * 2 + [("natural", 4)] * 3 + [("forced", 1)] * 2
    assert [t["first"] for t in timing] == [t["items"][0] for t in timing]
    assert all(len(set(t["items"])) == t["batch"] for t in timing)
    assert [t["useful_tokens"] for t in timing if t["workload"] == "forced"] == [2, 4]
    for t in timing:
        assert len(t["repeats_ns"]) == 4
        assert all(duration > 0 for repeat in t["repeats_ns"] for duration in repeat)
        assert ("settled" in t) == ((t["workload"], t["batch"]) == ("natural", 1))
        assert len(t.get("settled", [])) in (0, t["useful_tokens"])
    peaks = [[t["peak_bytes"] for t in timing if (t["workload"], t["batch"]) == kind] for kind in dict.fromkeys(shapes)]
    for of_kind in peaks:
        (peak,) = (one for one in of_kind if one is not None)
        assert peak > 4 * record_of(results, "autoregressive").budgets["params"]
    assert timing[-1]["peak_bytes"] is not None, "of the largest canvas"
    assert [len(t["repeats_ns"][0]) for t in timing if t["workload"] == "forced"] == [2, 4]


@pytest.mark.parametrize(
    ("preset", "kind"),
    [("autoregressive", "exact"), ("parallel", "exact"), ("masked_infill", "pseudo"), ("diffusion_k1", "bound")],
)
def test_likelihoods_name_their_kind(results: Path, preset: str, kind: str) -> None:
    law = record_of(results, preset).likelihood
    assert law is not None
    assert law["kind"] == kind
    assert len(law["item_ids"]) == len(law["nats"]) == len(law["se"]) == 15
    assert set(law["tokens"]) == {4}
    assert all(nats > 0 for nats in law["nats"])
    assert not any(law["se"]), "so few holes are summed over, not sampled"
    assert (law["exact"] is not None) == (kind == "bound")
    assert all(exact < bound for exact, bound in zip(law["exact"] or [], law["nats"], strict=False))


def test_a_second_run_does_nothing_and_overwrite_says_what_to_repeat(tmp_path: Path) -> None:
    def run(*more: str) -> Record:
        places = (f"results={tmp_path / 'r'}", f"checkpoints={tmp_path / 'c'}")
        return run_cell(cell("paradigm=parallel", *SMALL, *places, *more))

    first = run()
    path = tmp_path / "r" / "cells" / f"{first.cell}.json"
    stamp = path.stat().st_mtime_ns
    assert run().cell == first.cell
    assert path.stat().st_mtime_ns == stamp
    again = run("overwrite=always")
    assert path.stat().st_mtime_ns > stamp
    assert again.scores == first.scores, "same seed, same texts"
    path.write_text(path.read_text()[:100])
    assert run().status == "ok"
    assert valid_record(tmp_path / "r", first.cell) is not None


def test_a_failing_cell_becomes_a_record_with_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = (f"results={tmp_path / 'r'}", f"checkpoints={tmp_path / 'c'}")
    broken = cell("paradigm=parallel", *SMALL, *places)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("wordways.run.training.fit", fail)
    record = run_cell(broken)
    assert record.status == "failed"
    assert "ZeroDivisionError: planted" in record.reason
    assert "Traceback" in record.reason
    assert valid_record(tmp_path / "r", broken.id) == record
    monkeypatch.undo()
    assert run_cell(broken).status == "failed", "a failed cell is not tried again unasked"
    assert run_cell(cell("paradigm=parallel", *SMALL, *places, "overwrite=failed")).status == "ok"


def test_a_record_says_where_it_was_made(results: Path) -> None:
    provenance = record_of(results, "parallel").provenance
    assert provenance["versions"]["torch"]
    assert provenance["threads"] >= 1
    assert set(provenance["seconds"]) == {"train", "score", "time"}
    assert len(provenance["curve"]) == 10
    assert provenance["processor"].keys() <= {"vendor", "family", "model", "stepping"}
    json.dumps(provenance, allow_nan=False)
