"""Parses the JSON of records: strictly, and what many records share only once."""

from functools import lru_cache
from typing import Any

from pydantic_core import from_json

SHARED = (("item_ids", "likelihood"), ("strata", "timing"))  # the longest fields, each with the next one in a file


def parse_shared(text: str) -> Any:
    """Parses a record's JSON; the long fields that are equal in all cells of a sweep are parsed once and shared."""
    parts, rest, place = {}, [], 0
    for name, following in SHARED:
        start = text.find(f'"{name}":', place) + len(name) + 3
        end = text.find(f',"{following}":', start)
        if start > place + len(name) + 2 and end > start:
            parts[name] = text[start:end]
            rest += [text[place:start], f'"{len(parts)} shared"']
            place = end
    marks = [f"{number} shared" for number in range(1, len(parts) + 1)]
    try:
        fields = parse("".join([*rest, text[place:]]))
        if isinstance(fields, dict) and [fields.get(name) for name in parts] == marks:
            return fields | {name: parse_once(part) for name, part in parts.items()}
    except ValueError:
        pass
    return parse(text)  # the file has another layout than write_record produces


def parse(text: str) -> Any:
    """JSON without NaN and infinities, of at most 200 levels. Raises ValueError where it is not."""
    return from_json(text, allow_inf_nan=False)


parse_once = lru_cache(maxsize=64)(parse)
