"""Measured time beside the least a machine allows: by the formula, and flagged where the two rank differently."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CPU, VOCABULARY, noise, suffix_canvas, tiny, tiny_backbone

from wordways.record import Record, read_records
from wordways.report.efficiency import efficiency, ideal_latency_per_token
from wordways.report.rows import Row
from wordways.report.tables.efficiency import table as efficiency_table
from wordways.report.tables.speed import table as speed_table
from wordways.run.roofline import machine_peaks
from wordways.run.trace import trace


def planted(record: Record, calls_ns: list[int], work: list[list[int]], tokens: int) -> Record:
    """One text of so many tokens; a machine of 100 FLOP/s and 10 bytes/s."""
    entry = {
        "workload": "natural", "batch": 1, "first": 0, "repeats_ns": [calls_ns] * 6, "useful_tokens": tokens,
        "useful_chars": tokens, "peak_bytes": 1, "work": work,
    }  # fmt: skip
    provenance = {**record.provenance, "peak": {"flops_per_s": 100.0, "bytes_per_s": 10.0}}
    return replace(record, timing=[entry], provenance=provenance)


@pytest.fixture
def record(results: Path) -> Record:
    return next(record for record in read_records(results)[0] if record.status == "ok")


def test_a_call_takes_the_longer_of_its_two_times(record: Record) -> None:
    one = planted(record, [4_000_000_000, 6_000_000_000], [[300, 10], [100, 20]], tokens=5)
    best, eta = ideal_latency_per_token(one), efficiency(one)
    assert best is not None
    assert eta is not None
    assert best.value == pytest.approx((3 + 2) / 5), "300 FLOP at 100 a second; 20 bytes at 10"
    assert eta.value == pytest.approx(5 / 10)


def test_a_ranking_that_turns_is_flagged_and_a_tie_is_not(record: Record) -> None:
    rows = [
        Row("slow code", "autoregressive", "t", [planted(record, [9_000_000_000], [[100, 0]], 1)]),
        Row("quick code", "diffusion", "t", [planted(record, [8_000_000_000], [[200, 0]], 1)]),
        Row("as ideal as the first", "parallel", "t", [planted(record, [9_500_000_000], [[100, 0]], 1)]),
        Row("impossible", "parallel", "t", [planted(record, [500_000_000], [[10, 6]], 1)]),
    ]
    table = efficiency_table(rows)
    assert table is not None
    assert list(table.frame["ideal rank"]) == ["2 ⇄", "4 ⇄", "2 ⇄", "1"]
    assert list(table.frame["eta"]) == ["0.111", "0.25", "0.105", "1.2 ✗"]
    assert "2 of 6 pairs" in table.note
    speed = speed_table(rows)
    assert [cell.endswith(" ⇄") for cell in speed.frame["latency/token (ms)"]] == [True, True, True, False]
    assert "⇄" in speed.note
    assert len(speed.note) <= 240
    assert efficiency_table([Row("none", "parallel", "t", [replace(record, timing=[])])]) is None


def test_work_is_counted_call_by_call() -> None:
    """Without a cache weights alone have to be moved; with one also keys and values."""
    canvas, backbone = suffix_canvas([[3, 4, 1]], 2), tiny_backbone()
    weights = sum(weight.nbytes for weight in backbone.parameters())
    found = trace(tiny("diffusion_k1"), canvas, noise("a"))
    assert [moved for _, moved in found.work] == [weights] * 2
    assert all(flops == backbone.flops(1, 5, 5, wanted) for (flops, _), wanted in zip(found.work, (2, 1), strict=True))
    kept = trace(tiny("autoregressive"), canvas, noise("a"))
    size = backbone.embed.weight.element_size()
    assert kept.work[0][1] == weights + 2 * 2 * (3 + 3) * 16 * size, "the prompt, read and written"
    assert len(kept.work) == kept.calls
    assert VOCABULARY.size == backbone.embed.num_embeddings


def test_the_machine_is_measured(record: Record) -> None:
    peak = machine_peaks(CPU, torch.float32)
    assert peak["flops_per_s"] > 1e8
    assert peak["bytes_per_s"] > 1e8
    assert record.provenance["peak"].keys() == peak.keys()
