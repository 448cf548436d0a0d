"""Objects that the runs of a sweep share in one process: task, tokenizer, stream of training batches."""

import functools
import json
from pathlib import Path

import torch

from paradigms.base import Checkpoint
from tasks.base import Task
from wordways.run.checkpoint_text import CheckpointText, vocabulary_of
from wordways.run.text import Stream, Text, build_text
from wordways.settings import build


@functools.lru_cache(maxsize=16)
def task_of(node: str) -> Task:
    """The task that a node of the configuration, as canonical JSON, describes."""
    return build(json.loads(node), "task")


@functools.lru_cache(maxsize=16)
def checkpoint_of(backbone: str) -> Checkpoint | None:
    """The public checkpoint that a node of the configuration names; None where the model is trained from scratch."""
    with torch.device("meta"):
        return build(json.loads(backbone), "backbone", vocabulary_size=8).checkpoint


@functools.lru_cache(maxsize=16)
def text_of(node: str, checkpoints: str, backbone: str = "") -> Text:
    """The tokenizer and canvas layout of a task; a learned tokenizer is kept in the folder `checkpoints`.

    backbone: the node of a public checkpoint, whose tokenizer it then is; empty for a model trained from scratch.
    """
    checkpoint = checkpoint_of(backbone) if backbone else None
    if checkpoint is None:
        return build_text(task_of(node), Path(checkpoints))
    if checkpoint.trained_here:
        return Text(checkpoint.tokenizer.backend_tokenizer, task_of(node), vocabulary_of(checkpoint))
    return CheckpointText(checkpoint, task_of(node))


@functools.lru_cache(maxsize=1)
def stream_of(text: Text, batch: int, seed: int) -> Stream:
    """The training batches of a task; only the latest stream stays cached."""
    return Stream(text, batch, seed)
