"""lm-evaluation-harness asks any paradigm; what it is told is what its own backend, or a direct computation, says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkpoints import published
from conftest import ROOT, SMALL, cell

from wordways.run.execute import run_cell
from wordways.settings import SettingError

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.filterwarnings("default")  # the harness's own

HEAD = """
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
"""
GENERATION = """
task: {folder}_generation
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{choices[label]}}}}"
generation_kwargs: {{until: ["."], max_gen_toks: 6, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
CHOICE = """
task: {folder}_choice
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{label}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
ROLLING = """
task: {folder}_rolling
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{prompt}}}}"
metric_list: [{{metric: bits_per_byte}}]
"""
DOCS = [
    {"prompt": "the cat sat on", "choices": ["the mat", "a dog", "four"], "label": 0},
    {"prompt": "one two three", "choices": ["five", "four", "it's fine"], "label": 1},
    {"prompt": "she said:", "choices": ["it's fine", "house", "mat."], "label": 0},
]


def tasks_in(folder: Path, docs: list[dict[str, Any]]) -> list[str]:
    """Local tasks of every kind; the names of these."""
    data = folder / "docs.jsonl"
    data.write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    for name, content in (("generation", GENERATION), ("choice", CHOICE), ("rolling", ROLLING)):
        (folder / f"{name}.yaml").write_text((HEAD + content).format(folder=folder.name, data=data))
    return [f"{folder.name}_{name}" for name in ("generation", "choice", "rolling")]


def answers(model: Any, folder: Path, names: list[str]) -> dict[str, list[Any]]:
    """What a model answered to every request, by task, in the order of the requests."""
    import lm_eval.evaluator
    from lm_eval.tasks import TaskManager

    evaluate: Any = lm_eval.evaluator.simple_evaluate
    found = evaluate(
        model=model,
        tasks=names,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = {name: sorted(found["samples"][name], key=lambda one: one["doc_id"]) for name in names}
    told = {name: [one["resps"] for one in of_task] for name, of_task in samples.items()}
    scores = [one["exact_match"] for one in samples[names[0]]]
    return told | {"config": [found["config"]], "scores": scores}


def ours(**settings: Any) -> Any:
    from wordways.lm_eval.model import WordwaysLM

    return WordwaysLM(**settings)


@pytest.mark.parametrize(("kind", "engine"), [("qwen2", "transformers"), ("qwen2", "native"), ("llama", "native")])
def test_a_causal_checkpoint_answers_as_under_the_harness_s_own_backend(kind: str, engine: str, tmp_path: Path) -> None:
    """Its backend also scores the token that opens a text, where the tokenizer adds one, as Llama's; ours does not."""
    import lm_eval.models.huggingface

    backend: Any = lm_eval.models.huggingface.HFLM
    folder = tmp_path / kind
    network = published(folder, kind, causal=True)
    names = tasks_in(tmp_path, DOCS)
    settings = {"backbone": "pretrained", "backbone.name": str(folder), "backbone.engine": engine}
    told = answers(ours(paradigm="autoregressive", batch_size=2, **settings), tmp_path, names)
    assert told["config"][0]["wordways_likelihood"] == ["exact"]
    from transformers import AutoTokenizer

    theirs = answers(
        backend(network, tokenizer=AutoTokenizer.from_pretrained(folder), batch_size=1, device="cpu"), tmp_path, names
    )
    generation, choice, rolling = names
    assert told[generation] == theirs[generation]
    for one, other in zip(told[choice], theirs[choice], strict=True):
        for (ours_of,), (theirs_of,) in zip(one, other, strict=True):
            assert float(ours_of[0]) == pytest.approx(float(theirs_of[0]), abs=1e-4)
            assert str(ours_of[1]) == str(theirs_of[1])
    if kind == "qwen2":
        assert numbers(told[rolling]) == pytest.approx(numbers(theirs[rolling]), abs=1e-3)


def numbers(responses: Any) -> list[float]:
    """All numbers of nested lists."""
    if isinstance(responses, list | tuple):
        return [number for one in responses for number in numbers(one)]
    return [float(responses)]


def test_a_masked_checkpoint_says_that_its_likelihoods_are_pseudo(tmp_path: Path) -> None:
    published(tmp_path / "bert", "bert", causal=False)
    names = tasks_in(tmp_path, DOCS)
    model = ours(paradigm="masked_infill", backbone="pretrained", **{"backbone.name": str(tmp_path / "bert")})
    told = answers(model, tmp_path, names)
    assert told["config"][0]["wordways_likelihood"] == ["pseudo"]
    assert len(told[names[0]]) == len(DOCS)


def test_a_paradigm_that_was_trained_here_answers(tmp_path: Path) -> None:
    """With its tokenizer, its layout and its likelihood, the same as in the record."""
    places = (f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}")
    with pytest.raises(SettingError, match="no finished training"):
        ours(**settings_of(*SMALL, *places, "paradigm=autoregressive"))
    record = run_cell(cell("paradigm=autoregressive", *SMALL, *places))
    assert record.likelihood is not None
    one = cell("paradigm=autoregressive", *SMALL, *places)
    example = next(iter(one.task.examples("test")))
    docs = [{"prompt": example.prompt, "choices": [example.target, "f e d c b a"], "label": 0}]
    names = tasks_in(tmp_path, docs)
    told = answers(ours(**settings_of(*SMALL, *places, "paradigm=autoregressive")), tmp_path, names)
    place = record.likelihood["item_ids"].index(example.id)
    assert numbers(told[names[1]][0][0][0][0])[0] == pytest.approx(-record.likelihood["nats"][place], abs=1e-4)
    assert told["config"][0]["wordways_likelihood"] == ["exact"]


def settings_of(*overrides: str) -> dict[str, str]:
    return dict(override.split("=", 1) for override in overrides)  # type: ignore[misc]


def test_a_task_of_the_harness_has_the_same_scores_both_ways(tmp_path: Path) -> None:
    """Its generation task as a task here: the score of every item, with its trace, and that of the harness."""
    folder = tmp_path / "gpt2"
    published(folder, "gpt2", causal=True)
    name, choice, _ = tasks_in(tmp_path, DOCS)
    told = answers(
        ours(paradigm="autoregressive", backbone="pretrained", **{"backbone.name": str(folder)}), tmp_path, [name]
    )
    texts = [text for ((text,),) in told[name]]
    (tmp_path / "docs.jsonl").write_text("")
    right = [doc | {"choices": [texts[number].strip()] * 3} for number, doc in enumerate(DOCS[:2])] + DOCS[2:]
    tasks_in(tmp_path, right)
    one = cell(
        "paradigm=autoregressive", "backbone=pretrained", f"backbone.name={folder}", "train=none", "task=lm_eval",
        f"task.name={name}", f"task.include_path={tmp_path}", "measure.batches=[1]", "measure.timed=1",
        "measure.lengths=[2]", "measure.repeats=2", "measure.likelihood_items=2", "progress=false",
        f"results={tmp_path / 'results'}", f"checkpoints={tmp_path / 'checkpoints'}",
    )  # fmt: skip
    record = run_cell(one)
    assert record.status == "ok", record.reason
    scores = answers(
        ours(paradigm="autoregressive", backbone="pretrained", **{"backbone.name": str(folder)}), tmp_path, [name]
    )
    assert record.scores["exact_match"]["items"] == scores["scores"]
    assert [sample["text"] for sample in record.samples] == texts
    with pytest.raises(SettingError, match="is scored by multiple_choice"):
        cell("train=none", "backbone=pretrained", f"backbone.name={folder}", "task=lm_eval", f"task.name={choice}",
             f"task.include_path={tmp_path}")  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"paradigm": "none_such", "backbone.name": "x"}, "no such choice"),
        ({"paradigm": "autoregressive", "backbone.name": "/none"}, "no such folder"),
        ({"paradigm": "autoregressive", "backbone.name": "FOLDER", "nothing": 1}, "nothing=1"),
        ({"paradigm": "diffusion", "backbone.name": "FOLDER"}, "no mask token"),
    ],
)
def test_wrong_settings_are_one_line(settings: dict[str, Any], why: str, tmp_path: Path) -> None:
    published(tmp_path, "gpt2", causal=True)
    given = {name: str(tmp_path) if value == "FOLDER" else value for name, value in settings.items()}
    with pytest.raises(SettingError) as error:
        ours(backbone="pretrained", **given)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_the_command_has_one_model() -> None:
    command = [sys.executable, "-m", "wordways.lm_eval", "--model", "hf"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == ["wordways-lm-eval: --model: is wordways; leave it out"]


def test_two_models_never_share_a_cache() -> None:
    from wordways.lm_eval.__main__ import with_own_cache

    one, other = (with_own_cache(["--model_args", f"backbone.name={n}", "--use_cache", "answers"]) for n in "ab")
    assert one[3] != other[3]
    assert one[3].startswith("answers-")
