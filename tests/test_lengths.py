"""What decides where a text ends: every mode works or is refused; tables show mode, length error and utilisation."""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from conftest import PRESETS, QUICK, SMALL, cell, noise, paradigm_node, tiny_backbone
from test_derive import RECORD, value

from paradigms.base import Length, Paradigm
from tasks.base import Example
from wordways.record import Record, read_records
from wordways.report import derive
from wordways.report.numbers import data_frame
from wordways.report.rows import rows_of
from wordways.report.tables.speed import table as speed_table
from wordways.run.execute import run_cell
from wordways.run.text import EOS, Text, build_text
from wordways.settings import SettingError, build, locate

MODES = get_args(Length)
LAW = {"kind": "exact", "item_ids": ["a", "b"], "nats": [1, 1], "se": [0, 0], "tokens": [5, 2]}


def decoding(record: Record, **decoder: object) -> Record:
    return replace(record, config={"paradigm": {"decoder": decoder}}, likelihood=LAW)


def test_errors_and_utilisation_by_hand() -> None:
    """Texts of 3 and 0 useful tokens in 5 holes each; references of 5 and 2 tokens, their ends included for eos."""
    eos, fixed = decoding(RECORD), decoding(RECORD, length="fixed")
    assert value(derive.canvas_utilisation(eos)) == pytest.approx((3 / 5 + 0 / 5) / 2)
    assert value(derive.length_error(eos)) == pytest.approx((1 / 4 + 1 / 1) / 2)
    assert value(derive.length_error(fixed)) == pytest.approx((2 / 5 + 2 / 2) / 2)
    empty = replace(eos, likelihood={**LAW, "tokens": [5, 1]})
    assert value(derive.length_error(empty)) == pytest.approx(1 / 4), "an empty reference has no relative error"
    assert derive.length_error(replace(decoding(RECORD, length="fixed"), likelihood=None)) is None
    assert value(derive.canvas_utilisation(replace(decoding(RECORD, length="fixed"), likelihood=None))) == 0.3


def test_a_canvas_that_is_the_references_own_has_neither() -> None:
    given = replace(decoding(RECORD, length="eos"), likelihood={**LAW, "tokens": [5, 5]})
    assert not derive.has_own_lengths(given)
    assert derive.length_error(given) is derive.canvas_utilisation(given) is None
    told = replace(given, config={"paradigm": {"decoder": {"length": "oracle"}}})
    assert derive.has_own_lengths(told), "what was told beforehand is said"


def test_the_mode_is_the_first_decoders() -> None:
    both = {"first": {"length": "oracle"}, "then": {"length": "eos"}}
    assert derive.length_mode(decoding(RECORD, **both)) == "oracle"
    assert derive.length_mode(replace(RECORD, config={"paradigm": {}})) == "eos"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    lines = {"en": "A dog runs over a field.\nTwo cats sleep.\n", "de": "Ein Hund läuft über ein Feld.\nZwei Katzen.\n"}
    for name in ("train", "val", "test_2016_flickr"):
        for language, text in lines.items():
            (folder / f"{name}.{language}").write_text(text)
    return folder


@pytest.fixture(scope="module")
def text(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Text:
    import datasets.config

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        return build_text(cell(*asked(pairs)).task, tmp_path_factory.mktemp("pieces"))


def asked(pairs: Path) -> list[str]:
    return ["task=translation", f"task.data={pairs}", "task.pieces=300"]


def where(preset: str) -> str | None:
    """The setting that chooses a preset's mode, where it has one."""
    decoder = paradigm_node(f"paradigm={preset}")["decoder"]
    at = "paradigm.decoder.first" if "first" in decoder else "paradigm.decoder"
    return f"{at}.length" if "length" in decoder.get("first", decoder) else None


def modes_of(node: Mapping[str, Any]) -> tuple[str, ...]:
    """The modes that a paradigm's decoder, or the first of its two, says it accepts: its annotation of `length`."""
    decoder, hints = node["decoder"], get_type_hints(locate(node["_target_"]).__init__)
    decoder = decoder.get("first", decoder)
    of_decoder = locate(decoder["_target_"]) if "_target_" in decoder else hints["decoder"]
    return get_args(get_type_hints(of_decoder)["length"])


def paradigm_of(node: Mapping[str, Any], text: Text) -> Paradigm:
    return build(node, "paradigm", vocabulary=text.vocabulary, backbone=tiny_backbone(0, text.vocabulary)).double()


def test_every_mode_does_what_it_says_or_is_refused(preset: str, text: Text) -> None:
    overrides, setting = [f"paradigm={preset}", *QUICK.get(preset, [])], where(preset)
    if setting is None:
        paradigm = paradigm_of(paradigm_node(*overrides), text)
        assert paradigm.length == "eos", "who has no choice ends its texts itself"
        return
    works = modes_of(paradigm_node(*overrides))
    assert {"eos", "oracle", "fixed"} <= set(works) <= set(MODES)
    allowed = f"{', '.join(map(repr, works[:-1]))} or {works[-1]!r}"
    for mode in set(MODES) - set(works):
        with pytest.raises(SettingError, match=rf"^{setting}={mode}: input should be {allowed}$"):
            paradigm_of(paradigm_node(*overrides, f"{setting}={mode}"), text)
    for mode in works:
        paradigm = paradigm_of(paradigm_node(*overrides, f"{setting}={mode}"), text)
        assert paradigm.length == mode
        rows = text.encode(list(text.task.examples("test")))
        canvas = text.blank(rows, paradigm.length)
        ids_BL = deque(paradigm.decode(canvas, noise("a", "b")), maxlen=1).pop()
        for row, ids_L, holes_L in zip(rows, ids_BL, canvas.holes_BL, strict=True):
            holes, useful = int(holes_L.sum()), len(text.useful(ids_L, holes_L))
            assert holes == (len(row.target) if mode == "oracle" else row.room)
            assert mode in ("eos", "predicted") or useful == holes, "no end is written where its place is given"
            assert mode != "predicted" or all(ids_L[holes_L][useful:] == EOS), "what was cut holds ends"


def test_only_the_parallel_paradigm_predicts_a_length() -> None:
    nodes = [paradigm_node(f"paradigm={preset}") for preset in PRESETS if where(preset) is not None]
    assert {node["_target_"] for node in nodes if "predicted" in modes_of(node)} == {"paradigms.Parallel"}
    assert {modes_of(node) for node in nodes if node["_target_"] == "paradigms.Parallel"} == {MODES}


def test_who_cannot_choose_is_told_so() -> None:
    with pytest.raises(SettingError, match=r"^paradigm\.decoder\.length=oracle: no such setting; "):
        cell("paradigm=autoregressive", "+paradigm.decoder.length=oracle")


@pytest.mark.parametrize("preset", ["parallel", "parallel_cmlm"])
def test_a_predicted_length_works_before_a_suffix(preset: str, text: Text) -> None:
    """Infilling's canvas: what stands behind the cut stays."""
    node = cell(f"paradigm={preset}", "paradigm.decoder.length=predicted").nodes["paradigm"]
    paradigm = paradigm_of(node, text)
    rows = text.encode([Example("a", "A dog", "runs", "over a field."), Example("b", "Two cats", "x", "sleep.")])
    canvas = text.blank(rows, paradigm.length)
    ids_BL = deque(paradigm.decode(canvas, noise("a", "b")), maxlen=1).pop()
    assert (ids_BL == canvas.ids_BL)[~canvas.holes_BL].all()
    assert not (ids_BL == text.vocabulary.mask).any()


QUICKLY = (*SMALL[3:5], "train.warmup=1", "train.steps=2", "train.batch=2", "backbone=nano", "measure.items=2",
           "measure.likelihood_items=2", "measure.batches=[1]", "measure.timed=1", "measure.lengths=[]",
           "measure.repeats=1", "progress=false", "device=cpu")  # fmt: skip


def test_tables_have_the_column_for_every_row(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    places = (f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}")
    for mode in MODES:
        run_cell(cell("paradigm=parallel", f"paradigm.decoder.length={mode}", *asked(pairs), *QUICKLY, *places))
    run_cell(cell("paradigm=autoregressive", *asked(pairs), *QUICKLY, *places))
    records, _ = read_records(tmp_path / "results")
    assert {record.status for record in records} == {"ok"}, [record.reason for record in records]
    rows = rows_of(records)
    frame = speed_table(rows).frame.set_index("")
    expected = {"AR": "eos"} | {f"parallel (length from {mode})": mode for mode in MODES}
    assert dict(frame["length"]) == expected
    oracle, fixed = (frame.loc[f"parallel (length from {mode})"] for mode in ("oracle", "fixed"))
    assert oracle[["length error", "canvas utilisation"]].tolist() == ["0", "1"]
    assert fixed["canvas utilisation"] == "1"
    assert float(fixed["length error"]) > 0
    assert {"length_error", "canvas_utilisation"} <= set(data_frame(rows)["measure"])
    given = rows_of([record for record in read_records(results)[0] if record.status == "ok"])
    assert "length" not in speed_table(given).frame.columns, "a canvas that tells the length leaves nothing to say"
