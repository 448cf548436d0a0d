"""Composes configurations: hydra composes each choice of groups once, and single settings are changed in its result.

Hydra takes about 60 ms for a configuration, whatever differs; the cells of a sweep mostly differ in a few settings.
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from wordways import CONF

FIXED = "${hydra:"  # interpolations that no setting changes


@dataclass(frozen=True)
class Composition:
    """A configuration as plain values.

    raw_title: the paradigm's title with its interpolations.  choices: of every group.  overrides: that led to it.
    """

    plain: Mapping[str, Any]
    raw_title: str
    choices: Mapping[str, str]
    overrides: Sequence[str]


@dataclass(frozen=True)
class Base:
    """A choice of groups: its configuration before and after interpolation, and the settings that refer to others."""

    config: DictConfig
    raw: Mapping[str, Any]
    plain: Mapping[str, Any]
    choices: Mapping[str, str]
    linked: tuple[str, ...]


def hydra_here() -> initialize_config_dir:
    """Within this context hydra composes our configuration."""
    return initialize_config_dir(str(CONF), job_name="wordways", version_base="1.3")


def composition(overrides: Sequence[str]) -> Composition:
    """The configuration of these overrides, where hydra is initialised. Raises hydra's and OmegaConf's exceptions."""
    asked = [(text, parsed(text)) for text in overrides]
    chosen = tuple(text for text, override in asked if not is_plain(override))
    settings = [override for _, override in asked if is_plain(override)]
    try:
        base = base_of(chosen)
    except Exception:  # a choice may need a setting to be valid
        return composed_by_hydra(overrides)
    if not all(fits(override, base) for override in settings):
        return composed_by_hydra(overrides)
    return changed(base, settings, overrides)


def composed_by_hydra(overrides: Sequence[str]) -> Composition:
    return replace(of_hydra(configuration(overrides)), overrides=list(overrides))


def configuration(overrides: Sequence[str]) -> DictConfig:
    """What hydra composes of these overrides, made known to what interpolates hydra's settings."""
    config = compose("config", list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    return config


def of_hydra(config: DictConfig) -> Composition:
    """What hydra has composed; HydraConfig must be set to it."""
    own, hydra = without_hydra(config), HydraConfig.get()
    raw: Any = OmegaConf.to_container(own.paradigm, resolve=False)
    plain: Any = OmegaConf.to_container(own, resolve=True)
    title = raw.get("title") if isinstance(raw, dict) else None
    return Composition(plain, str(title), dict(hydra.runtime.choices), list(hydra.overrides.task))


def without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"])


@lru_cache(maxsize=100_000)
def parsed(override: str) -> Override:
    return OverridesParser.create().parse_override(override)


def is_plain(override: Override) -> bool:
    """Whether it changes one setting to one value, and is no choice of a group."""
    return (
        override.type is not None
        and not (override.is_add() or override.is_force_add() or override.is_delete() or override.is_sweep_override())
        and override.package is None
        and not override.key_or_group.startswith("hydra")
        and not (CONF / override.key_or_group).is_dir()
        and not isinstance(override.value(), dict)
        and "$" not in (override.input_line or "$")
    )


def fits(override: Override, base: Base) -> bool:
    """Whether the setting exists and is no group of settings; hydra says what is wrong with all others."""
    try:
        known = at(base.raw, override.key_or_group)
    except (KeyError, TypeError):
        return False
    return not isinstance(known, dict)


@lru_cache(maxsize=256)
def base_of(choices: tuple[str, ...]) -> Base:
    config = configuration(choices)
    own = without_hydra(config)
    raw: Any = OmegaConf.to_container(own, resolve=False)
    linked = tuple(path for path, value in leaves(raw) if "${" in str(value) and not str(value).startswith(FIXED))
    plain: Any = OmegaConf.to_container(own, resolve=True)
    return Base(own, raw, plain, dict(config.hydra.runtime.choices), linked)


def leaves(node: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every setting with its dotted name."""
    if not isinstance(node, dict):
        return [(path, node)]
    return [leaf for name, inner in node.items() for leaf in leaves(inner, f"{path}.{name}" if path else str(name))]


def changed(base: Base, settings: Sequence[Override], overrides: Sequence[str]) -> Composition:
    """The base with these settings, and with what refers to them."""
    plain = deepcopy(dict(base.plain))
    for override in settings:
        put(plain, override.key_or_group, override.value())
    if found := referring(base, settings):
        used = set[str]().union(*(words(str(at(base.raw, path))) for path in found))
        told = [override for override in settings if used & set(override.key_or_group.split("."))]
        try:
            for override in told:
                OmegaConf.update(base.config, override.key_or_group, override.value())
            for path in found:
                value = OmegaConf.select(base.config, path)
                put(plain, path, OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value)
        finally:
            for override in told:
                OmegaConf.update(base.config, override.key_or_group, at(base.raw, override.key_or_group))
    return Composition(plain, str(base.raw["paradigm"].get("title")), base.choices, overrides)


def referring(base: Base, settings: Sequence[Override]) -> list[str]:
    """The settings that may refer to one of these, by names alone: rather one too many, and over several steps."""
    names = {name for override in settings for name in override.key_or_group.split(".")}
    found: list[str] = []
    while more := [path for path in base.linked if path not in found and names & words(str(at(base.raw, path)))]:
        found += more
        names |= {path.rpartition(".")[2] for path in more}
    return found


def words(interpolated: str) -> set[str]:
    return set(re.findall(r"\w+", " ".join(interpolated.split("${")[1:])))


def at(node: Any, path: str) -> Any:
    return reduce(lambda inner, name: inner[name], path.split("."), node)


def put(node: dict[str, Any], path: str, value: Any) -> None:
    parents, _, name = path.rpartition(".")
    (at(node, parents) if parents else node)[name] = value
