"""Rows that have ended leave the batch, and the others are moved as little as possible."""

import pytest
import torch
from conftest import suffix_canvas
from hypothesis import given
from hypothesis import strategies as st

from paradigms.decoders.rows import Rows, remaining
from paradigms.trunk.cache import Cache

ENDED = st.lists(st.booleans(), min_size=1, max_size=12)


@given(ENDED)
def test_the_remaining_rows_are_those_that_go_on_and_most_keep_their_place(ended: list[bool]) -> None:
    order, alive = remaining(ended), [row for row, over in enumerate(ended) if not over]
    assert sorted(order) == alive
    assert sum(row == place for place, row in enumerate(order)) == sum(row < len(alive) for row in alive)


@given(ENDED, st.integers(0, 3))
def test_a_cache_keeps_the_rows_it_is_asked_for_in_any_order(ended: list[bool], turn: int) -> None:
    order = remaining(ended)
    order = order[turn:] + order[:turn]
    cache = Cache(torch.zeros(0), layers=2, rows=len(ended), heads=1, positions=3, head_width=2)
    cache.layers += torch.arange(len(ended))[:, None, None, None]
    before = cache.layers.clone()
    cache.keep(torch.tensor(order, dtype=torch.long))
    assert torch.equal(cache.layers, before[:, :, order])
    kv = torch.full((2, len(order), 1, 1, 2), 9.0)
    if order:
        for at in (range(1, 2), torch.ones(len(order), 1, dtype=torch.long)):
            assert torch.equal(cache.exchange(0, at, 3, kv)[:, :, :, 1:2], kv)
            assert torch.equal(cache.exchange(0, at, 1, kv), before[0][:, order][:, :, :, :1])


@pytest.mark.parametrize("holes", [3, [3, 1, 2]])
def test_a_row_ends_with_eos_or_with_its_last_hole(holes: int | list[int]) -> None:
    canvas = suffix_canvas([[4, 1], [5, 1], [6, 1]], holes)
    text, seen = Rows(canvas, eos=1), []
    for column, tokens in zip(range(2, 5), ([7, 8, 1], [7, 1], [7]), strict=True):
        text.write(column, torch.tensor(tokens[: len(text.rows_b)]))
        seen.append(text.rows_b.tolist())
        if not text.go_on(None):
            break
    assert seen == ([[0, 1, 2], [0, 1], [0]] if holes == 3 else [[0, 1, 2], [0], [0]])
    written = text.ids_BL[canvas.holes_BL].tolist()
    assert written == ([7, 7, 7, 8, 1, 1, 1, 1, 1] if holes == 3 else [7, 7, 7, 8, 1, 1])
