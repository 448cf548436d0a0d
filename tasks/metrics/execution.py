"""Runs generated programs, each in a process of its own that is kept from the network and from other files.

The process has no network, may write only to its temporary folder and starts no other process: a network namespace and
Landlock rules where the kernel has them (Linux), and everywhere an audit hook, which sees what Python code does but is
no barrier to a program that sets out to break it. CPU time, memory and the size of files are limited. Generated code
should nevertheless run in a container or on a machine that holds nothing of value.

This file is also the program of that process, and imports the standard library only.
"""

import json
import os
import secrets
import signal
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache

WALL = 5  # seconds that a program may take for each second of CPU time: other processes may have the CPU
MEMORY, FILE_SIZE = 1 << 30, 1 << 20  # bytes
FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.kill",
    "pty.",
)
PATHS = {"open": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2} | {
    f"os.{name}": 1
    for name in (
        "chmod",
        "chown",
        "chflags",
        "mkdir",
        "remove",
        "rmdir",
        "setxattr",
        "removexattr",
        "truncate",
        "utime",
    )
}  # of events that change files: how many of their first arguments are paths
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NEW_USER, NEW_NETWORK, NO_NEW_PRIVILEGES = 0x10000000, 0x40000000, 38
CREATE_RULES, ADD_RULE, RESTRICT, BENEATH = 444, 445, 446, 1  # of Landlock: system calls, and the kind of rule
CHANGES = (0x1FF3, 0x3FF3, 0x7FF3)  # Landlock's rights to execute, write, remove, make, move and cut files, by version


def passes(program: str, seconds: int) -> bool:
    """Whether a program runs to its end without an error, within the limits. An early exit is no end.

    Its hash seed is fixed, and time is CPU time, so that the verdict depends on the program alone.
    """
    proof = secrets.token_hex(16)
    asked = json.dumps({"program": program, "seconds": seconds, "proof": proof}).encode()
    with tempfile.TemporaryDirectory(prefix="wordways-", ignore_cleanup_errors=True) as folder:
        environment = {"HOME": folder, "TMPDIR": folder, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
        child = subprocess.Popen(
            [sys.executable, "-s", "-P", "-B", __file__],  # -I would forget the hash seed; the environment is ours
            cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        with child:
            try:
                return child.communicate(asked, timeout=WALL * seconds)[0] == proof.encode()
            except subprocess.TimeoutExpired:
                return False
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)  # and whatever it may have started


@cache
def check_execution() -> None:
    """Raises ValueError where programs cannot be run, since every text would count as wrong."""
    if not passes("import math", 5):
        raise ValueError("allow_code=true: a program that is right does not pass here; running needs a POSIX system")


def run() -> None:
    """The life of the process: what it may do is limited, then it runs the program, then it proves that it has."""
    asked, folder = json.load(sys.stdin), os.path.realpath(os.getcwd())
    proven, nowhere = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    if sys.platform == "linux":
        isolate(folder)
    limit(asked["seconds"])
    proof, program = asked.pop("proof").encode(), compile(asked["program"], "program", "exec")
    guard(folder)
    exec(program, {})
    os.write(proven, proof)


def isolate(folder: str) -> None:
    """Leaves the network, the rights of a superuser and, but for `folder`, the right to change files; where it can."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_USER | NEW_NETWORK):
        libc.unshare(NEW_NETWORK)
    version = libc.syscall(CREATE_RULES, None, 0, 1)
    if version < 1:
        return
    changes = CHANGES[min(version, len(CHANGES)) - 1]
    rules, inside = libc.syscall(CREATE_RULES, struct.pack("=Q", changes), 8, 0), os.open(folder, os.O_RDONLY)
    libc.syscall(ADD_RULE, rules, BENEATH, struct.pack("=Qi", changes, inside), 0)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.syscall(RESTRICT, rules, 0)


def limit(seconds: int) -> None:
    import resource

    limits = {"CPU": seconds, "AS": MEMORY, "FSIZE": FILE_SIZE, "NPROC": 0, "CORE": 0}
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def guard(folder: str) -> None:
    """Forbids Python code to use sockets, to start processes and to change files outside the folder."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(event)
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
            return
        for path in arguments[: PATHS.get(event, 0)]:
            if isinstance(path, str | bytes | os.PathLike):
                where = os.path.realpath(os.fsdecode(path))
                if os.path.commonpath([where, folder]) != folder:
                    raise PermissionError(f"{event}: {where}")

    sys.addaudithook(hook)


if __name__ == "__main__":
    run()
