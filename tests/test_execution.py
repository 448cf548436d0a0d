"""Generated programs: right ones pass, wrong ones do not, and none reaches the network, other files or the clock."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.metrics import execution
from tasks.metrics.execution import WALL, check_execution, passes

LINUX = sys.platform == "linux"
SECONDS = 1

RIGHT = {
    "nothing": "",
    "a statement": "assert 1 + 1 == 2",
    "what prints much": "print('x' * 10**7)",
    "the libraries that solutions use": "import collections, copy, hashlib, itertools, math, random, re, string\n"
    "assert hashlib.md5(b'x').hexdigest() and random.random() < 1",
    "numpy": "import numpy as np\nassert np.arange(3).sum() == 3",
    "a file in its own folder": "import os\nopen('a', 'w').write('b')\nos.mkdir('c')\nos.rename('a', 'c/a')\n"
    "assert open('c/a').read() == 'b'\nos.remove('c/a')",
    "what would run as a script only": "if __name__ == '__main__':\n    1 / 0",
}
WRONG = {
    "a failed assertion": "assert 1 + 1 == 3",
    "no Python": "this is no program",
    "an endless loop": "while True: pass",
    "an endless wait": "import time\ntime.sleep(10**6)",
    "a loop that catches errors": "while True:\n    try:\n        while True: pass\n    except BaseException: 0",
    "more memory than there is": "x = [0] * 10**11",
    "a growing memory": "x = []\nwhile True: x.append(bytes(1 << 20))",
    "endless recursion": "def f(): f()\nf()",
    "a stack overflow": "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)",
    "an early exit": "exit()",
    "an early exit with success": "import os\nos._exit(0)",
    "an early exit by an exception": "raise SystemExit(0)",
    "reading what is typed": "input()",
    "a socket": "import socket\nsocket.socket()",
    "a name on the network": "import socket\nsocket.getaddrinfo('example.org', 80)",
    "a page": "import urllib.request\nurllib.request.urlopen('http://example.org')",
    "another process": "import subprocess\nsubprocess.run(['true'])",
    "a shell": "import os\nos.system('true')",
    "a fork": "import os\nos.fork()",
    "a signal to its parent": "import os\nos.kill(os.getppid(), 0)",
    "a large file": "file = open('a', 'wb')\nfor _ in range(8): file.write(bytes(1 << 20))\nfile.flush()",
    "a null byte": "x = 1\0",
    "half a character": "x = '\ud800'",
    "a forged proof": "import os\nfor at in range(3, 20):\n    try: os.write(at, b'proof')\n    except OSError: pass",
    "a limit lifted": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))",
}


@pytest.mark.parametrize("case", RIGHT)
def test_right_programs_pass(case: str) -> None:
    assert passes(RIGHT[case], 5)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_programs_do_not_pass_and_end_in_time(case: str) -> None:
    began = time.monotonic()
    assert not passes(WRONG[case], SECONDS)
    assert time.monotonic() - began < (WALL + 5) * SECONDS


@pytest.mark.parametrize(
    "change",
    [
        "open({path!r}, 'w')",
        "open({path!r}, 'a')",
        "os.open({path!r}, os.O_CREAT | os.O_WRONLY)",
        "os.mkdir({path!r})",
        "os.symlink('.', {path!r})",
        "os.rename(open('a', 'w').name, {path!r})",
        "os.remove({kept!r})",
        "os.truncate({kept!r}, 0)",
        "os.chmod({kept!r}, 0)",
        "shutil.rmtree({folder!r})",
        "os.chdir({folder!r}) or open('new', 'w')",
        "os.symlink({folder!r}, 'out') or open('out/new', 'w')",
    ],
)
def test_files_elsewhere_stay_as_they_are(change: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    said = change.format(path=str(tmp_path / "new"), kept=str(kept), folder=str(tmp_path))
    assert not passes(f"import os, shutil\n{said}", 5)
    assert passes(f"import os, shutil\ntry:\n    {said}\nexcept OSError: pass", 5), "the refusal is an ordinary error"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "kept"


@pytest.mark.skipif(not LINUX, reason="the kernel's barriers are Linux's")
def test_the_kernel_refuses_what_the_hook_cannot_see(tmp_path: Path) -> None:
    """A C library that is called past Python's hook."""
    if ctypes.CDLL(None).syscall(execution.CREATE_RULES, None, 0, 1) < 1:
        pytest.skip("this kernel has no Landlock")
    path = tmp_path / "new"
    opened = f"ctypes.CDLL(None).open({bytes(path)!r}, {os.O_CREAT | os.O_WRONLY}, 0o600)"
    assert passes(f"import ctypes\nassert {opened} == -1", 5)
    assert not path.exists()


@pytest.mark.skipif(not LINUX, reason="the kernel's barriers are Linux's")
def test_there_is_no_network_past_the_hook() -> None:
    if ctypes.CDLL(None).unshare(0):
        pytest.skip("this kernel has no namespaces")
    seen = "[line.split(':')[0].strip() for line in open('/proc/self/net/dev').read().splitlines()[2:]]"
    if not passes("import os\nassert os.readlink('/proc/self/ns/net') != " + repr(os.readlink("/proc/self/ns/net")), 5):
        pytest.skip("this machine permits no network namespace")
    assert passes(f"assert {seen} == ['lo']", 5)


def test_a_verdict_is_the_same_every_time() -> None:
    """Sets of strings are iterated in the order of their hashes, which have a fixed seed."""
    asked = [sys.executable, "-c", "print(hash('wordways'))"]
    found = subprocess.run(asked, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True).stdout
    assert all(passes(f"assert hash('wordways') == {found}", 5) for _ in range(3))


def test_nothing_is_left_in_the_folder_of_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for program in ("open('a', 'w')", "import os\nos.makedirs('a/b')", "while True: pass"):
        passes(program, 1)
    assert not list(tmp_path.iterdir())


def test_a_machine_that_cannot_run_programs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "passes", lambda program, seconds: False)
    check_execution.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"^allow_code=true: a program that is right does not pass here; [^\n]*$"):
            check_execution()
    finally:
        check_execution.cache_clear()


@settings(max_examples=15, deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(-3, 3))
def test_a_program_passes_if_and_only_if_its_assertion_holds(a: int, b: int, off: int) -> None:
    assert passes(f"assert {a} + {b} == {a + b + off}", 5) is (off == 0)
