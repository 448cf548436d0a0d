"""How a model is to be read: the attention rules of its training and decoding, which no file of weights tells.

Observed from outside: the rule of training is asked for, those of decoding are the ones that a text is decoded with.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import torch

from paradigms.base import AttentionRule, Canvas, Noise, Paradigm

SEES = {
    "causal": "key <= query",
    "everywhere": "key >= 0 * query",
    "prefix": "key <= query.clamp(min=start - 1)",
    "prompt_apart": "(key < start) | (query >= start)",
    "blockwise": "((key - start) // {block}).clamp(min=-1) <= ((query - start) // {block}).clamp(min=-1)",
}
"""Each rule as an expression of `query` (Q, 1), `key` (K,) and `start`, the column of the first generated position."""

NEXT = ("causal", "prefix")  # rules under which the logits at a position predict the next position's token
ONLY_OF_DECODING = ("drafting",)  # passes of speculative decoding, whose texts are those of the causal rule


@dataclass(frozen=True)
class Reading:
    """rule: its name.  words: what it lets a position see.  drawing: of rows of queries and columns of keys.

    sees: the expression of SEES.  predicts_next: whether logits predict the next position's token.
    """

    rule: str
    words: str
    drawing: str
    sees: str
    predicts_next: bool


def readings_of(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> list[Reading]:
    """The readings of training and of decoding this canvas, that of training first.

    Raises ValueError for a model whose passes no network of transformers makes, and for a rule that is not described.
    """
    if not paradigm.aligned:
        raise ValueError(
            "its logits label slots or edits that its decoder turns into a text, which no folder can describe"
        )
    rules = [paradigm.rule(canvas), *rules_of_decoding(paradigm, canvas, noise)]
    named = {name_of(rule): rule for rule in reversed(rules)}
    names = dict.fromkeys(map(name_of, rules))
    if unknown := [name for name in names if name not in {*SEES, *ONLY_OF_DECODING}]:
        raise ValueError(f"its attention rule `{unknown[0]}` is not one that a model card describes")
    return [reading_of(name, named[name], paradigm) for name in names if name in SEES]


@torch.inference_mode()
def rules_of_decoding(paradigm: Paradigm, canvas: Canvas, noise: Noise) -> list[AttentionRule]:
    """The rule of every forward pass. Raises ValueError where a pass leaves layers out."""
    rules: list[AttentionRule] = []

    def note(_: object, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        if named.get("late") is not None:
            raise ValueError("its generated tokens pass only its last layers, which no network of transformers does")
        rules.append(args[1])

    handle = paradigm.backbone.register_forward_pre_hook(note, with_kwargs=True)
    try:
        for _ in paradigm.decode(canvas, noise):
            pass
    finally:
        handle.remove()
    return rules


def name_of(rule: AttentionRule) -> str:
    """The name of a rule, or of the function that made it."""
    return getattr(rule, "__qualname__", type(rule).__name__).partition(".")[0]


def reading_of(name: str, rule: AttentionRule, paradigm: Paradigm) -> Reading:
    """Words and drawing are those of the rule's documentation."""
    text = inspect.cleandoc(getattr(inspect.getmodule(rule), name).__doc__ or "")
    lines = text.splitlines()
    drawing = [line for line in lines if line.strip() and set(line) <= set("pwx. ")]
    sees = SEES[name].format(block=getattr(paradigm, "block", None))
    return Reading(name, lines[0], "\n".join(drawing), sees, name in NEXT)
