"""Generated texts scored by a judge LM: perplexity and boundary NLL under a paradigm trained on running text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from tasks.base import Alphabet, Example
from tasks.metrics.judged import JUDGED
from wordways.run.noise import SeededNoise
from wordways.run.scores import tidy
from wordways.run.subject import Subject

SEAM = 4  # tokens after a boundary whose NLL is averaged

Sums = list[tuple[float, int]]  # (nats, tokens) of every text


@dataclass(frozen=True)
class Judge:
    """A judge LM.  subject: a trained paradigm with exact likelihood, and its tokenizer.  name: its signature."""

    subject: Subject
    batch: int
    name: str

    def __post_init__(self) -> None:
        """Raises ValueError unless the token-level NLLs sum to the exact NLL of a text."""
        text, paradigm = self.subject.text, self.subject.paradigm
        rows = text.encode([next(iter(text.task.examples("valid")))])
        canvas = text.truth(rows, [True]).to(self.subject.device)
        noise = SeededNoise(0, ["judge"], self.subject.device)
        whole = paradigm.log_likelihood(canvas, noise)
        nats_B = paradigm.token_nats(canvas, noise)[0].double().sum(1)
        if whole.kind != "exact" or not torch.allclose(-whole.nats_B, nats_B):
            name = type(paradigm).__name__
            raise ValueError(f"measure.judge.paradigm={name}: must have an exact likelihood for every token")

    def scores(self, examples: Sequence[Example], texts: Sequence[str]) -> Mapping[str, Any]:
        """The record's entry of every metric, with values of the texts and of the references."""
        own, real = self.sums(examples, texts), self.sums(examples, [e.target.strip() for e in examples])
        return {name: self.entry(name, own[name], real[name]) for name in own}

    def sums(self, examples: Sequence[Example], texts: Sequence[str]) -> dict[str, Sums]:
        """Nats and tokens by metric; boundary metrics only where an example has a suffix."""
        joint = "" if isinstance(self.subject.text.task.vocabulary(), Alphabet) else " "
        behind_prompt = [replace(e, target=text, suffix="") for e, text in zip(examples, texts, strict=True)]
        nats = self.nats(behind_prompt)
        found = {"generative_perplexity": summed(nats, None)}
        if any(example.suffix for example in examples):
            before = [joint.join((e.prompt.strip(), text)).strip() for e, text in zip(examples, texts, strict=True)]
            behind_text = [
                replace(e, prompt=prompt, target=e.suffix.strip(), suffix="")
                for e, prompt in zip(examples, before, strict=True)
            ]
            found |= {"left_seam": summed(nats, SEAM), "right_seam": summed(self.nats(behind_text), SEAM)}
        return found

    @torch.inference_mode()
    def nats(self, examples: Sequence[Example]) -> list[list[float]]:
        """NLL of every token of every target given its prompt, nats; an empty target has none."""
        text, paradigm = self.subject.text, self.subject.paradigm
        rows = text.encode(examples)
        of = replace(self.subject, examples=list(examples), rows=rows)
        found: list[list[float]] = [[] for _ in examples]
        for indices in of.chunks(self.batch, [i for i, row in enumerate(rows) if row.target]):
            canvas = text.truth([rows[i] for i in indices], [True] * len(indices)).to(of.device)
            nats_BH, counted_BH = paradigm.token_nats(canvas, of.noise(indices))
            for index, nats_H, counted_H in zip(indices, nats_BH.cpu().double(), counted_BH.cpu(), strict=True):
                found[index] = nats_H[counted_H].tolist()
        return found

    def entry(self, name: str, own: Sums, real: Sums) -> dict[str, Any]:
        def column(sums: Sums) -> list[float | int | None]:
            return [tidy(JUDGED[name].value(row)) for row in sums]

        def rows(sums: Sums) -> list[list[float | int | None]]:
            return [list(map(tidy, row)) for row in sums]

        return {
            "unit": JUDGED[name].unit,
            "higher_is_better": None,  # repetitive texts have lower perplexity than the references
            "items": column(own),
            "data": column(real),
            "data_statistics": rows(real),
            "value": JUDGED[name].value([sum(part) for part in zip(*own, strict=True)]),
            "statistics": rows(own),
            "signature": self.name,
        }


def summed(nats: Sequence[Sequence[float]], first: int | None) -> Sums:
    """Sums over each text's tokens, or over its `first` ones; an empty text has (0, 0)."""
    return [(math.fsum(tokens[:first]), len(tokens[:first])) for tokens in nats]
