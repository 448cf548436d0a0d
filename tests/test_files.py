"""Files are whole or not there, whatever happens while they are written; nothing is left but what lives."""

import ast
import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT, largest_file
from hypothesis import given
from hypothesis import strategies as st

from wordways import files
from wordways.command import interruptible
from wordways.files import FullDiskError, clear_stale, is_stale, new_folder, temporary_name, write_atomically
from wordways.report.__main__ import main as report

FULL = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
DAY_AND_MORE = 86400 + 60


def failing(number: int):
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", FULL, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    number: int, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, "old")
    monkeypatch.setattr(files.os, call, failing(number))
    with pytest.raises(FullDiskError, match=re.escape(f"{path}: {os.strerror(number)}")):
        write_atomically(path, "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_write_that_finds_no_room_leaves_the_old_file(tmp_path: Path) -> None:
    """As the system says it, not a stub of ours."""
    path = tmp_path / "a.json"
    write_atomically(path, "old")
    with largest_file(5000), pytest.raises(FullDiskError, match=r"a\.json: File too large$"):
        write_atomically(path, "new" * 10_000)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_full_disk_is_one_line_of_any_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"), interruptible("wordways-report", lambda: "nothing is lost"):
        raise FullDiskError("here/a: Disk quota exceeded")
    assert capsys.readouterr().err == "wordways-report: here/a: Disk quota exceeded; nothing is lost\n"
    with pytest.raises(SystemExit, match="1"), interruptible("wordways-report"):
        raise OSError(errno.ENOSPC, "No space left on device")  # of a library that writes figures
    assert capsys.readouterr().err == "wordways-report: [Errno 28] No space left on device; no file is incomplete\n"
    with pytest.raises(OSError, match="Broken pipe"), interruptible("wordways-report"):
        raise OSError(errno.EPIPE, "Broken pipe")


def test_file_systems_without_modes_and_syncing_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for call in ("chmod", "fchmod"):
        monkeypatch.setattr(files.os, call, failing(errno.EPERM))
    for number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        monkeypatch.setattr(files.os, "fsync", failing(number))
        write_atomically(tmp_path / "a", str(number))
        assert (tmp_path / "a").read_text() == str(number)
    monkeypatch.setattr(files.os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(tmp_path / "a", "lost")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_effect_when_the_file_is_complete(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        pass

    def stop(*_: object) -> None:
        assert (tmp_path / "a").is_file(), "complete"
        raise StoppedError

    before = signal.signal(number, stop)
    monkeypatch.setattr(files.os, "fsync", lambda _: signal.raise_signal(number))
    try:
        with pytest.raises(StoppedError):
            write_atomically(tmp_path / "a", "x")
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_folder(tmp_path / "out") as fresh:
            fresh.mkdir()
            (fresh / "a").touch()
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert not list(tmp_path.iterdir())
    with new_folder(tmp_path / "deep" / "out") as fresh:
        fresh.mkdir()
        (fresh / "a").touch()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    assert (tmp_path / "deep" / "out" / "a").exists()


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen(["true"]) as child:
        pass
    return child.pid


def left(folder: Path, name: str, age_s: float = 0, *, directory: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if directory:
        path.mkdir()
        (path / "inside").touch()
    else:
        path.touch()
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_what_the_dead_left_is_cleared_and_nothing_else(
    dead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, training = tmp_path / "cells", tmp_path / "0123456789abcdef" / "texts-0123456789abcdef"
    kept = [
        left(cells, temporary_name("a.json")),  # we live
        left(cells, "a.json"),
        left(cells, ".a.json.ab12cd_9"),  # an older name, but young
        left(tmp_path, ".gitignore.template", DAY_AND_MORE),
        left(tmp_path, ".hidden", DAY_AND_MORE),
        left(tmp_path / "a" / "b" / "c", f".a.json.{files.this_host()}-{dead}-00000000"),  # deeper than ours lie
        left(cells, f".a.json.00000000-{dead}-00000000"),  # another host's
    ]
    gone = [
        left(cells, f".a.json.{files.this_host()}-{dead}-00000000"),
        left(cells, f".a.json.{files.this_host()}-{os.getpid()}-00000000", DAY_AND_MORE),  # an id that is used again
        left(training, f".b.json.{files.this_host()}-{dead}-00000000"),
        left(tmp_path, f".report.{files.this_host()}-{dead}-abcdefg_", directory=True),
        left(cells, f".a.json.00000000-{dead}-00000000".replace("a.json", "b.json"), DAY_AND_MORE),
        left(cells, ".state.safetensors.ab12cd_9", DAY_AND_MORE),
    ]
    clear_stale(tmp_path)
    assert [path.name for path in kept if not path.exists()] == []
    assert [path.name for path in gone if path.exists()] == []
    clear_stale(tmp_path / "nowhere")
    monkeypatch.setattr(files.os, "kill", failing(errno.EPERM))
    assert not is_stale(left(cells, f".a.json.{files.this_host()}-{dead}-00000000")), "another user's process"


def test_a_killed_process_leaves_what_is_cleared(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom wordways import files\n"
        "files.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.write_atomically(Path(sys.argv[1]) / 'a.json', 'x')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    (path,) = tmp_path.iterdir()
    assert path.name.startswith(".a.json.")
    clear_stale(tmp_path)
    assert not list(tmp_path.iterdir())


@given(st.text("ab.-_019", max_size=30))
def test_no_other_name_is_stale(name: str) -> None:
    """Whatever a user calls a file: it is ours only with a host and a process, or with one of our endings."""
    assert not is_stale(Path(f"/nowhere/{name}"))
    assert files.OWNED.fullmatch(temporary_name(name or "a"))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_tables_are_printed_on_any_terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an encoding has is printed as it is, the rest as question marks."""
    line = "AR: 0.5 ±0.1 – 3 × 4, 語 \ud800"
    monkeypatch.setattr("wordways.report.__main__.answer", lambda _: [line])
    monkeypatch.setattr(sys, "argv", ["wordways-report", str(ROOT / "results" / "oracle")])
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding=encoding))
    report()
    sys.stdout.flush()
    assert shown.getvalue() == line.encode(encoding, "replace") + b"\n"


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_command_prints_anywhere_and_can_be_interrupted(script: str) -> None:
    """Read from the source, since importing lm-evaluation-harness takes long."""
    module = SCRIPTS[script].partition(":")[0]
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (main,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    first = main.body[ast.get_docstring(main) is not None]
    assert ast.unparse(first) == "print_anywhere()", f"{path}: main begins otherwise"
    assert f"interruptible('{script}'" in ast.unparse(tree), f"{path}: Ctrl-C and SIGTERM end in a traceback"


def test_help_is_printed_on_any_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for script in ("wordways-golden", "wordways-new", "wordways-report", "wordways-claims"):
        module, _, name = SCRIPTS[script].partition(":")
        monkeypatch.setattr(sys, "argv", [script, "--help"])
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
        with pytest.raises(SystemExit, match="0"):
            getattr(import_module(module), name)()
        assert sys.stdout.errors == "replace"
