"""Replaces the last report by a new one, file by file; deletes what is no longer produced and nothing else.

SHA256SUMS lists what a build wrote (`sha256sum -c SHA256SUMS` checks it), so that the next build recognises the
report's own files. Files that were added or changed by hand are kept.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from wordways.files import temporary_prefix, write_atomically

SUMS = "SHA256SUMS"


@contextmanager
def rebuilt(folder: Path) -> Iterator[Path]:
    """Yields an empty folder to build in; its files then replace those that the last build left in `folder`.

    Raises OSError where that cannot be written to.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=temporary_prefix(folder.name)) as fresh:
        yield Path(fresh)
        install(Path(fresh), folder)


def install(fresh: Path, folder: Path) -> None:
    before, now = sums_of(folder), {path.relative_to(fresh).as_posix(): sha256(path) for path in files(fresh)}
    for name in now:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, folder / name)
    for name in before.keys() - now.keys():
        if (folder / name).is_file() and sha256(folder / name) == before[name]:
            (folder / name).unlink()
    write_atomically(folder / SUMS, "".join(f"{now[name]}  {name}\n" for name in sorted(now)))


def has_other_files(folder: Path) -> bool:
    """Whether a folder has files and none of a report, so that a report does not belong there."""
    return folder.is_dir() and any(folder.iterdir()) and not (folder / SUMS).is_file()


def sums_of(folder: Path) -> Mapping[str, str]:
    """Checksums of the last build's files by name; names that lead out of the folder are ignored."""
    try:
        lines = [line.split("  ", 1) for line in (folder / SUMS).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return {}
    inside = folder.resolve()
    return {
        line[1]: line[0] for line in lines if len(line) == 2 and (inside / line[1]).resolve().is_relative_to(inside)
    }


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
