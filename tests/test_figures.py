"""Figures in print: nothing overlaps or is cut off, letters are large enough, series differ without colour."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox, BboxBase

from wordways.record import Record, digest, read_records
from wordways.report import plots, theory_figure
from wordways.report.derive import quality
from wordways.report.drawing import DASHES, MARKERS, NAMED, cover, curve_at, looks_of, telling
from wordways.report.figures import error_calls, quality_latency
from wordways.report.oracles import oracle_lines
from wordways.report.quality_panels import panels_of
from wordways.report.rows import rows_of
from wordways.report.series import settings_of
from wordways.report.stats import Interval, without_interval
from wordways.report.style import LABEL_PT, STYLE, WIDTH_IN, Columns
from wordways.report.sweeps import in_sweeps, sweeps_of

Drawn = dict[str, Figure]


def ok(results: Path) -> list[Record]:
    return [record for record in read_records(results)[0] if record.status == "ok"]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawn]:
    """Every figure that is saved, before it is closed."""
    found: Drawn = {}
    monkeypatch.setattr(plots, "save", lambda figure, path: found.update({path.name: figure}))
    with plt.rc_context({"figure.max_open_warning": 0}):
        yield found
    plt.close("all")


def texts_of(figure: Figure) -> list[tuple[str, float, Bbox]]:
    """What is written on a figure as it is drawn: text, size, place."""
    found = []
    drawing = Text.draw

    def noted(self: Text, renderer: RendererBase) -> None:
        if self.get_visible() and self.get_text().strip():
            found.append((self.get_text(), self.get_fontsize(), self.get_window_extent(renderer)))
        drawing(self, renderer)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Text, "draw", noted)
        FigureCanvasAgg(figure).draw()
    return found


def faults_of(figure: Figure) -> list[str]:
    """Texts that leave the figure, touch each other or are too small to read in print."""
    whole, texts = figure.bbox, texts_of(figure)
    faults = [f"{text!r} is cut off" for text, _, box in texts if not inside(box, whole)]
    faults += [f"{text!r} has {size} pt" for text, size, _ in texts if size < LABEL_PT]
    for (one, _, a), (other, _, b) in combinations(texts, 2):
        common = Bbox.intersection(a, b)
        if common is not None and common.width > 1 and common.height > 1:
            faults.append(f"{one!r} and {other!r} overlap")
    return faults


def inside(box: Bbox, whole: BboxBase) -> bool:
    return box.x0 >= -1 and box.y0 >= -1 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1


def many(first: Record) -> list[Record]:
    """Twenty configurations with long names, four sweeps of three over steps, on strata with long names."""
    found = []
    for number in range(20):
        steps, group = (number % 3 + 1, number // 3) if number < 12 else (1, number)
        decoder = {"_target_": "paradigms.Commit", "steps": steps, "group": group}
        title = f"a configuration with a rather long name, number {group} (confidence order, {steps} steps)"
        config = {**first.config, "preset": f"p{number}", "title": {**first.config["title"], "paradigm": title}}
        config["paradigm"] = {"_target_": f"paradigms.Kind{group % 5}", "decoder": decoder}
        items = [(place * (number + 3)) % 7 < 3 for place in range(len(first.item_ids))]
        scores = {"accuracy": {**first.scores["accuracy"], "items": [int(item) for item in items]}}
        names = ["a stratum whose name is long enough to need two lines", "b", "c"]
        strata = {item: names[place % 3] for place, item in enumerate(first.item_ids)}
        found.append(replace(first, cell=f"{number:016x}", config=config, scores=scores, strata=strata))
    return found


@pytest.mark.parametrize("columns", [1, 2])
def test_no_text_overlaps_or_is_cut_off(results: Path, languages: Path, drawn: Drawn, columns: Columns) -> None:
    """Over every kind of figure, with few configurations and with many of long names."""
    first, names = next(record for record in ok(results) if record.config["preset"] == "diffusion_k1"), set[str]()
    for records in (ok(results), ok(languages), many(replace(first, likelihood=None))):
        rows = rows_of(records)
        for task in dict.fromkeys(row.task for row in rows):
            plots.save_figures([row for row in rows if row.task == task], Path(), columns)
        plots.save_series(rows, Path(), columns)
        plots.save_theory(oracle_lines(records), Path(), columns)
        with plt.rc_context(STYLE):
            assert {name: faults for name, figure in drawn.items() if (faults := faults_of(figure))} == {}
        assert all(figure.get_figwidth() == WIDTH_IN[columns] for figure in drawn.values())
        assert all(figure.get_figheight() <= 9.5 for figure in drawn.values()), "higher than a page"
        names |= drawn.keys()
        drawn.clear()
        plt.close("all")
    kinds = {"quality_latency", "quality_calls", "latency_length", "throughput_batch", "accumulated_error"}
    kinds |= {"error_calls", "order_map", "sweep_steps", "quality_tokens", "theory"}
    assert [kind for kind in kinds if not any(name.startswith(kind) for name in names)] == []


def test_a_fault_is_found() -> None:
    figure, axes = plt.subplots(figsize=(2, 2))
    axes.text(0.5, 0.5, "one")
    axes.text(0.52, 0.5, "other")
    axes.text(5, 0.5, "outside", fontsize=5)
    found = faults_of(figure)
    assert {"'one' and 'other' overlap", "'outside' is cut off", "'outside' has 5.0 pt"} <= set(found)
    plt.close(figure)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefghijk"), st.floats(0, 1), st.floats(1, 9)), min_size=1, max_size=30),
    st.booleans(),
)
def test_at_most_eight_series_are_named_and_differ_in_grey(
    points: Sequence[tuple[str, float, float]], higher_is_better: bool
) -> None:
    curves = [
        curve_at(f"{place}", paradigm, [x], [without_interval(y, 1)]) for place, (paradigm, y, x) in enumerate(points)
    ]
    looks, paradigms = looks_of([curves], [higher_is_better]), {curve.label: curve.paradigm for curve in curves}
    assert len(looks) == min(NAMED, len(curves))
    assert len({look.marker for look in looks.values()}) == len(looks), "a marker is a series' own"
    assert len({look.colour for look in looks.values()}) <= len(set(paradigms.values()))
    every, named = set(paradigms.values()), {paradigms[label] for label in looks}
    assert len(named) == min(len(every), NAMED), "no paradigm is left out for a second series of another"
    assert set(looks) == set(telling([curves], [higher_is_better]))


def test_of_many_the_pareto_front_is_named() -> None:
    curves = [curve_at(f"{x} {y}", "ab"[x % 2], [x], [without_interval(y, 1)]) for x in range(10) for y in range(10)]
    assert "0 9" in telling([curves], [True]), "the fastest and best"
    assert "0 0" in telling([curves], [False])
    assert len(MARKERS) == NAMED
    assert len(set(DASHES)) == 4


def swept(first: Record, values: Sequence[float], **other: object) -> list[Record]:
    title = f"diffusion ({', '.join(map(str, other.values()))})" if other else "diffusion"
    found = []
    for value in values:
        decoder = {"_target_": "paradigms.Commit", "steps": value, **other}
        config = {**first.config, "preset": f"{other}{value}", "paradigm": {**first.config["paradigm"]}}
        config |= {"title": {**first.config["title"], "paradigm": title}}
        config["paradigm"]["decoder"] = decoder
        found.append(replace(first, cell=digest([value, other]), config=config))
    return found


def test_sweeps_are_found_in_any_number(results: Path) -> None:
    first = next(record for record in ok(results) if record.config["preset"] == "diffusion_k1")
    random, sure = swept(first, [10, 1, 2], order="random"), swept(first, [2, 4], order="confidence")
    rows = rows_of([*random, *sure, *[one for one in ok(results) if one.config["preset"] == "parallel"]])
    lines = in_sweeps(rows)
    assert sorted((line.label, line.values) for line in lines) == [
        ("diffusion (confidence, 2–4 steps)", (2.0, 4.0)),
        ("diffusion (random, 1–10 steps)", (1.0, 2.0, 10.0)),
        ("parallel", (0.0,)),
    ]
    assert {line.name for line in lines} == {"diffusion (confidence)", "diffusion (random)", "parallel"}
    assert sorted(id(row) for line in lines for row in line.rows) == sorted(id(row) for row in rows), "each row once"
    assert list(settings_of(rows)) == ["paradigm.decoder.steps"]
    assert [len(one.rows) for one in settings_of(rows)["paradigm.decoder.steps"]] == [3, 2]
    assert settings_of(rows_of(sure)) == {}, "two values are no curve"
    assert sweeps_of(rows_of([random[0], sure[0]])) == [], "they differ in more than a number"


def test_a_panel_has_what_was_measured(results: Path) -> None:
    rows = rows_of(ok(results))
    xs = {row.label: ([without_interval(i, 1)], [row]) for i, row in enumerate(rows)}
    panels = panels_of(rows, lambda _: xs)
    assert [panel.heading for panel in panels] == ["all", *rows[0].first().groups()]
    for panel in panels:
        shown = {curve.label: curve.ys[0].value for curve in panel.curves}
        for row in rows:
            value = quality(row.first(), "accuracy", None if panel.heading == "all" else panel.heading)
            assert value is not None
            assert shown[row.label] == value.value


def test_the_error_is_one_minus_the_accuracy_also_over_seeds(languages: Path) -> None:
    records = [one for one in ok(languages) if one.config["preset"] in ("autoregressive", "parallel")]
    records = [one for one in records if (one.likelihood or {}).get("exposure")]
    more = [replace(one, cell=f"{i:016x}", config={**one.config, "seed": 1}) for i, one in enumerate(records)]
    rows = rows_of([*records, *more])
    assert {len(row.records) for row in rows} == {2}
    figure = error_calls.figure(rows, 2)
    assert figure is not None
    shown = {line.get_ydata()[0] for line in figure.axes[1].lines if len(line.get_ydata()) == 1}  # pyright: ignore
    for row in rows:
        right = quality(row.first(), "accuracy")
        assert right is not None
        assert any(error == pytest.approx(1 - right.value) for error in shown)
    plt.close(figure)


def test_a_sample_of_another_number_is_refused(results: Path) -> None:
    """A mean over seeds is that of the samples: an interval may not be turned around without them."""
    found = quality(ok(results)[0], "accuracy")
    assert found is not None
    assert found.sample is not None
    with pytest.raises(ValueError, match="is not the mean of its sample"):
        replace(found, value=found.value + 0.5)


def test_a_single_configuration_has_no_trade_off(results: Path) -> None:
    assert quality_latency.figure(rows_of(ok(results))[:1], 2) is None
    assert theory_figure.figure([], 2) is None


def test_missed_values_are_circled_and_counted() -> None:
    line = {"paradigm": "parallel", "measure": "accuracy", "low": 0.4, "high": 0.6, "measured": 0.5}
    figure = theory_figure.figure([line | {"theory": 0.5, "holds": True}, line | {"theory": 0.9, "holds": False}], 2)
    assert figure is not None
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["1 of 2"]
    (circles,) = [one for one in axes.lines if one.get_markerfacecolor() == "none"]
    assert circles.get_xydata().tolist() == [[0.9, 0.5]]  # pyright: ignore
    plt.close(figure)


@pytest.mark.parametrize(
    ("values", "share", "limits"),
    [
        ([0.1, 0.9], True, (-0.04, 1.04)),
        ([0.5, 0.5], True, (0.4884, 0.5116)),
        ([1.0, 1.0], True, (0.9784, 1.0016)),
        ([20.0, 30.0], False, (19.2, 30.8)),
    ],
)
def test_an_axis_covers_the_data(values: list[float], share: bool, limits: tuple[float, float]) -> None:
    figure, axes = plt.subplots()
    cover(axes, [curve_at("a", "b", range(len(values)), [without_interval(y, 1) for y in values])], share)
    assert axes.get_ylim() == pytest.approx(limits, abs=1e-6)
    wide = Interval(0.5, -3.0, 4.0, "x", 2)
    cover(axes, [curve_at("a", "b", [1, 2], [wide, replace(wide, value=0.6)])], False)
    low, high = axes.get_ylim()
    assert high - low < 1, "the bars of two seeds do not decide the axis"
    plt.close(figure)
