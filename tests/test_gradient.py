"""A batch that is divided has the loss and the gradient of the whole: among processes, in micro-batches, recomputed."""

import itertools
import json

import pytest
import torch
from conftest import CPU, PRESETS, QUICK, VOCABULARY, paradigm_node, suffix_canvas, tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paradigms.base import Canvas, Loss, Paradigm
from wordways.run.gradient import parts_of, set_gradient
from wordways.run.noise import SeededNoise

EOS = VOCABULARY.eos


def trained_differently() -> list[str]:
    """One preset of every objective."""
    found: dict[str, str] = {}
    for preset in PRESETS:
        node = paradigm_node(f"paradigm={preset}", *QUICK.get(preset, []))
        found.setdefault(json.dumps({name: value for name, value in node.items() if name != "decoder"}), preset)
    return sorted(found.values())


@st.composite
def batches(draw: st.DrawFn) -> Canvas:
    """Rows whose prompts, texts and masked positions differ in length; one text of two words fits into every canvas."""
    lengths = st.tuples(st.integers(0, 3), st.sampled_from((0, 1, 4, 9)), st.sampled_from((2, 5, 9)))
    rows = draw(st.lists(lengths, min_size=4, max_size=7))
    prompts, words = [[3] * prompt + [1] for prompt, _, _ in rows] + [[3, 4, 1]], [*(row[1] for row in rows), 2]
    letters = draw(st.lists(st.integers(3, 11), min_size=10, max_size=10))
    return suffix_canvas(
        prompts, [*(row[2] for row in rows), 3], truth=lambda row, i: letters[i] if i < words[row] else EOS
    )


def gradient(paradigm: Paradigm, canvas: Canvas, parts: list[Canvas]) -> tuple[Loss, list[Tensor]]:
    noise = SeededNoise(0, [str(row) for row in range(len(canvas.ids_BL))], CPU)
    weights = list(paradigm.parameters())
    for weight in weights:
        weight.grad = None
    loss = set_gradient(weights, lambda part: paradigm.loss(part, noise, 0.3), parts)
    return loss, [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]


@pytest.mark.parametrize("preset", trained_differently())
@settings(max_examples=4, deadline=None)
@given(canvas=batches(), cuts=st.sets(st.integers(1, 4), min_size=1, max_size=3))
def test_a_batch_cut_anywhere_has_the_gradient_of_the_whole(preset: str, canvas: Canvas, cuts: set[int]) -> None:
    """Token counts differ between the parts, and some parts have no token, or no row, of one of two objectives."""
    paradigm, rows = tiny(preset).train(), len(canvas.ids_BL)
    edges = [0, *sorted(cuts), rows]
    whole, expected = gradient(paradigm, canvas, [canvas])
    parts = [canvas.part(first, end) for first, end in itertools.pairwise(edges)]
    loss, found = gradient(paradigm, canvas, parts)
    assert float(loss.mean.detach()) == pytest.approx(float(whole.mean.detach()), rel=1e-9)
    assert int(loss.supervised) == int(whole.supervised)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-10)


def test_every_row_falls_to_one_process_and_no_micro_batch_is_larger_than_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    canvas = suffix_canvas([[3, 1]] * 11, 1, truth=lambda row, i: row)
    for processes, micro_batch in ((1, None), (1, 4), (3, None), (4, 2), (11, 5)):
        monkeypatch.setattr("wordways.run.gradient.size", lambda processes=processes: processes)
        rows = []
        for number in range(processes):
            monkeypatch.setattr("wordways.run.gradient.rank", lambda number=number: number)
            parts = parts_of(canvas, micro_batch)
            assert len(parts) == 1 or micro_batch is not None
            assert all(1 <= len(part.ids_BL) <= (micro_batch or 11) for part in parts)
            rows += [int(row) for part in parts for row in part.ids_BL[:, -1]]
        assert rows == list(range(11))


@pytest.mark.parametrize("preset", ["autoregressive", "parallel_glancing", "shallow_decoder", "block_diffusion"])
def test_checkpointed_activations_are_computed_twice_and_change_no_number(preset: str) -> None:
    canvas = suffix_canvas([[3, 6, 1], [4, 1]] * 3, [5, 4] * 3, truth=lambda row, i: 3 + (row + i) % 8)
    paradigm, calls = tiny(preset, dtype=torch.float32).train(), []
    for layer in paradigm.backbone.layers:
        layer.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    _, expected = gradient(paradigm, canvas, [canvas])
    once = sum(calls)
    paradigm.backbone.checkpoints_activations = True
    _, found = gradient(paradigm, canvas, [canvas])
    assert sum(calls) == once + 2 * once, "the layers run once more, in the backward pass"
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
