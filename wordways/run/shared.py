"""Objects that the runs of a sweep share in one process: task, tokenizer, stream of training batches."""

import functools
import json
from pathlib import Path

from tasks.base import Task
from wordways.run.text import Stream, Text, build_text
from wordways.settings import build


@functools.lru_cache(maxsize=16)
def task_of(node: str) -> Task:
    """The task that a node of the configuration, as canonical JSON, describes."""
    return build(json.loads(node), "task")


@functools.lru_cache(maxsize=16)
def text_of(node: str, checkpoints: str) -> Text:
    """The task's tokenizer and canvas layout; a learned tokenizer is kept in the folder `checkpoints`."""
    return build_text(task_of(node), Path(checkpoints))


@functools.lru_cache(maxsize=1)
def stream_of(node: str, checkpoints: str, batch: int, seed: int) -> Stream:
    """The training batches of a task; only the latest stream stays cached."""
    return Stream(text_of(node, checkpoints), batch, seed)
