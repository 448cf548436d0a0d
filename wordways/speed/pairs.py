"""A program of ours beside another that must do the same, or beside the least time that the machine allows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from wordways.speed.llama import llama_of
from wordways.speed.others import denoised, generated, stepped
from wordways.speed.subjects import Precision, Subject, Work

GENERATE, ASSISTED = "transformers generate", "transformers assisted generation"
LOOP, TRAINER = "LLaDA's loop", "transformers training loop"
ROOFLINE, BANDWIDTH = "roofline", "read bandwidth"
CLOSE = {"float32": 1e-4, "bfloat16": 2e-2}  # relative difference of two losses, by the less exact precision


@dataclass(frozen=True)
class Pair:
    """ours, theirs: the programs; theirs is None where the least time for `work` takes its place.

    check: compares their results; returns the share of equal tokens, or None for losses. Raises RuntimeError where the
    programs did not do the same.
    """

    setting: dict[str, str | int]
    against: str
    ours: Callable[[], Tensor]
    work: Work
    theirs: Callable[[], Tensor] | None = None
    check: Callable[[Tensor, Tensor], float | None] = lambda ours, theirs: None


def beside_generate(subject: Subject) -> Pair:
    theirs = generated(llama_of(subject.paradigm, subject.length), subject.canvas)
    return Pair(subject.setting(), GENERATE, subject.decoder(), subject.work(), theirs, all_equal)


def beside_assisted(subject: Subject) -> Pair:
    """Prompt lookup with the same numbers of drafted and of matched tokens on both sides."""
    how, model = subject.cell.nodes["paradigm"]["decoder"], llama_of(subject.paradigm, subject.length)
    drafts = {"prompt_lookup_num_tokens": how["window"], "max_matching_ngram_size": how["ngram"]}
    theirs = generated(model, subject.canvas, **drafts)
    return Pair(subject.setting(), ASSISTED, subject.decoder(), subject.work(), theirs, all_equal)


def beside_loop(subject: Subject) -> Pair:
    """Without a cache all tokens must be equal; a cache is an approximation, which may change them."""
    how, vocabulary = subject.cell.nodes["paradigm"]["decoder"], subject.vocabulary
    model, never = llama_of(subject.paradigm, subject.length, causal=False), [vocabulary.mask, vocabulary.pad]
    steps = subject.tokens // how["per_pass"]
    theirs = denoised(model, subject.blank, mask=vocabulary.mask, never=never, block=how["block"], steps=steps)
    check = all_equal if how["cache"] is None else share_equal
    return Pair(subject.setting(), LOOP, subject.decoder(), subject.work(), theirs, check)


def beside_trainer(subject: Subject, precision: Precision) -> Pair:
    """precision: of the products in the other program."""
    settings, vocabulary, work = subject.cell.train, subject.vocabulary, subject.training_work()
    model, never = llama_of(subject.paradigm, subject.length), [vocabulary.mask, vocabulary.pad]
    theirs = stepped(model, subject.canvas, replace(settings, precision=precision), never)
    check = partial(losses_close, max(CLOSE[settings.precision], CLOSE[precision]))
    return Pair(subject.setting(), f"{TRAINER}, {precision}", subject.trainer(), work, theirs, check)


def beside_roofline(subject: Subject) -> Pair:
    return Pair(subject.setting(), ROOFLINE, subject.decoder(), subject.work())


def beside_bandwidth(subject: Subject) -> Pair:
    """The least time in which the weights can be read once for every token."""
    weights = sum(weight.nbytes for weight in subject.paradigm.parameters())
    return Pair(subject.setting(), BANDWIDTH, subject.decoder(), [(0, weights)] * subject.tokens)


def all_equal(ours_BN: Tensor, theirs_BN: Tensor) -> float:
    if not torch.equal(ours_BN, theirs_BN):
        raise RuntimeError("the programs generate different tokens")
    return 1.0


def share_equal(ours_BN: Tensor, theirs_BN: Tensor) -> float:
    return float((ours_BN == theirs_BN).double().mean())


def losses_close(tolerance: float, ours: Tensor, theirs: Tensor) -> None:
    if not torch.isclose(ours, theirs, rtol=tolerance, atol=0):
        raise RuntimeError(f"the programs have different losses, {float(ours)} and {float(theirs)}")
