"""Real text: every task that reads some, from small files in the published formats; what is wrong is one line."""

import csv
import itertools
import json
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import benchmarks
import pytest
import yaml
from conftest import CONF, cell

from tasks.base import Alphabet
from tasks.constrained import words_of
from tasks.infilling import Infilling
from tasks.metrics.judged import JUDGED
from tasks.windows import Windows
from wordways.__main__ import main
from wordways.compose import compose_cells
from wordways.record import Record
from wordways.report.rows import task_names
from wordways.run.cell import Cell
from wordways.run.execute import run_cell
from wordways.run.shared import task_of
from wordways.run.text import EOS, MASK, Kept, Text, build_text

TEXT = [
    "The old dog slept by the warm fire all day . It did not move at all . Then a cat came in from the rain .",
    "",
    "  = A title =  ",
    "Nobody had seen a grey cat as wet as that before . She sat down beside him . They slept until the morning .",
] * 8
WRITTEN = {
    "The Eagle": ["The Eagle is a cheap pub.", "The Eagle, a pub, is cheap."],
    "Café Rouge": ["Café Rouge is a cheap pub.", "A cheap pub: Café Rouge."],
}
SENTENCES = {"dog run field": ["A dog runs in the field.", "Dogs ran over a field."], "cat sleep": ["The cat sleeps."]}


def e2e(folder: Path) -> Path:
    for name in ("trainset", "devset", "testset_w_refs"):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["mr", "ref"])
            for place, texts in WRITTEN.items():
                rows.writerows([f"name[{place}], eatType[pub], priceRange[cheap]", text] for text in texts)
    return folder


def commongen(folder: Path) -> Path:
    pairs = [(concepts, sentence) for concepts, all_of in SENTENCES.items() for sentence in all_of]
    (folder / "train.src_alpha.txt").write_text("\n".join(concepts for concepts, _ in pairs))
    (folder / "train.tgt.txt").write_text("\n".join(sentence for _, sentence in pairs))
    for name in ("dev", "test"):
        rows = [
            {"concept_set": "#".join(f"{word}_N" for word in concepts.split()), "scene": all_of, "reason": []}
            for concepts, all_of in SENTENCES.items()
        ]
        (folder / f"commongen.{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def multi30k(folder: Path) -> Path:
    for name, language in itertools.product(("train", "val", "test_2016_flickr"), ("en", "de")):
        (folder / f"{name}.{language}").write_text("A dog runs.\nTwo cats sleep.\n")
    return folder


def lines(folder: Path) -> Path:
    for name in ("train", "valid", "test"):
        (folder / f"{name}.txt").write_text("\n".join(TEXT) + "\n")
    return folder


def one_file(folder: Path) -> Path:
    (folder / "input.txt").write_text("\n".join(TEXT * 10) + "\n")
    (folder / "SOURCE.txt").write_text("where it is from\n")
    return folder


SMALLER = {
    "data_to_text": ["task.pieces=300"],
    "constrained": ["task.pieces=300"],
    "continuation": ["task.pieces=300", "task.given=5", "task.asked=6"],
    "continuation_characters": ["task.given=20", "task.asked=12"],
    "infilling": ["task.pieces=300", "task.size=48"],
    "infilling_characters": ["task.size=160"],
    "translation": ["task.pieces=300"],
    "gsm8k": ["task.pieces=300", "task.shots=1", "task.tokens=64"],
}
MADE: dict[str, Callable[[Path], Path]] = {
    "data_to_text": e2e,
    "constrained": commongen,
    "continuation": lines,
    "continuation_characters": one_file,
    "infilling": lines,
    "infilling_fim": lines,
    "infilling_characters": one_file,
    "infilling_characters_fim": one_file,
    "translation": multi30k,
    "gsm8k": benchmarks.gsm8k,
}


SETS = {"multi30k": multi30k, "e2e_nlg": e2e, "commongen": commongen, "wikitext-2": lines, "tinyshakespeare": one_file}
SETS |= benchmarks.MADE  # each in a folder of its task's name


def every_set(folder: Path) -> Path:
    """One folder with all sets, each in a folder of its name."""
    for name, make in SETS.items():
        (folder / name).mkdir()
        make(folder / name)
    return folder


def asks_for_data(path: Path) -> bool:
    node = yaml.safe_load(path.read_text())
    return "data" in node.get("task", {}) or any(
        asks_for_data(path.parent / f"{base}.yaml") for base in node.get("defaults", []) if isinstance(base, str)
        if base != "_self_"
    )  # fmt: skip


TASKS = sorted(path.stem for path in (CONF / "task").glob("*.yaml") if asks_for_data(path))
TASKS = [name for name in TASKS if name not in benchmarks.UNTRAINED]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def overrides(name: str, data: Path) -> list[str]:
    return [f"task={name}", f"task.data={data}", *SMALLER[name.removesuffix("_fim")]]


def made(name: str, folder: Path, *more: str) -> Cell:
    return cell(*overrides(name, MADE[name](folder)), *more)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_keeps_the_contract(name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    task = made(name, tmp_path / "data").task
    for split in ("train", "valid", "test"):
        found = list(itertools.islice(task.examples(split), 20))
        assert found == list(itertools.islice(task.examples(split), 20))
        assert found[1:] == list(itertools.islice(task.examples(split, first=1), len(found) - 1))
        assert len({example.id for example in found}) == len(found)
        for example in found:
            assert example.target
            assert example.stratum in task.strata
            assert example.references
    assert not task.shareable
    names = [metric.name for metric in task.metrics]
    assert names[0] == min(names), "the first is the headline, and a record keeps them by name"
    judged = {metric.name for metric in task.metrics if not metric.of_sets}
    example = next(iter(task.examples("test")))
    assert task.score(example, example.target.strip()).keys() == task.score(example, "").keys() == judged
    assert task.nats(example, "") is task.conditionals([None]) is None
    text = build_text(task, tmp_path)
    for example in itertools.islice(task.examples("test"), 20):
        (row,) = text.encode([example])
        assert text.read(row.target) == example.target.strip(), "nothing is lost between text and ids"
        assert task.generated is isinstance(task, Windows)
    assert {path.suffix for path in tmp_path.iterdir()} <= {"", ".json"}


@pytest.mark.parametrize("name", TASKS)
def test_corpora_stay_on_disk(name: str, tmp_path: Path) -> None:
    task: Any = made(name, tmp_path).task
    for table in task.tables.values():
        assert table.cache_files, "mapped into memory from a file, not read into it"


def test_all_references_of_a_meaning_come_together(tmp_path: Path) -> None:
    task = made("data_to_text", tmp_path).task
    assert len(list(task.examples("train"))) == 4
    first, second = task.examples("test")
    assert first.references == tuple(WRITTEN["The Eagle"])
    assert second.prompt == "name[Café Rouge], eatType[pub], priceRange[cheap]"
    assert second.demands == ("name[Café Rouge]", "eatType[pub]", "priceRange[cheap]")
    assert task.score(second, "Cafe Rouge is an expensive pub.")["slot_error_rate"] == pytest.approx(1 / 3)
    assert list(task.examples("test", first=1)) == [second]


def test_concepts_are_words_in_every_format(tmp_path: Path) -> None:
    task = made("constrained", tmp_path).task
    train, test = list(task.examples("train")), list(task.examples("test"))
    assert train[0].prompt == test[0].prompt == "dog run field"
    assert test[0].references == tuple(SENTENCES["dog run field"])
    assert task.score(test[0], "The dogs were running.")["coverage"] == pytest.approx(2 / 3)
    hub = tmp_path / "hub"
    hub.mkdir()
    rows = [{"concepts": concepts.split(), "target": s} for concepts, all_of in SENTENCES.items() for s in all_of]
    (hub / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 500))
    (hub / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for written in ("dog_N#run_V#field_N", "dog#run#field", "dog run field", "#dog##run#", ["dog", "", "run_N"]):
        assert words_of(written) == ("dog", "run", "field")[: 2 + ("field" in written)]
    assert words_of("dog_N") == ("dog",)
    there = cell("task=constrained", f"task.name={hub}").task
    assert [(e.prompt, e.target) for e in itertools.islice(there.examples("train"), 3)] == [
        (e.prompt, e.target) for e in train
    ]
    counts = [sum(1 for _ in there.examples(split)) for split in ("train", "valid", "test")]
    assert counts == [500, 2, 2], "rows in training, concepts with all their sentences in validation and test"


def test_windows_are_running_text_from_anywhere(tmp_path: Path) -> None:
    task: Any = made("continuation", tmp_path).task
    words = " ".join(" ".join(TEXT).split())
    starts = set()
    for example in itertools.islice(task.examples("train"), 300):
        window = task.joint.join((example.prompt, example.target))
        assert f" {window} " in f" {words} {words} "
        assert (len(example.prompt.split()), len(example.target.split())) == (5, 6)
        starts.add(example.prompt)
    assert len(starts) > 30
    (tmp_path / "x").mkdir()
    characters: Any = made("continuation_characters", tmp_path / "x").task
    whole = "\n".join(line.strip() for line in TEXT * 10) + "\n"
    for example in itertools.islice(characters.examples("train"), 100):
        assert characters.joint.join((example.prompt, example.target)) in whole
        assert (len(example.prompt), len(example.target)) == (20, 12)
    assert isinstance(characters.vocabulary(), Alphabet)
    assert set(characters.vocabulary()) == set(whole)


@pytest.mark.parametrize("name", ["continuation", "infilling"])
def test_what_is_judged_shares_no_text(name: str, tmp_path: Path) -> None:
    number = itertools.count()
    for split in ("train", "valid", "test"):
        lines = (" ".join(f"{next(number):05}{'.' * (i % 6 == 5)}" for i in range(60)) for _ in range(50))
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    task: Any = cell(f"task={name}", f"task.data={tmp_path}").task
    size = task.size if name == "infilling" else task.given + task.asked
    count = 3000 // size // 2 // 2  # half the text, of which half may be lost where halves are halved
    for split in ("valid", "test"):
        examples = itertools.islice(task.examples(split), 0, count * len(task.strata), len(task.strata))
        words = [word for e in examples for part in (e.prompt, e.target, e.suffix) for word in part.split()]
        assert len(words) == len(set(words)) == count * size


def test_a_file_without_splits_is_split(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("".join(f"line {i}\n" for i in range(1000)))
    task: Any = cell("task=continuation_characters", f"task.data={tmp_path}", "task.given=4", "task.asked=4").task
    assert [len(list(task.rows(split))) for split in ("train", "valid", "test")] == [900, 50, 50]
    assert next(task.rows("valid")) == ("line 900",)


def test_the_same_lines_with_other_white_space_are_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    one = made("continuation", tmp_path / "a")
    hub = tmp_path / "hub"
    hub.mkdir()
    for name in ("train", "validation", "test"):
        (hub / f"{name}.jsonl").write_text("".join(json.dumps({"text": f" {line} \n"}) + "\n" for line in TEXT))
    there = cell("task=continuation", f"task.name={hub}", "task.subset=null", "task.revision=null",
                 *SMALLER["continuation"])  # fmt: skip
    assert there.task.data_hash() == one.task.data_hash()


@pytest.mark.parametrize("name", ["infilling", "infilling_characters"])
def test_holes_are_of_their_kinds_and_each_window_has_them_all(name: str, tmp_path: Path) -> None:
    task = made(name, tmp_path).task
    assert isinstance(task, Infilling)
    gap = "" if name.endswith("characters") else " "
    for _, group in itertools.groupby(itertools.islice(task.examples("test"), 120), key=lambda e: e.instance):
        kinds = {example.stratum: example for example in group}
        assert list(kinds) == ["word", "ngram", "sentence", "beginning", "middle", "end"]
        whole = {gap.join(part for part in (e.prompt, e.target, e.suffix) if part) for e in kinds.values()}
        assert len(whole) == 1, "the same text in every version"
        assert len(kinds["word"].target.split()) == 1
        assert len(kinds["ngram"].target.split()) == task.ngram
        assert kinds["sentence"].target.rstrip()[-1] in ".!?"
        assert kinds["beginning"].prompt == kinds["end"].suffix == ""
        assert all(kinds[kind].prompt and kinds[kind].suffix for kind in ("word", "ngram", "sentence", "middle"))


def test_filling_in_the_middle_is_the_same_examples_laid_out_otherwise(tmp_path: Path) -> None:
    span, fim = (made(name, tmp_path).task for name in ("infilling", "infilling_fim"))
    assert (span.holes, fim.holes) == ("span", "suffix")
    asked = list(itertools.islice(span.examples("test"), 12))
    assert asked == list(itertools.islice(fim.examples("test"), 12))
    assert span.training_hash() == fim.training_hash()
    text, laid = build_text(span, tmp_path), build_text(fim, tmp_path)
    assert len(list(tmp_path.glob("tokenizer-*.json"))) == 1, "one tokenizer for both"
    for row, other in zip(text.encode(asked), laid.encode(asked), strict=True):
        assert other.prompt == [*row.prompt, *row.suffix, EOS]
        assert (other.suffix, other.target, other.room) == ([], row.target, row.room)
    canvas = laid.blank(laid.encode(asked), "eos")
    assert canvas.holes_BL.sum(1).tolist() == [48] * 12
    for ids, holes in zip(canvas.ids_BL, canvas.holes_BL, strict=True):
        assert int(ids[holes].eq(MASK).sum()) == 48
        assert not holes.nonzero()[-1].item() < len(holes) - 1, "nothing stands behind the holes"


QUICK = (
    "train.steps=2", "train.batch=2", "train.warmup=1", "backbone=nano", "measure.items=2",
    "measure.likelihood_items=1",
    "measure.batches=[1]", "measure.timed=1", "measure.lengths=[4]", "measure.repeats=1", "progress=false", "threads=1",
    "device=cpu",
)  # fmt: skip


def run(name: str, tmp_path: Path, preset: str) -> Record:
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    places = (f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}")
    return run_cell(made(name, folder, f"paradigm={preset}", *QUICK, *places))


@pytest.mark.parametrize("name", TASKS)
def test_every_task_runs_from_data_to_record(name: str, tmp_path: Path) -> None:
    record = run(name, tmp_path, "parallel")
    assert record.status == "ok", record.reason
    task = made(name, tmp_path / "data").task
    assert record.scores.keys() - JUDGED.keys() == {metric.name for metric in task.metrics}
    assert bool(record.scores.keys() & JUDGED.keys()) == isinstance(task, Windows)
    assert set(record.strata.values()) == set(task.strata)
    assert record.likelihood is not None
    by_id = {e.id: e for e in itertools.islice(task.examples("test"), 50)}
    assert record.likelihood["bytes"] == [len(by_id[i].target.encode()) for i in record.likelihood["item_ids"]]
    assert all(sample.keys() == {"id", "text"} for sample in record.samples), "records do not carry the data"


def test_causal_models_are_skipped_with_a_reason_unless_the_suffix_comes_first(tmp_path: Path) -> None:
    skipped = run("infilling", tmp_path, "autoregressive")
    assert skipped.status == "skipped"
    assert skipped.reason == "autoregressive supports suffix targets only; this task has span targets"
    assert run("infilling_fim", tmp_path, "autoregressive").status == "ok"


def test_a_stream_of_examples_kept_on_disk_gives_them_back(tmp_path: Path) -> None:
    task = made("data_to_text", tmp_path).task
    text: Text = build_text(task, tmp_path)
    examples = list(task.examples("train"))
    rows, expected = Kept(text, examples), text.encode(examples)
    assert list(rows) == expected
    assert rows[1:3] == expected[1:3]
    assert rows.prompt_lengths.tolist() == [len(row.prompt) for row in expected]
    assert list(Kept(text, [])) == []


WRONG: dict[str, tuple[str, str, str | bytes | None, str]] = {
    "no such folder": ("data_to_text", "", None, "contains no trainset.csv"),
    "no file": ("data_to_text", "devset.csv", None, "contains no devset.csv"),
    "empty csv": ("data_to_text", "devset.csv", b"", "devset.csv: contains no text"),
    "only a header": ("data_to_text", "devset.csv", "mr,ref\n", "devset.csv: "),
    "wrong column": ("data_to_text", "trainset.csv", "mr,text\na[b],c\n",
                     "trainset.csv: has no column ref; it has mr, text"),
    "a row too short": ("data_to_text", "trainset.csv", "mr,ref\na[b]\n",
                        "trainset.csv: cannot be read (the row that ends in line 2 has 1 values, not 2)"),
    "numbers": ("constrained", "commongen.dev.jsonl", '{"concept_set": 1, "scene": ["b"]}\n',
                "dev.jsonl: cannot be read (concept_set of line 1 is no text)"),
    "nothing said": ("data_to_text", "trainset.csv", "mr,ref\na[b],c\na[b],\n", "trainset.csv: row 2 has no ref"),
    "torn csv": ("data_to_text", "trainset.csv", 'mr,ref\n"a[b],c\nd,e\n', "trainset.csv: "),
    "csv that is no utf-8": ("data_to_text", "trainset.csv", b"mr,ref\ncaf\xe9,x\n", "trainset.csv: cannot be read ("),
    "torn json": ("constrained", "commongen.dev.jsonl", '{"concept_set": "a_N", "scene": ["b"',
                  "dev.jsonl: cannot be read ("),
    "json that is no utf-8": ("constrained", "commongen.dev.jsonl", b'{"concept_set": "a\xe9", "scene": ["b"]}\n',
                             "dev.jsonl: "),
    "empty json": ("constrained", "commongen.dev.jsonl", b"", "dev.jsonl: contains no text"),
    "no scene": ("constrained", "commongen.test.jsonl", '{"concept_set": "a_N"}\n',
                 "test.jsonl: has no column scene; it has concept_set"),
    "no sentence": ("constrained", "commongen.test.jsonl", '{"concept_set": "a_N", "scene": []}\n', "test.jsonl: "),
    "a blank sentence": ("constrained", "commongen.test.jsonl", '{"concept_set": "a_N", "scene": [" "]}\n',
                         "test.jsonl: a row has no scene"),
    "lines that do not pair up": ("constrained", "train.tgt.txt", "A dog.\n",
                                  ": train has 3 concepts and 1 sentences lines; they must be equally many"),
    "an empty text": ("continuation", "valid.txt", b"", "valid.txt: contains no text"),
    "blank lines": ("continuation", "valid.txt", "\n\n\n", ": valid: contains no text"),
    "text that is no utf-8": ("continuation", "valid.txt", b"caf\xe9 a b c\n", "valid.txt: cannot be read ("),
    "too little text": ("continuation", "valid.txt", "a b c\n", ": valid is too short for windows of 11 words"),
    "no text file": ("continuation", "", None, "contains no train.txt"),
    "too few lines": ("continuation_characters", "input.txt", "a\n", ": 1 lines are too few to be split"),
    "an empty side": ("translation", "train.de", b"", "train.de: contains no text"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_file_is_one_line_and_leaves_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name, file, content, said = WRONG[case]
    (tmp_path / "data").mkdir()
    (tmp_path / "here").mkdir()
    if file:
        path = MADE[name](tmp_path / "data") / file
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path / "here")
    asked = ["paradigm=parallel", *overrides(name, tmp_path / "data")]
    monkeypatch.setattr(sys, "argv", ["wordways", *asked])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capfd.readouterr()
    assert stopped.value.code == 2
    assert printed.err.startswith(f"wordways: task.data={tmp_path / 'data'}")
    assert said in printed.err
    assert printed.err.count("\n") == 1, printed.err
    assert len(printed.err) < 500
    assert not printed.out
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize(
    ("wrong", "line"),
    {
        "task.given=0": "task.given=0, asked=6: must be from 1 to 100,000",
        "task.pieces=20": "task.pieces=20: must be at least 300, to represent every byte",
        "task.unit=character": "task.pieces=300, unit=character: must be 300 or more for words, null for characters",
        "task.unit=line": "task.unit=line: input should be 'word' or 'character'",
    }.items(),
)
def test_settings_of_windows_are_checked(wrong: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        made("continuation", tmp_path, wrong)
    assert str(refused.value) == line


def test_a_line_of_any_length_is_text_for_windows(tmp_path: Path) -> None:
    lines(tmp_path)
    (tmp_path / "train.txt").write_text(" ".join(random.Random(0).choices(["ja", "nein"], k=30_000)) + "\n")
    task = cell("task=continuation", f"task.data={tmp_path}", *SMALLER["continuation"]).task
    assert len({e.prompt for e in itertools.islice(task.examples("train"), 20)}) > 10


LONG = "a very long text " * 200
LONG_ROWS = {
    "constrained": {"train.src_alpha.txt": "\ndog", "train.tgt.txt": f"\n{LONG}"},
    "data_to_text": {"trainset.csv": f"name[x],{LONG}\n"},
    "translation": {"train.en": f"{LONG}\n", "train.de": "ja\n"},
}


@pytest.mark.parametrize("name", LONG_ROWS)
def test_training_leaves_long_texts_out_and_says_so(name: str, tmp_path: Path) -> None:
    plain = made(name, tmp_path).task
    for file, more in LONG_ROWS[name].items():
        with (tmp_path / file).open("a", encoding="utf-8") as opened:
            opened.write(more)
    task_of.cache_clear()  # the same folder, in one process
    found = cell(*overrides(name, tmp_path)).task
    rows = sum(1 for _ in plain.examples("train"))
    assert plain.notes() == []
    assert found.notes() == [
        f"task.longest=1000: 1 of {rows + 1} rows of train have a text of more characters and are left out"
    ]
    assert list(found.examples("train")) == list(plain.examples("train"))
    assert found.data_hash() == plain.data_hash()
    with pytest.raises(
        ValueError, match=r"^task.longest=0: every row of train has a text of more characters; raise it$"
    ):
        cell(*overrides(name, tmp_path), "task.longest=0")


def test_a_test_set_with_a_long_text_is_refused(tmp_path: Path) -> None:
    multi30k(tmp_path)
    for language, line in (("en", LONG), ("de", "ja")):
        with (tmp_path / f"test_2016_flickr.{language}").open("a") as file:
            file.write(f"{line}\n")
    said = (
        r"^task.longest=1000: row 3 of test has a text of 3,400 characters, and no test row is left out; raise it, or"
    )
    with pytest.raises(ValueError, match=said):
        cell(*overrides("translation", tmp_path))
    assert cell(*overrides("translation", tmp_path), "task.longest=3400").task.notes() == []


def test_settings_at_the_values_of_older_records_make_no_other_cell(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    pairs, running = made("translation", tmp_path / "a"), made("continuation", tmp_path)
    assert cell(*overrides("translation", tmp_path / "a"), "task.longest=500").id == pairs.id
    assert "longest" not in pairs.config["task"]
    assert "language" not in running.config["task"]
    other = cell(*overrides("continuation", tmp_path), "task.language=zh")
    assert other.config["task"]["language"] == "zh"
    assert other.id != running.id
    assert other.training_key == running.training_key, "metrics alone depend on it"
    assert {metric.signature([["a"]])[:6] for metric in other.task.metrics if metric.name == "seq_rep_4"} == {"tok:zh"}


def test_a_batch_larger_than_the_data_is_said_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    asked = [*overrides("translation", MADE["translation"](tmp_path / "data")), "paradigm=parallel", "train.batch=3"]
    monkeypatch.setattr(sys, "argv", ["wordways", *asked])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert capfd.readouterr() == ("", "wordways: train.batch=3: the task has only 2 training examples\n")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_local_copies_are_the_published_sets(shared: Path) -> None:
    folders = {"data_to_text": "e2e_nlg", "constrained": "commongen"}
    tasks = {name: cell(f"task={name}", f"task.data={shared / 'data' / at}").task for name, at in folders.items()}
    counts = {
        name: [sum(1 for _ in task.examples(split)) for split in ("train", "valid", "test")]
        for name, task in tasks.items()
    }
    assert counts == {"data_to_text": [42_061, 547, 630], "constrained": [39_069, 993, 1_497]}
    for name, metric, low, high in (("data_to_text", "slot_error_rate", 0, 0.12), ("constrained", "coverage", 0.98, 1)):
        asked = list(itertools.islice(tasks[name].examples("valid"), 200))
        found = [cast(float, tasks[name].score(example, example.target)[metric]) for example in asked]
        assert low < sum(found) / len(found) <= high, "people keep to what they were asked for"


def test_the_local_corpora_are_the_published_ones(shared: Path) -> None:
    words: Any = cell("task=continuation", f"task.data={shared / 'data' / 'wikitext-2'}").task
    for split, tokens in (("train", 2_088_628), ("valid", 217_646), ("test", 245_569)):
        assert sum(len(line.split()) + 1 for (line,) in words.rows(split)) == tokens
    characters: Any = cell("task=continuation_characters", f"task.data={shared / 'data' / 'tinyshakespeare'}").task
    assert len(characters.vocabulary()) == 65


def test_tasks_on_several_corpora_go_by_their_names(tmp_path: Path) -> None:
    done = Record("", "ok", "", {}, {}, {}, {}, [], {}, None, [], None, [])

    def called(*names: str, titled: bool) -> list[tuple[str, str]]:
        folders = {name: tmp_path / name for name in names}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        configs = [made(name, folder).config for name, folder in folders.items()]
        configs = [config if titled else {**config, "title": {}} for config in configs]
        return list(task_names([replace(done, config=config) for config in configs]).values())

    corpora = ("wikitext-2", "tinyshakespeare")
    assert called("continuation", "continuation_characters", titled=True) == [
        ("text_continuation_wikitext-2", "text continuation (WikiText-2)"),
        ("text_continuation_tinyshakespeare", "text continuation (TinyShakespeare)"),
    ]
    assert called("infilling", "infilling_fim", titled=True) == [
        ("infilling_wikitext-2", "infilling (WikiText-2)"),
        ("infilling_suffix_first_wikitext-2", "infilling, suffix first (WikiText-2)"),
    ]
    assert called("continuation", titled=False) == [("continuation", "continuation")]
    assert called("continuation", "continuation_characters", titled=False) == [
        (f"continuation_{corpus}", f"continuation, {corpus}") for corpus in corpora
    ]
    assert called("infilling", "infilling_fim", titled=False) == [
        (f"infilling_form_{form}", f"infilling, form {form}") for form in ("span", "fim")
    ]
    assert called("infilling", "infilling_fim", "infilling_characters", "infilling_characters_fim", titled=False) == [
        (f"infilling_{corpus}_form_{form}", f"infilling, {corpus}, form {form}")
        for corpus in corpora
        for form in ("span", "fim")
    ]


@pytest.mark.parametrize("name", ["infilling", "infilling_characters"])
def test_both_formats_of_the_same_examples_are_one_sweep(name: str, tmp_path: Path) -> None:
    data = f"task.data={MADE[name](tmp_path)}"
    cells = compose_cells([f"experiment={name}_formats", data, *SMALLER[name]])
    assert {(c.nodes["task"]["form"], c.run.results) for c in cells} == {
        (form, f"results/{name}_formats") for form in ("span", "fim")
    }
    alone = compose_cells([f"task={name}", data, *SMALLER[name]])
    assert {c.nodes["task"]["form"] for c in alone} == {"span"}
    assert 2 * len(alone) == len(cells)


def test_one_folder_holds_every_set_and_one_experiment_runs_them_all(tmp_path: Path) -> None:
    cells = compose_cells(["experiment=text", f"task.data={every_set(tmp_path)}"])
    assert len(cells) == len({cell.id for cell in cells}) == 7 * 4
    assert {cell.run.results for cell in cells} == {"results/text"}
    alone = compose_cells(["task=translation", f"task.data={tmp_path / 'multi30k'}"])
    assert {cell.id for cell in alone} <= {cell.id for cell in cells}, "where the files lie makes no other cell"


@pytest.mark.parametrize(
    ("name", "called", "file"),
    [
        ("translation", "multi30k", "train.en or train.en.gz"),
        ("data_to_text", "e2e_nlg", "trainset.csv"),
        ("constrained", "commongen", "train.src_alpha.txt"),
        ("infilling", "wikitext-2", "train.txt"),
        ("continuation_characters", "tinyshakespeare", "train.txt"),
    ],
)
def test_both_places_are_named_where_neither_holds_the_set(name: str, called: str, file: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^task.data={tmp_path}: contains no {file}, nor a folder {called} with it$"):
        cell(f"task={name}", f"task.data={tmp_path}")
    (tmp_path / called).mkdir()
    with pytest.raises(ValueError, match=rf"^task.data={tmp_path / called}: contains no {file}$"):
        cell(f"task={name}", f"task.data={tmp_path}")
