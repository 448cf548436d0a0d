"""One table as a paper wants it: rows and columns chosen, ordered and renamed; what is not there is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from wordways.record import Record, read_records
from wordways.report.__main__ import main
from wordways.report.choose import Choice, ChoiceError, Labels, chosen, only_metrics, patterns, tables_of
from wordways.report.rows import rows_of


def ok(results: Path) -> list[Record]:
    return [record for record in read_records(results)[0] if record.status == "ok"]


def test_rows_and_columns_come_in_the_wanted_order_under_the_wanted_names(results: Path) -> None:
    rows = rows_of(ok(results))
    whole = tables_of(rows, [])
    asked = Choice("quality", patterns("diffusion*,AR=causal LM"), patterns("shuffle,all=accuracy,latency"))
    table = chosen(rows, [], asked)
    assert list(table.frame.columns) == ["", "shuffle", "accuracy", "latency/token (ms)"]
    diffusion = [row.label for row in rows if row.label.startswith("diffusion")]
    assert list(table.frame[""]) == [*diffusion, "causal LM"]
    quality, speed = (whole[name].frame.set_index("") for name in ("quality", "speed"))
    for label, shuffle, accuracy, latency in table.frame.itertuples(index=False):
        of = "AR" if label == "causal LM" else label
        assert shuffle == quality.loc[of, "shuffle"]
        assert accuracy == quality.loc[of, "all"]
        assert latency == speed.loc[of, "latency/token (ms)"]


def test_marks_stay_with_their_cells(results: Path) -> None:
    rows = rows_of(ok(results))
    whole = tables_of(rows, [])["quality"]
    cells = whole.frame.to_numpy().tolist()
    marked = {(cells[line][0], cells[line][column]): mark for (line, column), mark in whole.marks.items()}
    turned = chosen(rows, [], Choice("quality", patterns("*"), patterns("shuffle,all"), transposed=True))
    heads, lines = list(turned.frame.columns), turned.frame.to_numpy().tolist()
    for (line, column), mark in turned.marks.items():
        assert marked[heads[column], lines[line][column]] == mark
    back = turned.transposed()
    assert back.frame.set_index("").loc["AR", "shuffle"] == whole.frame.set_index("").loc["AR", "shuffle"]
    assert back.marks == chosen(rows, [], Choice("quality", columns=patterns("shuffle,all"))).marks


def test_labels_are_those_of_presets_or_paradigms(results: Path) -> None:
    rows = rows_of(ok(results))
    names: list[tuple[Labels, str]] = [("presets", "diffusion_k1"), ("paradigms", "diffusion")]
    for labels, wanted in [*names, ("titles", "diffusion (1 per pass)")]:
        table = chosen(rows, [], Choice("quality", patterns("diffusion_k1"), labels=labels))
        assert list(table.frame[""]) == [wanted]


def test_a_short_caption_is_one_sentence_and_the_signature_a_comment(results: Path) -> None:
    rows = rows_of(ok(results))
    latex = chosen(rows, [], Choice("quality", short=True)).latex()
    assert r"\caption{Quality: list operations, n = 4.}" in latex
    assert "smallskip" not in latex
    (signed,) = [line for line in latex.splitlines() if "task:" in line]
    assert signed.startswith("% task:list_operations_n_4|")
    assert "smallskip" in chosen(rows, [], Choice("quality")).latex()


def test_a_wide_table_of_few_rows_is_transposed(results: Path) -> None:
    rows = rows_of(ok(results))
    speed = tables_of(rows, [])["speed"]
    assert len(speed.frame.columns) > len(speed.frame) + 1
    body = speed.latex().partition(r"\midrule")[2]
    assert body.count(r"\\") == len(speed.frame.columns) - 1


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice("law"), "--table law: list operations, n = 4 has quality, speed"),
        (Choice("quality", patterns("nope*")), "--rows nope*: no row of 'Quality: list operations, n = 4'; it has AR"),
        (Choice("quality", columns=patterns("nope")), "--columns nope: no column of this task's tables; there are all"),
    ],
)
def test_what_is_not_there_is_named(results: Path, choice: Choice, said: str) -> None:
    with pytest.raises(ChoiceError) as refused:
        chosen(rows_of(ok(results)), [], choice)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rows", "AR"], "--rows AR: allowed only with --table"),
        (["--label-from", "presets"], "--label-from presets: allowed only with --table"),
        (["--table", "quality", "--task", "x"], "--task x: must be one of list_operations_n_4"),
        (["--metrics", "nope"], "--metrics nope: must be among accuracy"),
    ],
)
def test_the_command_refuses_in_one_line(
    results: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["wordways-report", str(results), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"wordways-report: {said}\n"


@pytest.mark.parametrize("form", ["latex", "markdown", "csv", "plain"])
def test_the_command_prints_one_table(
    results: Path, form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--table", "quality", "--rows", "AR,parallel=one pass", "--columns", "all", "--format", form]
    monkeypatch.setattr("sys.argv", ["wordways-report", str(results), *asked])
    main()
    shown = capsys.readouterr().out
    assert "one pass" in shown
    assert "diffusion (1" not in shown
    assert shown.index("AR") < shown.index("one pass")


def test_metrics_are_chosen_and_the_first_is_the_headline(results: Path) -> None:
    made = [
        replace(one, scores={**one.scores, "mine": {**one.scores["accuracy"], "unit": "words"}}) for one in ok(results)
    ]
    heads = list(tables_of(rows_of(made), [])["quality"].frame.columns)
    assert heads[-1] == "mine", "the only metric of its kind is in the first table"
    only = only_metrics(made, ["mine", "accuracy"])
    assert {tuple(record.scores) for record in only} == {("mine", "accuracy")}
    assert only_metrics(made, []) == made
    heads = list(tables_of(rows_of(only), [])["quality"].frame.columns)
    assert heads[-1] == "accuracy"
