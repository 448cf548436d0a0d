"""Rankings and contrasts: planted differences over trainings and items, and who takes part."""

from dataclasses import replace

import numpy as np
import pytest
from test_gates import COPIED, ITEMS, OTHER, row, share
from test_stats import proportion

from wordways.report import claims, ratios
from wordways.report.contrasts import contrast_of
from wordways.report.marks import marks_of
from wordways.report.rows import Row
from wordways.report.show import fixed, p_value, significant, with_interval
from wordways.report.stats import Interval, mean
from wordways.report.tables import contrasts, quality


def test_rows_below_the_gate_and_baselines_are_not_ranked() -> None:
    best, level, worse, below = (
        row("a", [share(190)]),
        row("b", [share(188)]),
        row("c", [share(150)]),
        row("d", [share(75)]),
    )
    rows = [best, level, worse, below, COPIED, OTHER]
    assert marks_of(rows, "accuracy", "copy") == {0: "best", 1: "level"}
    table = quality.table(rows)
    assert table.muted == {3, 4, 5}
    assert "rows below the gate" in table.note
    assert "Not trained far enough: d (" in table.details
    assert marks_of([below, COPIED, OTHER], "accuracy", "copy") == {}


def test_the_best_of_many_equal_rows_is_not_marked() -> None:
    """The choice of the best among 30 is paid for: against the best of equal rows the worst is often at p < .05."""
    rng = np.random.default_rng(0)
    rows = [row(f"{i}", [rng.integers(0, 2, ITEMS).tolist()]) for i in range(30)]
    values = [np.mean(one.first().scores["accuracy"]["items"]) for one in rows]
    best, worst = rows[int(np.argmax(values))], rows[int(np.argmin(values))]
    alone = contrast_of(best, worst, "accuracy", "copy")
    assert alone is not None
    assert alone.p < 0.05
    assert marks_of(rows, "accuracy", "copy") == {}


def test_one_training_is_compared_by_items_and_several_by_both() -> None:
    low, high = [share(100)], [share(140)]
    one = contrast_of(row("a", low), row("b", high), "accuracy")
    assert one is not None
    assert one.p == one.here < 1e-5
    apart = contrast_of(
        row("a", [share(100), share(160), share(130)]), row("b", [share(140), share(140), share(170)]), "accuracy"
    )
    assert apart is not None
    assert apart.here < 0.05 < apart.p, "these trainings differ, trainings in general need not"
    alike = contrast_of(row("a", low * 3), row("b", high * 3), "accuracy")
    assert alike is not None
    assert alike.difference.value == pytest.approx(one.difference.value)
    assert alike.difference.trainings == 3


def test_a_baseline_is_paired_with_every_training() -> None:
    trained = row("a", [share(140), share(150), share(160)])
    found = contrast_of(COPIED, trained, "accuracy")
    back = contrast_of(trained, COPIED, "accuracy")
    assert found is not None
    assert back is not None
    assert found.difference.value == pytest.approx(150 / ITEMS - 80 / ITEMS)
    assert found.difference.trainings == 3
    assert (found.p, found.difference.value) == pytest.approx((back.p, -back.difference.value))


def test_contrasts_are_adjusted_within_their_column() -> None:
    rows = [row("a", [share(100)]), row("b", [share(113)]), row("c", [share(114)]), row("d", [share(115)])]
    frame = contrasts.table(rows).frame  # type: ignore[union-attr]
    raw = [contrast_of(rows[0], one, "accuracy", "copy").p for one in rows[1:]]  # type: ignore[union-attr]
    assert list(frame["p"]) == [p_value(p) for p in raw]
    assert list(frame["adjusted p"]) != list(frame["p"])
    assert "adjusted p, these trainings" not in frame


def asked(**more: str) -> dict[str, dict[str, str]]:
    claim = {"sentence": "S.", "task": "list_operations", "row": "a", "measure": "accuracy", "rule": "> 0.1", **more}
    return {"claim": claim}


def test_a_claim_about_a_row_below_the_gate_is_not_decided() -> None:
    good, bad = row("a", [share(190)]), row("b", [share(75)])
    table = claims.claims_table([good, COPIED], asked())
    assert list(table.frame["verdict"]) == ["holds"]
    table = claims.claims_table([good, bad, COPIED], asked(against="b"))
    assert list(table.frame["verdict"]) == [claims.BELOW_GATE]
    assert list(table.frame["p"]) == ["–"]
    assert list(claims.claims_table([good, bad], asked(against="b")).frame["verdict"]) == ["holds"], "no gate"


def timed(name: str, seconds: list[float], batch: int = 1) -> Row:
    """A configuration whose texts took these seconds, in three equal rounds."""
    made = row(name, [share(190)])
    entries = [
        {"batch": batch, "workload": "natural", "first": i, "useful_tokens": 10, "repeats_ns": [[int(1e9 * one)]] * 3}
        for i, one in enumerate(seconds)
    ]
    provenance = {**made.first().provenance, "device": "cpu", "threads": 1}
    return replace(made, records=[replace(made.first(), timing=entries, provenance=provenance)])


def test_ratios_of_latencies_are_paired_by_text() -> None:
    """Texts differ tenfold in length, and one row takes half the time for every text: the ratio is known exactly."""
    slow, fast = timed("a", [1.0, 10.0, 3.0, 7.0, 2.0, 9.0]), timed("b", [0.5, 5.0, 1.5, 3.5, 1.0, 4.5])
    found = ratios.paired_ratio(fast, slow, ratios.latency_by_text)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (found.p(1) or 0) < 0.05
    rates = claims.measured([slow, fast], asked(row="b", over="a", measure="tokens per second")["claim"])
    assert rates is not None
    assert rates.value == pytest.approx(2.0)
    assert ratios.paired_ratio(fast, timed("c", [1.0], 8), ratios.latency_by_text) is None


def test_the_ratio_of_two_means_covers_its_delta_method_interval() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        a, b = (mean(rng.normal(centre, 1, 40).tolist()) for centre in (10, 5))
        found = ratios.ratio_of_means(a, b)
        covered += found is not None and found.low <= 2 <= found.high
    assert 0.93 <= covered / 2000 <= 0.97
    alone = ratios.ratio_of_means(mean([1.0]), mean([1.0, 2.0]))
    assert alone is not None
    assert not alone.known()


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(0, 3, "0.000"), (0.0004, 3, "< 0.001"), (-0.0004, 3, "> -0.001"), (0.0006, 3, "0.001"), (2.5, 1, "2.5")],
)
def test_a_number_that_is_only_small_is_not_printed_as_0(value: float, digits: int, shown: str) -> None:
    assert fixed(value, digits) == shown


@pytest.mark.parametrize(
    ("p", "shown"), [(0.0, "< .001"), (1e-90, "< .001"), (0.0499, ".050"), (0.05, ".050"), (1, "1")]
)
def test_p_is_never_0(p: float, shown: str) -> None:
    assert p_value(p) == shown


def test_numbers_have_no_powers_of_ten() -> None:
    assert [significant(x) for x in (0, 2.81e-94, 0.0123, 999.4, 12345.6, -2e-9)] == [
        "0", "< 0.001", "0.0123", "999", "12,346", "> -0.001",
    ]  # fmt: skip


def test_an_interval_that_is_not_symmetric_is_printed_by_its_ends() -> None:
    assert with_interval(proportion(1000, 2000), 3) == "0.500 ±0.022"
    assert with_interval(proportion(2000, 2000), 3) == "1.000 (0.998–1.000)"
    assert with_interval(Interval(3, 3, 3, "none", 1), 1) == "3.0"
