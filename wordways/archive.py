"""The archive of a results folder: its records in one file, at about a hundredth of their size."""

import io
import os
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

ARCHIVE = "cells.tar.xz"


class DamagedError(ValueError):
    """A file that cannot be read; its text is the one line that the user sees."""


def has_archive(results: Path) -> bool:
    """Whether there is an archive, or something in its place."""
    return os.path.lexists(results / ARCHIVE)


def archived(results: Path) -> Mapping[str, bytes]:
    """The packed records of a folder by file name. Raises DamagedError where the archive is."""
    path = results / ARCHIVE
    if not has_archive(results):
        return {}
    if not path.is_file():
        raise DamagedError(f"{path}: not a complete archive (it is no file)")
    try:
        return unpacked(path, path.stat().st_mtime_ns)
    except Exception as error:  # damaged data raise many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DamagedError(f"{path}: not a complete archive ({reason[:200]})") from None


@lru_cache(maxsize=1)
def unpacked(path: Path, changed_ns: int) -> Mapping[str, bytes]:
    """The files of an archive; `changed_ns`, its time of modification, is part of the cache's key."""
    with tarfile.open(path) as archive:
        files = ((member, archive.extractfile(member)) for member in archive)
        return {Path(member.name).name: file.read() for member, file in files if file is not None}


def packed(files: Mapping[str, bytes]) -> bytes:
    """An archive of files by their names. Equal files give equal bytes."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:xz", preset=9) as archive:
        for name, content in sorted(files.items(), key=lambda entry: (len(entry[1]) // 100_000, entry[0])):
            member = tarfile.TarInfo(f"cells/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()
