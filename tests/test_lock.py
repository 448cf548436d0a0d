"""Timings run alone, and do not wait for a whole training to end."""

import errno
import getpass
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from wordways.run import lock
from wordways.run.lock import device_lock, file_lock, free

pytest.importorskip("fcntl", reason="this system has no file locks")


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of our own, not those of a run beside these tests."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(lock, "NOTED", set())


def beside(work: Callable[[], None]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def waiting_for(gate: Path) -> None:
    while not gate.exists() or free(gate):
        pass


def test_a_training_lets_a_timing_go_first_and_then_goes_on(tmp_path: Path) -> None:
    happened: list[str] = []

    def timing() -> None:
        with device_lock("cpu", alone=True):
            happened.append("timed")

    with device_lock("cpu", alone=False) as make_way:
        make_way()
        assert not happened, "nobody waits, so nothing is let go"
        thread = beside(timing)
        waiting_for(next(iter(tmp_path.glob("*/*.gate"))))
        assert not happened, "a timing runs alone"
        make_way()
        assert happened == ["timed"]
        make_way()
    thread.join()
    assert happened == ["timed"]


def test_trainings_share_and_a_timing_shares_with_nobody(tmp_path: Path) -> None:
    entered, leave = Event(), Event()

    def training() -> None:
        with device_lock("cpu", alone=False):
            entered.set()
            leave.wait()

    with device_lock("cpu", alone=False):
        thread = beside(training)
        assert entered.wait(60)
        (lock,) = tmp_path.glob("*/*.lock")
        assert not free(lock)
    leave.set()
    thread.join()
    entered.clear()
    with device_lock("cpu", alone=True):
        thread = beside(training)
        waiting_for(next(iter(tmp_path.glob("*/*.gate"))))
        assert not entered.is_set()
    assert entered.wait(60)
    thread.join()


def test_who_comes_later_does_not_go_before_a_timing_that_waits(tmp_path: Path) -> None:
    happened: list[str] = []

    def holding(alone: bool, what: str) -> Callable[[], None]:
        def work() -> None:
            with device_lock("cpu", alone=alone):
                happened.append(what)

        return work

    with device_lock("cpu", alone=False):
        first = beside(holding(True, "timed"))
        waiting_for(next(iter(tmp_path.glob("*/*.gate"))))
        second = beside(holding(False, "trained"))
    first.join()
    second.join()
    assert happened == ["timed", "trained"]


def refusing(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "somewhere")

    return refuse


@pytest.mark.parametrize("name", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_file_systems_without_locks_are_noted_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = getattr(errno, name)
    monkeypatch.setattr("fcntl.flock", refusing(number))
    for _ in range(2):
        with device_lock("cpu", alone=True) as make_way, file_lock(tmp_path / "lock", alone=True, why=""):
            make_way()
    (line,) = capsys.readouterr().err.splitlines()
    assert os.strerror(number) in line
    assert "cpu.gate cannot be locked (" in line


@pytest.mark.parametrize("name", ["EACCES", "EPERM", "EROFS"])
def test_lock_files_that_are_not_ours_are_noted_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another user's folder, or a read-only one."""
    monkeypatch.setattr(Path, "open", refusing(getattr(errno, name)))
    for _ in range(2):
        with device_lock("cpu", alone=False) as make_way, file_lock(tmp_path / "lock", alone=True, why=""):
            make_way()
    assert capsys.readouterr().err.count("\n") == 1


def test_other_errors_of_locks_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", refusing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"), device_lock("cpu", alone=True):
        pass


def test_users_need_no_name_and_share_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers give out user ids that no passwd entry has."""
    monkeypatch.setattr(getpass, "getuser", refusing(errno.ENOENT))
    for user in (12345, 12346):
        monkeypatch.setattr(os, "getuid", lambda user=user: user)
        with device_lock("cpu", alone=True):
            assert (tmp_path / f"wordways-{user}" / "cpu.lock").is_file()
