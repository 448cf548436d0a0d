"""From a command line to checked cells: hydra composes, every cell is checked, every error is one line."""

import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import yaml
from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from wordways import CONF
from wordways.composition import (
    Composition,
    composed_by_hydra,
    composition,
    configuration,
    hydra_here,
    of_hydra,
)
from wordways.labels import phrase, spoken, titled
from wordways.names import kind
from wordways.overrides import checked, choices_of, discrete, read, unknown_choice
from wordways.run.cell import Cell
from wordways.run.check import check_cell
from wordways.settings import SettingError, value_at

BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
PROCESSES = 1024  # more than a machine has cores
UNCOMPOSED = (
    HydraException,
    OmegaConfBaseException,
    yaml.YAMLError,
    RecursionError,
)  # what composing a wrong configuration raises


@dataclass(frozen=True)
class Asked:
    """What a command asks for: checked cells, and hydra's own configuration. known: whether these are all cells."""

    cells: list[Cell]
    config: DictConfig
    known: bool


def compose_cells(arguments: list[str]) -> list[Cell]:
    """Every cell that the command asks for, checked. Raises SettingError with one line where any of them cannot run."""
    return asked_by(arguments).cells


def asked_by(arguments: list[str]) -> Asked:
    """Raises SettingError with one line where any cell cannot run."""
    with hydra_here():
        try:
            parsed = read(arguments)
            fixed = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
            config = config_of(fixed)
            check_launcher(config)
            sweeper = config.hydra.sweeper
            known = sweeper._target_ == BASIC_SWEEPER
            if not known:
                jobs = [fixed]  # another sweeper decides as it goes; what stays fixed can be checked
            else:
                axes = [f"{name}={values}" for name, values in (sweeper.params or {}).items()]
                jobs = BasicSweeper.split_arguments([*read(axes), *discrete(parsed)], None)[0]
        except UNCOMPOSED as error:
            raise SettingError(one_line(error, arguments)) from None
        return Asked([composed(list(overrides), swept=len(jobs) > 1) for overrides in jobs], config, known)


def cells_of(jobs: Sequence[Sequence[str]]) -> list[Cell]:
    """The cell of each of these lists of overrides. Raises SettingError with one line."""
    with hydra_here():
        return [composed(list(overrides)) for overrides in jobs]


def cell_of_overrides(overrides: list[str]) -> Cell:
    """The one cell of a command without a sweep. Raises SettingError with one line."""
    with hydra_here():
        return composed(checked(overrides))


def composed(overrides: list[str], swept: bool = False) -> Cell:
    """The cell of these overrides, where hydra is initialised. Raises SettingError with one line."""
    try:
        return cell_from(composition(overrides))
    except UNCOMPOSED as error:
        raise SettingError(one_line(error, overrides, swept)) from None


def config_of(fixed: list[str]) -> DictConfig:
    """The configuration before the sweep; a setting of one paradigm alone is left to the cells of the sweep."""
    try:
        return compose("config", fixed, return_hydra_config=True)
    except HydraException:
        rest = [override for override in fixed if not override.lstrip("+~").startswith("paradigm.")]
        return compose("config", rest, return_hydra_config=True)


def composed_for(overrides: list[str]) -> DictConfig:
    """A configuration to be shown, hydra's included. Raises SettingError where there are several, or none."""
    with hydra_here():
        for override in (asked := read(overrides)):
            if override.is_sweep_override():
                raise SettingError(f"{override.input_line}: must be one value, because one configuration is shown")
        try:
            return configuration([override.input_line or "" for override in asked])
        except UNCOMPOSED as error:
            raise SettingError(one_line(error, overrides)) from None


def check_launcher(config: DictConfig) -> None:
    """Raises SettingError where joblib would refuse its settings after the first run has been prepared."""
    settings: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
    if settings.pop("_target_").startswith("hydra_plugins.hydra_joblib_launcher."):
        from joblib import Parallel  # comes with this launcher

        if not 0 != settings["n_jobs"] <= PROCESSES:
            allowed = f"must be from 1 to {PROCESSES}, or -1 for one process per core"
            raise SettingError(f"hydra.launcher.n_jobs={settings['n_jobs']}: {allowed}")
        try:
            Parallel(**settings)([])
        except (ValueError, TypeError) as error:
            raise SettingError(f"hydra.launcher: {error}") from None


def cell_of(config: DictConfig) -> Cell:
    """The cell of a configuration that hydra has composed. Raises SettingError with one line."""
    return cell_from(of_hydra(config))


def cell_from(found: Composition) -> Cell:
    plain = {name: homed(value) for name, value in found.plain.items()}
    if isinstance(plain["paradigm"], dict) and (title := plain["paradigm"].get("title")):
        plain["paradigm"] = plain["paradigm"] | {"title": titled(title, changed_settings(found))}
    cell = check_cell(plain, found.choices["paradigm"], str(found.choices["experiment"]))
    return replace(cell, overrides=tuple(found.overrides))


def homed(value: Any) -> Any:
    """Settings in which paths of the user's home folder, written ~, are whole; presets may hold such paths."""
    if isinstance(value, dict):
        return {name: homed(inner) for name, inner in value.items()}
    return os.path.expanduser(value) if isinstance(value, str) else value


def changed_settings(found: Composition) -> list[str]:
    """What the command changed of the preset, in words; settings that the title shows by itself are left out."""
    shown = re.findall(r"\$\{\.([\w.]+)\}", found.raw_title)
    values: dict[str, Any] = {}
    for override in found.overrides:
        name, _, _ = override.lstrip("+~").partition("=")
        path = name.removeprefix("paradigm.")
        if name.startswith("paradigm.") and path not in ("title", *shown):
            values[path] = value_at(found.plain["paradigm"], path)
    return [phrase(path, str(value)) for path, value in values.items() if not isinstance(value, dict)]


def one_line(error: Exception, arguments: list[str], swept: bool = False) -> str:
    """Hydra's ten lines as one that names the option, its value and what is allowed."""
    text = str(error)
    missing = re.search(r"Could not (?:find|load) '([\w/]+)/([^'/]+)'", text)
    if missing:
        return unknown_choice(missing[1], missing[2], choices_of(missing[1]))
    wrong = re.search(r"Could not override '([^']+)'", text)
    if wrong:
        value = next((argument for argument in arguments if argument.lstrip("+~").startswith(f"{wrong[1]}=")), wrong[1])
        preset = next((a.partition("=")[2] for a in arguments if a.startswith("paradigm=")), "")
        if preset and wrong[1].startswith("paradigm."):
            return lacking_setting(preset, value, wrong[1].removeprefix("paradigm."), swept)
        return f"{value}: no such setting in this configuration; see wordways --cfg job"
    if isinstance(why := error.__cause__ or error, OmegaConfBaseException):
        text = str(why).partition("\n")[0]  # the lines that follow are about the inside of OmegaConf
    reason = " ".join(line.strip() for line in text.splitlines() if line.strip())
    option = re.sub(r"\\(.)", r"\1", culprit(arguments))  # without hydra's escapes
    return f"{option}: {reason}" if option else reason


def culprit(overrides: list[str]) -> str:
    """The first override without which the others can be composed; empty where no single one is to blame."""
    for one in overrides:
        try:
            composed_by_hydra([other for other in overrides if other is not one])
        except UNCOMPOSED:
            continue
        return one
    return ""


def lacking_setting(preset: str, value: str, path: str, swept: bool) -> str:
    """A preset without a setting: which presets have it, and how a sweep over several presets is written."""
    line = f"{value}: paradigm={preset} has no such setting (see wordways --cfg job paradigm={preset})"
    if not swept:
        return line
    return (
        f"{line}; sweep it over the paradigms that have it in a command of its own, wordways -m paradigm=... "
        f"paradigm.{path}=..., or write one preset per value (conf/paradigm/<name>.yaml) and sweep paradigm=<names>"
    )


@lru_cache(maxsize=1)
def presets_by_paradigm() -> dict[str, list[str]]:
    """The names of conf/paradigm, under the class that each one configures."""
    found: dict[str, list[str]] = {}
    for name in choices_of("paradigm"):
        found.setdefault(class_of_preset(name), []).append(name)
    return found


def class_of_preset(name: str) -> str:
    """Follows `defaults` to the preset that names the class."""
    node = yaml.safe_load((CONF / "paradigm" / f"{name}.yaml").read_text(encoding="utf-8"))
    if target := node.get("_target_"):
        return target
    parents = [entry.partition("@")[0] for entry in node["defaults"] if isinstance(entry, str) and entry != "_self_"]
    return class_of_preset(parents[0])


def choices_in_groups() -> str:
    """What --help says of conf/: presets under their paradigms, and the choices of every other group."""
    lines = ["  paradigm"]
    for target, presets in presets_by_paradigm().items():
        lines.append(wrapped(f"    {spoken(kind({'_target_': target}))}: ", presets))
    for group in ("task", "experiment", "backbone", "train", "measure"):
        lines.append(wrapped(f"  {group}: ", choices_of(group)))
    lines.append(wrapped("  decoder@paradigm.decoder: ", choices_of("decoder")))
    return "\n".join(lines).lstrip()


def wrapped(head: str, names: list[str]) -> str:
    indent = " " * (len(head) - len(head.lstrip()) + 4)
    return textwrap.fill(", ".join(names), 100, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)


OmegaConf.register_new_resolver("wordways_choices", choices_in_groups, replace=True)
