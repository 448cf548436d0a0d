"""Bad configurations are refused in one line that names the option, the value and what is allowed."""

import tomllib

import pytest
import yaml
from conftest import CONF, PRESETS, ROOT
from hypothesis import given
from hypothesis import strategies as st

from wordways.compose import choices_in_groups, compose_cells
from wordways.overrides import LAUNCHER, NEAREST, choices_of, unknown_choice
from wordways.settings import SettingError

OPTIONAL = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def refusal(*arguments: str) -> str:
    with pytest.raises(SettingError) as refused:
        compose_cells(list(arguments))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("argument", "first"),
    [
        ("paradigm=difusion_k1", "diffusion_k1"),
        ("paradigm=parallel,autoregresive", "autoregressive"),
        ("task=sudko", "sudoku"),
        ("experiment=distilation", "distillation"),
        ("backbone=mico", "micro"),
        ("measure=orcle", "oracle"),
        ("train=quik", "quick"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_choices(argument: str, first: str) -> None:
    group, _, values = argument.partition("=")
    line = refusal(argument)
    assert line.startswith(f"{group}={values.split(',')[-1]}: no such choice; the nearest are {first}")
    assert len(line.partition("are ")[2].partition(" (")[0].split(", ")) == NEAREST


def test_a_launcher_that_is_not_installed_says_what_installs_it() -> None:
    """Also where one of ours builds on it."""
    builds_on = {yaml.safe_load(path.read_text())["defaults"][0] for path in (CONF / LAUNCHER).glob("*.yaml")}
    for name in ("joblib", "submitit_local", *builds_on - {path.stem for path in (CONF / LAUNCHER).glob("*.yaml")}):
        (extra,) = [extra for extra in ("jobs", "slurm") if f"[{extra}]" in unknown_choice(LAUNCHER, name, ["basic"])]
        assert any(name.partition("_")[0] in package for package in OPTIONAL[extra])
    assert "no such choice" in unknown_choice(LAUNCHER, "basicc", ["basic"])


def test_a_typo_within_a_package_too() -> None:
    assert refusal("paradigm=diffusion", "decoder@paradigm.decoder=gibs").startswith(
        "decoder=gibs: no such choice; the nearest are gibbs"
    )


@given(st.sampled_from(PRESETS), st.data())
def test_one_wrong_letter_finds_the_preset(preset: str, data: st.DataObject) -> None:
    """Of all presets the one that was meant is among the nearest."""
    place = data.draw(st.integers(0, len(preset) - 1))
    typo = f"{preset[:place]}q{preset[place + 1 :]}"
    assert preset in refusal(f"paradigm={typo}")


def test_a_task_needs_no_experiment_of_its_own() -> None:
    assert "bigram" not in choices_of("experiment")
    cells = compose_cells(["task=bigram"])
    assert len(cells) > 3
    assert {(cell.experiment, cell.run.results) for cell in cells} == {("bigram", "results/bigram")}
    assert [cell.preset for cell in cells] == [cell.preset for cell in compose_cells([])], "the default comparison"


def test_a_tasks_own_experiment_counts_first() -> None:
    own = [cell.preset for cell in compose_cells(["task=error_injection"])]
    assert own != [cell.preset for cell in compose_cells(["task=bigram"])]
    assert (CONF / "experiment" / "error_injection.yaml").is_file()


def test_a_task_is_no_experiment() -> None:
    assert refusal("experiment=bigram") == "experiment=bigram: no such choice; that is a task, which task=bigram runs"


@pytest.mark.parametrize("swept", ["1,2", "2"])
def test_a_setting_that_one_paradigm_lacks(swept: str) -> None:
    line = refusal("paradigm=autoregressive,diffusion", f"paradigm.decoder.steps={swept}")
    assert line.startswith(f"paradigm.decoder.steps={swept[0]}: paradigm=autoregressive has no such setting")
    assert "wordways -m paradigm=... paradigm.decoder.steps=..." in line, "how the sweep is written"
    assert "conf/paradigm/<name>.yaml" in line


def test_a_setting_that_the_only_paradigm_lacks() -> None:
    line = refusal("paradigm=autoregressive", "paradigm.decoder.steps=2")
    assert line == (
        "paradigm.decoder.steps=2: paradigm=autoregressive has no such setting "
        "(see wordways --cfg job paradigm=autoregressive)"
    )


def test_help_names_every_choice_once() -> None:
    shown = choices_in_groups()
    for group in ("paradigm", "task", "experiment", "backbone", "train", "measure", "decoder"):
        for name in choices_of(group):
            assert name in shown, f"{group}={name}"
    assert max(map(len, shown.splitlines())) <= 100
