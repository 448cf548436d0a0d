"""Another paradigm's texts in place of the data's: sequence-level distillation (Kim and Rush, 2016).

Data say the same thing in many ways; a teacher that writes greedily says it in one, and a student that cannot choose
between ways learns only that one.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from tasks.base import Example
from wordways.record import canonical, digest, write_atomically
from wordways.run.subject import Subject
from wordways.run.trace import metered
from wordways.run.writing import write_texts

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


class Teacher:
    """Gives examples the targets that a trained paradigm writes for their prompts; kept in `folder` once written.

    Where it writes nothing the data's target stays.
    """

    def __init__(self, subject: Subject, batch: int, folder: Path, progress: Progress):
        self.subject, self.batch, self.folder, self.progress = subject, batch, folder, progress

    def __call__(self, examples: Sequence[Example]) -> list[Example]:
        path = self.folder / f"{digest([example.id for example in examples])}.json"
        if not path.is_file():
            rows = self.subject.text.encode(examples)
            with self.progress(len(examples)) as advance, metered(self.subject.paradigm) as meter:
                asked = replace(self.subject, examples=list(examples), rows=rows)
                texts = write_texts(asked, self.batch, advance)
            write_atomically(path, canonical({"texts": texts, "flops": meter.flops}))
        texts = json.loads(path.read_text())["texts"]
        return [replace(example, target=text or example.target) for example, text in zip(examples, texts, strict=True)]

    def flops(self) -> int:
        """Of all that it has written."""
        return sum(json.loads(path.read_text())["flops"] for path in self.folder.glob("*.json"))
