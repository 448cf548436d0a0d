"""Metrics by name: scripts in the published format, from folder to table; what cannot be had is said beforehand."""

import importlib.util
import json
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import SMALL, cell

from tasks.base import Example
from tasks.metrics.extra import called, check_extra, extra_scores, finite, load
from wordways.__main__ import main
from wordways.record import Record, canonical, parse_record, read_records
from wordways.report import derive
from wordways.report.build import write_report
from wordways.report.columns import metrics_of, quality_columns
from wordways.report.compare import compare
from wordways.report.contrasts import contrast_of
from wordways.report.frames import load as frames
from wordways.report.marks import marks_of
from wordways.report.quality_panels import panel_columns
from wordways.report.rows import Row, rows_of
from wordways.report.tables.quality import table as quality_table
from wordways.run.execute import run_cell

SCRIPT = '''
"""A metric in the format of the hub."""
import datasets
import evaluate
{imports}

class Metric(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=datasets.Features({{{features}}})
        )

    def _compute(self, predictions, references{settings}):
{body}
'''
TEXTS = '"predictions": datasets.Value("string"), "references": datasets.Value("string")'
LISTS = '"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))'
LOUD = """
        capitals = sum(letter.isupper() for text in predictions for letter in text)
        return {"loud": capitals / len(predictions), "texts": len(predictions), "known": len(set(references)),
                "each": [1.0] * len(predictions), "certain": True, "nothing": float("nan")}
"""
AGREES = """
        values = [max(float(text == one) for one in known) for text, known in zip(predictions, references)]
        return {"precision": values, "recall": values, "f1": values, "hashcode": f"a-model_{lang}"}
"""
NEAR = """
        from types import SimpleNamespace
        assert not verbose
        same = sum(text == known for text, known in zip(predictions, references))
        return SimpleNamespace(mauve=same / len(predictions), frontier_integral=0.5, p_hist=[0.5])
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of scripts go to a folder of the test's; what was loaded is forgotten."""
    import evaluate

    monkeypatch.setattr(evaluate.loading, "init_dynamic_modules", lambda: str(tmp_path / "copies"))
    monkeypatch.syspath_prepend(str(tmp_path))
    load.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "copies"]:
        del sys.modules[name]


def script(folder: Path, name: str, body: str, features: str = TEXTS, imports: str = "", settings: str = "") -> str:
    (folder / "hub" / name).mkdir(parents=True)
    text = SCRIPT.format(imports=imports, features=features, settings=settings, body=body)
    (folder / "hub" / name / f"{name}.py").write_text(text)
    return str(folder / "hub" / name)


def installed(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Empty modules in the place of packages that need a network of gigabytes."""
    for name in modules:
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)


SAID = [("A b", ("A b", "c"), "x"), ("CD", ("e",), "x"), ("f", ("G", "f"), "y")]
PLACES = {"x": [0, 1], "y": [2]}


def scored(asked: str, places: dict[str, list[int]] = PLACES) -> dict[str, dict[str, Any]]:
    return extra_scores(asked, [text for text, _, _ in SAID], [known for _, known, _ in SAID], places, "de")


def test_any_metric_gives_its_numbers_of_every_set(tmp_path: Path) -> None:
    found = scored(script(tmp_path, "loud", LOUD))
    assert list(found) == ["loud", "loud_texts", "loud_known", "loud_nothing"], "no list, no truth value"
    assert found["loud"]["value"] == pytest.approx(3 / 3)
    assert found["loud"]["strata"] == {"x": 1.5, "y": 0}
    assert found["loud_texts"]["strata"] == {"x": 2, "y": 1}
    assert found["loud_nothing"]["value"] is None, "JSON has no NaN"
    assert {entry["higher_is_better"] for entry in found.values()} == {None}
    assert all("items" not in entry for entry in found.values())
    canonical(found)


def test_where_one_reference_is_taken_it_is_the_first(tmp_path: Path) -> None:
    said = """
        return {"first": sum(known == "A b" for known in references) + sum(known == "G" for known in references)}
"""
    assert scored(script(tmp_path, "one", said))["one_first"]["value"] == 2
    said = """
        return {"known": sum(map(len, references))}
"""
    assert scored(script(tmp_path, "all", said, LISTS))["all_known"]["value"] == 5


def test_bertscore_has_a_value_for_every_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "bert_score")
    asked = script(tmp_path, "bertscore", AGREES, LISTS, "import bert_score", ", lang=None")
    (name, entry), *others = scored(asked).items()
    assert not others
    assert (name, entry["unit"], entry["higher_is_better"]) == ("bertscore", "F1", True)
    assert entry["items"] == [1, 0, 1], "of several references the best"
    assert entry["signature"].endswith("|a-model_de"), "the model for the texts' language is named"


def test_mauve_is_one_number_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "mauve")
    asked = script(tmp_path, "mauve", NEAR, TEXTS, "import mauve", ", verbose=True")
    (name, entry), *others = scored(asked).items()
    assert not others, "the frontier integral is another metric, whose lower end is better"
    assert (name, entry["unit"], entry["higher_is_better"]) == ("mauve", "MAUVE", True)
    assert (entry["value"], entry["strata"]) == (pytest.approx(1 / 3), {"x": 0.5, "y": 0})
    assert scored(asked, {"x": [0, 1, 2]})["mauve"]["strata"] == {"x": pytest.approx(1 / 3)}


def test_names() -> None:
    assert [called(asked) for asked in ("mauve", "mauve@v1", "some/body@v2", "/a/b/", "/a/c.py")] == [
        "mauve", "mauve", "body", "b", "c"
    ]  # fmt: skip
    assert finite(float("inf")) is None  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"^extra=bleu: a metric bleu exists already$"):
        check_extra(["bleu"], ["bleu"])


def test_a_revision_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import evaluate

    real, asked = evaluate.load, []
    folder = script(tmp_path, "loud", LOUD)

    def noted(name: str, **named: Any) -> Any:
        asked.append((name, named["revision"], named["module_type"]))
        return real(folder)

    monkeypatch.setattr(evaluate, "load", noted)
    load("loud")
    load("loud@v0.4")
    assert asked == [("loud", None, "metric"), ("loud", "v0.4", "metric")]


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path, *asked: str) -> str:
    """The one line of a refused command."""
    here.mkdir(exist_ok=True)
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["wordways", *asked])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    assert not printed.out
    assert not list(here.iterdir()), "nothing was started"
    (line,) = printed.err.splitlines()
    return line


def test_what_cannot_be_had_is_one_line_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import evaluate

    def refused(asked: str) -> str:
        return refusal(monkeypatch, capsys, tmp_path / "here", "paradigm=parallel", f"measure.extra={asked}")

    for name, package in (("mauve", "mauve-text"), ("bertscore", "bert-score")):
        if importlib.util.find_spec(name) is None:
            line = f"measure.extra={name}: needs the package {package}; pip install 'wordways[extras]'"
            assert refused(f"[{name}]") == f"wordways: {line}"
            assert refused(f"[{name}@v1]") == f"wordways: {line}".replace(f"={name}:", f"={name}@v1:")
    lacking = script(tmp_path, "lacking", LOUD, imports="import not_there")
    assert "not_there" in refused(f"[{lacking}]")
    torn = script(tmp_path, "torn", "        return (")
    assert refused(f"[{torn}]").startswith(f"wordways: measure.extra={torn}: cannot be loaded (")
    ints = script(tmp_path, "ints", LOUD, TEXTS.replace("string", "int32"))
    sources = script(tmp_path, "sources", LOUD, f'{TEXTS}, "sources": datasets.Value("string")')
    for other in (ints, sources):
        assert refused(f"[{other}]") == f"wordways: measure.extra={other}: does not compare texts with references"
    assert refused("[/nowhere/at_all]").startswith("wordways: measure.extra=/nowhere/at_all: cannot be loaded (")
    loud = script(tmp_path, "loud", LOUD)
    assert refused(f"[{loud},{loud}]") == f"wordways: measure.extra={loud}: a metric loud exists already"
    assert refused("mauve").startswith("wordways: measure.extra=mauve: ")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(evaluate.loading.HubEvaluationModuleFactory, "get_module", unreachable)
    line = "the Hugging Face hub cannot be reached and no local copy is cached; give the folder of one"
    assert refused("[never_heard_of]") == f"wordways: measure.extra=never_heard_of: {line}"


def test_a_cell_without_extras_is_what_it_was() -> None:
    plain = cell("paradigm=parallel")
    assert "extra" not in plain.config["measure"]
    assert "extra" in plain.nodes["measure"]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Two paradigms run with a metric by item that sorts before the task's own, and with numbers of whole sets."""
    installed(monkeypatch, "bert_score", "mauve")
    hub = [
        script(tmp_path, "bertscore", AGREES, LISTS, settings=", lang=None"),
        script(tmp_path, "mauve", NEAR, settings=", verbose=True"),
        script(tmp_path, "aloud", LOUD.replace('"loud"', '"aloud"')),
    ]
    places = (f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}")
    asked = [*SMALL, *places, "task.operations=[copy]", f"measure.extra=[{','.join(hub)}]"]
    records = [run_cell(cell(f"paradigm={preset}", *asked)) for preset in ("parallel", "diffusion_k2")]
    run_cell(cell("paradigm=autoregressive", *SMALL, *places, "task.operations=[copy]"))
    assert [record.status for record in records] == ["ok", "ok"], records[0].reason
    return records


def test_from_run_to_report(made: list[Record], tmp_path: Path, undrawn: None) -> None:
    for record in made:
        assert parse_record("", canonical(json.loads(canonical(record.__dict__))).encode()).scores == record.scores
        assert record.scores["bertscore"]["items"] == record.scores["accuracy"]["items"]
        assert record.config["measure"]["extra"]
        number = derive.quality(record, "aloud", "copy")
        assert number is not None
        assert (number.method, number.n, number.known()) == ("none", 40, False)
        assert derive.quality(record, "aloud") == number
        assert derive.quality(record, "aloud", "nowhere") is None
    shown = write_report(tmp_path / "results")
    records = [record for record in read_records(tmp_path / "results")[0] if record.status == "ok"]
    rows = rows_of(records)
    headings = [heading for heading, _, _ in quality_columns(rows)]
    assert headings[0] == "accuracy", "the task's own metric stays the headline"
    assert set(headings[1:]) == {"bertscore", "mauve", "aloud", "aloud_texts", "aloud_known", "aloud_nothing"}
    frame = quality_table(rows).frame.set_index("")
    plain, asked = (next(row.label for row in rows if row.label.startswith(name)) for name in ("AR", "parallel"))
    assert frame.loc[plain, "aloud_texts"] == "–"
    assert frame.loc[asked, "aloud_texts"] == "40.000", "no interval, and none shown"
    assert "±" in str(frame.loc[asked, "bertscore"])
    assert frame.loc[asked, "aloud_nothing"] == "–"
    assert "bertscore (F1)" in quality_table(rows).details
    assert "aloud (" not in quality_table(rows).details
    assert {metric for _, metric, _ in panel_columns(rows)} == {"accuracy", "bertscore", "mauve"}
    assert "aloud_texts" in shown
    numbers = frames(tmp_path / "results").numbers
    assert set(numbers[numbers["measure"] == "mauve"]["method"]) == {"none"}
    assert set(frames(tmp_path / "results").items["metric"]) >= {"accuracy", "bertscore"}
    moved, _ = compare(records, records)
    assert "aloud" in set(moved.frame["measure"])


def of_seeds(record: Record, metric: str, values: list[float]) -> Row:
    def with_value(seed: int, value: float) -> Record:
        entry = {**record.scores[metric], "value": value, "strata": {"copy": value}}
        return replace(record, config={**record.config, "seed": seed}, scores={metric: entry})

    return Row("", "", "", [with_value(seed, value) for seed, value in enumerate(values)])


def test_the_best_is_marked_only_where_it_is_known_which_end_is_better(made: list[Record]) -> None:
    one, other = [0.1, 0.12, 0.11], [0.9, 0.93, 0.92]
    for metric, marks in (("mauve", {1: "best"}), ("aloud", {})):
        rows = [of_seeds(made[0], metric, values) for values in (one, other)]
        assert marks_of(rows, metric, "copy") == marks
        assert contrast_of(rows[0], rows[1], metric, "copy") is not None, "seeds can be compared"
    rows = [Row("", "", "", [record]) for record in made]
    assert contrast_of(rows[0], rows[1], "mauve", "copy") is None, "single numbers cannot"
    assert marks_of(rows, "mauve", "copy") == {}
    assert next(iter(metrics_of(rows))) == "accuracy"


def test_a_metric_without_a_number_fails_the_cell(tmp_path: Path) -> None:
    asked = script(tmp_path, "mute", '        return {"each": [1.0]}')
    with pytest.raises(ValueError, match=r"^extra=.*mute: its result contains no number$"):
        scored(asked)


def test_a_text_without_references_has_its_target(tmp_path: Path) -> None:
    from test_text import Sentences

    from wordways.run.scores import scores

    class Unjudged(Sentences):
        metrics = ()

        def score(self, example: Example, text: str) -> dict[str, float]:
            return {}

    asked = script(tmp_path, "same", '        return {"same": sum(map(str.__eq__, predictions, references))}')
    examples = [Example(str(i), "", target, stratum="x") for i, target in enumerate("ab")]
    assert scores(Unjudged([]), examples, ["a", "c"], [asked])["same"]["value"] == 1
