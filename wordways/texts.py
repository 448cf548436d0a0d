"""Kept texts: one Parquet file a cell, `texts/<cell>.parquet`, with every text of its test set and that text's scores.

Parquet, because pyarrow is a dependency and every data frame library reads it; columns compress better than lines, and
a column can be read without the others.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wordways.files import write_atomically
from wordways.record import Record

SCORE = "score_"  # begins the column of a metric, so that no metric takes the name of another column


def texts_file(results: Path, cell: str) -> Path:
    return results / "texts" / f"{cell}.parquet"


def save_texts(results: Path, record: Record, columns: Mapping[str, Sequence[Any]]) -> Path:
    """Writes these columns and those of the record's scores by item, one row an item; returns the file's path."""
    import pyarrow as pa
    from pyarrow import parquet

    scores = {f"{SCORE}{name}": pa.array(items, pa.float64()) for name, items in scores_by_item(record).items()}
    whole = io.BytesIO()
    parquet.write_table(pa.table({**columns, **scores}), whole, compression="zstd")
    path = texts_file(results, record.cell)
    write_atomically(path, whole.getvalue())
    return path


def load_texts(results: Path, record: Record) -> dict[str, list[Any]]:
    """The columns of a cell's kept texts. Raises ValueError where there are none, or not those of the record."""
    import pyarrow as pa
    from pyarrow import parquet

    path = texts_file(results, record.cell)
    if not path.is_file():
        raise ValueError("has no kept texts; the command that made it keeps them with measure.keep=all")
    try:
        columns = parquet.read_table(path).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} is damaged ({' '.join(str(error).split())}); remove it") from None
    if not belong(record, columns):
        raise ValueError(f"{path} holds other texts than those of the record; remove it")
    return columns


def belong(record: Record, columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether these are the texts that the record's scores are of: the same items, first texts and scores."""
    kept, known = {"id", "text"} <= columns.keys(), scores_by_item(record)
    return (
        kept
        and list(columns["id"]) == record.item_ids
        and all(text == sample["text"] for text, sample in zip(columns["text"], record.samples, strict=False))
        and all(list(columns.get(f"{SCORE}{name}", items)) == items for name, items in known.items())
    )


def scores_by_item(record: Record) -> dict[str, list[Any]]:
    """The scores of every metric that has one for each item, sorted by its name as in a record."""
    return {name: entry["items"] for name, entry in sorted(record.scores.items()) if "items" in entry}
