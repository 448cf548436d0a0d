"""Likelihood of the references and exposure bias, by item."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from tasks.base import Alphabet, Example
from wordways.run.exposure import commitments, divergences
from wordways.run.noise import SeededNoise
from wordways.run.subject import Subject


@torch.inference_mode()
def likelihood(
    subject: Subject, texts: Sequence[str], items: int, batch: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Nats of the references of the first `items` examples of every stratum: negative log-likelihoods, by item.

    Beside the model's stand those of the true law, where the task knows it; where it knows the law of every text, also
    what the law's marginals make of the references, and both laws' nats of the model's own texts that are possible.
    """
    taken: Counter[str] = Counter()
    chosen = []
    for index, example in enumerate(subject.examples):
        taken[example.stratum] += 1
        if taken[example.stratum] <= items:
            chosen.append(index)
    asked = [subject.examples[index] for index in chosen]
    found = nats_of(subject, asked, batch, advance)
    own = apart = None
    marginals = subject.text.task.conditionals([None] * len(subject.rows[0].target))
    if marginals is not None:
        words = [example.target.split() for example in asked]
        apart = [-sum(math.log(law[word]) for law, word in zip(marginals, row, strict=True)) for row in words]
        written = [replace(subject.examples[index], target=texts[index]) for index in chosen]
        whole = [one for one in written if math.isfinite(subject.text.task.nats(one, one.target) or 0)]
        own = nats_of(subject, whole, batch, lambda _: None) | {"texts": len(written)} if whole else None
    return {**found, "item_ids": [example.id for example in asked], "own": own, "apart_nats": apart}


def nats_of(
    subject: Subject, examples: Sequence[Example], batch: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Of every example's target: kind, nats, se, tokens, exact (behind a bound, None where unknown), law_nats.

    Where tokens are no words also its bytes, which are the same for every tokenizer.
    """
    text, paradigm = subject.text, subject.paradigm
    of = replace(subject, examples=list(examples), rows=text.encode(examples))
    found: dict[int, tuple[float | None, ...]] = {}
    kind = ""
    for indices in of.chunks(batch, range(len(examples))):
        exactly = [paradigm.length != "eos"] * len(indices)
        canvas = text.truth([of.rows[index] for index in indices], exactly).to(of.device)
        names = [f"likelihood/{examples[index].id}" for index in indices]
        result = paradigm.log_likelihood(canvas, SeededNoise(of.seed, names, of.device))
        tokens_B = canvas.text_and_end(text.vocabulary.eos).sum(1)
        exact_B = torch.full_like(result.nats_B, torch.nan) if result.exact_B is None else result.exact_B
        kind = result.kind
        columns = (-result.nats_B, result.se_B, tokens_B, -exact_B)
        for index, *values in zip(indices, *(column.tolist() for column in columns), strict=True):
            found[index] = tuple(known(value) for value in values)
        advance(len(indices))
    columns = [list(column) for column in zip(*(found[index] for index in range(len(examples))), strict=True)]
    nats, se, tokens, exact = columns
    law = [text.task.nats(example, example.target) for example in examples]
    own_words = isinstance(vocabulary := text.task.vocabulary(), Sequence) and not isinstance(vocabulary, Alphabet)
    size = {} if own_words else {"bytes": [len(example.target.encode()) for example in examples]}
    return size | {
        "kind": kind,
        "nats": nats,
        "se": se,
        "tokens": tokens,
        "exact": exact if any(value is not None for value in exact) else None,
        "law_nats": [None if value is None else known(value) for value in law],
    }


def known(value: float) -> float | None:
    """None for what JSON has no number for: the unknown, and the nats of what is impossible."""
    return value if math.isfinite(value) else None


@torch.inference_mode()
def exposure(subject: Subject, items: int) -> dict[str, Any] | None:
    """KL of the exact law from the model's at every commitment, along its own texts and along the data's, by item.

    None where nobody knows that law, or no hole has one of its own.
    """
    task, words = subject.text.task, subject.text
    if not subject.paradigm.aligned or task.conditionals([None] * len(subject.rows[0].target)) is None:
        return None

    def exact(known: Sequence[int | None]) -> torch.Tensor:
        laws = task.conditionals([None if token is None else words.read([token]) for token in known]) or []
        table_HV = torch.zeros(len(laws), words.vocabulary.size, dtype=torch.float64)
        for row_V, law in zip(table_HV, laws, strict=True):
            for word, p in law.items():
                row_V[words.tokenizer.token_to_id(word)] = p
        return table_HV

    found: dict[str, Any] = {"own": [], "data": []}
    for index, row in enumerate(subject.rows[:items]):
        for name, truth in (("own", None), ("data", row.target)):
            calls = commitments(subject.paradigm, subject.blank([index]), subject.noise([index]), truth)
            found[name].append(divergences(calls, exact, len(row.target)))
    return found
