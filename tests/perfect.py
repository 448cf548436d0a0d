"""A backbone that knows the law: exact conditionals by counting answers, in place of a trained network.

With it a decoder or a likelihood must land on theory; where it does not, the fault is in our code and not in training.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from paradigms.trunk.attention import AttentionRule
from tasks.list_operations import FILLER, ListOperations
from wordways.run.text import EOS, MASK, PAD, Text

IMPOSSIBLE = -1e4


class Memory:
    """What a cache stands for: all ids so far."""

    def __init__(self) -> None:
        self.ids_BL = torch.zeros(0)

    def grow(self, ids_BQ: Tensor) -> Tensor:
        self.ids_BL = torch.cat((self.ids_BL, ids_BQ), dim=1) if self.ids_BL.dim() == 2 else ids_BQ
        return self.ids_BL

    def keep(self, rows_B: Tensor) -> None:
        self.ids_BL = self.ids_BL[rows_B]


class Perfect(nn.Module):
    """shifted: logits at a position are for the next one, as an autoregressive model's are."""

    def __init__(self, text: Text, shifted: bool):
        super().__init__()
        assert isinstance(text.task, ListOperations)
        self.text, self.n, self.shifted = text, text.task.n, shifted
        self.words = {i: word for word, i in text.tokenizer.get_vocab().items()}
        self.known: dict[tuple[object, ...], Tensor] = {}

    def cache(self, rows: int, length: int) -> Memory:
        return Memory()

    def flops(self, *_: int) -> int:
        return 0

    def forward(
        self,
        ids_BQ: Tensor,
        rule: AttentionRule,
        *,
        pad_BL: Tensor,
        at_BQ: Tensor | range | None = None,
        keys: int | None = None,
        want_BW: Tensor | None = None,
        need_BW: Tensor | None = None,
        cache: Memory | None = None,
    ) -> Tensor:
        ids_BL = ids_BQ if cache is None else cache.grow(ids_BQ)
        columns = range(ids_BQ.shape[1]) if at_BQ is None else at_BQ
        at_BQ = torch.tensor(columns).expand_as(ids_BQ) if isinstance(columns, range) else columns
        want_BW = torch.arange(ids_BQ.shape[1]).expand_as(ids_BQ) if want_BW is None else want_BW
        query_BW = at_BQ.gather(1, want_BW)
        key_L = torch.arange(ids_BL.shape[1])
        sees_BWL = rule(query_BW[:, :, None], key_L[None, None]).expand(*query_BW.shape, len(key_L))
        logits_BWV = torch.stack(
            [
                torch.stack(
                    [self.logits(ids, sees, int(at)) for sees, at in zip(sees_WL.tolist(), query_W, strict=True)]
                )
                for ids, sees_WL, query_W in zip(ids_BL.tolist(), sees_BWL, query_BW, strict=True)
            ]
        )
        return logits_BWV if need_BW is None else logits_BWV[need_BW]

    def logits(self, ids: Sequence[int], sees: Sequence[bool], at: int) -> Tensor:
        """ln p of every id at `at` (or behind it), given those of the holes' ids that are seen and are no mask."""
        ids = list(ids)
        first = next(i for i, token in enumerate(ids) if token != PAD)
        start = ids.index(EOS, first) + 1
        hole = at + self.shifted - start
        prompt = tuple(self.words[token] for token in ids[first : start - 1])
        seen = tuple(
            (i - start, self.words[token])
            for i, token in enumerate(ids)
            if i >= start and sees[i] and token not in (MASK, PAD)
        )
        key = (prompt, seen, hole)
        if key not in self.known:
            self.known[key] = self.law(prompt, seen, hole)
        return self.known[key]

    def law(self, prompt: Sequence[str], seen: Sequence[tuple[int, str]], hole: int) -> Tensor:
        answers = [a for a in self.answers(prompt) if all(i < len(a) and a[i] == word for i, word in seen)]
        logits_V = torch.full((self.text.vocabulary.size,), IMPOSSIBLE)
        if not answers or not 0 <= hole < len(answers[0]):
            return logits_V * 0
        for word in {answer[hole] for answer in answers}:
            share = sum(answer[hole] == word for answer in answers) / len(answers)
            logits_V[self.text.tokenizer.token_to_id(word)] = torch.tensor(share).log()
        return logits_V

    def answers(self, prompt: Sequence[str]) -> list[tuple[str, ...]]:
        items, operation = list(prompt[: self.n]), prompt[self.n]
        match operation:
            case "shuffle":
                return list(itertools.permutations(items))
            case "replace_random":
                return [(*items[:i], FILLER, *items[i + 1 :]) for i in range(self.n)]
            case "copy":
                return [tuple(items)]
        raise ValueError(operation)
