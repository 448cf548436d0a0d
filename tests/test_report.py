"""The report: rebuilt from records alone, the same bytes every time, nothing dropped, nothing executed."""

import inspect
import itertools
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import ROOT

from wordways.record import Record, read_records, write_record
from wordways.report.__main__ import main
from wordways.report.answers import oracle_table
from wordways.report.build import write_report
from wordways.report.contrasts import contrast_of
from wordways.report.derive import quality
from wordways.report.drawing import apart, margin_panel
from wordways.report.escape import in_markdown
from wordways.report.figures import revision
from wordways.report.folder import sha256
from wordways.report.kinds import kinds
from wordways.report.numbers import data_frame
from wordways.report.oracles import oracle_lines
from wordways.report.plots import save_figures
from wordways.report.rows import Row, rows_of, series_of
from wordways.report.style import WIDTH_IN
from wordways.report.table import NOTE, Table
from wordways.report.tables.quality import table as quality_table

FIGURES = ["quality_latency", "quality_calls", "latency_length", "order_map"]
TASK = "list_operations_n_4"
FIELDS = [
    "task", "operation", "measure", "n", "k", "quotas", "order", "temperature", "threshold",
    "paradigm", "preset", "seed",
    "theory", "tolerance", "measured", "low", "high", "items", "holds",
]  # fmt: skip


@pytest.fixture
def copy(results: Path, tmp_path: Path) -> Path:
    shutil.copytree(results, tmp_path / "copy", ignore=shutil.ignore_patterns("report"))
    return tmp_path / "copy"


def ok(results: Path) -> list[Record]:
    return [record for record in read_records(results)[0] if record.status == "ok"]


def test_tables_and_figures_are_there_in_every_format(copy: Path) -> None:
    shown = write_report(copy)
    names = {path.name for path in (copy / "report").iterdir()}
    for figure in FIGURES:
        assert {f"{figure}_{TASK}.{ending}" for ending in ("pdf", "svg", "png")} <= names
    for table in ("quality", "speed"):
        assert {f"{table}_{TASK}.{ending}" for ending in ("md", "csv", "tex")} <= names
    assert shown.splitlines()[-1] == f"report: {copy / 'report' / 'index.html'}"
    for word in (
        "list operations, n = 4",
        "AR",
        "diffusion (2 per pass)",
        "latency/token",
        "skipped: autoregressive, seed 0: autoregressive supports suffix",
    ):
        assert word in shown


def test_ctrl_c_while_it_builds_is_one_line_and_leaves_the_report(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    write_report(copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    (record,) = itertools.islice((copy / "cells").iterdir(), 1)
    record.unlink()  # the next build would write something else
    monkeypatch.setattr("wordways.report.build.page_of", interrupted)
    monkeypatch.setattr("sys.argv", ["wordways-report", str(copy)])
    with pytest.raises(SystemExit, match="130"):
        main()
    assert capsys.readouterr().err == "wordways-report: interrupted; no file is incomplete\n"
    del before[record]
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_rebuilding_gives_the_same_bytes(copy: Path) -> None:
    write_report(copy)
    first = {path.name: path.read_bytes() for path in (copy / "report").iterdir()}
    shutil.rmtree(copy / "report")
    write_report(copy)
    assert first == {path.name: path.read_bytes() for path in (copy / "report").iterdir()}


@pytest.mark.parametrize("columns", [1, 2])
def test_figures_are_as_wide_as_their_columns_and_the_same_every_time(results: Path, tmp_path: Path, columns) -> None:
    rows = rows_of(ok(results))
    captions = save_figures(rows, tmp_path / "a", columns)
    save_figures(rows, tmp_path / "b", columns)
    for path in (tmp_path / "a").iterdir():
        content = path.read_bytes()
        assert content == (tmp_path / "b" / path.name).read_bytes(), path.name
        assert b"CreationDate" not in content
        assert b"<dc:date>" not in content
    for name in captions:
        points = 72 * WIDTH_IN[columns]
        assert f'width="{points:.5g}'.rstrip("0") in (tmp_path / "a" / f"{name}.svg").read_text()[:900]
        assert b"/FontFile2" in (tmp_path / "a" / f"{name}.pdf").read_bytes(), "letters travel with the figure"


def test_the_best_are_bold_and_those_not_worse_underlined(copy: Path) -> None:
    first = next(record for record in ok(copy) if record.config["preset"] == "parallel")
    first = replace(first, likelihood=None)  # and so without theory
    size = len(first.item_ids)
    right = {"best": size, "near": size - 2, "worse": size // 2}
    records = []
    for number, (name, count) in enumerate(right.items()):
        scores = {"accuracy": {**first.scores["accuracy"], "items": [1] * count + [0] * (size - count)}}
        config = {**first.config, "preset": name, "title": {**first.config["title"], "paradigm": name}}
        strata = dict.fromkeys(first.item_ids, "all")
        records.append(replace(first, cell=f"{number:016x}", config=config, scores=scores, strata=strata))
    rows = rows_of(records)
    table = quality_table(rows)
    assert table.marks == {(0, 1): "best", (1, 1): "level"}
    assert "| best | **1.000" in table.markdown()
    assert "| near | <u>" in table.markdown()
    assert r"\textbf{1.000 (" in table.latex()
    assert r"\underline{" in table.latex()
    assert "**" not in table.frame.to_csv()
    assert "Bold: best;" in table.note
    assert "adjusted for all pairs" in table.details
    level = quality_table(rows[:2])
    assert "**1" not in level.markdown(), "where no configuration is worse none is marked"
    assert "Bold" not in level.note + level.details


def test_three_seeds_all_right_and_all_wrong_are_no_three_items(copy: Path) -> None:
    first = next(record for record in ok(copy) if record.config["preset"] == "parallel")
    found = {}
    for value in (0, 1):
        scores = {"accuracy": {**first.scores["accuracy"], "items": [value] * len(first.item_ids)}}
        records = [replace(first, config={**first.config, "seed": seed}, scores=scores) for seed in range(3)]
        found[value] = Row("x", "parallel", "t", records)
    contrast = contrast_of(found[0], found[1], "accuracy", "shuffle")
    assert contrast is not None
    assert 0 < contrast.p < 0.01, "three pairs alone would give p = .25"


def test_what_is_no_longer_made_goes_and_nothing_else(copy: Path) -> None:
    write_report(copy)
    folder = copy / "report"
    for name, content in (("notes.txt", "mine"), (f"budgets_{TASK}.tex", "changed by hand")):
        (folder / name).write_text(content)
    sums = folder / "SHA256SUMS"
    (copy / "outside").write_text("stays")
    sums.write_text(sums.read_text() + f"{sha256(copy / 'outside')}  ../outside\n")
    for path in (copy / "cells").iterdir():
        path.unlink()
    write_report(copy)
    left = {path.name for path in folder.iterdir()}
    assert left == {"index.html", "report.md", "SHA256SUMS", "notes.txt", f"budgets_{TASK}.tex"}
    assert (copy / "outside").is_file()
    assert not [path for path in copy.iterdir() if path.name.startswith(".")], "nothing is left of the building"


def test_sums_are_those_of_the_files(copy: Path) -> None:
    write_report(copy)
    sums = {line[66:]: line[:64] for line in (copy / "report" / "SHA256SUMS").read_text().splitlines()}
    there = {path.name: sha256(path) for path in (copy / "report").iterdir() if path.name != "SHA256SUMS"}
    assert sums == there


def test_what_was_found_out_about_a_record_is_not_said_of_a_changed_one(copy: Path) -> None:
    record = next(r for r in ok(copy) if r.config["preset"] == "parallel")
    before = quality(record, "accuracy")
    assert quality(record, "accuracy") is before
    wrong = {"accuracy": {**record.scores["accuracy"], "items": [1] * len(record.item_ids)}}
    after = quality(replace(record, scores=wrong), "accuracy")
    assert before is not None
    assert after is not None
    assert before.value < after.value == 1


def test_seeds_make_one_row_with_an_interval_over_seeds(copy: Path) -> None:
    rows = {row.label: row for row in rows_of(ok(copy))}
    assert sorted(rows) == ["AR", "diffusion (1 per pass)", "diffusion (2 per pass)", "masked infill", "parallel"]
    assert [record.config["seed"] for record in rows["parallel"].records] == [0, 1]
    data = data_frame(list(rows.values()))
    methods = data[(data["measure"] == "accuracy")].groupby("row")["method"].unique()
    assert list(methods["parallel"]) == ["Wilson, effective n, 2 trainings"]
    assert list(methods["AR"]) == ["Wilson"]


def test_rows_come_in_the_styles_order(copy: Path) -> None:
    labels = [row.label for row in rows_of(ok(copy))]
    assert labels == ["AR", "masked infill", "parallel", "diffusion (1 per pass)", "diffusion (2 per pass)"]


def test_settings_that_differ_are_in_the_label(copy: Path) -> None:
    record = next(r for r in ok(copy) if r.config["preset"] == "diffusion_k2")
    paradigm = dict(record.config["paradigm"])
    for number, order in enumerate(("confidence", "margin")):
        decoder = dict(paradigm["decoder"], order=order)
        other = replace(
            record, cell=f"{number:016x}", config={**record.config, "paradigm": {**paradigm, "decoder": decoder}}
        )
        write_record(copy, other)
    labels = [row.label for row in rows_of(ok(copy))]
    orders = ("confidence", "margin", "random")
    assert {f"diffusion (2 per pass, {order} order)" for order in orders} <= set(labels)
    assert "diffusion (1 per pass)" in labels


def test_oracle_lines_have_all_fields_in_order_for_every_cell_with_theory(copy: Path) -> None:
    lines = oracle_lines(read_records(copy)[0])
    assert all(list(line) == FIELDS for line in lines)
    cells = {(line["preset"], line["operation"], line["measure"], line["seed"]) for line in lines}
    assert len(cells) == len(lines)
    assert {preset for preset, *_ in cells} == {"autoregressive", "parallel", "diffusion_k1", "diffusion_k2"}
    assert ("parallel", "shuffle", "accuracy", 1) in cells
    for line in lines:
        assert line["holds"] == (abs(line["measured"] - line["theory"]) <= line["tolerance"])
        assert line["low"] <= line["measured"] <= line["high"]
        assert sum(line["quotas"]) == line["n"] == 4
    one_pass = next(line for line in lines if (line["preset"], line["operation"]) == ("parallel", "shuffle"))
    assert (one_pass["quotas"], one_pass["theory"]) == ([4], pytest.approx(24 / 256))
    assert not all(line["holds"] for line in lines), "twenty steps do not teach a shuffle: an oracle must say so"


def test_a_law_that_was_cut_has_no_oracle(copy: Path) -> None:
    record = next(r for r in ok(copy) if r.config["preset"] == "autoregressive")
    decoder = dict(record.config["paradigm"]["decoder"], top_k=2)
    cut = replace(record, config={**record.config, "paradigm": {**record.config["paradigm"], "decoder": decoder}})
    assert oracle_lines([record])
    assert not oracle_lines([cut])


def test_the_command_needs_no_torch_and_prints_json_lines(copy: Path) -> None:
    code = "import sys; from wordways.report.__main__ import main; main(); sys.exit(3 if 'torch' in sys.modules else 0)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(copy), "--oracles"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0
    assert [list(json.loads(line)) for line in done.stdout.splitlines()] == [FIELDS] * len(done.stdout.splitlines())
    empty = subprocess.run(
        [sys.executable, "-m", "wordways.report", str(copy.parent)], capture_output=True, text=True, cwd=ROOT
    )
    assert (empty.returncode, empty.stderr) == (2, f"wordways-report: {copy.parent}: holds no cells folder\n")


def test_damaged_records_are_named_and_the_rest_is_reported(copy: Path, undrawn: None) -> None:
    path = sorted((copy / "cells").iterdir())[0]
    path.write_text(path.read_text()[:500])
    shown = write_report(copy)
    assert f"not a record: {path.name}: not readable as JSON" in shown
    assert "parallel" in shown


def test_hostile_names_are_escaped(copy: Path, undrawn: None) -> None:
    hostile = r"a_b & 50% $x$ {y} ~ ^ \input{z} | <script>"
    record = ok(copy)[0]
    title = {"paradigm": hostile, "task": hostile}
    write_record(copy, replace(record, config={**record.config, "preset": hostile, "title": title}))
    write_report(copy)
    table = quality_table(rows_of(ok(copy)))
    latex = table.latex()
    assert r"a\_b \& 50\% \$x\$ \{y\} \textasciitilde" in latex
    assert r"\input" not in latex
    assert r"\| &lt;script>" in table.markdown()


def test_a_paradigm_without_a_decoder_or_a_temperature_is_reported(copy: Path, undrawn: None) -> None:
    """Its numbers stand in every table; without a temperature no analytic value is known."""
    with_values = {line["preset"] for line in oracle_lines(read_records(copy)[0])}
    assert "parallel" in with_values
    for record in read_records(copy)[0]:
        paradigm = {name: value for name, value in record.config["paradigm"].items() if name != "decoder"}
        write_record(copy, replace(record, config={**record.config, "paradigm": paradigm}))
    assert oracle_lines(read_records(copy)[0]) == []
    assert "parallel" in write_report(copy)


def test_no_records_no_tables(tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    assert write_report(tmp_path) == f"report: {tmp_path / 'report' / 'index.html'}"


def test_labels_are_moved_apart_and_stay_inside() -> None:
    for places in ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], [0.0, 0.01, 0.99, 1.0], []):
        moved = apart(places, 0.1)
        assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(moved))
        assert all(0 <= place <= 1 for place in moved)
    assert len(apart([1.0] * 20, 0.1)) == 20


def test_latex_is_booktabs(copy: Path) -> None:
    rows = rows_of(ok(copy))
    latex = quality_table(rows).latex()
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption", rf"\label{{tab:quality_{TASK}}}"):
        assert rule in latex
    body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")]
    assert body.count(r"\\") == len(rows)
    assert isinstance(quality_table(rows), Table)


def test_tasks_with_other_settings_have_tables_of_their_own(copy: Path, undrawn: None) -> None:
    record = next(r for r in ok(copy) if r.config["preset"] == "parallel")
    task, title = {**record.config["task"], "n": 5}, {**record.config["title"], "task": "list operations, n = 5"}
    other = replace(record, cell="0" * 16, config={**record.config, "task": task, "title": title})
    rows = rows_of([*ok(copy), other])
    assert {row.task for row in rows} == {TASK, "list_operations_n_5"}
    assert [row.label for row in rows if row.task == "list_operations_n_5"] == ["parallel"]
    write_record(copy, other)
    shown = write_report(copy)
    assert "Quality: list operations, n = 5" in shown
    assert (copy / "report" / "quality_list_operations_n_5.csv").is_file()


def test_tasks_of_one_title_and_of_none_are_told_apart_by_their_settings(results: Path) -> None:
    record = next(r for r in ok(results) if r.config["preset"] == "parallel")
    other = {**record.config, "task": {**record.config["task"], "n": 5}}
    for title in ({"task": "lists"}, {}):
        records = [replace(record, config={**config, "title": title}) for config in (record.config, other)]
        name = title.get("task", "list operations")
        assert {row.title for row in rows_of(records)} == {f"{name}, n = 4", f"{name}, n = 5"}
        slug = name.replace(" ", "_")
        assert {row.task for row in rows_of(records)} == {f"{slug}_n_4", f"{slug}_n_5"}


def test_labels_of_any_length_leave_room_for_a_panel() -> None:
    for length in (5, 40, 200):
        figure, panel = margin_panel(["x" * length], 2)
        assert panel.get_position().width * figure.get_figwidth() >= 1.19
        plt.close(figure)


def test_a_known_law_has_a_table_and_a_figure_of_errors(languages: Path, tmp_path: Path, undrawn: None) -> None:
    shutil.copytree(languages, tmp_path / "copy")
    write_report(tmp_path / "copy")
    folder = tmp_path / "copy" / "report"
    table = (folder / "law_hidden_markov_language.md").read_text().splitlines()
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in table if line.startswith("| ")}
    kl, bound, slack, reverse, *_ = zip(
        *(rows[name] for name in ("diffusion (left to right)", "diffusion (1 per pass)")), strict=True
    )
    assert bound[0] == slack[0] == "–", "an exact law needs no bound"
    assert "–" not in (*kl, bound[1], slack[1], *reverse)
    assert "[0]" in kl[0]
    assert "[0]" in bound[1]
    assert all("[0]" in cell for cell in reverse), "theory: KL 0, both ways"
    assert (folder / "error_calls_hidden_markov_language.png").is_file()
    likelihood = (folder / "likelihood_hidden_markov_language.md").read_text()
    assert "| diffusion (1 per pass) | exact, over all orders |" in likelihood
    details = quality_table([row for row in rows_of(ok(languages)) if row.task == "hidden_markov_language"]).details
    assert "Conditional total correlation, lost by factorised sampling of a whole text (bits): " in details
    assert in_markdown(details) in (folder / "quality_hidden_markov_language.md").read_text()


def test_gaps_name_what_they_are_measured_against(languages: Path) -> None:
    gaps = [line for line in oracle_lines(read_records(languages)[0]) if line["measure"] == "gap_bits"]
    assert ("parallel", "diffusion_left_to_right") in {(line["preset"], line["against"]) for line in gaps}


def test_tasks_that_differ_in_one_number_make_a_figure(languages: Path, tmp_path: Path, undrawn: None) -> None:
    shutil.copytree(languages, tmp_path / "copy")
    write_report(tmp_path / "copy")
    assert (tmp_path / "copy" / "report" / "quality_tokens_retrieval.png").is_file()
    assert (
        "Dashed: probability that training masks a whole answer"
        in (tmp_path / "copy" / "report" / "report.md").read_text()
    )
    rows = rows_of(ok(languages))
    assert [(key, sorted(at)) for key, at in series_of(rows).items()] == [(("retrieval", "tokens"), [1, 2, 3])]


def test_seeds_that_disagree_are_counted(copy: Path) -> None:
    first = next(record for record in ok(copy) if record.config["preset"] == "parallel")
    for seed, right in enumerate((1, 0, 1)):
        scores = {"accuracy": {**first.scores["accuracy"], "items": [right] * len(first.item_ids)}}
        config = {**first.config, "seed": seed}
        write_record(copy, replace(first, cell=f"{seed:016x}", config=config, scores=scores))
    for record in ok(copy):
        if record.cell not in {f"{seed:016x}" for seed in range(3)}:
            (copy / "cells" / f"{record.cell}.json").unlink()
    table = quality_table(rows_of(ok(copy))).markdown()
    assert "solved 2 of 3" in table


def test_revisions_are_joined_where_only_the_number_of_calls_differs(results: Path) -> None:
    """Net gain is planted: a tenth of the calls for one loop; the other has a single setting and is no curve."""
    first = next(record for record in ok(results) if record.config["preset"] == "diffusion_k1")

    def revised(calls: int, temperature: float) -> Record:
        decoder = {"_target_": "paradigms.MaskPredict", "passes": calls, "temperature": temperature}
        title = {**first.config["title"], "paradigm": "diffusion (mask-predict)"}
        config = {**first.config, "title": title, "paradigm": {**first.config["paradigm"], "decoder": decoder}}
        entry = {"unit": "share", "higher_is_better": True, "items": [calls / 10] * len(first.item_ids)}
        trace = {**(first.trace or {}), "nfe": [calls] * len((first.trace or {})["items"])}
        return replace(first, config=config, scores={"net_gain": entry}, trace=trace)

    figure = revision.figure(rows_of([revised(10, 0.0), revised(2, 0.0), revised(4, 0.0), revised(4, 1.0)]), 2)
    assert figure is not None
    curve, zero = figure.axes[0].lines
    for axis, planted in zip(curve.get_data(), ((2, 4, 10), (0.2, 0.4, 1)), strict=True):
        assert np.asarray(axis).tolist() == pytest.approx(planted)
    assert not np.any(zero.get_ydata())
    assert [text.get_text() for text in figure.axes[0].texts] == ["diffusion (mask-predict, T = 0)"]
    plt.close(figure)
    assert revision.figure(rows_of([revised(4, 0.0), revised(4, 1.0)]), 2) is None, "nothing to join"
    assert revision.figure(rows_of(ok(results)), 2) is None, "no drafts"


@pytest.mark.parametrize(("package", "entry"), [("tables", "table"), ("figures", "figure")])
def test_every_kind_has_a_place_an_idea_and_one_entry_point(package: str, entry: str) -> None:
    found = kinds(package)
    files = {path.stem for path in (ROOT / "wordways" / "report" / package).glob("*.py")} - {"__init__"}
    assert {kind.__name__.rpartition(".")[2] for kind in found} == files
    places = [kind.ORDER for kind in found]
    assert places == sorted(set(places)), "the place of each kind is its own"
    for kind in found:
        entries = [name for name in ("table", "figure") if hasattr(kind, name)]
        assert entries == [entry], kind.__name__
        assert inspect.getmodule(getattr(kind, entry)) is kind, "an entry point is not imported"
        assert (kind.__doc__ or "").strip(), kind.__name__
        assert entry == "table" or kind.CAPTION.strip(), kind.__name__


def test_notes_are_short_and_do_not_list_the_rows(results: Path, languages: Path) -> None:
    """Also of a task whose every answer is right by two metrics, which has the tables that the others lack."""
    right = []
    for record in ok(results):
        entry = {**record.scores["accuracy"], "items": [1] * len(record.item_ids)}
        right.append(replace(record, scores={"accuracy": entry, "another": entry}))
    made = set()
    for rows in (rows_of(ok(results)), rows_of(right), rows_of(ok(languages))):
        for task in {row.task for row in rows}:
            of_task = [row for row in rows if row.task == task]
            for kind in kinds("tables"):
                table = kind.table(of_task)
                if table is not None:
                    made.add(kind.__name__)
                    assert len(table.note) <= NOTE, (kind.__name__, task)
                    assert not all(row.label in table.note for row in of_task), (kind.__name__, task)
    assert made == {kind.__name__ for kind in kinds("tables")}, "no kind of table goes unread"
    assert len(oracle_table(oracle_lines(ok(results))).note) <= NOTE
