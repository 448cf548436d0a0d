"""What a judge, another paradigm trained on running text, makes of what was written."""

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

SEAM = 4  # tokens behind a seam that are judged

Sums = list[tuple[float, int]]  # nats and tokens, by text


@dataclass(frozen=True)
class Judge:
    """subject: a trained paradigm whose likelihood is exact, and its tokenizer.  name: what tells it from others."""

    subject: Subject
    batch: int
    name: str

    def __post_init__(self) -> None:
        """Raises ValueError where what it says of tokens is not the exact law of a text."""
        text, paradigm = self.subject.text, self.subject.paradigm
        rows = text.encode([next(iter(text.task.examples("valid")))])
        canvas = text.truth(rows, [True]).to(self.subject.device)
        law = paradigm.log_likelihood(canvas, SeededNoise(0, ["judge"], self.subject.device))
        nats_B = paradigm.token_nats(canvas)[0].double().sum(1)
        if law.kind != "exact" or not torch.allclose(-law.nats_B, nats_B):
            raise ValueError(f"measure.judge.paradigm={type(paradigm).__name__}: must know its law, token by token")

    def scores(self, examples: Sequence[Example], texts: Sequence[str]) -> Mapping[str, Any]:
        """By metric what a record keeps of the texts and, beside it, of the references. Lower is better in all."""
        own, real = self.sums(examples, texts), self.sums(examples, [e.target.strip() for e in examples])
        return {name: self.entry(name, own[name], real[name]) for name in own}

    def sums(self, examples: Sequence[Example], texts: Sequence[str]) -> dict[str, Sums]:
        """Seams only where there is something behind the text."""
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
        """Of every target's tokens, given the prompt."""
        text, paradigm = self.subject.text, self.subject.paradigm
        rows = text.encode(examples)
        of = replace(self.subject, examples=list(examples), rows=rows)
        found: list[list[float]] = [[] for _ in examples]
        for indices in of.chunks(self.batch, [i for i, row in enumerate(rows) if row.target]):
            canvas = text.truth([rows[i] for i in indices], [True] * len(indices)).to(of.device)
            nats_BH, counted_BH = paradigm.token_nats(canvas)
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
            "higher_is_better": None,  # texts that repeat themselves have less than the data's own
            "items": column(own),
            "data": column(real),
            "data_statistics": rows(real),
            "value": JUDGED[name].value([sum(part) for part in zip(*own, strict=True)]),
            "statistics": rows(own),
            "signature": self.name,
        }


def summed(nats: Sequence[Sequence[float]], first: int | None) -> Sums:
    """Over each text's tokens, or its first ones; a text without any has (0, 0)."""
    return [(math.fsum(tokens[:first]), len(tokens[:first])) for tokens in nats]
