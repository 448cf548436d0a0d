"""Exported models: transformers computes our logits and generates our tokens, and the card's code runs as it stands."""

import contextlib
import io
import json
import re
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import PRESETS, SMALL, VOCABULARY, cell, noise, paradigm_node, suffix_canvas, tiny, tiny_backbone
from hypothesis import given, settings
from hypothesis import strategies as st
from test_real_text import SMALLER, every_set
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from paradigms.base import Paradigm, llama_weights
from paradigms.decoders import sampling
from paradigms.pretrained.checkpoint import Checkpoint
from paradigms.pretrained.native import native
from paradigms.trunk.backbone import Backbone
from wordways.export import __main__ as command
from wordways.export.folder import config_of, generation_of, write_json, write_tokenizer, write_weights
from wordways.export.readings import ONLY_OF_DECODING, SEES, Reading, name_of, readings_of, rules_of_decoding
from wordways.record import Record, read_records
from wordways.run import subject as of_run
from wordways.run.cell import Cell
from wordways.run.execute import score_cell
from wordways.run.session import trained_paradigm
from wordways.run.subject import Subject
from wordways.run.text import EOS, Text
from wordways.settings import SettingError

GREEDY = "decoding.temperature=0"
CAUSAL = ("autoregressive", "speculative", "speculative_jacobi", "autoregressive_beam_4", "multi_token")
OTHERS = ("autoregressive_prefix", "diffusion_k2", "masked_infill", "parallel", "block_diffusion", "draft_and_edit")
SLOTS = ("ctc", "ctc_beam", "ctc_distilled", "edit", "edit_one", "edit_insert")
REFUSED = {
    "shallow_decoder": "last layers", **dict.fromkeys(SLOTS, "slots or edits"),
    **dict.fromkeys(("any_order", "any_order_left_to_right"), "rule `in_order`"),
}  # fmt: skip
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where runs and exports go; every weight is random, branch outputs included, so that no path is silent."""

    def initialise(self: Backbone, generator: torch.Generator) -> None:
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(1.0 if weight.dim() == 1 else 0.0, 0.3, generator=generator)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backbone, "initialise", initialise)
        yield tmp_path_factory.mktemp("export")


def small(folder: Path, preset: str, *overrides: str) -> Cell:
    places = (f"results={folder / 'results'}", f"checkpoints={folder / 'checkpoints'}")
    replaced = tuple(
        f"{override.partition('=')[0]}." for override in overrides if override.startswith(("task=", "train="))
    )
    settings = [one for one in (*SMALL, "train.steps=1", "measure.items=4") if not one.startswith(replaced)]
    return cell(f"paradigm={preset}", *settings, *places, *overrides)


def exported(folder: Path, preset: str) -> tuple[Cell, Record, Path]:
    """A run, decoded greedily, its record, and its folder."""
    greedy = [GREEDY] if "temperature" in str(paradigm_node(f"paradigm={preset}")) else []
    run, out = small(folder, preset, *greedy), folder / preset
    record = score_cell(run)
    assert record.status == "ok", record.reason
    if not out.exists():
        command.export(record, out, folder / "checkpoints", None)
    return run, record, out


def subject_of(run: Cell) -> Subject:
    examples, rows = of_run.test_set(run.task, run.text, run.measure.items)
    return Subject(trained_paradigm(run, run.text, CPU, lambda: None), run.text, examples, rows, run.run.seed, CPU)


def loaded(out: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(out).eval(), AutoTokenizer.from_pretrained(out)


@pytest.mark.parametrize("preset", CAUSAL)
def test_generate_is_our_decoder(folder: Path, preset: str) -> None:
    """On a batch of prompts of unlike lengths, which are padded on the left; and the logits are ours."""
    run, _, out = exported(folder, preset)
    subject, (model, tokenizer) = subject_of(run), loaded(out)
    indices = list(range(len(subject.examples)))
    canvas = subject.blank(indices)
    with torch.inference_mode():
        ours_BL = deque(subject.paradigm.decode(canvas, subject.noise(indices)), maxlen=1).pop()
    batch = tokenizer([subject.examples[i].prompt for i in indices], padding=True, return_tensors="pt")
    assert torch.equal(batch.input_ids, canvas.ids_BL[:, : canvas.start()])
    made_BL = model.generate(**batch)
    assert len({tuple(row) for row in made_BL[:, canvas.start() :].tolist()}) > 3, "no model that always says the same"
    for made_L, our_L, holes_L in zip(made_BL[:, canvas.start() :], ours_BL, canvas.holes_BL, strict=True):
        shown = made_L[: int(holes_L.sum())].tolist()
        assert subject.text.useful(our_L, holes_L) == shown[: shown.index(EOS) if EOS in shown else None]
    rule, pad_BL = subject.paradigm.rule(canvas), canvas.pad_BL[:, : canvas.start()]
    with torch.inference_mode():
        logits_BLV = model(**batch).logits
        own_BLV = subject.paradigm.backbone(batch.input_ids, rule, pad_BL=pad_BL)
    real_BL = batch.attention_mask.bool()
    torch.testing.assert_close(logits_BLV[real_BL], own_BLV[real_BL], atol=1e-4, rtol=1e-4)


def program(card: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", card, re.S | re.M)


@pytest.mark.parametrize("preset", [*CAUSAL[:2], *OTHERS])
def test_the_cards_code_reads_the_model_as_it_was_trained(
    folder: Path, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block is run: its logits are those of our trunk under that rule, its greedy texts those of our decoders."""
    run, record, out = exported(folder, preset)
    subject = subject_of(run)
    canvas, draws = subject.blank([0]), subject.noise([0])
    readings = readings_of(subject.paradigm, canvas, draws)
    assert record.cell in (out / "README.md").read_text()
    monkeypatch.chdir(out)
    load, *blocks = program((out / "README.md").read_text())
    rules = {
        name_of(r): r for r in (*rules_of_decoding(subject.paradigm, canvas, draws), subject.paradigm.rule(canvas))
    }
    text = record.samples[0]["text"]
    assert len(blocks) == len(readings)
    for reading, block in zip(readings, blocks, strict=True):
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(load + block, names)
        if preset in (*CAUSAL, "autoregressive_prefix", "parallel"):
            assert printed.getvalue().strip() == text
        if reading.predicts_next:
            continue
        with torch.no_grad():
            own_LV = subject.paradigm.backbone(canvas.ids_BL, rules[reading.rule], pad_BL=canvas.pad_BL)[0]
        assert torch.equal(names["ids"], canvas.ids_BL)
        own_LV[:, [run.text.vocabulary.mask, run.text.vocabulary.pad]] = -torch.inf
        torch.testing.assert_close(names["logits"], own_LV[canvas.holes_BL[0]], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("preset", ["autoregressive", "diffusion_k2", "block_diffusion"])
def test_our_own_reader_gets_the_same_run_from_the_folder(folder: Path, preset: str, tmp_path: Path) -> None:
    """The same layout, the same tokens, the same scores and likelihoods; in our trunk the very same numbers."""
    _, record, out = exported(folder, preset)
    for engine in ("native", "transformers"):
        again = small(
            folder, preset, GREEDY, "backbone=pretrained", f"backbone.name={out}", f"backbone.engine={engine}",
            "train=none", f"results={tmp_path / engine}",
        )  # fmt: skip
        found = score_cell(again)
        assert found.status == "ok", found.reason
        assert found.scores == record.scores
        assert found.samples == record.samples
        assert found.likelihood is not None
        assert record.likelihood is not None
        tolerance = 0 if engine == "native" else 1e-4
        assert found.likelihood["nats"] == pytest.approx(record.likelihood["nats"], rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_described_or_refused(preset: str) -> None:
    """The expression that a card gives for a rule is that rule, on a text with a suffix; what is refused says why."""
    paradigm, canvas = tiny(preset), suffix_canvas([[5, 6, 1]], 7)
    if preset in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[preset]):
            readings_of(paradigm, canvas, noise("0"))
        return
    readings = readings_of(paradigm, canvas, noise("0"))
    assert readings[0].rule == name_of(paradigm.rule(canvas))
    rules = {name_of(r): r for r in (*rules_of_decoding(paradigm, canvas, noise("0")), paradigm.rule(canvas))}
    assert {reading.rule for reading in readings} == rules.keys() - {*ONLY_OF_DECODING}
    at = torch.arange(12)
    for reading in readings:
        sees = eval(reading.sees, {"query": at[:, None], "key": at, "start": canvas.start()})
        assert torch.equal(sees, rules[reading.rule](at[None, :, None], at[None, None])[0])
        assert reading.words.endswith(".")
        assert len(reading.drawing.splitlines()) == 5


def test_a_rule_that_no_card_describes_is_refused() -> None:
    paradigm = tiny("diffusion_k2")
    paradigm.rule = lambda canvas: lambda query, key: key <= query + 1  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="attention rule `test_a_rule_that_no_card_describes_is_refused` is not one"):
        readings_of(paradigm, suffix_canvas([[5, 1]], 3), noise("0"))


TASKS = ("latin_square", "continuation_characters", "continuation", "infilling_fim")
TRUNKS: list[dict[str, Any]] = [
    {}, {"kv_heads": 2}, {"tied": False}, {"bias": True, "kv_heads": 1}, {"base": 500.0, "eps": 1e-3},
]  # fmt: skip
CAUSALLY = Reading("causal", "", "", SEES["causal"], True)


@torch.inference_mode()
@pytest.mark.parametrize("how", TRUNKS, ids=str)
def test_every_trunk_is_the_same_network_in_transformers(how: dict[str, Any], tmp_path: Path) -> None:
    """Also with fewer heads of keys and values, a head and biases of its own; and back again bit for bit."""
    trunk = Backbone(VOCABULARY.size, layers=2, width=16, heads=4, hidden=24, **how)
    generator = torch.Generator().manual_seed(0)
    for weight in trunk.parameters():
        weight.normal_(0.5, 0.5, generator=generator)
    write_weights(tmp_path, trunk)
    write_json(tmp_path / "config.json", config_of(trunk, VOCABULARY, 64, [CAUSALLY], "x"))
    ids_BL, pad_BL = torch.randint(VOCABULARY.size, (2, 40), generator=generator), torch.zeros(2, 40).bool()
    ours = trunk.eval()(ids_BL, lambda query, key: key <= query, pad_BL=pad_BL)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path).eval()(ids_BL).logits
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)
    checkpoint = Checkpoint(str(tmp_path), None)
    checkpoint.__dict__["ids"] = VOCABULARY  # needs no tokenizer
    back = native(checkpoint)
    assert dict(back.named_parameters()).keys() == dict(trunk.named_parameters()).keys()
    for name, weight in trunk.named_parameters():
        assert torch.equal(back.get_parameter(name), weight), name


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear is not the trunk"):
        config_of(torch.nn.Linear(2, 2), VOCABULARY, 64, [CAUSALLY], "x")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Text, Any, Path]]:
    """A tokenizer of words, of characters and of byte pairs, and each as it was exported."""
    data = every_set(tmp_path_factory.mktemp("data"))
    found = {}
    for task in TASKS:
        real = [] if task == "latin_square" else [f"task.data={data}", *SMALLER.get(task, SMALLER["infilling"])]
        text = cell(f"task={task}", "paradigm=autoregressive", f"checkpoints={data}", *real).text
        out = tmp_path_factory.mktemp(task)
        backbone = Backbone(text.vocabulary.size, layers=1, width=8, heads=2, hidden=8)
        backbone.initialise(torch.Generator().manual_seed(0))
        write_weights(out, backbone)
        write_json(out / "config.json", config_of(backbone, text.vocabulary, 4096, [CAUSALLY], "x"))
        write_tokenizer(out, text)
        found[task] = text, real, out
    return found


@pytest.mark.parametrize("task", TASKS)
def test_their_tokenizer_gives_our_ids(texts: dict[str, tuple[Text, Any, Path]], task: str) -> None:
    text, _, out = texts[task]
    theirs = AutoTokenizer.from_pretrained(out)
    assert len(theirs) == text.vocabulary.size
    ids = (theirs.mask_token_id, theirs.eos_token_id, theirs.pad_token_id)
    assert ids == (text.vocabulary.mask, text.vocabulary.eos, text.vocabulary.pad)
    examples = [example for example, _ in zip(text.task.examples("test"), range(20), strict=False)]
    parts = [part for example in examples for part in (example.prompt, example.target, example.suffix)]
    parts += ["<eos> is <mask> text"] if isinstance(text.task.vocabulary(), int) else []
    for part in parts:
        ours = text.tokenizer.encode(part, add_special_tokens=False).ids
        assert theirs(part, add_special_tokens=False).input_ids == ours
        assert theirs(part).input_ids == [*ours, EOS]
        assert theirs.decode(ours).strip() == text.read(ours)


@pytest.mark.parametrize("task", TASKS)
def test_an_exported_model_reads_texts_as_it_was_trained_to(
    texts: dict[str, tuple[Text, Any, Path]], task: str
) -> None:
    """Whatever a public checkpoint would do with running text: prompts end with EOS, and blanks have no edge tokens."""
    text, real, out = texts[task]
    again = cell(
        f"task={task}", "paradigm=autoregressive", *real, "backbone=pretrained", f"backbone.name={out}", "train=none"
    ).text
    examples = [example for example, _ in zip(text.task.examples("test"), range(5), strict=False)]
    assert again.encode(examples) == text.encode(examples)
    assert again.vocabulary == text.vocabulary
    assert type(again) is type(text)


def test_a_text_that_its_tokenizer_lacks_words_for_is_one_line(texts: dict[str, tuple[Text, Any, Path]]) -> None:
    _, _, out = texts["latin_square"]
    asked = ("backbone=pretrained", f"backbone.name={out}", "train=none", *SMALL[:3], "paradigm=autoregressive")
    with pytest.raises(SettingError, match=r"^backbone\.name=[^\n]+: its tokenizer does not encode this task: [^\n]+$"):
        cell(*asked)


SHARES = st.none() | st.floats(0.05, 1)


@settings(max_examples=25, deadline=None)
@given(
    how=st.builds(
        sampling.Sampling, st.floats(0.2, 2), st.none() | st.integers(1, 9), SHARES, SHARES, st.floats(0.5, 2)
    ),
    seed=st.integers(0, 1000),
)
def test_generate_samples_from_our_distribution(network: Any, how: sampling.Sampling, seed: int) -> None:
    """The run's temperature, truncation and penalty under transformers' names, with their defaults switched off."""
    ids_BL = torch.randint(3, 12, (2, 5), generator=torch.Generator().manual_seed(seed))
    asked = generation_of(VOCABULARY, vars(how) | {"cache": True}, 1, [CAUSALLY])
    with torch.inference_mode():
        scores_BV = network.generate(
            ids_BL, **{**asked, "max_new_tokens": 1}, return_dict_in_generate=True, output_scores=True
        ).scores[0]
        logits_BV = network(ids_BL).logits[:, -1]
    logits_BV = logits_BV.clone()
    logits_BV[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
    kept: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "pick", lambda logits_BV, *_: kept.append(logits_BV))
        sampling.choose(how, logits_BV, lambda: ids_BL, lambda: torch.rand(2))
    torch.testing.assert_close(scores_BV.softmax(-1), kept[0].softmax(-1), atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out, trunk = tmp_path_factory.mktemp("network"), tiny_backbone(dtype=torch.float32)
    write_weights(out, trunk)
    write_json(out / "config.json", config_of(trunk, VOCABULARY, 64, [CAUSALLY], "x"))
    return AutoModelForCausalLM.from_pretrained(out).eval()


def test_greedy_runs_are_greedy_there_and_other_models_have_no_sampling() -> None:
    greedy = generation_of(VOCABULARY, {"temperature": 0.0, "top_k": 3}, 9, [CAUSALLY])
    assert greedy == {
        "eos_token_id": 1, "pad_token_id": 0, "suppress_tokens": [0, 2], "max_new_tokens": 9, "do_sample": False
    }  # fmt: skip
    assert generation_of(VOCABULARY, {"temperature": 0.0, "repetition_penalty": 1.5}, 9, [CAUSALLY]) == greedy | {
        "repetition_penalty": 1.5
    }
    with pytest.raises(ValueError, match="contrastive search, which transformers does not have"):
        generation_of(VOCABULARY, {"candidates": 4, "alpha": 0.6}, 9, [CAUSALLY])
    masked = generation_of(VOCABULARY, {"temperature": 1.0}, 9, [Reading("everywhere", "", "", "", False)])
    assert "do_sample" not in masked


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["wordways-export", *map(str, arguments)])
    try:
        command.main()
    except SystemExit as ended:
        return ended.code
    return 0


def test_the_command_writes_a_whole_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, record, _ = exported(folder, "diffusion_k2")
    out, places = tmp_path / "new" / "model", ("--checkpoints", folder / "checkpoints")
    assert asked(monkeypatch, folder / "results", record.cell[:12], "--out", out, *places) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    assert [path.name for path in out.parent.iterdir()] == ["model"]
    config = json.loads((out / "config.json").read_text())
    assert config["mask_token_id"] == 2
    assert config["wordways"]["attention"] == [{"rule": "everywhere", "sees": SEES["everywhere"], "logits": "own"}]
    assert config["wordways"]["cell"] == record.cell
    assert re.search(r"^license: apache-2.0$", (out / "README.md").read_text(), re.M)


@pytest.fixture(scope="module")
def refusals(folder: Path) -> dict[str, tuple[list[str], str]]:
    """What cannot be exported, and the line that says so."""
    skipped = score_cell(small(folder, "autoregressive", "task.instruction=after"))
    done = exported(folder, "parallel")[1]
    ctc = score_cell(small(folder, "ctc"))
    shallow = score_cell(small(folder, "shallow_decoder"))
    return {
        "skipped": ([skipped.cell], f"{skipped.cell} (autoregressive): has no model, its run is skipped"),
        "ctc": ([ctc.cell], f"{ctc.cell} (ctc): its logits label slots"),
        "shallow": (
            [shallow.cell],
            f"{shallow.cell} (shallow_decoder): its generated tokens pass only its last layers",
        ),
        "unknown": (["zz"], f"zz: no run in {folder / 'results'} is so named"),
        "several": ([""], ": is the beginning of "),
        "untrained": ([done.cell, "--checkpoints", str(folder)], f"{done.cell}: its training is not in {folder}"),
    }


@pytest.mark.parametrize("case", ["skipped", "ctc", "shallow", "unknown", "several", "untrained"])
def test_what_cannot_be_exported_is_one_line_and_no_file(
    folder: Path,
    refusals: dict[str, tuple[list[str], str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: str,
) -> None:
    arguments, line = refusals[case]
    places = ("--checkpoints", folder / "checkpoints", "--out", tmp_path / "out")
    assert asked(monkeypatch, folder / "results", *places, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (said,) = printed.err.splitlines()
    assert said.startswith(f"wordways-export: {line}")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_and_one_that_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = exported(folder, "parallel")[1]
    whole = (folder / "results", record.cell, "--checkpoints", folder / "checkpoints", "--out")
    assert asked(monkeypatch, *whole, tmp_path) == 2
    assert capsys.readouterr().err == f"wordways-export: --out {tmp_path}: exists already\n"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "write_tokenizer", full)
    out = tmp_path / "out"
    assert asked(monkeypatch, *whole, out) == 2
    assert capsys.readouterr().err == f"wordways-export: --out {out}: cannot be written (No space left on device)\n"
    assert not list(tmp_path.iterdir()), "nothing half-written"
    assert asked(monkeypatch, tmp_path, record.cell, "--out", out) == 2
    assert capsys.readouterr().err == f"wordways-export: {tmp_path}: holds no records\n"


def test_baselines_and_public_checkpoints_have_no_weights_of_ours(folder: Path) -> None:
    (record, *_) = read_records(folder / "results")[0]
    for config, line in (
        ({"paradigm": {"_target_": "tasks.CopyPrompt"}}, "is a trivial baseline, which has no weights"),
        ({"backbone": {"name": "gpt2", "weights": "0"}}, "has the network of the public checkpoint gpt2"),
    ):
        from dataclasses import replace

        other = replace(record, status="ok", config={**record.config, **config})
        with pytest.raises(SettingError, match=line):
            command.check_exportable(other)


def test_a_card_of_real_text_copies_none_of_it(folder: Path, tmp_path: Path) -> None:
    data = every_set(tmp_path)
    run = small(folder, "autoregressive", "task=translation", f"task.data={data}", "task.pieces=300", "train.batch=2")
    record = score_cell(run)
    assert record.status == "ok", record.reason
    with pytest.raises(SettingError, match=rf"^task\.data={folder}: contains no [^\n]+$"):
        command.export(record, tmp_path / "none", folder / "checkpoints", str(folder))
    command.export(record, tmp_path / "out", folder / "checkpoints", str(data))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "A dog runs." not in card
    assert "\nlicense: other\n" in card
    assert AutoTokenizer.from_pretrained(tmp_path / "out")("A dog runs.").input_ids == [
        *run.text.tokenizer.encode("A dog runs.").ids, EOS
    ]  # fmt: skip


def test_weights_are_float32_whatever_a_run_decodes_in() -> None:
    paradigm: Paradigm = tiny("parallel")
    assert {weight.dtype for weight in llama_weights(paradigm.backbone).values()} == {torch.float64}
