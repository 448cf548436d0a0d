"""Deep reader, shallow writer: what is skipped is truly skipped, and nothing else is different."""

from collections import deque
from typing import Any

import pytest
import torch
from conftest import VOCABULARY, noise, suffix_canvas, tiny
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from paradigms.base import Canvas
from paradigms.decoders.sampling import Sampling
from paradigms.shallow_decoder import ShallowDecoder
from paradigms.trunk.attention import prefix
from paradigms.trunk.backbone import Backbone, Late
from wordways.run.trace import forbidding, metered, trace

PROMPTS, NAMES = [[3, 4, 5, 1], [6, 7, 1], [8, 1]], ["a", "b", "c"]
START, HOLES = 4, 5


def shallow(layers: int, of: int = 3) -> ShallowDecoder:
    """Over a trunk of three layers, all weights random."""
    backbone = Backbone(VOCABULARY.size, layers=of, width=16, heads=2, hidden=24)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in backbone.parameters():
            weight.normal_(1.0 if weight.dim() == 1 else 0.0, 0.35, generator=generator)
    return ShallowDecoder(VOCABULARY, backbone.double(), layers, Sampling()).eval()


def decoded(paradigm, canvas: Canvas) -> Tensor:
    with torch.inference_mode():
        return deque(paradigm.decode(canvas, noise(*NAMES)), maxlen=1).pop()


def asked(paradigm: ShallowDecoder, canvas: Canvas) -> tuple[list[tuple[dict[str, Any], Tensor]], Tensor]:
    """How the backbone was called and what it answered, before anything was forbidden; and the text."""
    calls = []
    handle = paradigm.backbone.register_forward_hook(
        lambda _, __, named, out: calls.append((named, out.clone())), with_kwargs=True
    )
    ids_BL = decoded(paradigm, canvas)
    handle.remove()
    return calls, ids_BL


@torch.inference_mode()
def test_with_all_layers_it_is_the_prefix_lm() -> None:
    canvas = suffix_canvas(PROMPTS, [5, 6, 4])
    truth = suffix_canvas(PROMPTS, [5, 6, 4], truth=lambda row, i: 3 + (row + i) % 8)
    deep, prefix_lm = tiny("shallow_decoder", "paradigm.layers=2"), tiny("autoregressive_prefix")
    assert torch.equal(decoded(deep, canvas), decoded(prefix_lm, canvas))
    assert torch.equal(deep.token_nats(truth, noise("a", "b"))[0], prefix_lm.token_nats(truth, noise("a", "b"))[0])
    assert not torch.equal(
        tiny("shallow_decoder").token_nats(truth, noise("a", "b"))[0], prefix_lm.token_nats(truth, noise("a", "b"))[0]
    )


@pytest.mark.parametrize("layers", [1, 2, 3])
@torch.inference_mode()
def test_step_by_step_it_says_what_it_does_in_training(layers: int) -> None:
    paradigm, canvas = shallow(layers), suffix_canvas(PROMPTS, HOLES)
    with forbidding(paradigm, VOCABULARY.eos):
        calls, ids_BL = asked(paradigm, canvas)
    whole_BLV = paradigm.backbone(ids_BL, paradigm.rule(canvas), pad_BL=canvas.pad_BL, late=Late(START, 3 - layers))
    assert len(calls) == HOLES
    for call, (_, logits_B1V) in enumerate(calls):
        expected = whole_BLV[:, START - 1 + call].clone()
        expected[:, VOCABULARY.eos] = -torch.inf
        torch.testing.assert_close(logits_B1V[:, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_prompt_passes_all_layers_and_the_text_only_the_last(layers: int) -> None:
    def count(layer: nn.Module, seen: list[int]) -> None:
        layer.register_forward_pre_hook(lambda _, args: seen.append(len(args[0]) // len(PROMPTS)))

    paradigm, passed = shallow(layers), [list[int]() for _ in range(3)]
    for layer, seen in zip(paradigm.backbone.layers, passed, strict=True):
        count(layer, seen)
    with forbidding(paradigm, VOCABULARY.eos):
        calls, _ = asked(paradigm, suffix_canvas(PROMPTS, HOLES))
    assert passed == [[START]] * (3 - layers) + [[START, 1, 1, 1, 1]] * layers
    assert {named["cache"].layers.shape[0] for named, _ in calls} == {layers}, "no other layer's keys are kept"


@torch.inference_mode()
def test_what_is_written_is_seen_by_what_comes_after_it_alone() -> None:
    paradigm = shallow(1)
    canvas = suffix_canvas([[3, 4, 5, 1]], HOLES, truth=lambda row, i: 6 + i)
    rule, late = paradigm.rule(canvas), Late(START, 2)
    before = paradigm.backbone(canvas.ids_BL, rule, pad_BL=canvas.pad_BL, late=late)[0]
    for changed in range(START + HOLES):
        ids = canvas.ids_BL.clone()
        ids[0, changed] = 11
        moved = (paradigm.backbone(ids, rule, pad_BL=canvas.pad_BL, late=late)[0] - before).abs().amax(1) > 1e-12
        first = 0 if changed < START else changed
        assert moved.tolist() == [position >= first for position in range(START + HOLES)]


@pytest.mark.parametrize(("read", "queries", "keys", "cached"), [(4, 9, 9, False), (4, 4, 4, True), (0, 1, 7, True)])
def test_flops_are_those_torch_counts(read: int, queries: int, keys: int, cached: bool) -> None:
    backbone, late = Backbone(50, layers=3, width=32, heads=4, hidden=84), Late(read, 2)
    ids, pad = torch.zeros(2, queries, dtype=torch.long), torch.zeros(2, keys, dtype=torch.bool)
    at = torch.arange(keys - queries, keys).expand(2, -1)
    cache = backbone.cache(2, keys, layers=1) if cached else None
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        backbone(ids, prefix(4), pad_BL=pad, at_BQ=at, want_BW=at[:, :1] * 0, cache=cache, late=late)
    assert backbone.flops(2, queries, keys, 1, late) == counter.get_total_flops() > 0


def test_a_step_moves_the_last_layers_weights_and_their_cache() -> None:
    """By hand, 8 bytes a number: the embeddings and the last norm, of 3 layers one; of its cache keys and values."""
    paradigm = shallow(1)
    layer = 4 * 16 * 16 + 3 * 16 * 24 + 2 * 16
    embeddings = 12 * 16 + 16
    with forbidding(paradigm, VOCABULARY.eos), metered(paradigm) as meter:
        decoded(paradigm, suffix_canvas([[3, 4, 5, 1]] * 3, 2))
    read, step = (moved for _, moved in meter.work)
    assert read == 8 * (embeddings + 3 * layer + 2 * 3 * (4 + 4) * 16)
    assert step == 8 * (embeddings + layer + 2 * 3 * (5 + 1) * 16)
    assert meter.work[1][0] == paradigm.backbone.flops(3, 1, 5, 1, Late(0, 2))


def test_training_is_one_call_and_counts_what_it_computes() -> None:
    paradigm = shallow(1)
    canvas = suffix_canvas([[3, 4, 5, 1]] * 2, HOLES, truth=lambda row, i: 6 + i)
    with metered(paradigm) as meter:
        paradigm.loss(canvas, noise("a", "b"), 0.0)
    assert meter.calls == 1
    assert meter.flops == 3 * paradigm.backbone.flops(2, 9, 9, HOLES, Late(START, 2))
    assert meter.flops < 3 * paradigm.backbone.flops(2, 9, 9, HOLES)


def test_calls_and_positions_are_autoregressions() -> None:
    paradigm, canvas = tiny("shallow_decoder"), suffix_canvas([[3, 4, 5, 1]], 6)
    with forbidding(paradigm, VOCABULARY.eos):
        seen = trace(paradigm, canvas, noise("a"))
    assert (seen.calls, seen.positions) == (6, 4 + 6 - 1)


@pytest.mark.parametrize("layers", [0, 3])
def test_layers_that_are_not_there_are_named(layers: int) -> None:
    with pytest.raises(ValueError, match=f"layers={layers}: must be from 1 to 2, the number of backbone layers"):
        tiny("shallow_decoder", f"paradigm.layers={layers}")
