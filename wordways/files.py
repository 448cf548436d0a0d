"""Files that are replaced as a whole or not at all, whatever ends the program: a signal, a full disk, a kill."""

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

STOPPING = (signal.SIGINT, signal.SIGTERM)
FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name)}
UNSYNCED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # what file systems without fsync answer
DAY_S = 86400
OWNED = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-[a-z0-9_]{8}")  # a name of `temporary_name`: host and process
UNOWNED = re.compile(r"\.(.+\.(json|safetensors|yaml|xz)|report)\.[a-z0-9_]{8}")  # older names


class FullDiskError(BaseException):
    """A disk, a quota or the largest size of a file is reached: the text is one line.

    It is no Exception, because like KeyboardInterrupt it ends the command and not one run of many: others would fail
    too, and what is no failure is measured when there is room.
    """


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replaces a file atomically: after an interruption, either the old or the complete new file exists.

    A signal that ends the program does so when the file is complete. Raises FullDiskError; an OSError names the file.
    """
    whole = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(temporary_name(path.name))
    with deferred(), naming(path):
        try:
            with temporary.open("xb") as file:
                file.write(whole)
                file.flush()
                try:
                    os.fsync(file.fileno())
                except OSError as error:
                    if error.errno not in UNSYNCED:
                        raise
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields the name of a folder to write, which then becomes `path`; after an interruption there is neither."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(temporary_name(path.name))
    try:
        yield fresh
        fresh.rename(path)
    except BaseException:
        discard(fresh)
        raise


@contextmanager
def deferred() -> Iterator[None]:
    """Signals that ask the program to stop take effect at the end of the block."""
    came: list[int] = []
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():  # no other one may set handlers, or runs them
            for number in STOPPING:
                if (handler := signal.getsignal(number)) not in (None, signal.SIG_IGN):
                    before[number] = handler
                    signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError within the block names the path, unless it names another, or becomes a FullDiskError that does."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise FullDiskError(f"{path}: {error.strerror}") from None
        if error.filename is None or OWNED.fullmatch(Path(os.fsdecode(error.filename)).name):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, a quota or the largest size of a file is reached."""
    return isinstance(error, OSError) and error.errno in FULL


def temporary_name(name: str) -> str:
    """A hidden name for what will be renamed to `name`, which says which process of which host writes it."""
    return f"{temporary_prefix(name)}{secrets.token_hex(4)}"


def temporary_prefix(name: str) -> str:
    """The same without its random end, for the functions of tempfile."""
    return f".{name}.{this_host()}-{os.getpid()}-"


@cache
def this_host() -> str:
    """Eight hexadecimal digits for the host and its process namespace, within which process ids are unique."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()}/{namespace}".encode(errors="replace")).hexdigest()[:8]


def clear_stale(folder: Path) -> None:
    """Deletes what killed processes left half-written in a folder and two levels below it.

    What another host writes counts as left only after a day. What cannot be deleted stays.
    """
    for pattern in (".*", "*/.*", "*/*/.*"):
        with suppress(OSError):
            for path in folder.glob(pattern):
                if is_stale(path):
                    discard(path)


def is_stale(path: Path) -> bool:
    owned = OWNED.fullmatch(path.name)
    if owned is None and not UNOWNED.fullmatch(path.name):
        return False
    if owned is not None and owned[1] == this_host() and not is_alive(int(owned[2])):
        return True
    try:
        return time.time() - path.lstat().st_mtime > DAY_S
    except OSError:  # it is complete by now, and has its name
        return False


def is_alive(process: int) -> bool:
    """Whether a process of this host exists; True where the system does not tell."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
