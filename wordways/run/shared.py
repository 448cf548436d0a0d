"""What the runs of a sweep share: the task, its tokenizer, its stream of training batches."""

import functools
import json
from pathlib import Path

from tasks.base import Task
from wordways.run.text import Stream, Text, build_text
from wordways.settings import build


@functools.lru_cache(maxsize=16)
def task_of(node: str) -> Task:
    """The task a canonical node describes; the cells of a sweep share one."""
    return build(json.loads(node), "task")


@functools.lru_cache(maxsize=16)
def text_of(node: str, checkpoints: str) -> Text:
    return build_text(task_of(node), Path(checkpoints))


@functools.lru_cache(maxsize=1)
def stream_of(node: str, checkpoints: str, batch: int, seed: int) -> Stream:
    return Stream(text_of(node, checkpoints), batch, seed)
