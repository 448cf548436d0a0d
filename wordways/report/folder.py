"""A report is built beside the last one and takes its place file by file: what is no longer made goes, nothing else.

SHA256SUMS names what a build wrote (`sha256sum -c SHA256SUMS` checks it), so the next one knows which files are a
report's own. A file that somebody added or changed is not: it stays.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from wordways.record import UMASK, write_atomically

SUMS = "SHA256SUMS"


@contextmanager
def rebuilt(folder: Path) -> Iterator[Path]:
    """An empty folder to build in. What stands in it in the end replaces what the last build left in `folder`."""
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as fresh:
        yield Path(fresh)
        install(Path(fresh), folder)


def install(fresh: Path, folder: Path) -> None:
    before, now = sums_of(folder), {path.relative_to(fresh).as_posix(): sha256(path) for path in files(fresh)}
    for name in now:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.chmod(fresh / name, 0o666 & ~UMASK)
        os.replace(fresh / name, folder / name)
    for name in before.keys() - now.keys():
        if (folder / name).is_file() and sha256(folder / name) == before[name]:
            (folder / name).unlink()
    write_atomically(folder / SUMS, "".join(f"{now[name]}  {name}\n" for name in sorted(now)))


def sums_of(folder: Path) -> Mapping[str, str]:
    """What the last build wrote, by name; a name that leads out of the folder is none of it."""
    try:
        lines = [line.split("  ", 1) for line in (folder / SUMS).read_text().splitlines()]
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
