"""Decoders and likelihoods with the true law land on theory, and with a planted fault they do not.

With a wrong law they miss theory, which is the learner's failure, and still agree with one another.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch
from conftest import CPU, paradigm_node
from perfect import Perfect
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Noise, Paradigm
from paradigms.decoders.policy import hide_exactly
from paradigms.diffusion import Diffusion
from paradigms.trunk.attention import everywhere
from tasks.base import Example, Setting
from tasks.list_operations import ListOperations
from wordways.report.equivalence import FAILS, HOLDS, difference, verdict
from wordways.run.noise import SeededNoise
from wordways.run.text import Text, build_text
from wordways.settings import build

ITEMS = 2000
OPERATIONS = ["copy", "replace_random", "shuffle"]


def task_of(n: int = 4, alphabet: int = 6) -> ListOperations:
    return ListOperations(n, alphabet, OPERATIONS, "before")  # type: ignore[arg-type]


def text_of(task: ListOperations, tmp_path: Any = None) -> Text:
    return build_text(task, tmp_path)


def perfect(preset: str, text: Text, *overrides: str, law: type[Perfect] = Perfect) -> Paradigm:
    node = paradigm_node(f"paradigm={preset}", *overrides)
    backbone: Any = law(text, shifted=preset == "autoregressive")
    return build(node, "paradigm", vocabulary=text.vocabulary, backbone=backbone)


def examples(task: ListOperations, operation: str, count: int) -> list[Example]:
    return list(itertools.islice((e for e in task.examples("test") if e.stratum == operation), count))


def accuracy(paradigm: Paradigm, text: Text, operation: str, noise: type = SeededNoise) -> float:
    return sum(right_texts(paradigm, text, operation, noise)) / ITEMS


def right_texts(paradigm: Paradigm, text: Text, operation: str, noise: type = SeededNoise) -> list[float]:
    task, right = text.task, []
    asked = examples(task, operation, ITEMS)  # type: ignore[arg-type]
    canvas = text.blank(text.encode(asked), "eos")
    with torch.inference_mode():
        ids_BL = deque(paradigm.decode(canvas, noise(0, [e.id for e in asked], CPU)), maxlen=1).pop()
    for example, ids_L, holes_L in zip(asked, ids_BL, canvas.holes_BL, strict=True):
        right.append(cast(float, task.score(example, text.read(text.useful(ids_L, holes_L)))["accuracy"]))
    return right


def nats(paradigm: Paradigm, text: Text, operation: str) -> float:
    asked = examples(text.task, operation, 60)  # type: ignore[arg-type]
    canvas = text.truth(text.encode(asked), [False] * len(asked))
    with torch.inference_mode():
        law = paradigm.log_likelihood(canvas, SeededNoise(0, [e.id for e in asked], CPU))
    return float(-law.nats_B.sum() / canvas.holes_BL.sum())


def holds(measured: float, task: ListOperations, setting: Setting) -> bool:
    theory = task.theory(setting)
    assert theory is not None
    return abs(measured - theory.value) <= theory.tolerance


GREEDY = ("paradigm.decoder.temperature=0",)
SURE = (*GREEDY, "paradigm.decoder.order=confidence")
ROWS = {
    "autoregressive": ("autoregressive", (), Setting("accuracy", "", (1,) * 4, None, 1.0, "exact")),
    "one pass": ("parallel", (), Setting("accuracy", "", (4,), None, 1.0, "exact")),
    "k=1": ("diffusion_k1", (), Setting("accuracy", "", (1,) * 4, "random", 1.0, "bound")),
    "k=2": ("diffusion_k2", (), Setting("accuracy", "", (2, 2), "random", 1.0, "bound")),
    "k=3": ("diffusion_k3", (), Setting("accuracy", "", (3, 1), "random", 1.0, "bound")),
    "temperature 2": (
        "diffusion_k3", ("paradigm.decoder.temperature=2.0",), Setting("accuracy", "", (3, 1), "random", 2.0, "bound")
    ),
    "blocks of two": (
        "diffusion",
        ("paradigm.decoder.block=2", "paradigm.decoder.per_pass=2"),
        Setting("accuracy", "", (2, 2), "left_to_right", 1.0, "bound"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("row", ROWS)
def test_decoders_that_know_the_law_land_on_theory(row: str, operation: str) -> None:
    preset, overrides, setting = ROWS[row]
    text = text_of(task_of())
    measured = accuracy(perfect(preset, text, *overrides), text, operation)
    said = Setting("accuracy", operation, *[getattr(setting, f) for f in ("quotas", "order", "temperature", "kind")])
    assert holds(measured, text.task, said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("threshold", "operation", "value"),
    [(0.6, "shuffle", 1.0), (0.6, "replace_random", 0.0), (0.95, "shuffle", 1.0), (0.95, "replace_random", 1.0)],
)
def test_thresholds_land_on_theory(threshold: float, operation: str, value: float) -> None:
    text = text_of(task_of())
    paradigm = perfect("diffusion", text, *SURE, f"paradigm.decoder.threshold={threshold}")
    setting = Setting("accuracy", operation, (), "confidence", 0.0, "bound", threshold)
    theory = text.task.theory(setting)
    assert theory is not None
    assert theory.value == value
    assert accuracy(paradigm, text, operation) == value


@pytest.mark.parametrize(("quota", "value"), [(1, 1.0), (3, 1.0), (4, 0.0)])
def test_greedy_replace_random_is_decided_by_the_last_pass(quota: int, value: float) -> None:
    text = text_of(task_of())
    assert (
        accuracy(perfect("diffusion", text, *GREEDY, f"paradigm.decoder.per_pass={quota}"), text, "replace_random")
        == value
    )


@pytest.mark.parametrize(
    ("preset", "kind", "quotas"),
    [("autoregressive", "exact", (1,) * 4), ("parallel", "exact", (4,)), ("diffusion", "bound", (1,) * 4)],
)
def test_likelihoods_that_know_the_law_land_on_theory(preset: str, kind: str, quotas: tuple[int, ...]) -> None:
    text = text_of(task_of())
    for operation in OPERATIONS:
        setting = Setting("nats_per_token", operation, quotas, None, 1.0, kind)
        assert holds(nats(perfect(preset, text), text, operation), text.task, setting)  # type: ignore[arg-type]


class Poor(Perfect):
    """A learner that stopped early: of every token's probability, a tenth is spread over the whole vocabulary."""

    def law(self, prompt: Sequence[str], seen: Sequence[tuple[int, str]], hole: int) -> Tensor:
        return (0.9 * super().law(prompt, seen, hole).softmax(-1) + 0.1 / self.text.vocabulary.size).log()


def agreement(decoder: Paradigm, scorer: Paradigm, text: Text, operation: str, known: int = 100) -> str:
    """The verdict on a decoder's accuracy beside the probabilities that the scorer gives to references."""
    right, asked = right_texts(decoder, text, operation), examples(text.task, operation, known)  # type: ignore[arg-type]
    canvas = text.truth(text.encode(asked), [False] * len(asked))
    with torch.inference_mode():
        law = scorer.log_likelihood(canvas, SeededNoise(0, [e.id for e in asked], CPU))
    log_p_B = law.nats_B if law.exact_B is None else law.exact_B
    law_nats = [cast(float, text.task.nats(example, example.target)) for example in asked]
    ratios = (log_p_B + torch.tensor(law_nats)).exp().tolist()
    found = difference(right, ratios)
    answers = float(torch.tensor(law_nats).exp().max())
    line = {"low": found.low, "high": found.high, "difference": found.value, "likelihood_items": known}
    return verdict({**line, "answers": answers, "margin": min(0.05, sum(ratios) / len(ratios) / 2)}, found.p)


ALIKE = {"autoregressive": (1,) * 4, "parallel": (4,), "diffusion_k1": (1,) * 4, "diffusion_k2": (2, 2)}


@pytest.mark.parametrize("preset", [*ALIKE, "diffusion_left_to_right"])
def test_a_poor_learner_misses_theory_and_the_harness_agrees_with_itself(preset: str) -> None:
    text = text_of(task_of())
    poor = perfect(preset, text, law=Poor)
    assert {agreement(poor, poor, text, operation) for operation in ("copy", "shuffle")} == {HOLDS}
    quotas, order = ALIKE.get(preset, (1,) * 4), "random" if preset in ("diffusion_k1", "diffusion_k2") else None
    setting = Setting("accuracy", "copy", quotas, order, 1.0, "exact")
    assert not holds(accuracy(poor, text, "copy"), text.task, setting)  # type: ignore[arg-type]


# planted faults: each must be caught by the check above that everything sound passes


class SharedNoise(SeededNoise):
    """One seed for the whole batch."""

    def uniform(self, call: int, rows_b: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
        return super().uniform(call, rows_b[:1] * 0, shape, stream).expand(len(rows_b), *shape)


def test_one_seed_shared_by_the_batch_is_caught() -> None:
    """Of a vocabulary without choice of items all rows then write the same: all right, or all wrong."""
    text = text_of(task_of(5, 5))
    setting = Setting("accuracy", "shuffle", (5,), None, 1.0, "exact")
    sound, shared = (
        accuracy(perfect("parallel", text), text, "shuffle", noise) for noise in (SeededNoise, SharedNoise)
    )
    assert holds(sound, text.task, setting)  # type: ignore[arg-type]
    assert not holds(shared, text.task, setting)  # type: ignore[arg-type]


class NoIdentity(ListOperations):
    """A verifier that takes the identity for no permutation."""

    def score(self, example: Example, text: str) -> dict[str, float]:
        same = text.split() == example.prompt.split()[: self.n]
        return {"accuracy": 0.0} if same else super().score(example, text)


def test_a_rejected_identity_is_caught() -> None:
    """At n = 3, where it is one answer in six; at n = 6 the brute-force test of the verifier sees it."""
    setting = Setting("accuracy", "shuffle", (1,) * 3, None, 1.0, "exact")
    for kind, sound in ((ListOperations, True), (NoIdentity, False)):
        text = text_of(kind(3, 6, OPERATIONS, "before"))  # type: ignore[arg-type]
        measured = accuracy(perfect("autoregressive", text), text, "shuffle")
        assert holds(measured, text.task, setting) == sound  # type: ignore[arg-type]


class Unweighted(Diffusion):
    """The weight L/l forgotten."""

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        at_BH, real_BH = canvas.hole_positions()
        rows_B, nats = torch.arange(len(at_BH)), []
        for draw in range(64):
            count_B = 1 + (noise.uniform(draw, rows_B, (1,), 1)[:, 0] * real_BH.sum(1)).long()
            hidden_BH = hide_exactly(real_BH, count_B, noise.uniform(draw, rows_B, at_BH.shape[1:]))
            nats.append(-self.masked_nats(canvas, at_BH, hidden_BH).double().sum(1))
        return Likelihood("bound", torch.stack(nats).mean(0), torch.zeros(len(at_BH)))


def test_a_forgotten_weight_is_caught() -> None:
    text = text_of(task_of())
    sound = perfect("diffusion", text)
    assert isinstance(sound, Diffusion)
    faulty = Unweighted(text.vocabulary, sound.backbone, sound.decoder)
    setting = Setting("nats_per_token", "shuffle", (1,) * 4, None, 1.0, "bound")
    assert holds(nats(sound, text, "shuffle"), text.task, setting)  # type: ignore[arg-type]
    assert not holds(nats(faulty, text, "shuffle"), text.task, setting)  # type: ignore[arg-type]


def test_a_causal_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that may see itself costs nothing."""
    text = text_of(task_of())
    paradigm = perfect("autoregressive", text)
    setting = Setting("nats_per_token", "shuffle", (1,) * 4, None, 1.0, "exact")
    assert holds(nats(paradigm, text, "shuffle"), text.task, setting)  # type: ignore[arg-type]
    monkeypatch.setattr(paradigm, "rule", lambda canvas: everywhere)
    assert not holds(nats(paradigm, text, "shuffle"), text.task, setting)  # type: ignore[arg-type]


class Float32Noise(SeededNoise):
    def uniform(self, call: int, rows_b: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
        return super().uniform(call, rows_b, shape, stream).float().double()


def test_float32_noise_is_caught() -> None:
    """Its draws lie on a grid and the largest are 1, whose Gumbel value is infinite: such a token always wins."""

    def sound(noise: SeededNoise) -> bool:
        draws = noise.uniform(0, torch.tensor([0]), (200_000,))
        return not ((draws * 2**24) % 1 == 0).any()

    assert sound(SeededNoise(0, ["a"], CPU))
    assert not sound(Float32Noise(0, ["a"], CPU))


def test_a_decoder_that_is_too_sure_is_caught() -> None:
    """Its texts are better than the model's own probabilities allow, which no accuracy alone would give away."""
    text = text_of(task_of())
    poor = perfect("autoregressive", text, law=Poor)
    sharp = perfect("autoregressive", text, "paradigm.decoder.temperature=0.5", law=Poor)
    assert agreement(sharp, poor, text, "copy") == FAILS


@pytest.mark.parametrize("law", [Perfect, Poor])
def test_the_likelihood_of_another_number_of_positions_per_pass_is_caught(law: type[Perfect]) -> None:
    text = text_of(task_of())
    one, two = (perfect(preset, text, law=law) for preset in ("diffusion_k1", "diffusion_k2"))
    assert agreement(two, one, text, "shuffle") == FAILS
    assert agreement(two, two, text, "shuffle") != FAILS
