"""The rules are what their drawings show."""

import re
from collections.abc import Callable

import pytest
import torch

from paradigms.trunk import attention
from paradigms.trunk.attention import AttentionRule

RULES: dict[str, tuple[Callable[..., object], AttentionRule]] = {
    "causal": (attention.causal, attention.causal),
    "everywhere": (attention.everywhere, attention.everywhere),
    "prefix": (attention.prefix, attention.prefix(2)),
    "prompt_apart": (attention.prompt_apart, attention.prompt_apart(2)),
    "blockwise": (attention.blockwise, attention.blockwise(1, 2)),
    "drafting": (attention.drafting, attention.drafting(1, 2)),
}


def test_every_rule_is_drawn_here() -> None:
    public = {name for name, thing in vars(attention).items() if callable(thing) and name.islower()}
    assert public == RULES.keys()


@pytest.mark.parametrize("name", RULES)
def test_rule_equals_its_drawing(name: str) -> None:
    documented, rule = RULES[name]
    lines = re.findall(r"^\s*[pw]((?: [x.]){4})$", documented.__doc__ or "", re.MULTILINE)
    drawn = torch.tensor([[mark == "x" for mark in line.split()] for line in lines])
    position = torch.arange(4)
    assert torch.equal(rule(position[None, :, None], position[None, None, :]).expand(1, 4, 4)[0], drawn)
