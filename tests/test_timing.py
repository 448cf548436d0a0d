"""Rows of a sweep are timed together: in which order, for how long, on which texts, and what an interruption leaves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SMALL, cell, noise
from test_derive import MS, RECORD
from test_trace import CANVAS, Scripted

from wordways.record import Record, valid_record, write_record
from wordways.report.rows import Row
from wordways.report.tables.speed import protocol
from wordways.run import clock, idle, session
from wordways.run.cell import Cell
from wordways.run.clock import Timed, Workload, known_precisely, time_together
from wordways.run.execute import run_cell, score_cell
from wordways.run.measure import MeasureSettings
from wordways.run.provenance import PROCESSOR, machine
from wordways.run.session import awaits_timing, steadily, time_cells
from wordways.run.timing import DRAWS, timed_items

TEXT = [3, 1, 5, 5, 5]
SETTINGS = MeasureSettings(None, 1, 1, [1, 8], 32, [], 20)


def planted(durations: Callable[[str, int], int], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the clock: every decoding of a workload named by its row and number takes what `durations` says."""
    seen: list[str] = []

    def decode(paradigm: Scripted, canvas: Any, ask: Any) -> tuple[list[int], torch.Tensor]:
        seen.append(ask)
        return [durations(ask, seen.count(ask))], torch.tensor([TEXT])

    monkeypatch.setattr(clock, "decode_timed", decode)
    monkeypatch.setattr(clock, "warm_up", lambda run: None)
    return seen


def timed(name: str, loads: int = 1) -> Timed:
    made = [
        Workload("natural", [i], CANVAS, lambda i=i: f"{name}{i}", torch.tensor([TEXT]))  # type: ignore[arg-type,return-value]
        for i in range(loads)
    ]
    return Timed(Scripted([]), made)


def test_rows_and_workloads_go_there_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, rows = planted(lambda name, time: 1000 + 100 * time, monkeypatch), [timed(name, 2) for name in "ABC"]
    assert time_together(rows, 2, lambda _: None) == 2
    warm, there, back = "A0A1B0B1C0C1", "A0A0A1B0B0B1C0C0C1", "C1C1C0B1B1B0A1A1A0"
    assert "".join(seen) == warm + there + back, "in every turn the first workload once more, untimed"
    assert [len(rounds) for row in rows for rounds in row.repeats_ns] == [2] * 6
    assert rows[0].repeats_ns[0] == [[1300], [1400]], "what is kept is the timed run"


@pytest.mark.parametrize(
    ("noisy", "rounds"),
    [(lambda turn: 0, 6), (lambda turn: 100 * (turn % 2), 20), (lambda turn: 100 * (turn in (1, 3, 5, 7)), 17)],
    ids=["steady", "never precise", "precise at last"],
)
def test_timing_ends_where_every_median_is_known(
    noisy: Callable[[int], int], rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A is steady, B varies by a tenth; four high values lie outside the interval from 17 rounds on."""
    planted(lambda name, time: 1000 + (noisy(time // 2) if name[0] == "B" else 0), monkeypatch)
    assert time_together([timed("A"), timed("B")], 20, lambda _: None) == rounds


def test_an_interval_of_a_median_is_of_order_statistics() -> None:
    assert not known_precisely([1.0] * 5), "the range of five values covers less than 95 %"
    assert known_precisely([1.0] * 6)
    assert known_precisely([98, 99, 100, 100, 101, 102])
    assert not known_precisely([97, 99, 100, 100, 101, 102])
    assert known_precisely([0, 0, *[100] * 8, 900, 900]), "of twelve, two at each end may be anything"
    assert not known_precisely([0, 0, 0, *[100] * 6, 900, 900, 900])


def test_a_row_that_fails_is_left_out_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def durations(name: str, time: int) -> int:
        if name[0] == "B" and time > 4:
            raise ZeroDivisionError("planted")
        return 1000 * time

    planted(durations, monkeypatch)
    rows = [timed("A"), timed("B")]
    assert time_together(rows, 4, lambda _: None) == 4
    assert [len(row.repeats_ns[0]) for row in rows] == [4, 1]
    assert not rows[0].failure
    assert rows[1].failure.startswith("Traceback")
    assert "ZeroDivisionError: planted" in rows[1].failure


def test_a_timed_text_that_differs_from_the_traced_one_fails() -> None:
    load = Workload("natural", [0], CANVAS, lambda: noise("a"), torch.tensor([[3, 1, 5, 5, 6]]))
    row = Timed(Scripted([[5, 5, 5]]), [load])
    time_together([row], 2, lambda _: None)
    assert row.failure.splitlines()[-1] == "RuntimeError: the timed text differs from the traced one"


@pytest.mark.parametrize(
    ("rates", "attempts", "steady"),
    [([100, 105], 1, True), ([100, 120, 100, 91], 2, True), ([100, 120, 100, 89], 2, False)],
)
def test_where_the_machine_changed_everything_is_timed_once_more(
    rates: list[float], attempts: int, steady: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(lambda name, time: 1000, monkeypatch)
    states, row = iter(rates), timed("A")
    observed = lambda: (0.0, {"flops_per_s": next(states), "bytes_per_s": 1.0})  # noqa: E731
    found = steadily([row], 3, observed, lambda _: None)
    assert found["steady"] is steady
    assert list(states) == []
    assert [peak["flops_per_s"] for peak in found["peaks"]] == rates[2 * attempts - 2 :]
    assert len(row.repeats_ns[0]) == 3, "of the last attempt alone"


def test_texts_depend_on_the_items_alone() -> None:
    names = [f"item {n}" for n in range(100)]
    found = timed_items(names, SETTINGS)
    alone, batches = [items for items in found if len(items) == 1], [items for items in found if len(items) == 8]
    assert len({item for (item,) in alone}) == len(alone) == 32
    assert max(item for (item,) in alone) > 32, "not the first ones"
    assert len(batches) == DRAWS == len(found) - 32
    assert all(len(set(items)) == 8 for items in batches)
    assert len({tuple(items) for items in batches}) == DRAWS
    assert timed_items(names, SETTINGS) == found
    assert timed_items([*names[1:], "another"], SETTINGS) != found
    assert [len(items) for items in timed_items(names[:5], SETTINGS)] == [1] * 5, "all, and no batch of eight"


STAT = "cpu  100 10 20 5000 300 0 7 {steal} 50 0\ncpu0 1 2 3 4\n"


def test_other_programs_show_in_the_ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "STAT", tmp_path / "stat")
    assert idle.busy_cores() is None, "no such file"
    for wrong in ("", "cpu\n", "cpu 0 0 0 0 0 0 0 0\n", "intr 1 2 3 4 5 6 7 8\n"):
        (tmp_path / "stat").write_text(wrong)
        assert idle.busy_ticks() is None
    (tmp_path / "stat").write_text(STAT.format(steal=3))
    assert idle.busy_ticks() == 100 + 10 + 20 + 0 + 7 + 3, "neither idle nor waiting; guests are the user's"
    assert idle.busy_cores() == 0
    monkeypatch.setattr(idle.os, "sysconf", lambda name: 100)
    monkeypatch.setattr(idle.time, "monotonic", iter((0.0, 0.5)).__next__)
    monkeypatch.setattr(idle.time, "sleep", lambda _: (tmp_path / "stat").write_text(STAT.format(steal=78)))
    assert idle.busy_cores() == pytest.approx(75 / 100 / 0.5)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("model name\t: AMD EPYC\nvendor_id : AuthenticAMD\ncpu family: 25\nmodel: 17\nstepping: 1\n\nmodel: 2\n",
         {"vendor": "AuthenticAMD", "family": "25", "model": "17", "stepping": "1"}),
        ("BogoMIPS: 50\nCPU implementer: 0x41\nCPU part: 0xd0c\n", {"vendor": "0x41", "model": "0xd0c"}),
        ("", {}),
    ],
)  # fmt: skip
def test_the_processor_is_named_where_the_system_tells(
    content: str, told: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr("wordways.run.provenance.CPUINFO", tmp_path / "cpuinfo")
    found = machine(torch.device("cpu"))
    assert found["processor"] == told
    assert found["device"]
    assert "capability" not in found
    assert PROCESSOR.keys() >= told.keys()


def sweep(folder: Path, *more: str, seeds: Sequence[int] = (0,)) -> list[Cell]:
    places = (f"results={folder / 'r'}", f"checkpoints={folder / 'c'}")
    return [
        cell(f"paradigm={preset}", f"seed={seed}", *SMALL, *places, *more)
        for preset in ("parallel", "diffusion_k2")
        for seed in seeds
    ]


def records_of(cells: Sequence[Cell]) -> list[Record]:
    found = [valid_record(Path(cell.run.results), cell.id) for cell in cells]
    return [record for record in found if record is not None]


def refused(*_: object, **__: object) -> None:
    raise AssertionError("trained again")


def test_an_interrupted_timing_keeps_what_is_scored_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = sweep(tmp_path, seeds=(0, 1))
    for one in cells:
        score_cell(one)
    scored = records_of(cells)
    assert [record.status for record in scored] == ["ok"] * 4
    assert not any(record.timing or "peak" in record.provenance for record in scored)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(session, "time_together", interrupted)
        with pytest.raises(KeyboardInterrupt):
            time_cells(cells)
    assert records_of(cells) == scored
    assert all(map(awaits_timing, cells))
    monkeypatch.setattr("wordways.run.training.fit", refused)
    assert [score_cell(one) for one in cells] == scored
    time_cells(cells)
    done = records_of(cells)
    assert not any(map(awaits_timing, cells))
    assert [replace(record, timing=[], provenance={}) for record in done] == [
        replace(record, provenance={}) for record in scored
    ]
    told = [record.provenance["timing"] for record in done]
    assert len({one["session"] for one in told}) == 1
    assert {(one["rows"], one["rounds"]) for one in told} == {(4, 4)}
    assert all(len(one["busy"]) == len(one["peaks"]) == 2 for one in told)
    best = {name: max(peak[name] for peak in told[0]["peaks"]) for name in ("flops_per_s", "bytes_per_s")}
    assert all(record.provenance["peak"] == best for record in done)
    assert len({tuple(tuple(entry["items"]) for entry in record.timing) for record in done}) == 1, "the same texts"
    stamps = [path.stat().st_mtime_ns for path in (tmp_path / "r" / "cells").iterdir()]
    time_cells(cells)
    assert [path.stat().st_mtime_ns for path in (tmp_path / "r" / "cells").iterdir()] == stamps, "there is nothing left"


def test_timing_can_be_measured_again_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = sweep(tmp_path)
    for one in cells:
        run_cell(one)
    before = records_of(cells)
    assert len({record.provenance["timing"]["session"] for record in before}) == 2, "each by itself"
    monkeypatch.setattr("wordways.run.training.fit", refused)
    again = sweep(tmp_path, "overwrite=timing")
    assert [score_cell(one) for one in again] == before
    time_cells(again)
    after = records_of(cells)
    assert len({record.provenance["timing"]["session"] for record in after}) == 1
    assert [record.scores for record in after] == [record.scores for record in before]
    assert [record.timing for record in after] != [record.timing for record in before]
    monkeypatch.undo()
    for path in (tmp_path / "c").rglob("*"):
        path.unlink() if path.is_file() else None
    time_cells(again)
    assert all(record.status == "ok" for record in records_of(cells)), "trained again where no checkpoint is left"


def test_a_cell_that_cannot_be_timed_fails_and_the_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, ready = sweep(tmp_path), session.trained_paradigm
    for one in cells:
        score_cell(one)

    def planted_failure(one: Cell, *more: Any) -> Any:
        if one.preset == "parallel":
            raise ZeroDivisionError("planted")
        return ready(one, *more)

    monkeypatch.setattr(session, "trained_paradigm", planted_failure)
    time_cells(cells)
    failed, done = records_of(cells)
    assert (failed.status, failed.timing) == ("failed", [])
    assert failed.reason.splitlines()[-1] == "ZeroDivisionError: planted"
    assert done.status == "ok"
    assert done.timing
    assert not any(map(awaits_timing, cells)), "a failure is not tried again unasked"


def test_rows_that_cannot_be_compared_are_timed_apart(tmp_path: Path) -> None:
    cells = [*sweep(tmp_path), *sweep(tmp_path, "task.n=5")]
    for one in cells:
        score_cell(one)
    time_cells(cells)
    sessions = [record.provenance["timing"]["session"] for record in records_of(cells)]
    assert sessions[0] == sessions[1] != sessions[2] == sessions[3]


def row(label: str, **told: Any) -> Row:
    timing = [{**RECORD.timing[0], "repeats_ns": [[MS]] * 20, "settled": [1, 1, 1]}] * told.pop("texts", 1)
    items = [f"{n}" for n in range(told.pop("items", 1))]
    peak = {"flops_per_s": told.pop("flops", 1e11), "bytes_per_s": 1e10}
    provenance = {"device": "x", "threads": 1, "versions": {"torch": "2"}, "peak": peak, "timing": told}
    config = {**RECORD.config, "device": "cpu"}
    return Row(label, "", "", [replace(RECORD, timing=timing, item_ids=items, provenance=provenance, config=config)])


def test_a_table_says_how_its_rows_were_timed() -> None:
    good = {"session": "s", "steady": True, "busy": [0.0, None], "texts": 32, "items": 40}
    assert protocol([row("a", **good), row("b", **good)]) == (
        "Medians over 32 texts of medians over 20 repeats. All were timed side by side in one session."
    )
    mixed = protocol([
        row("a", **good), row("b", **good | {"texts": 8, "steady": False}), row("c", **good | {"busy": [0.3, 0.0]}),
        row("d", **good | {"session": "t", "flops": 1.2e11}), row("e", texts=5, items=5),
    ])  # fmt: skip
    assert mixed == (
        "Medians over 5 to 32 texts of medians over 20 repeats. The 5 runs were timed in 2 sessions and 1 by "
        "themselves, not all side by side. Rows were timed on machines of different speed: 100 to 120 GFLOP/s. Below "
        "the protocol: timed on 8 texts: b; the machine changed by more than a tenth meanwhile: b; other programs ran "
        "beside it: c."
    )
    old = protocol([row("a", texts=8, items=40), row("b", texts=8, items=40)])
    assert old == (
        "Medians over 8 texts of medians over 20 repeats. The 2 runs were timed each by itself, not all side by side. "
        "Below the protocol: timed on 8 texts: all configurations."
    )


def test_records_written_before_sessions_are_not_timed_again(tmp_path: Path) -> None:
    (one, _) = sweep(tmp_path)
    record = run_cell(one)
    old = {name: value for name, value in record.provenance.items() if name != "timing"}
    write_record(tmp_path / "r", replace(record, provenance=old))
    assert not awaits_timing(one)
    assert awaits_timing(sweep(tmp_path, "overwrite=timing")[0])
