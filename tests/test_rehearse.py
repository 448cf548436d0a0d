"""What would fail after hours of training is refused before, in one line: faults planted in tasks and paradigms."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import PRESETS, cell
from torch import Tensor

from paradigms.base import Canvas, Noise
from paradigms.parallel import Parallel
from tasks.addition import Addition
from tasks.base import Example, Setting, Split
from wordways.run import check, rehearse
from wordways.run.rehearse import rehearse_task, rehearsed
from wordways.settings import SettingError, locate


def addition(**changed: Any) -> Addition:
    """The task with one of its members replaced."""
    kind = type("Broken", (Addition,), changed)
    return kind(4, "most", 0)


def examples(change: Callable[[Example], Example]) -> Callable[..., Iterator[Example]]:
    def changed(self: Addition, split: Split, first: int = 0) -> Iterator[Example]:
        return (change(example) for example in Addition.examples(self, split, first))

    return changed


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no score": ({"score": lambda *_: {}}, r"task=t: score has no value for accuracy, which metrics lists"),
    "another score": (
        {"score": lambda *_: {"accuracy": 1.0, "ease": 1.0}},
        r"task=t: score has a value for ease, which metrics does not list",
    ),
    "a text for a score": (
        {"score": lambda *_: {"accuracy": "good"}},
        r"task=t: score gives accuracy='good'; it must be",
    ),
    "not a number": ({"score": lambda *_: {"accuracy": float("nan")}}, r"task=t: score gives accuracy=nan; it must be"),
    "score raises": (
        {"score": lambda *_: {}["no"]},
        r"task=t: score raised KeyError: 'no'",
    ),
    "no metrics": ({"metrics": ()}, r"task=t: metrics must be one or more metrics"),
    "holes": ({"holes": "everywhere"}, r"task=t: holes='everywhere' is not one of suffix, span, scattered"),
    "stratum": (
        {"examples": examples(lambda e: replace(e, stratum="else"))},
        r"task=t: example test-0 has stratum='else', which strata does not list",
    ),
    "vocabulary": (
        {"examples": examples(lambda e: replace(e, prompt=f"{e.prompt} ?"))},
        r"task=t: the prompt of train-0 has '\?', which vocabulary does not list",
    ),
    "no examples": ({"examples": lambda *_: iter(())}, r"task=t: examples\('train'\) gives no example"),
    "room": ({"room": lambda *_: 2}, r"task=t: room\(10\) is 2, but the target of train-0 has 5 tokens and an end"),
    "theory": ({"theory": lambda *_: 1.0}, r"task=t: theory gives float, which must be a Theory or None"),
    "theory raises": (
        {"theory": lambda self, setting: {}[setting.measure]},
        r"task=t: theory\('accuracy', 'carry_0'\) raised KeyError: 'accuracy'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_task_is_refused_in_one_line(fault: str) -> None:
    changed, message = FAULTS[fault]
    with pytest.raises(SettingError, match=message) as refused:
        rehearse_task(addition(**changed), "task=t")
    assert "\n" not in str(refused.value)


def test_a_sound_task_passes() -> None:
    rehearse_task(addition(), "task=t")
    assert addition().theory(Setting("accuracy", "carry_0", (1,) * 5, None, 0.0, "exact")) is not None


def leaves_masks(self: Parallel, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
    yield canvas.ids_BL


def touches_the_prompt(self: Parallel, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
    yield torch.full_like(canvas.ids_BL, 5)


def fails(*_: Any) -> Any:
    raise RuntimeError("shapes\ndo not fit")


@pytest.mark.parametrize(
    ("method", "planted", "message"),
    [
        ("decode", leaves_masks, r"paradigm=parallel: decode raised ValueError: the last pass left a position masked"),
        ("decode", touches_the_prompt, r"decode raised ValueError: a pass changed the canvas outside the masked"),
        ("loss", fails, r"^paradigm=parallel: loss raised RuntimeError: shapes do not fit$"),
        ("log_likelihood", fails, r"^paradigm=parallel: log_likelihood raised RuntimeError: shapes do not fit$"),
        ("token_nats", fails, r"^paradigm=parallel: token_nats raised RuntimeError: shapes do not fit$"),
    ],
)
def test_a_faulty_paradigm_is_refused_before_training(
    monkeypatch: pytest.MonkeyPatch, method: str, planted: Any, message: str
) -> None:
    monkeypatch.setattr(Parallel, method, planted)
    rehearsed.cache_clear()
    with pytest.raises(SettingError, match=message):
        cell("paradigm=parallel")


def test_presets_pass_the_rehearsal() -> None:
    """One in four here; every cell that any test composes is rehearsed, too."""
    for preset in PRESETS[:: max(1, len(PRESETS) // 12)]:
        cell(f"paradigm={preset}")


def test_the_rehearsal_is_on_the_cpu_and_has_gradients() -> None:
    for context in (torch.device("meta"), torch.inference_mode(), torch.no_grad()):
        rehearsed.cache_clear()
        with context:
            cell("paradigm=block_diffusion")


def test_a_task_is_rehearsed_once_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(check, "rehearse_task", lambda task, name: asked.append(name))
    check.rehearse_once.cache_clear()
    for preset in ("parallel", "diffusion"):
        cell(f"paradigm={preset}", "task=addition")
    assert asked == ["task=addition"]
    assert rehearse.PASSES < 100


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("mine_a", "import tasks.metrics.acuracy", "ModuleNotFoundError: No module named 'tasks.metrics.acuracy'"),
        ("mine_b", "def broken(:", "SyntaxError: "),
        ("mine_c", "undefined_name", "NameError: name 'undefined_name' is not defined"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str, reason: str
) -> None:
    """In one line; a class that is nowhere is said to be nowhere."""
    (tmp_path / f"{name}.py").write_text(f"class Task: ...\n{code}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingError, match=rf"^_target_={name}\.Task: cannot be imported \({reason}") as refused:
        locate(f"{name}.Task")
    assert "\n" not in str(refused.value)
    for target in (f"{name}_not.Task", "tasks.Nowhere", "tasks.sudoku.Nowhere", "Task"):
        with pytest.raises(SettingError, match=rf"^_target_={target}: no such class$"):
            locate(target)
    with pytest.raises(
        SettingError, match=r"paradigms\.Decoder: cannot be imported \(AttributeError: .* defined in autoreg"
    ):
        locate("paradigms.Decoder")
