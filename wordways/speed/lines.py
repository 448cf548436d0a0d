"""The results of the benchmark: one JSON line for each measure, in `measures.jsonl`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from wordways.files import write_atomically
from wordways.record import canonical
from wordways.report import stats

FILE = "measures.jsonl"


@dataclass(frozen=True)
class Line:
    """Two programs timed in turns on the same weights, or one program beside the least time that the machine allows.

    setting: what was run, such as size, batch, prompt and tokens.  against: the other program, or the limit.
    ours, theirs: median seconds of one run.  ratio, low, high: median and 95 % interval of theirs / ours over paired
    repeats, so that more is faster; a limit is the same in every repeat.  equal: share of the tokens that are the same;
    None where losses are compared, or where there is no other program.
    ideal: roofline time of our run, seconds.  seconds: every repeat, of one run.
    machine: processor, threads and measured peaks.  provenance: time, versions, commit, cores that others used.
    """

    name: str
    setting: dict[str, str | int]
    against: str
    unit: Literal["s"]
    ours: float
    theirs: float
    ratio: float
    low: float | None
    high: float | None
    repeats: int
    equal: float | None
    ideal: float
    seconds: dict[Literal["ours", "theirs"], list[float]]
    machine: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def key(self) -> str:
        """What was measured, without the result."""
        return canonical([self.name, self.setting, self.against])


SCHEMA = TypeAdapter(Line)


def line(
    name: str,
    setting: Mapping[str, str | int],
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    **rest: Any,
) -> Line:
    """A line from the seconds of every repeat; `rest` holds the fields that are not computed from them."""
    found = stats.median([other / own for own, other in zip(ours, theirs, strict=True)])
    ends = (found.low, found.high) if found.known() else (None, None)
    seconds: Any = {"ours": list(ours), "theirs": list(theirs)}
    return Line(
        name, dict(setting), against, "s", median(ours), median(theirs), found.value, *ends, len(ours),
        seconds=seconds, **rest,
    )  # fmt: skip


def read_lines(folder: Path) -> list[Line]:
    """The lines of a folder, none where it has no file. Raises ValueError where a line is damaged."""
    path = folder / FILE
    if not path.is_file():
        return []
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(SCHEMA.validate_json(text, strict=True))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{path}: line {number}: {where or 'not JSON'}: {first['msg']}") from None
    return found


def keep_line(folder: Path, new: Line) -> None:
    """Adds a line to the folder's file, in the place of an earlier line of the same measure."""
    kept = {one.key: one for one in read_lines(folder)} | {new.key: new}
    write_atomically(folder / FILE, "".join(canonical(asdict(one)) + "\n" for one in kept.values()))
