"""Whatever a user types is understood or refused in one line that names the option, its value and what is allowed."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from conftest import CONF, PRESETS, ROOT
from hydra import initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st

from wordways.compose import compose_cells, presets_by_paradigm
from wordways.composition import composed_by_hydra
from wordways.overrides import checked, choices_of
from wordways.questions import answer
from wordways.run.check import check_cell
from wordways.settings import SettingError

REFUSED = {
    "task=null": "task=null: no such choice; the nearest are ",
    "task=": "task=: no such choice; the nearest are ",
    "~task": "~task: cannot be left out",
    "task=[sudoku]": "task=['sudoku']: no such choice; the nearest are sudoku",
    "paradigm=../task/sudoku": "paradigm=../task/sudoku: no such choice",
    "paradigm=glob(z*)": "paradigm=glob(z*): has no value",
    "hydra/launcher=nope": "hydra/launcher=nope: no such choice; the nearest are ",
    "hydra/launcher=joblib,basic": "hydra/launcher=joblib,basic: must be one value",
    "hydra.job.chdir=true": "hydra.job.chdir=true: of hydra's own settings only hydra/launcher, ",
    "hydra.mode=RUN": "hydra.mode=RUN: of hydra's own settings only hydra/launcher, ",
    "hydra.sweeper._target_=os.system": "hydra.sweeper._target_=os.system: of hydra's own settings only ",
    "~hydra.sweeper": "~hydra.sweeper: of hydra's own settings only ",
    "a==b": "a==b: must be name=value; a value with special characters is quoted twice, as in \"name='a=b'\"",
    "results=a=b": "results=a=b: must be name=value",
    "paradigm": "paradigm: must be name=value",
    "seed=1\n2": "seed=1\\n2: must be name=value",
    "seed='1\n2'": "seed=1\\n2: input should be a valid integer",
    "seed=\ud800": "seed=\\ud800: must be name=value",
    "results=": "results=: must be a folder",
    "results='a\0b'": "results=a\\x00b: must be text without NUL",
    "seed=range(5,1)": "seed=range(5,1): has no value",
    "seed=range(1,2,0)": "seed=range(1,2,0): range() arg 3 must not be zero",
    "seed=range(0,1000000000)": "seed=range(0,1000000000): a command has at most 100000 runs",
    "seed=choice()": "seed=choice(): empty choice is not legal",
    "seed=interval(0,1)": "seed=interval(0,1): must be values or a range",
    "seed=${nowhere}": "seed=${nowhere}: Interpolation key 'nowhere' not found",
    f"seed={'1' * 5000}": f"seed={'1' * 55}...",
    f"{'a' * 1000}=1": f"{'a' * 60}...",
    f"seed={'[' * 300}{']' * 300}": "seed=[[[",
    "+seed=3": "+seed=3: Could not append to config. An item is already at 'seed'.",
    "train.steps.x=3": "train.steps.x=3: no such setting",
    "+decoding.x=3": "decoding.x=3: no such setting; Decoding has temperature, order",
    "task._target_=3": "task._target_=3: must be the name of a class",
    "task._target_=paradigms.Diffusion": "task._target_=paradigms.Diffusion: is no class of the kind Task",
    "paradigm._target_=os.system": "paradigm._target_=os.system: is no class of the kind Paradigm",
    "~backbone._target_": "backbone._target_: missing",
    "+measure.judge=3": "measure.judge=3: must be settings",
    "+measure.judge.task=sudoku": "measure.judge.task=sudoku: must be settings that name a class in _target_",
    "+train.teacher={_target_:3}": "train.teacher._target_=3: must be the name of a class",
    "task.title='two\nlines'": "task.title=two\\nlines: must be a text of one line",
}


@pytest.mark.parametrize(("wrong", "line"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_cannot_be_is_refused_in_one_line(wrong: str, line: str) -> None:
    with pytest.raises(SettingError) as refused:
        compose_cells([wrong])
    assert str(refused.value).startswith(line)
    assert str(refused.value).isprintable()


def test_joblib_has_a_possible_number_of_processes() -> None:
    for wrong in ("n_jobs=0", "n_jobs=1000000", "n_jobs=many", "pre_dispatch=x"):
        with pytest.raises(SettingError, match=r"^hydra\.launcher"):
            compose_cells(["hydra/launcher=joblib", f"hydra.launcher.{wrong}"])


def test_a_glob_is_every_preset_that_it_matches() -> None:
    found = [cell.preset for cell in compose_cells(["paradigm=glob(diffusion_k*)"])]
    assert found == sorted(name for name in PRESETS if name.startswith("diffusion_k"))


def test_a_setting_need_not_be_the_default_presets() -> None:
    pair = compose_cells(["paradigm=diffusion_k1,diffusion_k2", "paradigm.decoder.block=2"])
    assert [cell.nodes["paradigm"]["decoder"]["block"] for cell in pair] == [2, 2]


def test_paths_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (cell,) = compose_cells(["paradigm=parallel", "results=~/here", "checkpoints='~/there'"])
    assert (cell.run.results, cell.run.checkpoints) == (f"{tmp_path}/here", f"{tmp_path}/there")
    both = compose_cells(["paradigm=parallel", "results=~/a,~/b"])
    assert [cell.run.results for cell in both] == [f"{tmp_path}/a", f"{tmp_path}/b"]
    with pytest.raises(SettingError, match=f"name={tmp_path}/none: no such folder"):
        compose_cells(["backbone=pretrained", "backbone.name=~/none", "train=none", "paradigm=autoregressive"])


WORDS = st.sampled_from(
    [
        *"=~+@.,:()[]{}'\"$\\*?|/- \n\0",
        "seed",
        "task",
        "paradigm.decoder",
        "hydra",
        "range",
        "choice",
        "glob",
        "${",
        "1",
    ]
)


@settings(max_examples=300)
@given(st.lists(WORDS | st.text(max_size=3), min_size=1, max_size=8).map("".join))
def test_any_word_is_read_or_refused_by_its_name(word: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            checked([word])
        except SettingError as error:
            line = str(error)
        else:
            return
    assert line.isprintable()
    assert ": " in line


# Any value in any setting


BASES = (
    *(("paradigm", presets[0]) for presets in presets_by_paradigm().values()),
    *(("paradigm", f"diffusion_{name}") for name in ("mask_predict", "repredict", "remask", "gibbs", "revised")),
    *(("task", name) for name in choices_of("task") if "data:" not in (CONF / "task" / f"{name}.yaml").read_text()),
    *((group, name) for group in ("backbone", "train", "measure") for name in ("nano", "quick")),
    ("run", ""),
)


@lru_cache(maxsize=256)
def composed(group: str, name: str) -> dict[str, Any] | None:
    """A whole configuration as plain settings; none where the choice does not exist or needs data."""
    chosen = [f"{group}={name}"] if name in choices_of(group) else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        plain = json.loads(json.dumps(composed_by_hydra(["results=/nowhere", *chosen]).plain))
    try:
        check_cell(plain, "preset", "experiment")
    except SettingError:
        return None
    return plain


def paths(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every setting below a node, and every group of settings."""
    yield path
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from paths(inner, (*path, name))


TARGETS = ["tasks.Sudoku", "paradigms.CommitOnce", "builtins.list", "os.system", "nowhere.Nothing", 3, None]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.sampled_from([-1, 0, 1, 2, 3, 10**9, 2**63, 10**30]), st.integers(-3, 40),
    st.floats(), st.sampled_from(["", "eos", "a\nb", "\ud800", "\0", "nan", "1"]), st.text(max_size=3),
)  # fmt: skip
NODES = st.builds(lambda target: {"_target_": target}, st.sampled_from(TARGETS)) | st.dictionaries(
    st.sampled_from(["a", "temperature", "n"]), SCALARS, max_size=2
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | NODES


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(BASES), VALUES, st.data())
def test_any_value_of_any_setting_makes_a_cell_or_one_line(
    base: tuple[str, str], value: Any, data: st.DataObject
) -> None:
    if (whole := composed(*base)) is None:
        return
    group = base[0]
    nodes = {
        name: node for name, node in whole.items() if (name == group) or (group == "run" and not isinstance(node, dict))
    }
    path = data.draw(st.sampled_from([path for name, node in nodes.items() for path in paths(node, (name,))]))
    changed = copy.deepcopy(whole)
    at = changed
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    line = refusal(changed)
    if line is not None:
        assert line.isprintable()
        assert path[0] in line or path[-1] in line, "the option is named"


def refusal(config: dict[str, Any]) -> str | None:
    try:
        check_cell(config, "preset", "experiment")
    except SettingError as error:
        return str(error)
    return None


# Flags


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--config-dir=/tmp", "seed=3"], "--config-dir=/tmp: no such flag; allowed are -m, --multirun, -h, --help, "),
        (["--config-name", "x"], "--config-name: no such flag"),
        (["--package", "train", "--cfg", "job"], "--package: no such flag"),
        (["--info"], "--info: no such flag"),
        (["-x"], "-x: no such flag"),
        (["--"], "--: no such flag"),
        (["--cfg", "nope"], "--cfg: invalid choice: 'nope' (choose from "),
        (["--cfg"], "--cfg: expected one argument"),
        (["--resolve"], "--resolve: allowed only with --cfg"),
        (["--cfg", "job", "train.stepz=3"], "train.stepz=3: no such setting"),
        (["--cfg", "job", "seed=1,2"], "seed=1,2: must be one value, because one configuration is shown"),
        (["--help", "task=chess"], "task=chess: no such choice"),
    ],
)
def test_flags_are_checked_like_settings(arguments: Sequence[str], line: str) -> None:
    with pytest.raises(SettingError) as refused:
        answer(list(arguments))
    assert str(refused.value).startswith(line)
    assert str(refused.value).isprintable()


def test_questions_are_answered() -> None:
    assert answer(["-m", "seed=1"]) is None
    assert (answer(["--version"]) or "").startswith("wordways ")
    assert "${decoding.temperature}" in (answer(["--cfg", "job"]) or "")
    resolved = answer(["--cfg", "all", "--resolve", "paradigm=diffusion"]) or ""
    assert "${decoding.temperature}" not in resolved
    assert "hydra:" in resolved


# Output and installation


def test_a_reader_that_leaves_ends_nothing(tmp_path: Path) -> None:
    program = (
        "from wordways.command import interruptible\nwith interruptible('x'):\n    for i in range(99999): print(i)\n"
    )
    program += "    open('done', 'w').close()"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = f'"{sys.executable}" -c "$PROGRAM" | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment | {"PROGRAM": program}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    assert (tmp_path / "done").exists()
