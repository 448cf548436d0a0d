"""Canvases for a public checkpoint: texts in its own tokens, laid out as it was trained to read them.

Prompt, target and suffix that are parts of one running text are encoded as that text and divided afterwards, so that
the tokens are those that the model knows; the ids that its tokenizer places before a text come first. Texts that are
no running text are divided by EOS, as for models trained here.
"""

from collections.abc import Sequence

from paradigms.base import Checkpoint, Vocabulary
from tasks.base import Example, Task
from wordways.run.text import Encoded, Text


def vocabulary_of(checkpoint: Checkpoint) -> Vocabulary:
    ids = checkpoint.ids
    return Vocabulary(ids.size, mask=ids.mask, eos=ids.eos, pad=ids.pad)


class CheckpointText(Text):
    """A checkpoint's tokenizer and the layout of its canvases."""

    def __init__(self, checkpoint: Checkpoint, task: Task):
        super().__init__(checkpoint.tokenizer.backend_tokenizer, task, vocabulary_of(checkpoint))
        ids = checkpoint.ids
        self.before, self.after = checkpoint.around
        if self.before and self.before[-1] == ids.eos:
            self.before = self.before[:-1]
        if not self.after or self.after[0] != ids.eos:
            self.after = []  # what closes a text is of use only behind a blank

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        return [self.of_parts(example) for example in examples]

    def of_parts(self, example: Example) -> Encoded:
        """One example in ids. An empty prompt is EOS, which opens texts where a tokenizer has no other token for it."""
        joint, eos, task = self.task.joint, self.vocabulary.eos, self.task
        if joint is None or task.fill_in_the_middle:
            prompt, target, suffix = (self.ids(part) for part in (example.prompt, example.target, example.suffix))
            prompt = [*prompt, eos, *suffix, eos] if task.fill_in_the_middle else [*prompt, eos]
            suffix = [] if task.fill_in_the_middle else suffix
        else:
            prompt, target, suffix = self.divided(joint, example.prompt, example.target, example.suffix)
            suffix = [*suffix, *self.after] if task.holes != "suffix" else suffix
        prompt = [*self.before, *prompt] or [eos]
        room = task.room(len(prompt))
        ends = 0 if room is None else max(1, room - len(target))
        draft = self.ids((joint or "") + example.draft) if example.draft else []
        return Encoded(prompt, target, suffix, len(target) if room is None else room, ends, draft)

    def divided(self, joint: str, *parts: str) -> list[list[int]]:
        """The ids of every part of a running text. A part whose edge lies inside a token is encoded by itself."""
        pieces, whole = [], ""
        for part in parts:
            pieces.append(joint + part if whole and part else part)
            whole += pieces[-1]
        found = self.tokenizer.encode(whole, add_special_tokens=False)
        ids: list[list[int]] = [[] for _ in parts]
        ends = [len("".join(pieces[: number + 1])) for number in range(len(pieces))]
        for token, (first, last) in zip(found.ids, found.offsets, strict=True):
            part = next(number for number, end in enumerate(ends) if last <= end)
            if part and first < ends[part - 1]:
                return [self.ids(piece) for piece in pieces]
            ids[part].append(token)
        return ids

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def read(self, ids: Sequence[int]) -> str:
        """The text of these ids; verbatim where a task's texts are cut at any character."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=False)
        return text if self.task.joint == "" else text.strip()

    def comes_back(self, text: str) -> bool:
        """Whether a text survives but for what the tokenizer normalises: its ids decode to a text of the same ids."""
        ids = self.ids(text)
        unknown = self.tokenizer.token_to_id("[UNK]")
        return (unknown is None or unknown not in ids) and self.ids(self.tokenizer.decode(ids)) == ids
