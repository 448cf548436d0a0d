"""Training: resumable to the bit, done once, keyed by what shapes it."""

import json
import math
from pathlib import Path

import pytest
import torch
from conftest import CPU, PRESETS, cell, noise, paradigm_node, suffix_canvas, tiny
from safetensors.torch import load_file

from wordways.run.text import Stream, build_text
from wordways.run.train import TrainSettings, autocast, fit
from wordways.run.training import validation_set

SMALL = ("task.n=3", "task.alphabet=8", "train.steps=40", "train.batch=8", "train.warmup=5")


class PulledPlugError(Exception):
    pass


def run(folder: Path, *overrides: str, stop_at: int | None = None) -> tuple[dict[str, torch.Tensor], list[int]]:
    """Trains a small cell; the weights it ends with, and the progress that was reported."""
    small = cell(*SMALL, *overrides)
    text = build_text(small.task, folder)
    paradigm = small.paradigm(text.vocabulary)
    paradigm.initialise(torch.Generator().manual_seed(small.run.seed))
    steps = []

    def advance(count: int) -> None:
        steps.append(count)
        if stop_at is not None and sum(steps) >= stop_at:
            raise PulledPlugError

    fit(paradigm, Stream(text, 8, 0), validation_set(text, CPU), small.train, small.run.seed, folder, advance)
    return {name: weight.clone() for name, weight in paradigm.state_dict().items()}, steps


@pytest.mark.parametrize("preset", ["autoregressive", "masked_infill", "parallel_glancing", "diffusion"])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path, preset: str) -> None:
    whole, _ = run(tmp_path / "whole", f"paradigm={preset}")
    with pytest.raises(PulledPlugError):
        run(tmp_path / "parts", f"paradigm={preset}", stop_at=22)
    assert not (tmp_path / "parts" / "log.json").exists()
    parts, steps = run(tmp_path / "parts", f"paradigm={preset}")
    assert steps[0] == 20, "it goes on from the last of ten checks"
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    logs = [json.loads((tmp_path / name / "log.json").read_text()) for name in ("whole", "parts")]
    assert all(log["seconds"] > 0 for log in logs)
    own = ("seconds", "training", "seal")
    assert all(logs[0][name] == logs[1][name] for name in logs[0].keys() - own)


def test_a_finished_training_is_loaded_not_repeated(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != "lock"}
    assert stamps.keys() >= {"best.safetensors", "last.safetensors", "log.json"}
    assert "state.safetensors" not in stamps
    again, steps = run(tmp_path)
    assert steps == []
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert stamps == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != "lock"}


def test_best_is_the_lowest_validation_loss_and_the_curve_is_kept(tmp_path: Path) -> None:
    run(tmp_path, "train.lr=0.05")
    log = json.loads((tmp_path / "log.json").read_text())
    losses = {step: checked for step, _, checked in log["curve"]}
    assert list(losses) == list(range(4, 41, 4))
    assert losses[log["best_step"]] == min(losses.values())
    last = load_file(tmp_path / "last.safetensors")
    best = load_file(tmp_path / "best.safetensors")
    assert log["best_step"] == 40 or any(not torch.equal(last[name], best[name]) for name in last)


def test_budgets_count_what_was_trained_on(tmp_path: Path) -> None:
    run(tmp_path, "paradigm=parallel", "backbone.layers=1")
    log = json.loads((tmp_path / "log.json").read_text())
    assert log["tokens"] == 40 * 8 * (3 + 3 + 3)  # items, operation, index and end; answer
    assert log["supervised_tokens"] == 40 * 8 * 3
    backbone = cell(*SMALL, "backbone.layers=1").paradigm(build_text(cell(*SMALL).task, tmp_path).vocabulary).backbone
    assert log["flops"] == 40 * 3 * backbone.flops(batch=8, queries=9, keys=9, wanted=4)


def test_rates_rise_and_fall_as_stated() -> None:
    settings = TrainSettings(steps=100, batch=1, lr=1.0, warmup=9, floor=0.1, beta2=0.9, weight_decay=0, clip=1)
    rates = [settings.rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert settings.rate(100) == pytest.approx(0.1)


SHAPING = [
    "seed=1",
    "train.lr=1e-3",
    "backbone=micro",
    "task.n=5",
    "paradigm=parallel",
    "paradigm.prompt=bidirectional",
]
NOT_SHAPING = [
    "decoding.temperature=0.5", "paradigm.decoder.top_k=3", "measure.items=7", "results=elsewhere", "threads=1",
    "dtype=float64", "micro_batch=3", "activation_checkpointing=true",
]  # fmt: skip


@pytest.mark.parametrize("override", SHAPING)
def test_what_shapes_training_changes_the_key(override: str) -> None:
    assert cell(override).training_key != cell().training_key


@pytest.mark.parametrize("override", NOT_SHAPING)
def test_what_does_not_leaves_it_alone(override: str) -> None:
    assert cell(override).training_key == cell().training_key


def test_decoders_of_one_training_share_it() -> None:
    keys = {
        cell(f"paradigm={name}").training_key for name in ("diffusion", "diffusion_k1", "diffusion_k2", "diffusion_k3")
    }
    assert len(keys) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_products_in_bfloat16_give_the_same_loss_and_slope_to_their_precision(preset: str) -> None:
    """A step in mixed precision: weights and losses stay in float32, the loss within a hundredth.

    Where a second pass reads what the first has rounded, the slope may turn by twice the angle.
    """
    passes = 2 if paradigm_node(f"paradigm={preset}").get("self_conditioning") else 1
    canvas = suffix_canvas([[3, 4, 5, 1], [6, 7, 1]], 6, truth=lambda row, i: 3 + (row + i) % 7)
    found = []
    for precision in ("float32", "bfloat16"):
        paradigm = tiny(preset, dtype=torch.float32).train()
        with autocast(CPU, precision):
            loss = paradigm.loss(canvas, noise("a", "b"), 0.5)
        loss.mean.backward()
        slopes = [weight.grad for weight in paradigm.parameters() if weight.grad is not None]
        assert all(slope.dtype is torch.float32 for slope in slopes)
        found.append((float(loss.mean.detach()), torch.cat([slope.flatten() for slope in slopes])))
    (exact, slope), (rough, near) = found
    assert rough == pytest.approx(exact, rel=0.01)
    assert float(torch.cosine_similarity(slope, near, dim=0)) > math.cos(passes * math.acos(0.99))


def test_precision_is_part_of_what_shapes_training_and_float32_is_left_unsaid() -> None:
    plain, said, other = cell(), cell("train.precision=float32"), cell("train.precision=bfloat16")
    assert plain.training_key == said.training_key != other.training_key
    assert plain.id == said.id != other.id
    assert "precision" not in plain.config["train"]
    assert other.config["train"]["precision"] == "bfloat16"
