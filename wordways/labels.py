"""How configurations, tasks and settings read in tables and figures: titles, and what tells equal titles apart."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import yaml

from wordways import CONF
from wordways.names import snake_case
from wordways.record import digest

NOT_TELLING = ("seed", "experiment", "preset", "title")
LONGEST = 80  # letters of a name that becomes a file's


def titled(title: str, parts: Sequence[str]) -> str:
    """`diffusion (10 steps)` and `block 4` are `diffusion (10 steps, block 4)`."""
    joined = ", ".join(parts)
    if parts:
        title = f"{title[:-1]}, {joined})" if title.endswith(")") else f"{title} ({joined})"
    return re.sub(r"(?<![\d.])1 (step|update|event|token|layer|round|pass)(es|s)\b", r"1 \1", title)


def phrase(path: str, value: str) -> str:
    """A setting and its value in words; of a class its name, behind what it is for."""
    *parents, name = path.split(".")
    if name == "_target_":
        of_class = snake_case(value.rpartition(".")[2])
        words = words_of()["classes"].get(of_class, of_class.replace("_", " "))
        return " ".join([*parents[-1:], words]).replace("decoder ", "")
    plain = name.replace("_", " ")
    if value in ("None", "False"):
        return f"no {plain}"
    if value == "True":
        return plain
    value = value.removesuffix(".0") if re.fullmatch(r"-?\d+\.0", value) else value
    known = words_of()["settings"].get(name)
    return known.format(value.replace("_", " ")) if known else f"{plain} {value}"


def axis(setting: str) -> str:
    """The label of an axis for a setting, by its dotted name or by its last part."""
    *_, name = setting.split(".")
    axes = words_of()["axes"]
    return axes.get(setting) or axes.get(name) or name.replace("_", " ")


def spoken(paradigm: str) -> str:
    """A paradigm's name in words."""
    return words_of()["paradigms"].get(paradigm, paradigm.replace("_", " "))


def file_name(title: str) -> str:
    """A title as a part of a file's name."""
    name = re.sub(r"[^\w-]+", "_", title.lower()).strip("_") or "task"
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}_{digest(name)[:4]}"


def flatten(node: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Dotted names of all settings that may tell configurations apart, values as text."""
    flat = {}
    for name, value in node.items():
        if path or name not in NOT_TELLING:
            if isinstance(value, Mapping):
                flat |= flatten(value, f"{path}{name}.")
            else:
                flat[f"{path}{name}"] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return flat


def differ(name: str, settings: Sequence[Mapping[str, str]]) -> bool:
    return len({flat.get(name) for flat in settings}) > 1


def natural(label: str) -> list[tuple[int, str]]:
    """Sorts `10 steps` behind `2 steps`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", label)]


@lru_cache(maxsize=1)
def words_of() -> Mapping[str, Mapping[str, str]]:
    return yaml.safe_load((CONF / "labels.yaml").read_text(encoding="utf-8"))
