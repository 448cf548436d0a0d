"""A rehearsal of a task and a paradigm on a few examples: what would fail after hours of training fails at once."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, get_args

import torch
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Paradigm, Vocabulary
from tasks.base import Alphabet, Example, Holes, Setting, Share, Task, Theory
from tasks.metrics.base import Metric
from wordways.record import canonical
from wordways.run.noise import SeededNoise
from wordways.settings import SettingError, build

VOCABULARY = Vocabulary(size=8, mask=2, eos=1, pad=0)
SMALL = {"width": 8, "heads": 2, "hidden": 8}  # of a backbone that has these; its layers stay as they are
EXAMPLES = 4  # of every split
PASSES = 8  # of a decoder, beyond which the rehearsal stops
MEASURES = ("accuracy", "nats_per_token", "exact_nats_per_token", "kl", "reverse_kl", "gap_bits")
ValueT = TypeVar("ValueT")


def rehearse_task(task: Task, name: str) -> None:
    """Examples, vocabulary, room, scores and analytic values of a few examples. Raises SettingError with one line."""
    if task.holes not in get_args(Holes):
        raise SettingError(f"{name}: holes={task.holes!r} is not one of {', '.join(get_args(Holes))}")
    names = [metric.name for metric in task.metrics if isinstance(metric, Metric)]
    if not names or len(set(names)) < len(task.metrics):
        raise SettingError(
            f"{name}: metrics must be one or more metrics with different names, not {list(task.metrics)}"
        )
    for split in task.splits:
        found = attempt(f"{name}: examples({split!r})", lambda split=split: first_of(task.examples(split)))
        if not found:
            raise SettingError(f"{name}: examples({split!r}) gives no example")
        for example in found:
            check_example(task, name, example)
            if split == "test":
                check_scores(task, name, example)  # training may have examples that no test asks for
    for stratum, measure in itertools.product(task.strata, MEASURES):
        for quotas, kind in itertools.product(((1, 1), (2,)), ("exact", "bound", "pseudo")):
            setting = Setting(measure, stratum, quotas, None, 1.0, kind)  # type: ignore[arg-type]
            theory = attempt(f"{name}: theory({measure!r}, {stratum!r})", lambda setting=setting: task.theory(setting))
            if theory is not None and not isinstance(theory, Theory):
                raise SettingError(f"{name}: theory gives {type(theory).__name__}, which must be a Theory or None")


def first_of(examples: Any) -> list[Example]:
    return list(itertools.islice(examples, EXAMPLES))


def check_example(task: Task, name: str, example: Example) -> None:
    words = task.vocabulary()
    if isinstance(words, int | Alphabet):
        return
    for side in ("prompt", "target", "suffix"):
        unknown = [word for word in getattr(example, side).split() if word not in words]
        if unknown:
            raise SettingError(f"{name}: the {side} of {example.id} has {unknown[0]!r}, which vocabulary does not list")
    target, prompt = len(example.target.split()), len(example.prompt.split())
    room = attempt(f"{name}: room", lambda: task.room(prompt))
    if room is not None and room < target + 1:
        raise SettingError(
            f"{name}: room({prompt}) is {room}, but the target of {example.id} has {target} tokens and an end"
        )


def check_scores(task: Task, name: str, example: Example) -> None:
    """Raises SettingError unless the target of an example is scored under every metric that judges single texts."""
    if example.stratum not in task.strata:
        raise SettingError(f"{name}: example {example.id} has stratum={example.stratum!r}, which strata does not list")
    scores = attempt(f"{name}: score", lambda: task.score(example, example.target))
    wanted = {metric.name for metric in task.metrics if not metric.of_sets}
    if missing := sorted(wanted - scores.keys()):
        raise SettingError(f"{name}: score has no value for {', '.join(missing)}, which metrics lists")
    if spare := sorted(scores.keys() - wanted):
        raise SettingError(f"{name}: score has a value for {', '.join(spare)}, which metrics does not list")
    for metric, value in scores.items():
        if isinstance(value, Share) or value is None:
            continue
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise SettingError(f"{name}: score gives {metric}={value!r}; it must be a finite number, a Share or None")


def rehearse_paradigm(node: Mapping[str, Any], backbone: Mapping[str, Any], name: str) -> bool:
    """One loss, one decode, one likelihood on a tiny backbone; returns whether decoding or likelihood read a mask.

    Raises SettingError with one line.
    """
    return rehearsed(canonical(node), canonical(backbone), name)


@lru_cache(maxsize=512)
def rehearsed(node: str, backbone: str, name: str) -> bool:
    """On the CPU and with gradients, whatever the caller has switched off."""
    read: list[bool] = []
    with torch.device("cpu"), torch.inference_mode(False), torch.enable_grad():
        small = {key: SMALL.get(key, value) for key, value in json.loads(backbone).items()}
        trunk = build(small, "backbone", vocabulary_size=VOCABULARY.size)
        paradigm = build(json.loads(node), "paradigm", vocabulary=VOCABULARY, backbone=trunk)
        paradigm.initialise(torch.Generator().manual_seed(0))
        suffix = not paradigm.fills or "suffix" in paradigm.fills
        truth = canvas_of([3, 4, 1] if suffix else [3, 4], [5, 6, 1] if suffix else [5, 6, 7], [] if suffix else [4, 3])
        masked = Canvas(truth.ids_BL.masked_fill(truth.holes_BL, VOCABULARY.mask), truth.holes_BL, truth.pad_BL)
        noise = SeededNoise(0, ["a", "b"], torch.device("cpu"))
        mean = attempt(f"{name}: loss", lambda: paradigm.loss(truth, noise, 0.5).mean)
        if not (mean.dim() == 0 and bool(torch.isfinite(mean))):
            raise SettingError(f"{name}: loss must give a finite scalar mean, not {mean}")
        attempt(f"{name}: loss.backward", mean.backward)
        trunk.register_forward_pre_hook(lambda _, given: read.append(bool((given[0] == VOCABULARY.mask).any())))
        with torch.inference_mode():
            attempt(f"{name}: decode", lambda: check_decode(paradigm, masked, noise))
            attempt(f"{name}: token_nats", lambda: paradigm.token_nats(truth, noise))
            law = attempt(f"{name}: log_likelihood", lambda: paradigm.log_likelihood(truth, noise))
        if not isinstance(law, Likelihood) or law.nats_B.shape != (2,):
            raise SettingError(f"{name}: log_likelihood must give a Likelihood with one value a row")
    return any(read)


def canvas_of(prompt: Sequence[int], target: Sequence[int], suffix: Sequence[int]) -> Canvas:
    """Two rows alike."""
    ids_BL = torch.tensor([[*prompt, *target, *suffix]] * 2)
    holes_BL = torch.zeros_like(ids_BL, dtype=torch.bool)
    holes_BL[:, len(prompt) : len(prompt) + len(target)] = True
    return Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))


def check_decode(paradigm: Paradigm, canvas: Canvas, noise: SeededNoise) -> None:
    """Raises ValueError where a pass changes the context or the canvas's shape, or where the last leaves a mask."""
    passes: Iterator[Tensor] = iter(paradigm.decode(canvas, noise))
    ids_BL = canvas.ids_BL
    for _ in range(PASSES):
        found = next(passes, None)
        if found is None:
            break
        ids_BL = found
        if ids_BL.shape != canvas.ids_BL.shape or bool((ids_BL != canvas.ids_BL)[~canvas.holes_BL].any()):
            raise ValueError("a pass changed the canvas outside the masked positions")
    else:
        return
    if bool((ids_BL == VOCABULARY.mask).any()):
        raise ValueError("the last pass left a position masked")


def attempt(what: str, run: Callable[[], ValueT]) -> ValueT:
    """Whatever goes wrong becomes one line that says where."""
    try:
        return run()
    except SettingError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or "no message"
        raise SettingError(f"{what} raised {type(error).__name__}: {reason}") from None
