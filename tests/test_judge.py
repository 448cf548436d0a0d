"""A judge of what was written: its numbers against direct counting, planted laws, whose training it has, the report."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from conftest import CPU, cell
from test_real_text import MADE, SMALLER
from test_record import EMPTY

from paradigms.base import Paradigm
from tasks.base import Example
from tasks.metrics.judged import JUDGED
from wordways import CONF
from wordways.__main__ import main
from wordways.record import Record
from wordways.report import derive, judges
from wordways.report.build import write_report
from wordways.report.rows import Row
from wordways.run.cell import Cell
from wordways.run.check import judged_by_itself
from wordways.run.execute import run_cell
from wordways.run.judge import SEAM, Judge
from wordways.run.shared import text_of
from wordways.run.subject import Subject
from wordways.settings import SettingError

BRIEF = (
    "backbone=nano", "train.steps=4", "train.batch=8", "measure.items=4", "measure.batches=[1]", "measure.timed=1",
    "measure.lengths=[]", "measure.repeats=2", "measure.likelihood_items=2", "progress=false",
)  # fmt: skip
SEEDS = [line for path in CONF.rglob("*.yaml") for line in re.findall(r"^ +seed: ([\d,]+)$", path.read_text(), re.M)
         if path.name != "windows.yaml"]  # fmt: skip
EXAMPLES = [
    Example("one", "The old dog", "slept by the warm fire", "all day ."),
    Example("two", "Nobody had seen", "a grey cat", "as wet as that before . She sat down"),
]


def real(folder: Path, task: str, *overrides: str, preset: str = "autoregressive_prefix") -> Cell:
    data = folder / f"{task}-data"
    if not data.is_dir():
        data.mkdir(parents=True)
        MADE[task](data)
    places = (f"task.data={data}", f"results={folder / 'results'}", f"checkpoints={folder / 'checkpoints'}")
    return cell(f"paradigm={preset}", f"task={task}", *SMALLER[task.removesuffix("_fim")], *BRIEF, *places, *overrides)


def judge_of(folder: Path, change: str = "random", paradigm: str = "autoregressive_prefix") -> Judge:
    """Not trained: every weight random, or none of them anything but 0."""
    one = real(folder, "continuation", preset=paradigm)
    text = text_of(json.dumps(one.nodes["task"]), one.run.checkpoints)
    model: Paradigm = one.paradigm(text.vocabulary)
    model.initialise(torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            if change == "zero":
                weight.zero_()
            else:
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.1)
    return Judge(Subject(model.eval(), text, [], [], 0, CPU), 2, "judge:planted")


def counted(judge: Judge, prompt: str, target: str, first: int | None = None) -> tuple[float, int]:
    """Token by token: the whole text is read again for each."""
    text, model = judge.subject.text, judge.subject.paradigm
    (row,) = text.encode([Example("x", prompt, target)])
    nats = 0.0
    for place, token in enumerate(row.target[:first]):
        canvas = text.lay([replace(row, target=row.target[:place])], [[*row.target[:place], 0]])
        with torch.inference_mode():
            logits_BLV = model.backbone(canvas.ids_BL, model.rule(canvas), pad_BL=canvas.pad_BL)
        logits_V = logits_BLV[0, -2].double()
        logits_V[[text.vocabulary.mask, text.vocabulary.pad]] = -torch.inf
        nats -= float(logits_V.log_softmax(-1)[token])
    return nats, len(row.target[:first])


def test_nats_are_those_of_reading_word_by_word(tmp_path: Path) -> None:
    judge = judge_of(tmp_path)
    texts = ["ran over the field", ""]
    sums = judge.sums(EXAMPLES, texts)
    assert sums["generative_perplexity"][0] == pytest.approx(counted(judge, "The old dog", texts[0]), rel=1e-5)
    assert sums["left_seam"][0] == pytest.approx(counted(judge, "The old dog", texts[0], SEAM), rel=1e-5)
    behind = counted(judge, "The old dog ran over the field", "all day .", SEAM)
    assert sums["right_seam"][0] == pytest.approx(behind, rel=1e-5)
    assert sums["generative_perplexity"][1] == sums["left_seam"][1] == (0.0, 0), "nothing was written"
    nothing = counted(judge, "Nobody had seen", EXAMPLES[1].suffix, SEAM)
    assert sums["right_seam"][1] == pytest.approx(nothing, rel=1e-5)


def test_judge_that_knows_nothing_finds_every_token_as_likely(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, "zero")
    size = judge.subject.text.vocabulary.size - 2  # neither mask nor padding is ever written
    scores = judge.scores(EXAMPLES, ["a cat", "the old cat slept"])
    assert scores["generative_perplexity"]["value"] == pytest.approx(size, rel=1e-5)
    assert scores["right_seam"]["value"] == scores["left_seam"]["value"] == pytest.approx(math.log(size), rel=1e-5)
    assert scores["generative_perplexity"]["items"] == pytest.approx([size, size], rel=1e-5)


def test_data_stand_beside_and_without_a_suffix_there_is_no_seam(tmp_path: Path) -> None:
    judge = judge_of(tmp_path)
    scores = judge.scores(EXAMPLES, [example.target for example in EXAMPLES])
    for entry in scores.values():
        assert entry["items"] == entry["data"]
        assert entry["statistics"] == entry["data_statistics"]
    assert scores.keys() == JUDGED.keys()
    bare = [replace(example, suffix="") for example in EXAMPLES]
    assert judge.scores(bare, ["a", "b"]).keys() == {"generative_perplexity"}
    empty = judge.scores(bare, ["", ""])["generative_perplexity"]
    assert empty["value"] is None
    assert empty["items"] == [None, None]


def test_batch_does_not_matter(tmp_path: Path) -> None:
    judge = judge_of(tmp_path)
    texts = ["ran", "over the field and slept"]
    alone = replace(judge, batch=1).sums(EXAMPLES, texts)
    for name, rows in judge.sums(EXAMPLES, texts).items():
        for row, same in zip(rows, alone[name], strict=True):
            assert row == pytest.approx(same, rel=1e-5)


@pytest.mark.parametrize("paradigm", ["diffusion_s10", "masked_infill"])
def test_judge_must_know_its_law(paradigm: str, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^measure\.judge\.paradigm=\w+: must have an exact likelihood for every token$"
    ):
        judge_of(tmp_path, paradigm=paradigm)


@pytest.mark.parametrize("task", ["continuation", "infilling", "infilling_characters_fim"])
def test_every_row_is_judged_by_the_same_judge(task: str, tmp_path: Path, undrawn: None) -> None:
    records: list[Record] = []
    for preset, seed in (("autoregressive_prefix", 0), ("parallel", 1), ("parallel", 0), ("diffusion_s10", 0)):
        records.append(run_cell(real(tmp_path, task, f"seed={seed}", preset=preset)))
    done = [record for record in records if record.status == "ok"]
    assert all(record.status != "failed" for record in records), [record.reason for record in records]
    assert len({record.scores["generative_perplexity"]["signature"] for record in done}) == 1
    assert ("right_seam" in done[0].scores) == (task != "continuation")
    for record in done:
        strata = record.groups()
        assert all(derive.quality_of_data(record, "generative_perplexity", stratum) for stratum in strata)
        beside = ("unigram_entropy", "seq_rep_4")  # a text that repeats itself pleases every judge
        assert all("data" in record.scores[metric] or "data_statistics" in record.scores[metric] for metric in beside)
    write_report(tmp_path / "results")
    name = "quality" if task == "continuation" else "metrics"
    (table,) = (tmp_path / "results" / "report").glob(f"{name}_*.md")
    assert "generative_perplexity" in table.read_text()
    assert "| reference |" in table.read_text()
    assert "judge:Autoregressive on Continuation" in table.read_text()


AS_BEFORE = ("~measure.judge.backbone", "~measure.judge.seed")  # the row's backbone and seed 0


def test_a_judge_is_the_same_for_all_rows_and_none_of_them(tmp_path: Path) -> None:
    row, other = real(tmp_path, "continuation"), real(tmp_path, "continuation", "seed=1", "backbone=micro")
    infilling = real(tmp_path, "infilling", "task.data=" + str(tmp_path / "continuation-data"), preset="parallel")
    assert row.judge is not None
    assert other.judge is not None
    assert infilling.judge is not None
    assert row.judge.training_key == other.judge.training_key
    assert row.judge.training_key not in {row.training_key, other.training_key, infilling.training_key}
    assert row.judge.run.seed not in {int(seed) for line in SEEDS for seed in re.findall(r"\d+", line)}
    backbones = [yaml.safe_load(path.read_text()) for path in (CONF / "backbone").glob("*.yaml")]
    assert row.judge.nodes["backbone"] not in backbones, "a size of its own"
    assert infilling.judge.nodes["task"]["given"] == 32, "whatever the task asks for"


def test_its_seed_and_size_are_part_of_a_cell(tmp_path: Path) -> None:
    row = real(tmp_path, "continuation")
    named = row.config["measure"]["judge"]
    assert named.keys() == {"paradigm", "task", "backbone", "seed"}
    assert row.id != real(tmp_path, "continuation", "measure.judge.seed=1001").id
    assert row.id != real(tmp_path, "continuation", "measure.judge.backbone.layers=3").id
    before = real(tmp_path, "continuation", *AS_BEFORE)
    assert before.config["measure"]["judge"] == {name: named[name] for name in ("paradigm", "task")}


def test_a_judge_that_is_the_row_is_composed_but_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row, other = (real(tmp_path, "continuation", *AS_BEFORE, f"seed={seed}") for seed in (0, 1))
    assert row.judge is not None
    assert row.judge.training_key == row.training_key, "records of such runs exist"
    assert judged_by_itself(row) == (
        "measure.judge.seed=0: is the training of autoregressive_prefix; a judge has another seed or size"
    )
    assert judged_by_itself(other) == judged_by_itself(real(tmp_path, "continuation")) == ""
    places = [f"{name}={tmp_path / name}" for name in ("results", "checkpoints")]
    data = f"task.data={tmp_path / 'continuation-data'}"
    asked = ["paradigm=autoregressive_prefix", "task=continuation", *SMALLER["continuation"], *BRIEF, data, *places]
    monkeypatch.setattr("sys.argv", ["wordways", *asked, *AS_BEFORE])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == f"wordways: {judged_by_itself(row)}\n"
    assert not (tmp_path / "results").exists()


def test_the_report_names_the_judge_and_the_row_that_is_judged_by_itself() -> None:
    def row(label: str, training: str, signature: str) -> Row:
        scores = {"generative_perplexity": {"signature": signature}, "bleu": {"signature": "nrefs:1|tok:13a"}}
        return Row(label, "p", "t", [replace(EMPTY, scores=scores, provenance={"training": training})])

    signature = "judge:Autoregressive on Continuation|seed:7|params:1200|training:abc"
    rows = [row("AR", "abc", signature), row("parallel", "def", signature)]
    assert judges.judge_named(rows) == "Judge LM: Autoregressive on Continuation, seed 7, 1,200 parameters."
    assert judges.judged_by_itself(rows) == "The judge LM is the model of AR, which is thus judged by itself."
    assert judges.judged_by_itself(rows[1:]) == ""
    bare = [Row("AR", "p", "t", [replace(EMPTY, scores={"accuracy": {"items": []}})])]
    assert judges.judge_named(bare) == judges.judged_by_itself(bare) == "", "without a judge"


def test_where_data_lie_is_no_part_of_a_cell(tmp_path: Path) -> None:
    here, there = (real(tmp_path / place, "infilling") for place in ("here", "there"))
    assert here.id == there.id
    assert str(tmp_path) not in json.dumps(here.config)


def test_wrong_settings_of_a_judge_are_named(tmp_path: Path) -> None:
    known = "paradigm, task, backbone, seed"
    with pytest.raises(SettingError, match=rf"^measure\.judge\.steps=3: no such setting; a judge has {known}$"):
        real(tmp_path, "continuation", "+measure.judge.steps=3")
    with pytest.raises(
        SettingError, match=r"^measure\.judge\.seed=-1: must be at least 0 and below 9223372036854775808$"
    ):
        real(tmp_path, "continuation", "measure.judge.seed=-1")
    with pytest.raises(SettingError, match=r"^measure\.judge\.seed=one: "):
        real(tmp_path, "continuation", "measure.judge.seed=one")
    with pytest.raises(SettingError, match=r"^measure\.judge\.backbone\.layers=few: "):
        real(tmp_path, "continuation", "measure.judge.backbone.layers=few")
    with pytest.raises(SettingError, match=r"^measure\.judge\.task\.given=0"):
        real(tmp_path, "continuation", "measure.judge.task.given=0")
    with pytest.raises(SettingError, match=r"^measure\.judge\.paradigm\.prompt=sideways"):
        real(tmp_path, "continuation", "measure.judge.paradigm.prompt=sideways")
