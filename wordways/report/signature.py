"""One line, as of sacrebleu, with everything that determined a number, readable by people and programs.

task:list_operations|data:generated|paradigm:parallel+diffusion|decoder:2|budget:6000x32|seed:0-2|items:500|
device:AMD EPYC/2 threads|dtype:float32|wordways:0.1.0|cells:6/3f0c5a1b9d2e4f60

Where configurations differ, all values are listed, separated by `+`: seeds as ranges, decoders by their number unless
there is only one. `cells` is the number of records and the hash of their names, which determine every setting. In names
and values, `%`, `|`, `:` and `+` are percent-encoded, so that no value can be read as another field.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from urllib.parse import quote, unquote

from wordways.labels import flatten
from wordways.names import kind
from wordways.record import Record, digest
from wordways.report.rows import Row

PLAIN = " /.,=()-_@"  # besides letters and digits: no separators, harmless in Markdown, LaTeX and HTML


def signature(rows: Sequence[Row]) -> str:
    """The signature of a configuration, of a table of one task, or of several."""
    records = [record for row in rows for record in row.records]
    if not records:
        return ""
    fields = {"task": list(dict.fromkeys(row.task for row in rows))}
    fields |= {name: list(dict.fromkeys(map(value, records))) for name, value in OF_RECORD.items()}
    fields["decoder"] = fields["decoder"] if len(fields["decoder"]) == 1 else [str(len(fields["decoder"]))]
    fields["seed"] = ranges({record.config["seed"] for record in records})
    fields["cells"] = [f"{len(records)}/{digest(sorted(record.cell for record in records))}"]
    return write(fields)


def write(fields: Mapping[str, Sequence[str]]) -> str:
    """The signature line of these fields, each of which has at least one value."""
    return "|".join(f"{escaped(name)}:{'+'.join(map(escaped, values))}" for name, values in fields.items())


def parse(text: str) -> dict[str, list[str]]:
    """The fields of a signature line: the inverse of `write`."""
    pairs = [part.split(":") for part in text.split("|")] if text else []
    return {unquote(name): [unquote(value) for value in values.split("+")] for name, values in pairs}


def escaped(value: str) -> str:
    return quote(value, safe=PLAIN)


def decoder(record: Record) -> str:
    """The decoder's settings that have a value; classes by their names."""
    settings = flatten(record.config["paradigm"].get("decoder", {}))
    return ",".join(
        f"{name.removesuffix('._target_')}={value.rpartition('.')[2] if name.endswith('_target_') else value}"
        for name, value in settings.items()
        if value != "None"
    )


def ranges(seeds: set[int]) -> list[str]:
    """Seeds as ranges: 0, 1, 2, 5 become 0-2 and 5."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(sorted(seeds)), lambda pair: pair[1] - pair[0])]
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


OF_RECORD: dict[str, Callable[[Record], str]] = {
    "data": lambda record: str(record.config["task"].get("data_hash")),
    "paradigm": lambda record: kind(record.config["paradigm"]),
    "decoder": decoder,
    "budget": lambda record: f"{record.budgets['steps']}x{record.config['train']['batch']}",
    "seed": lambda record: str(record.config["seed"]),
    "items": lambda record: str(len(record.item_ids)),
    "device": lambda record: f"{record.provenance['device']}/{record.provenance['threads']} threads",
    "dtype": lambda record: record.config["dtype"],
    "wordways": lambda record: str(record.provenance["versions"]["wordways"]),
}
