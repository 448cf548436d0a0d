"""What a user types after `wordways`, read word by word before anything is composed: every error is one line."""

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from math import prod
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from wordways import CONF
from wordways.settings import SettingError

NEAREST = 3  # names that a message offers in place of an unknown one
LAUNCHER = "hydra/launcher"
EXTRAS = {"joblib": "jobs", "submitit": "slurm"}  # what installs hydra's launchers whose names begin with these words
RUNS = 100_000  # of one command; who asks for more has mistyped a range
LONGEST = 200  # letters of a name; longer ones are none, and no file system takes them
NEEDED = ("paradigm", "task", "experiment", "backbone", "train", "measure")
OF_HYDRA = re.compile(r"hydra/(launcher|sweeper|job_logging|hydra_logging)|hydra\.(launcher|sweeper)\.(?!_target_).+")


def read(arguments: Iterable[str]) -> list[Override]:
    """The overrides of a command, where hydra is initialised. Raises SettingError where one of them cannot be used."""
    parser = OverridesParser.create(config_loader=loader())  # which resolves glob(...)
    overrides = [parsed(parser, at_home(argument)) for argument in arguments]
    for override in overrides:
        check_hydra(override)
        check_choices(override)
    sweeps = [override for override in overrides if override.is_discrete_sweep()]
    if prod(len(values_of(override)) for override in sweeps) > RUNS:
        asked = " ".join(override.input_line or "" for override in sweeps)
        raise SettingError(f"{asked}: a command has at most {RUNS} runs")
    return overrides


def checked(arguments: Iterable[str]) -> list[str]:
    """The same overrides as hydra reads them. Raises SettingError where one of them cannot be used."""
    return [override.input_line or "" for override in read(arguments)]


def discrete(overrides: list[Override]) -> list[Override]:
    """The same overrides. Raises SettingError where a sweep does not list its values."""
    for override in overrides:
        if override.is_interval_sweep():
            raise SettingError(f"{override.input_line}: must be values or a range; only other sweepers take intervals")
    return overrides


def at_home(argument: str) -> str:
    """The argument with the user's home folder in place of `~`, which a shell replaces only where a word begins."""
    return re.sub(r"(?<=[=,])~(?=/|,|$)", lambda _: str(Path.home()), argument)


def parsed(parser: OverridesParser, argument: str) -> Override:
    how = "must be name=value; a value with special characters is quoted twice, as in \"name='a=b'\""
    try:
        override = parser.parse_overrides([argument])[0]
    except (HydraException, ValueError, RecursionError) as error:
        reason = re.search(r"while evaluating '.*': (.*)", str(error))
        raise SettingError(f"{argument}: {reason[1] if reason else how}") from None
    if not override.key_or_group:
        raise SettingError(f"{argument}: {how}")
    if len(override.key_or_group) > LONGEST:
        raise SettingError(f"{argument}: no such setting in this configuration; see wordways --cfg job")
    return override


def values_of(override: Override) -> list[str]:
    """The values of a sweep over one setting, up to one more than can be run."""
    try:
        found = [str(value) for value in islice(override.sweep_iterator(), RUNS + 1)]
    except (HydraException, ValueError, ArithmeticError) as error:
        raise SettingError(f"{override.input_line}: {error}") from None
    if not found:
        raise SettingError(f"{override.input_line}: has no value")
    return found


def check_hydra(override: Override) -> None:
    """Raises SettingError for settings of hydra that change more than how the runs are launched or chosen."""
    name = override.key_or_group
    if not re.match(r"hydra\b", name):
        return
    if not OF_HYDRA.fullmatch(name) or override.is_delete():
        raise SettingError(
            f"{override.input_line}: of hydra's own settings only hydra/launcher, hydra.launcher.*, hydra/sweeper and "
            "hydra.sweeper.* can be changed, because others move or hide results"
        )
    if override.is_sweep_override():
        raise SettingError(f"{override.input_line}: must be one value, which is that of the whole command")


def check_choices(override: Override) -> None:
    """Raises SettingError where a group of conf/ has no such choice."""
    group, known = override.key_or_group, loader().get_group_options(override.key_or_group)
    if not group or not known:
        return
    if override.is_delete():
        if group in NEEDED and override.package is None:
            raise SettingError(f"{override.input_line}: cannot be left out; every run has its {group}")
        return
    values = values_of(override) if override.is_discrete_sweep() else [override.value()]
    for value in map(str, ["null" if value is None else value for value in values]):
        if value in known or "$" in value:
            continue
        if group == "experiment" and value in choices_of("task"):
            raise SettingError(f"experiment={value}: no such choice; that is a task, which task={value} runs")
        raise SettingError(unknown_choice(group, value, known))


def loader() -> ConfigLoader:
    return GlobalHydra.instance().config_loader()


def choices_of(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def unknown_choice(group: str, value: str, known: Sequence[str]) -> str:
    """The line that names the nearest choices, or what has to be installed for this one."""
    if group == LAUNCHER and (extra := EXTRAS.get(value.partition("_")[0])):
        return f"{group}={value}: is not installed; in the clone of wordways, pip install -e '.[{extra}]' installs it"
    near = difflib.get_close_matches(value, known, NEAREST, cutoff=0.0)
    return f"{group}={value}: no such choice; the nearest are {', '.join(near)} (all: wordways --help)"
