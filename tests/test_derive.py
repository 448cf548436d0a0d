"""Derived numbers on a record whose answers were worked out by hand."""

from dataclasses import replace

import pytest
from test_record import EMPTY

from wordways.record import Record
from wordways.report import derive, likelihoods
from wordways.report.derive import quotas
from wordways.report.rows import Row
from wordways.report.tables.speed import saturation

MS = 1_000_000

# A text of 3 useful tokens in 5 holes, four calls of 10, 20, 30, 40 ms; position 2 is written first and revised last.
RECORD = replace(
    EMPTY,
    status="ok",
    item_ids=["a", "b"],
    strata={"a": "x", "b": "y"},
    trace={
        "items": ["a", "b"], "calls": [4, 2], "positions": [40, 20], "useful_tokens": [3, 0],
        "filled": [[2, 1, 3, 4, 4], [1, 1, 2, 2, 2]], "settled": [[2, 4, 3, 4, 4], [1, 1, 2, 2, 2]],
    },
    timing=[
        {"batch": 1, "workload": "natural", "first": 0, "useful_tokens": 3, "useful_chars": 12, "peak_bytes": 7,
         "repeats_ns": [[10 * MS, 20 * MS, 30 * MS, 40 * MS], [20 * MS, 40 * MS, 60 * MS, 80 * MS]]},
        {"batch": 1, "workload": "natural", "first": 1, "useful_tokens": 0, "useful_chars": 0, "peak_bytes": 9,
         "repeats_ns": [[50 * MS, 50 * MS], [50 * MS, 50 * MS]]},
        {"batch": 2, "workload": "natural", "first": 0, "useful_tokens": 3, "useful_chars": 12, "peak_bytes": 11,
         "repeats_ns": [[100 * MS, 100 * MS], [300 * MS, 100 * MS], [200 * MS, 100 * MS]]},
        {"batch": 1, "workload": "forced", "first": 0, "useful_tokens": 8, "useful_chars": 8, "peak_bytes": 7,
         "repeats_ns": [[5 * MS], [7 * MS], [6 * MS]]},
    ],
)  # fmt: skip


def value(interval) -> float:
    assert interval is not None
    return interval.value


def test_latency_is_of_useful_tokens_and_texts_without_any_have_none() -> None:
    assert value(derive.latency(RECORD)) == pytest.approx((0.150 + 0.100) / 2)
    assert value(derive.latency_per_token(RECORD)) == pytest.approx(0.150 / 3)


def test_first_last_and_per_token_times_are_of_the_readable_prefix() -> None:
    # tau over the useful positions 1..3: settled in calls 2, 4, 3, so readable after calls 2, 4, 4
    assert value(derive.time_to_first_token(RECORD)) == pytest.approx((0.030 + 0.060) / 2)
    assert value(derive.last_useful_token(RECORD)) == pytest.approx((0.100 + 0.200) / 2)
    assert value(derive.time_per_output_token(RECORD)) == pytest.approx((0.035 + 0.070) / 2)


def test_texts_that_are_readable_at_once_have_no_time_between_tokens() -> None:
    """A text gives a TPOT only where its first token is readable before its last; half of the texts must give one."""

    def timed(*settled: list[int]) -> Record:
        entry = {"batch": 1, "workload": "natural", "first": 0, "useful_chars": 0, "peak_bytes": None}
        entry["repeats_ns"] = [[10 * MS, 20 * MS, 30 * MS]] * 3
        return replace(EMPTY, timing=[{**entry, "settled": calls, "useful_tokens": len(calls)} for calls in settled])

    assert derive.time_per_output_token(timed([1, 1, 1])) is None, "a single pass"
    assert derive.time_per_output_token(timed([2, 1], [1, 1], [3])) is None, "readable when the second pass has ended"
    assert value(derive.time_per_output_token(timed([1, 2, 3], [1, 1]))) == pytest.approx((0.060 - 0.010) / 2)
    assert derive.time_per_output_token(timed([1, 2, 3], [1, 1], [1])) is None, "one of three"
    assert value(derive.time_per_output_token(timed([1, 2], []))) == pytest.approx(0.020), "a text without tokens"
    assert value(derive.time_to_first_token(timed([2, 1]))) == pytest.approx(0.030), "without a trace"


def test_the_95th_percentile_is_over_texts_and_needs_twenty() -> None:
    def timed(texts: int) -> Record:
        entry = {"batch": 1, "workload": "natural", "useful_tokens": 1}
        return replace(
            EMPTY, timing=[{**entry, "repeats_ns": [[n * MS], [9999 * MS], [n * MS]]} for n in range(1, texts + 1)]
        )

    assert value(derive.latency_p95(timed(21))) == pytest.approx(0.020)
    assert derive.latency_p95(timed(19)) is None


def test_throughput_is_over_all_batches_of_a_size() -> None:
    entry = {"batch": 2, "workload": "natural", "first": 0, "peak_bytes": None}
    timing = [
        {**entry, "useful_tokens": 6, "repeats_ns": [[100 * MS], [200 * MS], [300 * MS]]},
        {**entry, "useful_tokens": 2, "repeats_ns": [[300 * MS], [200 * MS], [100 * MS]], "peak_bytes": 5},
    ]
    record = replace(EMPTY, timing=timing)
    assert value(derive.throughput(record, 2)) == pytest.approx(8 / 0.4)
    assert derive.peak_memory(record, 2) == 5


def test_throughput_counts_every_row_and_only_useful_tokens() -> None:
    assert value(derive.throughput(RECORD, 2)) == pytest.approx(3 / 0.3)
    assert value(derive.throughput(RECORD, 2, of="useful_chars")) == pytest.approx(12 / 0.3)
    assert value(derive.throughput(RECORD, 1)) == pytest.approx((3 / 0.2 + 3 / 0.3) / 2)
    assert derive.throughput(RECORD, 64) is None


def test_work() -> None:
    assert value(derive.calls(RECORD)) == 3
    assert value(derive.tokens_per_pass(RECORD)) == pytest.approx((3 / 4 + 0) / 2)
    assert value(derive.positions_per_token(RECORD)) == pytest.approx(40 / 3)
    assert derive.peak_memory(RECORD, 1) == 9
    assert derive.peak_memory(RECORD, 2) == 11


def test_forced_lengths_are_kept_apart() -> None:
    assert {length: i.value for length, i in derive.latency_by_length(RECORD).items()} == {8: 0.006}


def test_order_and_revision() -> None:
    assert derive.revisions(RECORD) == pytest.approx(1 / 10)
    left_to_right = replace(RECORD, trace={**(RECORD.trace or {}), "settled": [[1, 2, 3], [3, 2, 1]]})
    assert derive.order_correlation(left_to_right) == pytest.approx(0.0)
    assert (
        derive.order_correlation(replace(RECORD, trace={**(RECORD.trace or {}), "settled": [[1, 1], [1, 1]]})) is None
    )


def test_quotas_are_observed_and_absent_where_anything_was_revised() -> None:
    assert quotas(RECORD, "x") is None
    settled = replace(RECORD, trace={**(RECORD.trace or {}), "filled": (RECORD.trace or {})["settled"]})
    assert quotas(settled, "x") == (1, 1, 3)
    assert quotas(settled, "y") == (2, 3)
    assert quotas(settled, "z") is None


def test_no_value_rather_than_zero() -> None:
    for measure in (
        derive.latency, derive.latency_per_token, derive.time_to_first_token, derive.time_per_output_token,
        derive.calls, derive.tokens_per_pass, derive.positions_per_token, derive.revisions, derive.order_correlation,
    ):  # fmt: skip
        assert measure(EMPTY) is None
    assert derive.latency_by_length(EMPTY) == {}


def scored(record: Record, items: list[float], **more: object) -> Record:
    return replace(record, scores={"m": {"unit": "share", "higher_is_better": True, "items": items, **more}})


def test_quality_of_a_stratum_is_over_its_items() -> None:
    record = scored(RECORD, [1, 0])
    assert value(derive.quality(record, "m", "x")) == 1
    assert value(derive.quality(record, "m")) == 0.5
    assert derive.quality(record, "m", "nowhere") is None
    assert derive.quality(record, "other") is None
    assert derive.quality(record, "m").method == "Wilson"  # type: ignore[union-attr]
    assert derive.quality(scored(RECORD, [0.5, 0.25]), "m").method == "Wilson, effective n"  # type: ignore[union-attr]


def test_pooled_metrics_come_from_their_sums() -> None:
    from tasks.metrics import METRICS

    rows = [METRICS["bleu"].statistics(text, ["a b c d e f"]) for text in ("a b c d e f", "a b c x e f")]
    record = replace(RECORD, scores={"bleu": {"unit": "BLEU", "items": [100, 30], "statistics": rows}})
    pooled = METRICS["bleu"].value([sum(column) for column in zip(*rows, strict=True)])
    assert value(derive.quality(record, "bleu")) == pytest.approx(pooled)


def test_nats_per_token_weighs_by_tokens() -> None:
    law = {"kind": "exact", "item_ids": ["a", "b"], "nats": [2.0, 6.0], "se": [0, 0], "tokens": [1, 4]}
    record = replace(RECORD, strata={"a": "x", "b": "x"}, likelihood=law)
    assert value(likelihoods.nats_per_token(record, "x")) == pytest.approx(8 / 5)
    assert likelihoods.nats_per_token(record, "z") is None


def test_items_without_a_value_are_left_out() -> None:
    entry = {"unit": "share", "higher_is_better": True, "items": [None, 0.5], "data": [None, 0.25]}
    record = replace(RECORD, scores={"edit_similarity": entry})
    assert value(derive.quality(record, "edit_similarity")) == 0.5
    assert derive.quality(record, "edit_similarity", "x") is None
    assert value(derive.quality_of_data(record, "edit_similarity", "y")) == 0.25
    assert derive.quality_of_data(record, "edit_similarity", "x") is None


def test_a_pooled_metric_of_the_data_comes_from_its_sums() -> None:
    entry = {"unit": "share", "higher_is_better": True, "items": [None, 0.5], "data": [0.5, 1]}
    entry |= {"statistics": [[0, 0], [1, 2]], "data_statistics": [[1, 2], [4, 4]]}
    record = replace(RECORD, strata={"a": "x", "b": "x"}, scores={"distinct_1": entry})
    assert value(derive.quality_of_data(record, "distinct_1", "x")) == pytest.approx(5 / 6)
    assert value(derive.quality(record, "distinct_1", "x")) == 0.5
    empty = replace(record, scores={"distinct_1": entry | {"statistics": [[0, 0], [0, 0]]}})
    assert derive.quality(empty, "distinct_1", "x") is None


def test_the_largest_batch_is_named_and_how_many_still_gain_there() -> None:
    def row(label: str, faster: int) -> Row:
        """Batch 1 makes 12.5 tokens a second, batch 2 ten, times `faster`."""
        timing = [{**entry, "useful_tokens": 3 * faster} if entry["batch"] == 2 else entry for entry in RECORD.timing]
        return Row(label, "", "", [replace(RECORD, timing=timing)])

    assert saturation([row("a", 1)]) == (
        " The largest batch, 2, saturates the machine for all configurations (saturated: throughput at most a tenth "
        "above that at batch 1)."
    )
    some = saturation([row("a", 1), row("b", 2)])
    assert some.startswith(" The largest batch, 2, does not saturate the machine for 1 of 2 configurations (")
    assert saturation([Row("a", "", "", [replace(RECORD, timing=RECORD.timing[:2])])]) == ""
