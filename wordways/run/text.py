"""From a task's texts to canvases: the tokenizer, the layout of rows, and the stream of training batches.

A row has one of three layouts, where the holes are the positions to be generated:

    [padding | prompt EOS | holes | padding]              suffix: the holes of all rows start in the same column
    [padding | prompt EOS suffix EOS | holes | padding]   fill-in-the-middle (Bavarian et al., 2022), for AR models
    [prompt EOS | holes | suffix | padding]               span: for models with bidirectional attention

Where targets vary in length, a canvas has as many holes as there is room for, and EOS tokens fill those after a shorter
text. In training every other example instead has exactly as many holes as target tokens, so that the same weights can
be decoded with their own length or with a given one.
"""

import functools
import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from paradigms.base import Canvas, Length, Vocabulary
from tasks.base import Alphabet, Example, Task
from wordways.files import naming
from wordways.record import digest
from wordways.run.sealed import DamagedError, read_sealed, sound, write_sealed

SPECIALS = ["<pad>", "<eos>", "<mask>"]
PAD, EOS, MASK = 0, 1, 2
SEED_APART = 10**9  # distance between seeds in the numbers of generated examples, so that seeds share none
BUCKET = 50  # number of batches among which examples are sorted by length
CHUNK, CHUNKS_KEPT = 4096, 64  # examples encoded at a time; chunks of generated ones cached for the next paradigm

Rewrite = Callable[[Sequence[Example]], list[Example]]


@dataclass(frozen=True)
class Encoded:
    """One example in ids; the prompt ends with EOS.

    room: number of holes where the length is not given.  ends: number of EOS tokens after a target that fill the room.
    draft: the initial tokens of the holes; empty where they are masked.
    """

    prompt: list[int]
    target: list[int]
    suffix: list[int]
    room: int
    ends: int
    draft: list[int]


class Text:
    """A task's tokenizer and the layout of its canvases."""

    def __init__(self, tokenizer: Tokenizer, task: Task, vocabulary: Vocabulary | None = None):
        """vocabulary: by default the tokenizer's, with the special tokens of SPECIALS."""
        tokenizer.encode_special_tokens = True  # "<eos>" in the data is ordinary text
        self.tokenizer, self.task = tokenizer, task
        self.vocabulary = vocabulary or Vocabulary(tokenizer.get_vocab_size(), mask=MASK, eos=EOS, pad=PAD)

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """The examples in ids, in the same order."""

        def ids(texts: Iterable[str]) -> list[list[int]]:
            return [one.ids for one in self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

        prompts, targets = ids(e.prompt for e in examples), ids(e.target for e in examples)
        suffixes, drafts = ids(e.suffix for e in examples), ids(e.draft for e in examples)
        rows = []
        for prompt, target, suffix, draft in zip(prompts, targets, suffixes, drafts, strict=True):
            room = self.task.room(len(prompt))
            ends = 0 if room is None else max(1, room - len(target))
            if self.task.fill_in_the_middle:
                prompt, suffix = [*prompt, EOS, *suffix], []
            rows.append(Encoded([*prompt, EOS], target, suffix, len(target) if room is None else room, ends, draft))
        return rows

    def truth(self, rows: Sequence[Encoded], exact: Sequence[bool]) -> Canvas:
        """The canvas with targets in the holes; exact: one hole per target token, else the room, filled up by EOS."""
        eos = self.vocabulary.eos
        given = [
            row.target if fit and row.target else row.target + [eos] * row.ends
            for row, fit in zip(rows, exact, strict=True)
        ]
        return self.lay(rows, given)

    def blank(self, rows: Sequence[Encoded], length: Length) -> Canvas:
        """The canvas to decode, with one hole per reference token for length `oracle`, else with the whole room."""
        special = self.vocabulary
        widths = [max(1, len(row.target)) if length == "oracle" else row.room for row in rows]
        return self.lay(
            rows,
            [
                (row.draft + [special.eos] * width)[:width] if row.draft else [special.mask] * width
                for row, width in zip(rows, widths, strict=True)
            ],
        )

    def forced(self, rows: Sequence[Encoded], tokens: int) -> Canvas:
        """The canvas to decode with exactly `tokens` holes."""
        return self.lay(rows, [[self.vocabulary.mask] * tokens for _ in rows])

    def lay(self, rows: Sequence[Encoded], holes: Sequence[list[int]]) -> Canvas:
        """The canvas with these ids in the holes, laid out as the module describes."""
        start = max(len(row.prompt) for row in rows) if self.task.holes == "suffix" else 0
        parts = [(row.prompt, hole, row.suffix) for row, hole in zip(rows, holes, strict=True)]
        return laid(parts, start, self.vocabulary.pad)

    def useful(self, ids_L: Tensor, holes_L: Tensor) -> list[int]:
        """The tokens before the first EOS."""
        return list(itertools.takewhile(lambda token: token != self.vocabulary.eos, ids_L[holes_L].tolist()))

    def read(self, ids: Sequence[int]) -> str:
        """The text of these ids."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False).strip()

    def comes_back(self, text: str) -> bool:
        """Whether encoding and decoding reproduce a text exactly, up to the space that byte-level BPE prepends."""
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.tokenizer.decode(ids, skip_special_tokens=False) in (text, f" {text}")

    def piece(self, token: int) -> str:
        """The string that a token adds to a text, including the space before a word."""
        word = self.tokenizer.decode([token], skip_special_tokens=False)
        return word if self.tokenizer.decoder is not None else f" {word}"


def laid(parts: Iterable[tuple[list[int], list[int], list[int]]], start: int, pad: int) -> Canvas:
    """The canvas of these prompts, holes and suffixes; a prompt shorter than `start` is padded at its left."""
    ids, kinds = [], []
    for prompt, hole, suffix in parts:
        before = max(0, start - len(prompt))
        ids.append([pad] * before + prompt + hole + suffix)
        kinds.append([2] * before + [0] * len(prompt) + [1] * len(hole) + [0] * len(suffix))
    width = max(map(len, ids))
    kind_BL = torch.tensor([row + [2] * (width - len(row)) for row in kinds])
    return Canvas(torch.tensor([row + [pad] * (width - len(row)) for row in ids]), kind_BL == 1, kind_BL == 2)


def build_text(task: Task, folder: Path) -> Text:
    """A tokenizer of words, of characters, or of byte pairs (Sennrich et al., 2016), then kept in `folder`."""
    vocabulary = task.vocabulary()
    if isinstance(vocabulary, Alphabet):
        tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate([*SPECIALS, *vocabulary])}, []))
        tokenizer.decoder = decoders.Fuse()
        return Text(tokenizer, task)
    if not isinstance(vocabulary, int):
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*SPECIALS, *vocabulary])}))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return Text(tokenizer, task)
    path = folder / f"tokenizer-{digest([task.training_hash(), vocabulary])}.json"
    if (kept := sound(path, read_tokenizer)) is not None:
        return Text(kept, task)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(task.texts(), trainer)
    write_sealed(path, path.stem, {"tokenizer": json.loads(tokenizer.to_str())})
    return Text(tokenizer, task)


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer that was kept; older ones are plain files of `tokenizers`. Raises DamagedError."""
    fields = read_sealed(path, path.stem, dict[str, Any])
    try:
        return Tokenizer.from_str(json.dumps(fields.get("tokenizer", fields)))
    except Exception as error:  # tokenizers has no class of its own for what it cannot read
        raise DamagedError(f"it is damaged ({' '.join(str(error).split())[:100]})") from None


class Kept(Sequence[Encoded]):
    """Encoded examples in a memory-mapped temporary file; only two numbers per example are held in memory."""

    def __init__(self, text: Text, examples: Iterable[Example], taught: Rewrite = list):
        ends, lengths = [0], []
        with naming(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
            for chunk in batched(examples, CHUNK):
                for row in text.encode(taught(chunk)):
                    parts = [row.prompt, row.target, row.suffix, row.draft]
                    entry = [row.room, row.ends, *map(len, parts), *itertools.chain(*parts)]
                    file.write(np.asarray(entry, dtype=np.int32).tobytes())
                    ends.append(ends[-1] + len(entry))
                    lengths.append(len(row.prompt))
            file.flush()
            self.numbers = np.memmap(file, dtype=np.int32, mode="r") if lengths else np.zeros(0, dtype=np.int32)
        self.ends, self.prompt_lengths = np.asarray(ends), np.asarray(lengths)

    def __len__(self) -> int:
        return len(self.prompt_lengths)

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Encoded]: ...
    def __getitem__(self, index: int | slice) -> Encoded | Sequence[Encoded]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        room, ends, *counts = self.numbers[self.ends[index] :][:6].tolist()
        rest = iter(self.numbers[self.ends[index] + 6 : self.ends[index + 1]].tolist())
        prompt, target, suffix, draft = (list(itertools.islice(rest, count)) for count in counts)
        return Encoded(prompt, target, suffix, room, ends, draft)


def batched(examples: Iterable[Example], size: int) -> Iterator[list[Example]]:
    """Lists of `size` examples; the last may be shorter."""
    left = iter(examples)
    while batch := list(itertools.islice(left, size)):
        yield batch


class Stream:
    """The training batches of a task, identical for every paradigm: a batch is a function of (seed, step).

    taught: applied to the examples before encoding, chunk by chunk; a teacher replaces their targets.
    Raises ValueError where a batch has more rows than the task has training examples.
    """

    def __init__(self, text: Text, batch: int, seed: int, taught: Rewrite = list):
        self.text, self.batch, self.seed, self.taught = text, batch, seed, taught
        self.chunk = functools.lru_cache(maxsize=CHUNKS_KEPT)(self.make_chunk)
        self.epoch = functools.lru_cache(maxsize=1)(self.make_epoch)
        self.finite = Kept(text, [] if text.task.generated else text.task.examples("train"), taught)
        if not text.task.generated and len(self.finite) < batch:
            raise ValueError(f"train.batch={batch}: the task has only {len(self.finite)} training examples")

    def canvas(self, step: int) -> Canvas:
        if len(self.finite):
            epoch, number = divmod(step, len(self.finite) // self.batch)
            rows = [self.finite[index] for index in self.epoch(epoch)[number]]
        else:
            rows = [self.generated(step * self.batch + number) for number in range(self.batch)]
        return self.text.truth(rows, [(step + number) % 2 == 0 for number in range(len(rows))])

    def generated(self, number: int) -> Encoded:
        return self.chunk(number // CHUNK)[number % CHUNK]

    def make_chunk(self, number: int) -> list[Encoded]:
        examples = self.text.task.examples("train", first=self.seed * SEED_APART + number * CHUNK)
        return self.text.encode(self.taught(list(itertools.islice(examples, CHUNK))))

    def make_epoch(self, epoch: int) -> list[list[int]]:
        """All batches of an epoch in a new order; within a stretch of batches, examples are sorted by length."""
        rng = random.Random(f"{self.seed}/{epoch}")
        order = rng.sample(range(len(self.finite)), len(self.finite))
        lengths = self.finite.prompt_lengths
        stretch, batches = BUCKET * self.batch, []
        for first in range(0, len(order), stretch):
            near = sorted(order[first : first + stretch], key=lambda i: lengths[i])
            batches += [near[i : i + self.batch] for i in range(0, len(near) - self.batch + 1, self.batch)]
        rng.shuffle(batches)
        return batches
