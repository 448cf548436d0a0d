"""Builds checked objects from a composed configuration; an error names the option, its value and what is allowed."""

import inspect
import re
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from importlib import import_module
from types import UnionType
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

INTEGERS = 2**63  # that tensors can hold


class SettingError(ValueError):
    """An invalid configuration; its text is the one line that the user sees, whatever the settings contain."""

    def __init__(self, text: str):
        super().__init__(re.sub(r"\S{200,}", abridged, "".join(map(visible, text.strip()))))


def shown(value: Any) -> str:
    """A value as it is typed; of what has been built, its class."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    plain = isinstance(value, str | int | float | Mapping | list | tuple)
    return str(value) if plain else type(value).__name__


def encodable(text: str) -> bool:
    """Whether a text can stand in a file and in a path: lone surrogates stand for bytes that are no text."""
    return not re.search("[\0\ud800-\udfff]", text)


def visible(sign: str) -> str:
    """A character of a line; what would break it or cannot be printed is escaped."""
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()


def abridged(word: re.Match[str]) -> str:
    """A word that is too long to be read."""
    return f"{word[0][:60]}...{word[0][-20:]}"


def locate(target: str, path: str = "") -> Any:
    """The class that a path or a public name leads to. Raises SettingError: it is nowhere, or its file has an error."""
    module, _, name = target.rpartition(".")
    option = f"{join(path, '_target_')}={target}"
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # a user's file may raise anything while it is imported
        absent = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        if absent or not module.strip(".") or "defined in no file" in str(error) or "has no attribute" in str(error):
            raise SettingError(f"{option}: no such class") from None
        reason = " ".join(str(error).split())
        raise SettingError(f"{option}: cannot be imported ({type(error).__name__}: {reason})") from None


def join(path: str, name: str) -> str:
    """The dotted path of an option below `path`."""
    return f"{path}.{name}" if path else name


def value_at(node: Any, path: str) -> Any:
    """A setting by its dotted name; None where there is none."""
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def build(node: Mapping[str, Any], path: str, /, **given: Any) -> Any:
    """The object that a node describes: its `_target_`, called with `given` and the node's other keys.

    The keys are checked against the annotations. Raises SettingError where one is unknown, missing or invalid.
    """
    return construct(class_of(node, path), node, path, **given)


def class_of(node: Any, path: str, *kinds: type) -> type:
    """The class that a node names. Raises SettingError where it names none, or one that is of none of the kinds."""
    if not isinstance(node, Mapping):
        raise SettingError(f"{path}={shown(node)}: must be settings that name a class in _target_")
    if "_target_" not in node:
        raise SettingError(f"{path}._target_: missing; it names the class that the settings are for")
    if not isinstance(target := node["_target_"], str):
        raise SettingError(f"{path}._target_={shown(target)}: must be the name of a class")
    found = locate(target, path)
    if not (isinstance(found, type) and issubclass(found, kinds or object)):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise SettingError(f"{path}._target_={target}: is no class" + (f" of the kind {wanted}" if kinds else ""))
    return found


def kinds_of(hint: Any) -> list[type]:
    """The classes of an annotation; none where it also allows what is no class of its own."""
    parts = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    parts = [part for part in parts if part is not type(None)]
    return parts if all(isinstance(part, type) for part in parts) else []


def construct(cls: Any, node: Mapping[str, Any], path: str, /, **given: Any) -> Any:
    """Like `build`, for a class that the node does not name."""
    hints, defaults = signature_of(cls)
    parameters = [name for name in defaults if name not in given]
    settings = {name: value for name, value in node.items() if name != "_target_"}
    for name in settings:
        if name not in parameters:
            known = ", ".join(parameters)
            raise SettingError(
                f"{join(path, name)}={shown(settings[name])}: no such setting; {cls.__name__} has {known}"
            )
    values = {}
    for name in parameters:
        if name in settings:
            values[name] = check(settings[name], hints[name], join(path, name))
        elif defaults[name] is inspect.Parameter.empty:
            raise SettingError(f"{join(path, name)}: missing; {cls.__name__} requires it")
    try:
        return cls(**values, **given)
    except ValueError as error:
        raise SettingError(join(path, str(error))) from None


def check(value: Any, hint: Any, path: str) -> Any:
    """The value, checked against `hint`, with nested nodes built. Raises SettingError where it does not fit."""
    if isinstance(value, Mapping):
        kinds = kinds_of(hint)
        if "_target_" in value:
            value = construct(class_of(value, path, *kinds), value, path)
        elif kinds and is_dataclass(kinds[0]):  # of several classes, the first is the one that need not be named
            return construct(kinds[0], value, path)
    if isinstance(value, str) and not encodable(value):
        raise SettingError(f"{path}={value}: must be text without NUL and lone surrogates")
    if isinstance(value, int) and abs(value) >= INTEGERS:
        raise SettingError(f"{path}={value}: must be below {INTEGERS}")
    try:
        return adapter_of(hint).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"[{step}]" for step in first["loc"] if isinstance(step, int))
        raise SettingError(
            f"{path}{where}={shown(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"
        ) from None


@lru_cache(maxsize=512)
def signature_of(cls: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The annotations of the settings of a class or a function, and their default values."""
    parameters = inspect.signature(cls).parameters
    return typing.get_type_hints(cls.__init__ if isinstance(cls, type) else cls), {
        name: one.default for name, one in parameters.items()
    }


@lru_cache(maxsize=512)
def adapter_of(hint: Any) -> TypeAdapter[Any]:
    """Checks values against an annotation; it takes a tenth of a millisecond to make."""
    config = None if is_dataclass(hint) else ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    return TypeAdapter(typing.cast(Any, hint), config=config)
