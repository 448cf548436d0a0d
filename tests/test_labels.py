"""What tables call configurations and tasks: every preset has a title, and a title says what ran."""

import re
from typing import Any

import pytest
import yaml
from conftest import CONF, PRESETS, cell
from hypothesis import given
from hypothesis import strategies as st

from wordways.compose import presets_by_paradigm
from wordways.labels import axis, file_name, phrase, titled
from wordways.migrate import composed, title_of_preset
from wordways.overrides import choices_of

TASKS = choices_of("task")


def titles(group: str) -> dict[str, str]:
    return {name: node["title"] for name, node in composed(group).items()}


def test_every_preset_and_every_task_has_a_title() -> None:
    assert titles("paradigm").keys() == set(PRESETS)
    assert titles("task").keys() == set(TASKS)
    for title in [*titles("paradigm").values(), *titles("task").values()]:
        assert title.strip() == title != ""
        assert "_" not in re.sub(r"\$\{[^}]*\}", "", title), "a title is prose"


def test_a_number_in_a_title_is_read_from_the_settings() -> None:
    """So that it is the number that ran; a corpus may have one in its name."""
    for title in titles("paradigm").values():
        assert not re.search(r"\d", re.sub(r"\$\{[^}]*\}", "", title)), title


def test_presets_have_different_titles() -> None:
    """Or none could be told from another where no setting does; titles as they are resolved in the default task."""
    nodes: dict[str, Any] = {name: {**node, "title": None} for name, node in composed("paradigm").items()}
    shown = [title_of_preset({"preset": name, "paradigm": concrete(node)}) for name, node in nodes.items()]
    assert len(set(shown)) == len(shown), sorted(title or "" for title in shown)


def concrete(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: concrete(value) for name, value in node.items()}
    return "x" if isinstance(node, str) and node.startswith("${") else node


def test_what_a_command_changes_is_in_the_title() -> None:
    assert cell("paradigm=diffusion_s10").title["paradigm"] == "diffusion (10 steps, random)"
    assert cell("paradigm=diffusion_s10", "paradigm.decoder.steps=3").title["paradigm"] == "diffusion (3 steps, random)"
    one = cell("paradigm=diffusion", "paradigm.decoder.per_pass=1", "paradigm.decoder.temperature=0.0")
    assert one.title["paradigm"] == "diffusion (1 per pass, T = 0)"
    assert cell("paradigm=parallel", "paradigm.title=mine").title["paradigm"] == "mine"
    assert cell("task=list_operations", "task.n=4", "task.alphabet=8").title["task"] == "list operations, n = 4"


def test_a_title_is_no_part_of_a_name() -> None:
    plain, named = cell("paradigm=parallel"), cell("paradigm=parallel", "paradigm.title=mine", "task.title=ours")
    assert (plain.id, plain.training_key) == (named.id, named.training_key)
    assert (plain.config["title"], named.config["title"]["task"]) != (
        named.config["title"],
        plain.config["title"]["task"],
    )


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("decoder.steps", "10", "10 steps"),
        ("decoder.temperature", "0.0", "T = 0"),
        ("decoder.threshold", "None", "no threshold"),
        ("decoder.ends_last", "True", "ends last"),
        ("decoder.cache", "False", "no cache"),
        ("decoder.then._target_", "paradigms.Gibbs", "then Gibbs"),
        ("decoder._target_", "paradigms.MaskPredict", "mask-predict"),
        ("unheard.of", "7", "of 7"),
    ],
)
def test_settings_in_words(path: str, value: str, words: str) -> None:
    assert phrase(path, value) == words


def test_what_is_added_stands_in_one_pair_of_brackets() -> None:
    assert titled("diffusion (10 steps)", ["block 4"]) == "diffusion (10 steps, block 4)"
    assert titled("AR", ["T = 0", "no cache"]) == "AR (T = 0, no cache)"
    assert titled("mask-predict (1 passes)", []) == "mask-predict (1 pass)"
    assert titled("diffusion (11 steps)", []) == "diffusion (11 steps)"


@given(st.text(max_size=200))
def test_any_title_makes_a_file_name(title: str) -> None:
    name = file_name(title)
    assert re.fullmatch(r"[\w-]+", name)
    assert len(name) <= 85


def test_axes_have_names() -> None:
    assert axis("untold") == "events to generate"
    assert axis("new_setting") == "new setting"


def test_help_lists_every_preset_under_its_paradigm() -> None:
    found = presets_by_paradigm()
    assert sorted(name for names in found.values() for name in names) == PRESETS
    for target, names in found.items():
        for name in names:
            assert composed("paradigm")[name]["_target_"] == target


def test_labels_name_no_setting_that_is_nowhere() -> None:
    """A phrase for a setting that no yaml has is left over."""
    text = "\n".join(path.read_text() for path in CONF.rglob("*.yaml") if path.name != "labels.yaml")
    for name in yaml.safe_load((CONF / "labels.yaml").read_text())["settings"]:
        assert name == "corpus" or re.search(rf"\b{name}:", text), name
