"""The contract, over every task that is discovered: what its examples, scores and analytic values must do."""

import functools
import inspect
import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import ALLOWED
from conftest import CONF
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from test_metric_contract import SCALES, full_marks, no_better
from test_real_text import asks_for_data, every_set

from tasks.base import Example, Setting, Share, Split, Task, Theory
from tasks.gsm8k import Gsm8k
from tasks.metrics import METRICS
from tasks.metrics.base import Metric
from tasks.programs import Programs
from wordways.run.check import untitled
from wordways.run.text import build_text
from wordways.settings import build

TASKS = {path.stem: path for path in sorted((CONF / "task").glob("*.yaml")) if path.stem != "lm_eval"}  # others' tasks
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
MANY, FEW = 120, 20


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with small files of every data set."""
    import datasets.config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield every_set(tmp_path_factory.mktemp("corpora"))


@functools.cache
def built(name: str, corpora: Path) -> Task:
    given = [f"task.data={corpora}"] if asks_for_data(TASKS[name]) else []
    given += [ALLOWED] if "allow_code" in TASKS[name].read_text() else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node: Any = OmegaConf.to_container(compose("config", [f"task={name}", *given]).task, resolve=True)
    return build(untitled(node), "task")


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest, corpora: Path) -> Task:
    return built(request.param, corpora)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokenizers")


def fresh(task: Task, split: Split, count: int, first: int = 0) -> list[Example]:
    return list(itertools.islice(task.examples(split, first), count))


some = functools.cache(fresh)


def asked(task: Task, count: int) -> list[Example]:
    """Test examples; where the paradigm is to write the drafts, each has another example's target for one."""
    examples = some(task, "test", count)
    if not task.asks_for_drafts:
        return examples
    return [replace(one, draft=other.target) for one, other in zip(examples, examples[1:] + examples[:1], strict=True)]


def decoded(task: Task, example: Example) -> str:
    """The target as the harness decodes it: without surrounding white space, unless that is a part of a program."""
    return example.target if isinstance(task, Programs) else example.target.strip()


def wrong_texts(task: Task, example: Example) -> list[str]:
    """Texts that are no answer: nothing, and the target with a word too many, which is its number where that counts."""
    first = example.target.split()[0]
    if isinstance(task, Gsm8k):
        return ["", f"#### {first} {example.target.rpartition('#### ')[0]}"]
    return [
        "",
        f"{example.target.rstrip()} {first}" if isinstance(task, Programs) else f"{example.target.strip()} {first}",
    ]


def number(value: float | Share | None) -> float | None:
    if isinstance(value, Share):
        return value.part / value.whole if value.whole else None
    return value


def test_examples_are_deterministic_and_found_by_their_number(task: Task) -> None:
    for split in SPLITS:
        examples = fresh(task, split, FEW)
        assert examples == fresh(task, split, FEW)
        assert bool(examples) is (split in task.splits)
        assert examples[1:] == fresh(task, split, max(0, len(examples) - 1), first=1)
        assert len({example.id for example in examples}) == len(examples)
        assert all(example.target.strip() for example in examples)
    assert task.data_hash() == task.data_hash()
    assert task.training_hash() == task.training_hash()
    assert task.not_for_training <= inspect.signature(type(task)).parameters.keys()


def test_splits_share_nothing_where_the_task_says_so(task: Task) -> None:
    if not task.disjoint:
        pytest.skip("the task does not promise it")
    given = [{(example.prompt, example.suffix) for example in some(task, split, MANY)} for split in SPLITS]
    ids = [{example.id for example in some(task, split, MANY)} for split in SPLITS]
    for one, other in itertools.combinations(range(len(SPLITS)), 2):
        assert not given[one] & given[other]
        assert not ids[one] & ids[other]


def test_every_test_example_is_of_a_stratum_and_every_stratum_has_some(task: Task) -> None:
    found = [example.stratum for example in some(task, "test", MANY)]
    assert set(found) == set(task.strata)
    assert len(set(task.strata)) == len(task.strata)


def test_metrics_are_known_by_name_and_the_headline_is_first(task: Task) -> None:
    names = [metric.name for metric in task.metrics]
    assert len(set(names)) == len(names)
    assert all(type(METRICS[metric.name]) is type(metric) for metric in task.metrics)
    assert names[0] == min(names), "a record keeps metrics by name, and its first is the headline"
    assert task.metrics[0].higher_is_better


def test_every_metric_has_a_value_from_score(task: Task) -> None:
    expected = {metric.name for metric in task.metrics if not metric.of_sets}
    for example in asked(task, FEW):
        for text in (decoded(task, example), *wrong_texts(task, example)):
            found = task.score(example, text)
            assert found.keys() == expected, "score has an entry for every metric that is not of sets, and no other"
            assert all(value is None or math.isfinite(value) for value in map(number, found.values()))


def test_no_metric_of_a_class_of_tasks_is_always_undefined(corpora: Path) -> None:
    """Some are at some settings: short stories cannot move a thing long before their ending."""
    missing: dict[type, set[str]] = {}
    for task in (built(name, corpora) for name in TASKS):
        left = missing.setdefault(type(task), {metric.name for metric in task.metrics if not metric.of_sets})
        for example in asked(task, MANY):
            if not left:
                break
            found = task.score(example, decoded(task, example))
            left -= {name for name, value in found.items() if number(value) is not None}
    assert not {kind.__name__: names for kind, names in missing.items() if names}


def test_the_target_scores_full_marks_and_a_wrong_text_less(task: Task) -> None:
    headline = task.metrics[0]
    directed: list[Metric] = [m for m in task.metrics if not (m.of_sets or m.beside_data or m.higher_is_better is None)]
    for example in asked(task, FEW):
        right, wrongs = task.score(example, decoded(task, example)), []
        for text in wrong_texts(task, example):
            wrongs.append(task.score(example, text))
        best = number(right[headline.name])
        assert best is not None
        assert headline.unit not in SCALES or best == pytest.approx(full_marks(headline))
        for wrong in wrongs:
            value = number(wrong[headline.name])
            assert value is None or value < best - 1e-9, "a wrong text scores less"
            for metric in directed:
                value, most = number(wrong[metric.name]), number(right[metric.name])
                assert value is None or most is None or no_better(metric, value, most), metric.name


def test_a_target_is_possible_and_a_wrong_text_impossible_where_the_distribution_is_known(task: Task) -> None:
    for example in asked(task, FEW):
        nats = task.nats(example, example.target.strip())
        assert nats is None or 0 <= nats < math.inf
        for text in wrong_texts(task, example):
            assert task.nats(example, text) == (None if nats is None else math.inf)
        words = example.target.split()
        for known in ([None] * len(words), [*words[:-1], None], [*words]):
            laws = task.conditionals(known)
            if laws is not None:
                assert [math.fsum(law.values()) for law in laws] == pytest.approx([1] * len(words))
                assert all(law[word] > 0 for law, word in zip(laws, words, strict=True))


def settings(task: Task) -> Iterator[Setting]:
    """A grid over everything that an analytic value may depend on, with the lengths of the task's own targets."""
    lengths = {example.stratum: len(example.target.split()) for example in some(task, "test", MANY)}
    for stratum, n in lengths.items():
        passes = [(1,) * n, (n,), *([(2,) * (n // 2), (n - 1, 1)] if n in (4, 6, 8) else [])]
        yield from itertools.starmap(
            lambda measure, *rest, stratum=stratum: Setting(measure, stratum, *rest),
            itertools.product(
                ("accuracy", "nats_per_token", "exact_nats_per_token", "kl", "reverse_kl", "gap_bits"),
                passes,
                (None, "random", "left_to_right", "confidence"),
                (0.0, 1.0, 2.0),
                ("exact", "bound", "pseudo"),
                (None, 0.4, 0.95),
                (None, 2),
            ),
        )


def test_an_analytic_value_is_finite_and_has_a_tolerance(task: Task) -> None:
    for setting in settings(task):
        theory = task.theory(setting)
        if theory is not None:
            assert math.isfinite(theory.value), setting
            assert math.isfinite(theory.tolerance), setting
            assert theory.tolerance > 0, setting
            assert setting.measure != "accuracy" or 0 <= theory.value <= 1


@pytest.mark.parametrize("tolerance", [0, -0.1, math.nan, math.inf, True, "one_answer", None])
def test_a_tolerance_is_a_finite_positive_number(tolerance: object) -> None:
    with pytest.raises(ValueError, match=f"^tolerance={tolerance!r}: must be a finite positive number$"):
        Theory(1.0, tolerance)  # type: ignore[arg-type]


def test_the_vocabulary_and_the_room_hold_every_text(task: Task, tokenizers: Path) -> None:
    if "train" not in task.splits:
        pytest.skip("the task has no texts to make a vocabulary from")
    text, vocabulary = build_text(task, tokenizers), task.vocabulary()
    known = None if isinstance(vocabulary, int) else set(vocabulary)
    assert known is None or len(known) == len(vocabulary), "every word once"  # type: ignore[arg-type]
    for split in SPLITS:
        examples = asked(task, FEW) if split == "test" else some(task, split, FEW)
        for example, row in zip(examples, text.encode(examples), strict=True):
            parts = {"prompt": example.prompt, "target": example.target, "suffix": example.suffix}
            for said in (*parts.values(), example.draft):
                if known is not None:
                    assert set(said.split()) <= known or set(said) <= known
                assert text.comes_back(said)
            assert text.read(row.target) == example.target.strip()
            assert len(row.target) <= row.room
            assert len(row.draft) in (0, len(row.target))
            assert bool(row.ends) == (task.room(len(row.prompt) - 1) is not None)
