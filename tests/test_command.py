"""The commands as a user types them: what they print, how they refuse, what they leave behind."""

import difflib
import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from conftest import CONF, PRESETS, ROOT, SMALL, cell

from wordways.__main__ import main
from wordways.command import USUAL, interruptible
from wordways.compose import compose_cells, one_line
from wordways.record import read_record, read_records
from wordways.settings import SettingError

COMMAND = [sys.executable, "-W", "error", "-m", "wordways"]
OWN = tempfile.mkdtemp()  # a device lock of our own: other runs on this machine neither wait for us nor we for them
SURROUNDINGS = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": OWN}
TWO = "paradigm=parallel,diffusion_k2"
UNLOGGED = ("hydra/job_logging=none", "hydra/hydra_logging=none")  # what hydra changes would outlive the test


def wordways(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    return subprocess.run(command, cwd=folder, env=SURROUNDINGS, capture_output=True, text=True, timeout=300)


@pytest.fixture
def here(
    tmp_path: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same command within this process and without figures, which takes a quarter of the time."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["wordways", *arguments, *UNLOGGED])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(stopped.value.code or 0), printed.out, printed.err)

    return command


def test_a_small_comparison_ends_with_its_report_and_a_second_run_does_nothing(tmp_path: Path, here) -> None:
    first = wordways(tmp_path, *SMALL, TWO, *UNLOGGED)
    assert first.returncode == 0, first.stderr
    assert not first.stderr, "progress=false is silent"
    results = tmp_path / "results" / "list_operations"
    assert first.stdout.splitlines()[-1] == "report: results/list_operations/report/index.html"
    words = ("Quality: list operations, n = 4", "parallel", "diffusion (2 per pass)", "latency/token", "[0.4219]")
    for word in words:
        assert word in first.stdout  # one pass of replace_random with n = 4: (3/4)^3
    assert sorted(path.name for path in results.iterdir()) == ["cells", "config.yaml", "report"]
    stamps = {path: path.stat().st_mtime_ns for path in (results / "cells").iterdir()}
    trained = {record.cell for record in read_records(results)[0] if not record.is_baseline}
    assert len(trained) == 2
    assert len(stamps) > 2, "and the trivial baselines"
    again = here(*SMALL, TWO)
    assert again.returncode == 0
    assert again.stdout.splitlines() == first.stdout.splitlines()[2:], "without the two runs' own lines"
    assert {path: path.stat().st_mtime_ns for path in (results / "cells").iterdir()} == stamps
    (entry,) = yaml.safe_load((results / "config.yaml").read_text())
    assert shlex.split(entry["command"])[0] == "wordways"
    assert TWO in shlex.split(entry["command"])
    assert set(entry["cells"]) == trained


def test_a_sweep_over_decoders_trains_once_and_skips_what_cannot_be(tmp_path: Path, here) -> None:
    swept = here("-m", *SMALL, "paradigm=diffusion", "paradigm.decoder.steps=1,2,4")
    assert swept.returncode == 0, swept.stderr
    records = [r for r in read_records(tmp_path / "results" / "list_operations")[0] if not r.is_baseline]
    assert len({r.provenance["training"] for r in records}) == 1
    assert {tuple(r.trace["calls"]) for r in records if r.trace} == {(1,) * 16, (2,) * 16, (4,) * 16}
    assert "diffusion (2 steps)" in swept.stdout
    spans = here(*SMALL, "task.instruction=after", "paradigm=autoregressive,parallel", "results=spans")
    assert spans.returncode == 0
    assert "skipped: autoregressive, seed 0: autoregressive supports suffix targets only; this task" in spans.stdout


@pytest.mark.slow
def test_two_cells_at_a_time_leave_what_one_at_a_time_leaves(tmp_path: Path, here) -> None:
    """One training that both cells want, and every draw, whoever runs it."""
    pair, kept = "paradigm=diffusion_k1,diffusion_k2", {}
    for name, launcher in {"one": [], "two": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]}.items():
        done = here(*SMALL, pair, *launcher, f"results={name}", f"checkpoints={name}/checkpoints")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"report: {name}/report/index.html"
        records, refused = read_records(tmp_path / name)
        records = [record for record in records if not record.is_baseline]
        assert not refused
        kept[name] = {r.cell: (r.scores, r.likelihood, r.trace, r.provenance["training"]) for r in records}
        (entry,) = yaml.safe_load((tmp_path / name / "config.yaml").read_text())
        assert "launcher" not in entry["command"], "how a sweep was run is no part of what it was"
    assert kept["one"] == kept["two"]
    assert len(kept["one"]) == 2


def test_a_failed_cell_is_kept_with_its_reason_and_the_others_go_on(tmp_path: Path, here) -> None:
    done = here(*SMALL, "paradigm=parallel", "train.lr=1e30,1e-3")
    assert done.returncode == 1
    said, again = done.stderr.splitlines()
    assert said == "wordways: 1 of 2 runs failed; to run them again:"
    (rerun,) = compose_cells(shlex.split(again)[1:])
    records = [r for r in read_records(tmp_path / "results" / "list_operations")[0] if not r.is_baseline]
    assert rerun.id == next(r.cell for r in records if r.status == "failed")
    assert rerun.run.overwrite == "failed"
    (failed,) = [r for r in records if r.status == "failed"]
    assert failed.reason.startswith("Traceback")
    assert "failed: parallel, seed 0: FloatingPointError: training diverged by step 2: lower train.lr" in done.stdout
    assert sorted(r.status for r in records) == ["failed", "ok"]


def test_ctrl_c_keeps_every_finished_cell(tmp_path: Path) -> None:
    command = [*COMMAND, *SMALL, "paradigm=parallel,diffusion_k1", "paradigm.decoder.temperature=1", "seed=0,1,2"]
    running = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=SURROUNDINGS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # tests in the background inherit its neglect
    )
    cells, deadline = tmp_path / "results" / "list_operations" / "cells", time.monotonic() + 120
    while not (cells.is_dir() and any(path.suffix == ".json" for path in cells.iterdir())):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    kept, refused = read_records(cells.parent)
    assert not refused
    assert 1 <= len(kept) < 6
    assert running.returncode == 130, errors
    said = f"{len(kept)} of 6 runs are finished and kept, {len(kept)} of them not timed yet"
    assert errors.strip() == f"wordways: interrupted; {said}"
    assert [path.suffix for path in cells.iterdir()] == [".json"] * len(kept), "nothing half-written"


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals as a command in the foreground has them: tests in the background are started deaf to SIGINT."""
    before = {number: signal.signal(number, usual) for number, usual in USUAL.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


ENDS = pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    ids=["ctrl-c", "sigterm"],
)


def clear_up(number: int) -> None:
    try:
        signal.raise_signal(number)
    finally:
        raise AttributeError("clearing up")


@ENDS
def test_whatever_comes_after_a_signal_is_the_signal(
    number: signal.Signals, status: int, said: str, heard: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library that is interrupted may raise something else; nothing else is taken for an interruption."""
    with pytest.raises(SystemExit, match=str(status)), interruptible("wordways", lambda: "all is well"):
        clear_up(number)
    assert capsys.readouterr().err == f"wordways: {said}; all is well\n"
    with pytest.raises(AttributeError, match="alone"), interruptible("wordways"):
        raise AttributeError("alone")
    assert signal.getsignal(number) is USUAL[number]


def test_a_signal_that_is_ignored_stays_so(heard: None) -> None:
    """As nohup and background jobs want it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible("wordways"):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def after_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None], int], None]:
    """Lets something happen while a file is written, once so many records are being written or there."""

    def arrange(happen: Callable[[], None], count: int) -> None:
        once = [happen]

        def fsync(_: int) -> None:
            if once and len(list((tmp_path / "results").glob("*/cells/*json*"))) >= count:
                once.pop()()

        monkeypatch.setattr("wordways.files.os.fsync", fsync)

    return arrange


@ENDS
def test_a_signal_waits_for_the_file_that_is_written(
    number: signal.Signals, status: int, said: str, tmp_path: Path, heard: None, here, after_the_first
) -> None:
    """The first record is complete and kept, and the temporary name is gone."""
    after_the_first(lambda: signal.raise_signal(number), 1)
    done = here(*SMALL, TWO)
    assert (done.returncode, done.stderr) == (
        status, f"wordways: {said}; 1 of 2 runs are finished and kept, 1 of them not timed yet\n"
    )  # fmt: skip
    (path,) = (tmp_path / "results" / "list_operations" / "cells").iterdir()
    assert read_record(path).status == "ok"


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_ends_the_command_in_one_line(tmp_path: Path, here, after_the_first) -> None:
    """Finished runs are kept; what was to be measured is no failure, so that it is measured when there is room."""
    after_the_first(full, 2)
    done = here(*SMALL, TWO)
    assert done.returncode == 1
    cells = tmp_path / "results" / "list_operations" / "cells"
    (kept,) = cells.iterdir()
    assert re.fullmatch(
        rf"wordways: results/list_operations/cells/\w+\.json: {os.strerror(errno.ENOSPC)}; "
        "1 of 2 runs are finished and kept, 1 of them not timed yet\n",
        done.stderr,
    )
    assert read_record(kept).status == "ok"


def nearest(group: str, name: str) -> str:
    """The three choices of a group of conf/ whose names are most like this one."""
    known = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    return ", ".join(difflib.get_close_matches(name, known, 3, cutoff=0.0))


REFUSED = {
    "task=chess": f"task=chess: no such choice; the nearest are {nearest('task', 'chess')} (all: wordways --help)\n",
    "task=sudokus": "task=sudokus: no such choice; the nearest are sudoku, sudoku_solver, ",
    "paradigm=parallel,telepathy": (
        f"paradigm=telepathy: no such choice; the nearest are {nearest('paradigm', 'telepathy')} (all: "
    ),
    "paradigm=difusion": "paradigm=difusion: no such choice; the nearest are diffusion, ",
    "train.steps=0": "train.steps=0: must be at least 1",
    "train.steps=many": "train.steps=many: input should be a valid integer",
    "train.stepz=3": "train.stepz=3: no such setting",
    "+train.stepz=3": "train.stepz=3: no such setting; TrainSettings has steps, batch, lr",
    "paradigm.decoder.steps=2": "paradigm.decoder.steps=2: paradigm=autoregressive has no such setting (see ",
    "task.n=0": "task.n=0, alphabet=10: must be 2 <= n <= alphabet <= 26",
    "task.operations=[copy,juggle]": "task.operations[1]=juggle: input should be 'copy', 'reverse'",
    "measure.timed=0": "measure.timed=0: must be at least 1",
    "overwrite=timings": "overwrite=timings: input should be 'missing', 'failed', 'timing' or 'always'",
    "seed=-1": "seed=-1: must be at least 0",
    "seed=18446744073709551616": "seed=18446744073709551616: must be below 9223372036854775808",
    "threads=1000000": "threads=1000000: must be at least 1 and at most 1024",
    "paradigm=null": "paradigm=null: no such choice; the nearest are ",
    "task=null": "task=null: no such choice; the nearest are ",
    "backbone=parallel": "backbone=parallel: no such choice; the nearest are ",
    "train.lr=nan": "train.lr=nan: input should be a valid number",
    "dtype=float8": "dtype=float8: input should be 'float32', 'float64' or 'bfloat16'",
    "backbone.heads=7": "backbone.width=64, heads=7: must be positive, width a multiple of 2 x heads",
    "results=/dev/null/here": "results=/dev/null/here: /dev/null is not a folder",
    "results=/proc/here": "results=/proc/here: cannot be written to (No such file or directory)",
    "task.n=": "task.n=: ",
    "=": "=: must be name=value; ",
}


@pytest.mark.parametrize(("wrong", "line"), REFUSED.items())
def test_bad_input_is_one_line_and_leaves_nothing(wrong: str, line: str, tmp_path: Path, here) -> None:
    done = here("paradigm=autoregressive", wrong)
    assert done.returncode == 2
    assert done.stderr.startswith(f"wordways: {line}")
    assert done.stderr.count("\n") == 1
    assert not done.stdout
    assert not list(tmp_path.iterdir())


def floats(node: object, path: str = "") -> Iterator[str]:
    """The dotted names of the settings below a node that are floating-point numbers."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from floats(value, f"{path}.{name}" if path else name)
    elif isinstance(node, float):
        yield path


def every_float() -> dict[str, str]:
    """Each floating-point setting of conf/ once, with a preset that has it."""
    found: dict[str, str] = {}
    for preset in PRESETS:
        nodes = cell(f"paradigm={preset}", *SMALL).nodes
        for path in floats({"paradigm": nodes["paradigm"], "train": nodes["train"]}):
            found.setdefault(path, preset)
    return found


def test_no_setting_is_a_number_that_is_none() -> None:
    found = every_float()
    assert len(found) > 8
    for path, preset in found.items():
        for value in ("nan", "inf"):
            with pytest.raises(SettingError) as refused:
                cell(f"paradigm={preset}", *[one for one in SMALL if not one.startswith(f"{path}=")], f"{path}={value}")
            assert str(refused.value).startswith(f"{path}={value}: "), "one line that names the option and its value"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_named_first(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    refused = wordways(tmp_path, *SMALL)
    assert refused.returncode == 2
    assert refused.stderr == "wordways: results=results/list_operations: . cannot be written to\n"


@pytest.mark.parametrize("content", ["- command: 'wordw", "nothing of ours", "\x00"])
def test_a_damaged_note_of_commands_is_one_line(tmp_path: Path, content: str, here) -> None:
    folder = tmp_path / "results" / "list_operations"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(content)
    done = here(*SMALL, "paradigm=parallel")
    assert (done.returncode, done.stdout) == (2, "")
    line = "results=results/list_operations: results/list_operations/config.yaml is damaged"
    assert done.stderr == f"wordways: {line}; move it elsewhere, the records are not affected\n"
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml"]


def test_a_truncated_record_is_run_again(tmp_path: Path, results: Path) -> None:
    cells = tmp_path / "results" / "list_operations" / "cells"
    cells.mkdir(parents=True)
    (cells / "0123456789abcdef.json").write_text('{"schema": 1, "cell"')
    report = [sys.executable, "-m", "wordways.report", str(cells.parent)]
    done = subprocess.run(report, env=SURROUNDINGS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "not a record: 0123456789abcdef.json: not readable as JSON" in done.stdout
    for wrong, line in ((tmp_path, "holds no cells folder"), (tmp_path / "nowhere", "holds no cells folder")):
        done = subprocess.run([*report[:3], str(wrong)], env=SURROUNDINGS, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"wordways-report: {wrong}: {line}\n"


def test_help_names_every_choice(tmp_path: Path) -> None:
    shown = wordways(tmp_path, "--help")
    assert shown.returncode == 0
    for path in CONF.glob("*/*.yaml"):
        assert path.stem in shown.stdout
    assert not list(tmp_path.iterdir())


def test_everything_that_can_be_set_is_shown(tmp_path: Path) -> None:
    shown = wordways(tmp_path, "--cfg", "job")
    assert shown.returncode == 0
    assert {"paradigm", "task", "backbone", "train", "measure", "seed"} <= set(yaml.safe_load(shown.stdout))


def test_unforeseen_errors_are_one_line_too() -> None:
    assert one_line(ValueError("first\n  second\n"), []) == "first second"
    assert json.dumps(one_line(ValueError(""), [])) == '""'
