"""Settings put into a choice of groups give what hydra composes of all overrides at once."""

import random

import pytest
from conftest import CONF, PRESETS
from hydra import initialize_config_dir

from wordways.composition import Composition, base_of, composed_by_hydra, composition

SETTINGS = (
    "seed=3",
    "train.lr=2e-3",
    "decoding.temperature=0.5",
    "decoding.order=margin",
    "measure.batches=[1,2]",
    "measure.items=null",
    "results=some/where",
    "task.n=7",
    "+task.n=7",
    "paradigm.decoder.steps=3",
    "paradigm.decoder.temperature=0.25",
    "paradigm.title='a ${seed} b'",
    "progress=false",
    "limits.seconds=4",
    "checkpoints='a=b, c'",
)
GROUPS = (
    "task=bigram",
    "task=translation",
    "backbone=micro",
    "train=translation",
    "measure=windows",
    "experiment=oracle",
)


def outcome(overrides: list[str], compose) -> Composition | str:
    try:
        found = compose(overrides)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return Composition(found.plain, found.raw_title, found.choices, list(found.overrides))


@pytest.mark.parametrize("seed", range(12))
def test_a_composition_is_hydras(seed: int) -> None:
    rng = random.Random(seed)
    overrides = [f"paradigm={rng.choice(PRESETS)}", *rng.sample(GROUPS, 1), *rng.sample(SETTINGS, rng.randint(0, 5))]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        base_of.cache_clear()
        slow = outcome(overrides, composed_by_hydra)
        assert outcome(overrides, composition) == slow
        others = [*overrides[:2], "seed=11", "decoding.temperature=0.75"]
        assert outcome(others, composition) == outcome(others, composed_by_hydra), "a base is as it was before"


def test_what_refers_to_a_setting_follows_it_over_several_steps() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        found = composition(["paradigm=diffusion_s10", "paradigm.decoder.steps=3", "decoding.temperature=0.5"])
        assert found.plain["paradigm"]["title"] == "diffusion (3 steps, random)"
        assert found.plain["paradigm"]["decoder"]["temperature"] == 0.5
        assert composition(["paradigm=diffusion_s10"]).plain["paradigm"]["title"] == "diffusion (10 steps, random)"
