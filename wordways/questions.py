"""The flags of `wordways`: questions that are answered without running anything."""

import argparse
from typing import NoReturn

from omegaconf import DictConfig, OmegaConf

from wordways import __version__
from wordways.compose import composed_for
from wordways.settings import SettingError

PARTS = {"job": (True, False), "hydra": (False, True), "all": (True, True)}  # whether --cfg shows ours, and hydra's
FLAGS = "-m, --multirun, -h, --help, --version, --cfg job|hydra|all and --resolve"


class Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingError(message.removeprefix("argument "))


def answer(arguments: list[str]) -> str | None:
    """The answer to a command's question; None where it asks for runs.

    Raises SettingError where a flag is unknown or a setting is misspelt.
    """
    flags, overrides = parser().parse_known_args(arguments)
    for word in overrides:
        if word.startswith("-"):
            raise SettingError(f"{word}: no such flag; allowed are {FLAGS}")
    if flags.version:
        return f"wordways {__version__}"
    if flags.resolve and flags.cfg is None:
        raise SettingError("--resolve: allowed only with --cfg")
    if flags.help:
        return composed_for(overrides).hydra.help.template
    return None if flags.cfg is None else shown(composed_for(overrides), *PARTS[flags.cfg], resolve=flags.resolve)


def parser() -> Flags:
    """Of the flags alone; hydra's others answer questions about hydra, or lead around the checks of settings."""
    flags = Flags(add_help=False, allow_abbrev=False)
    flags.add_argument("-m", "--multirun", action="store_true")  # what every command does, also without it
    flags.add_argument("-h", "--help", action="store_true")
    flags.add_argument("--version", action="store_true")
    flags.add_argument("--cfg", choices=list(PARTS))
    flags.add_argument("--resolve", action="store_true")
    return flags


def shown(config: DictConfig, ours: bool, hydras: bool, resolve: bool) -> str:
    names = [str(name) for name in config if (hydras if name == "hydra" else ours)]
    return OmegaConf.to_yaml(OmegaConf.masked_copy(config, names), resolve=resolve).rstrip()
