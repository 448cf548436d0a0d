"""Which judge LM scored a table's texts, and whether it is one of the models that the table compares."""

from collections.abc import Iterator, Sequence

from wordways.record import Record
from wordways.report.rows import Row
from wordways.report.signature import parse


def judge_named(rows: Sequence[Row]) -> str:
    """A sentence that names the judge LM of these rows; empty where none was asked."""
    found = dict.fromkeys(name for row in rows for record in row.records for name in map(named, judges(record)))
    return f"Judge LM: {'; '.join(found)}." if found else ""


def judged_by_itself(rows: Sequence[Row]) -> str:
    """A sentence that names the rows whose own training is their judge LM, which favours them; empty without any."""
    itself = [row.label for row in rows if any(map(own_judge, row.records))]
    if not itself:
        return ""
    return f"The judge LM is the model of {' and '.join(itself)}, which is thus judged by itself."


def own_judge(record: Record) -> bool:
    return any(judge.get("training") == [record.provenance.get("training")] for judge in judges(record))


def judges(record: Record) -> Iterator[dict[str, list[str]]]:
    """The fields of the signature of every score that a judge LM gave."""
    for entry in record.scores.values():
        if entry.get("signature", "").startswith("judge:"):
            yield parse(entry["signature"])


def named(judge: dict[str, list[str]]) -> str:
    """A judge LM in words; without a seed it was 0, as of all before they were named."""
    params = judge.get("params", [""])[0]
    size = f", {int(params):,} parameters" if params.isdecimal() else ""
    return f"{judge['judge'][0]}, seed {judge.get('seed', ['0'])[0]}{size}"
