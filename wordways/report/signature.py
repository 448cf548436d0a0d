"""One line, as of sacrebleu, with everything that determined a number, readable by people and programs.

task:list_operations|data:generated|paradigm:parallel+diffusion|decoder:2|budget:6000x32|seed:0-2|items:500|
device:AMD EPYC family 25 model 17/2 threads|peaks:200-210 GFLOP/s, 38-55 GB/s|torch:2.13.0|dtype:float32|
wordways:0.1.0|cells:6/3f0c5a1b9d2e4f60

Where configurations differ, all values are listed, separated by `+`: seeds as ranges, decoders by their number unless
there is only one. `peaks` are those that the runs measured, because a device's name does not tell its speed, and
`unknown` of runs that measured none. `wordways` says where a run had changes that no commit holds. `cells` is the
number of records and the hash of their names, which determine every setting. In names and values, `%`, `|`, `:` and `+`
are percent-encoded, so that no value can be read as another field.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from urllib.parse import quote, unquote

from wordways.labels import flatten
from wordways.names import kind
from wordways.record import Record, digest
from wordways.report.derive import decoder_of
from wordways.report.machines import commit_state, device_of, peaks_of, torch_of
from wordways.report.rows import Row

PLAIN = " /.,=()-_@"  # besides letters and digits: no separators, harmless in Markdown, LaTeX and HTML


def signature(rows: Sequence[Row]) -> str:
    """The signature of a configuration, of a table of one task, or of several."""
    records = [record for row in rows for record in row.records]
    if not records:
        return ""
    tasks = list(dict.fromkeys(row.task for row in rows))
    return write({"task": tasks} | {name: values(records) for name, values in OF_RECORDS.items()})


def write(fields: Mapping[str, Sequence[str]]) -> str:
    """The signature line of these fields, each of which has at least one value."""
    return "|".join(f"{escaped(name)}:{'+'.join(map(escaped, values))}" for name, values in fields.items())


def parse(text: str) -> dict[str, list[str]]:
    """The fields of a signature line: the inverse of `write`."""
    pairs = [part.partition(":")[::2] for part in text.split("|")] if text else []
    return {unquote(name): [unquote(value) for value in values.split("+")] for name, values in pairs}


def escaped(value: str) -> str:
    return quote(value, safe=PLAIN)


def decoder(record: Record) -> str:
    """The decoder's settings that have a value; classes by their names."""
    settings = flatten(decoder_of(record))
    return ",".join(
        f"{name.removesuffix('._target_')}={value.rpartition('.')[2] if name.endswith('_target_') else value}"
        for name, value in settings.items()
        if value != "None"
    )


def budget(record: Record) -> str:
    """Steps and batch size of the training; before them, the public checkpoint that it starts from."""
    backbone, batch = record.config["backbone"], record.config["train"].get("batch")
    start = f"{backbone['name']}@{backbone['weights']}" if "weights" in backbone else ""
    trained = f"{record.budgets['steps']}x{batch}" if batch else ""
    return " ".join(part for part in (start, trained) if part)


def ranges(seeds: set[int]) -> list[str]:
    """Seeds as ranges: 0, 1, 2, 5 become 0-2 and 5."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(sorted(seeds)), lambda pair: pair[1] - pair[0])]
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def decoders(records: Sequence[Record]) -> list[str]:
    """The decoder's settings, or the number of different ones."""
    found = each(decoder)(records)
    return found if len(found) == 1 else [str(len(found))]


def each(value: Callable[[Record], str]) -> Callable[[Sequence[Record]], list[str]]:
    """The different values of records, in their order."""
    return lambda records: list(dict.fromkeys(map(value, records)))


OF_RECORDS: dict[str, Callable[[Sequence[Record]], list[str]]] = {
    "data": each(lambda record: str(record.config["task"].get("data_hash"))),
    "paradigm": each(lambda record: kind(record.config["paradigm"])),
    "decoder": decoders,
    "budget": each(budget),
    "seed": lambda records: ranges({record.config["seed"] for record in records}),
    "items": each(lambda record: str(len(record.item_ids))),
    "device": each(device_of),
    "peaks": peaks_of,
    "torch": each(torch_of),
    "dtype": each(lambda record: record.config["dtype"]),
    "wordways": each(commit_state),
    "cells": lambda records: [f"{len(records)}/{digest(sorted(record.name for record in records))}"],
}
