"""Records of schema 1 as records of schema 2: public class names, titles, and the names of cells that follow from them.

Old names stay in a record's `aliases`, so that what cites them still finds it; nothing that was measured changes.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from wordways import CONF
from wordways.archive import archived
from wordways.history import commands_of, write_commands
from wordways.labels import flatten, phrase, titled
from wordways.record import Record, loose, pack, read_records, write_record
from wordways.settings import value_at

INTERPOLATED = re.compile(r"\$\{\.([\w.]+)\}")


def migrate(results: Path) -> str:
    """Rewrites a folder's records and the names in its config.yaml; returns a line that says what was done.

    A record is written under its new name before its old file goes, so an interruption loses nothing. Raises
    DamagedError where the archive is: nothing is then changed.
    """
    inside, outside = archived(results), {path.stem for path in loose(results).values()}
    records, refused = read_records(results)
    fresh = [with_titles(record) for record in records]
    for record in fresh:
        write_record(results, record)
    if inside:
        pack(results, without={alias for record in fresh for alias in record.aliases})
    for record in fresh:
        for alias in {*record.aliases} & outside:
            (results / "cells" / f"{alias}.json").unlink(missing_ok=True)
    rename_in_history(results, {alias: record.cell for record in fresh for alias in record.aliases})
    left = "".join(f"\nnot a record: {reason}" for reason in refused)
    return f"{results}: {len(fresh)} records are of schema 2{left}"


def rename_in_history(results: Path, names: Mapping[str, str]) -> None:
    if entries := commands_of(results):
        for entry in entries:
            entry["cells"] = {names.get(cell, cell): what for cell, what in entry["cells"].items()}
        write_commands(results, entries)


def with_titles(record: Record) -> Record:
    """The record with the titles that conf/ gives its preset and task; titles that it has stay."""
    config = record.config
    found = {"paradigm": title_of_preset(config), "task": title_of_task(config["task"])}
    titles = {part: title for part, title in found.items() if title} | config.get("title", {})
    return replace(record, config={**config, "title": titles} if titles else config)


def title_of_preset(config: Mapping[str, Any]) -> str | None:
    """The preset's title for these settings; what they change of the preset is added in words."""
    raw = composed("paradigm").get(config["preset"])
    if raw is None or "title" not in raw:
        return None
    flat, shown = flatten(config["paradigm"]), INTERPOLATED.findall(raw["title"])
    changed = [
        phrase(path, flat[path])
        for path, value in flatten(raw).items()
        if path in flat and path not in ("title", *shown) and not value.startswith("${") and value != flat[path]
    ]
    return titled(resolved(raw["title"], config["paradigm"]), changed)


def title_of_task(node: Mapping[str, Any]) -> str | None:
    """The title of the task in conf/ that is of the same class and has most of the same settings."""
    flat = flatten(node)
    alike = [raw for raw in composed("task").values() if raw.get("_target_") == node["_target_"] and "title" in raw]
    if not alike:
        return None
    return resolved(max(alike, key=lambda raw: len(flat.items() & flatten(raw).items()))["title"], node)


def resolved(title: str, node: Mapping[str, Any]) -> str:
    """The title with the settings that it names; plainly, since a record's own values are not to be interpreted."""
    return INTERPOLATED.sub(lambda found: str(value_at(node, found[1])), title)


@lru_cache(maxsize=4)
def composed(group: str) -> Mapping[str, dict[str, Any]]:
    """Every choice of a group of conf/, its interpolations unresolved."""
    found = {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for name in sorted(path.stem for path in (CONF / group).glob("*.yaml")):
            try:
                node: Any = OmegaConf.to_container(compose("config", [f"{group}={name}"])[group], resolve=False)
            except HydraException:
                continue  # somebody's unfinished file names no record
            found[name] = node
    return found
