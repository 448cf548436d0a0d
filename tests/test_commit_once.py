"""Order, count, block, cache and guidance, each beside what it is defined as; the same text whatever the batch."""

import math
from collections import deque
from itertools import pairwise
from typing import Any

import pytest
import torch
from conftest import VOCABULARY, noise, row_of, suffix_canvas, tiny
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from paradigms.base import Canvas, Paradigm
from paradigms.decoders.block_cache import BlockCache
from paradigms.decoders.policy import as_many_as_sure, cosine_quota, few_nats_at_stake, ranked
from paradigms.trunk.attention import everywhere
from wordways.run.trace import trace

PROMPTS, NAMES = [[3, 4, 5, 1], [6, 7, 1], [8, 1]], ["a", "b", "c"]
SURE = ("decoding.temperature=0", "decoding.order=confidence")


def diffusion(*settings: str) -> Paradigm:
    return tiny("diffusion", *(s if s.startswith("decoding.") else f"paradigm.decoder.{s}" for s in settings))


def decoded(paradigm: Paradigm, canvas: Canvas, names: list[str]) -> Tensor:
    with torch.no_grad():
        return deque(paradigm.decode(canvas, noise(*names)), maxlen=1).pop()


def calls_of(paradigm: Paradigm, canvas: Canvas, names: list[str]) -> list[tuple[Tensor, dict[str, Any], Tensor]]:
    """What each backbone call read, how it was asked, what it answered before anything was forbidden."""
    seen = []
    handle = paradigm.backbone.register_forward_hook(
        lambda _, args, named, out: seen.append((args[0].clone(), named, out.clone())), with_kwargs=True
    )
    decoded(paradigm, canvas, names)
    handle.remove()
    return seen


# counts


@given(st.integers(1, 60), st.integers(1, 70))
def test_the_cosine_leaves_what_it_says_and_always_writes(total: int, parts: int) -> None:
    left = total
    for number in range(parts):
        if left == 0:
            break
        one = [torch.tensor([x]) for x in (left, total, parts, number)]
        left -= min(left, max(1, int(cosine_quota(*one))))
        assert left <= math.floor(total * math.cos(math.pi / 2 * (number + 1) / parts) + 1e-9)
    assert left == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0, 3), st.integers(0, 4))
def test_jointly_sure_is_the_published_rule(values: list[float], factor: float, closed: int) -> None:
    found = torch.tensor([sorted(values, reverse=True) + [-math.inf] * closed], dtype=torch.float64)
    expected = 1
    while expected < len(values) and found[0, expected] >= 1 - factor / (expected + 2):
        expected += 1
    assert int(as_many_as_sure(found, factor)) == expected


@given(st.lists(st.floats(0, 2), min_size=1, max_size=9), st.floats(0, 3), st.integers(0, 4))
def test_nats_at_stake_are_all_but_the_largest_entropy(values: list[float], bound: float, closed: int) -> None:
    found = torch.tensor([sorted(values) + [math.inf] * closed], dtype=torch.float64)
    stakes = [sum(sorted(values)[: n - 1]) for n in range(1, len(values) + 1)]
    assume(all(abs(stake - bound) > 1e-9 for stake in stakes[1:]))  # rounding may go either way there
    assert int(few_nats_at_stake(found, bound)) == sum(stake <= bound for stake in stakes)


def test_closed_holes_come_last_whatever_their_score() -> None:
    value, score = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[0.1, 0.9, 0.5, 0.7]])
    is_open = torch.tensor([[True, False, True, True]])
    assert ranked(value, score, is_open, -1.0).tolist() == [[4.0, 3.0, 1.0, -1.0]]


@pytest.mark.parametrize(
    ("low", "high"),
    [("factor=0", "factor=12"), ("entropy_bound=0", "entropy_bound=99"), ("threshold=1", "threshold=0")],
)
def test_a_count_goes_from_one_hole_a_pass_to_all_at_once(low: str, high: str) -> None:
    canvas = suffix_canvas([[3, 4, 1]], 8)
    one_by_one = trace(diffusion("per_pass=1", *SURE), canvas, noise("a"))
    slow, fast = (trace(diffusion(count, *SURE), canvas, noise("a")) for count in (low, high))
    assert torch.equal(slow.ids_BL, one_by_one.ids_BL)
    assert (slow.calls, fast.calls) == (8, 1)


def test_a_block_is_one_pass_where_no_confidence_is_too_low() -> None:
    assert trace(diffusion("threshold=0", "block=3"), suffix_canvas([[3, 1]], 8), noise("a")).calls == 3


def test_the_cosine_starts_slowly() -> None:
    filled = trace(diffusion("steps=4", "schedule=cosine"), suffix_canvas([[3, 1]], 20), noise("a")).filled_BL[0, 2:]
    assert filled.bincount().tolist() == [0, 2, 4, 7, 7]  # 18, 14, 7 and 0 are left


def likelier_ends(_: object, __: object, logits: Tensor) -> None:
    logits[..., VOCABULARY.eos] += 1.5


@pytest.mark.parametrize("count", ["per_pass=1", "per_pass=2", "threshold=0.3"])
def test_an_end_is_written_only_where_nothing_else_is_left(count: str) -> None:
    """A pass that writes an end has written every other token it had predicted; without the setting some do not."""
    kept_back = {}
    for ends_last in ("true", "false"):
        paradigm, kept_back[ends_last], ends = diffusion(count, f"ends_last={ends_last}", *SURE), 0, 0
        paradigm.backbone.register_forward_hook(likelier_ends)
        for prompt in range(3, 12):
            canvas, before = suffix_canvas([[prompt, 1]], 6), suffix_canvas([[prompt, 1]], 6).ids_BL
            laws = calls_of(paradigm, canvas, ["a"])
            for (_, named, out), after in zip(laws, paradigm.decode(canvas, noise("a")), strict=True):
                out[..., [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
                now = after.gather(1, named["want_BW"])
                wrote_end = bool((now == VOCABULARY.eos).any()) and not torch.equal(after, before)
                ends += wrote_end
                if wrote_end:
                    left = (now == VOCABULARY.mask) & (out.argmax(-1) != VOCABULARY.eos)
                    kept_back[ends_last] += int(left.sum())
                before = after.clone()
        assert ends > 5
    assert kept_back["true"] == 0 < kept_back["false"]


# caches


def warm(kind: str) -> tuple[BlockCache, Paradigm, Canvas, Tensor]:
    paradigm, canvas = tiny("diffusion"), suffix_canvas(PROMPTS, [6, 4, 6])
    kept, at_BH = BlockCache(kind, None, paradigm.backbone, canvas), canvas.hole_positions()[0]  # type: ignore[arg-type]
    kept.read(canvas.ids_BL, everywhere, at_BH[:, 2:4], at_BH[:, 2:4], 0)
    return kept, paradigm, canvas, at_BH


@pytest.mark.parametrize("kind", ["prefix", "dual"])
def test_cached_equals_uncached_while_nothing_has_changed(kind: str) -> None:
    kept, paradigm, canvas, at_BH = warm(kind)
    block_BQ = at_BH[:, 2:4]
    whole = paradigm.backbone(canvas.ids_BL, everywhere, pad_BL=canvas.pad_BL, want_BW=block_BQ)
    again = kept.read(canvas.ids_BL, everywhere, block_BQ, block_BQ, 1)
    assert torch.allclose(again, whole, atol=1e-12)


@pytest.mark.parametrize("kind", ["prefix", "dual"])
def test_from_the_first_written_token_on_it_is_an_approximation(kind: str) -> None:
    kept, paradigm, canvas, at_BH = warm(kind)
    block_BQ = at_BH[:, 2:4]
    ids_BL = canvas.ids_BL.scatter(1, block_BQ[:, :1], 7)
    whole = paradigm.backbone(ids_BL, everywhere, pad_BL=canvas.pad_BL, want_BW=block_BQ)
    assert (kept.read(ids_BL, everywhere, block_BQ, block_BQ, 1) - whole).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["prefix", "dual"])
def test_refreshed_in_every_pass_a_cache_changes_nothing(kind: str) -> None:
    canvas, settings = suffix_canvas(PROMPTS, [6, 4, 6]), ("block=3", "per_pass=1", *SURE)
    plain = decoded(diffusion(*settings), canvas, NAMES)
    assert torch.equal(decoded(diffusion(*settings, f"cache={kind}", "refresh=1"), canvas, NAMES), plain)


@pytest.mark.parametrize(("kind", "later"), [("prefix", [6, 3]), ("dual", [3, 3])])
def test_a_cache_reads_what_it_must_and_asks_for_open_holes_only(kind: str, later: list[int]) -> None:
    paradigm = diffusion("block=3", "per_pass=1", f"cache={kind}", *SURE)
    seen = calls_of(paradigm, suffix_canvas([[3, 4, 5, 1]], 6), ["a"])
    assert [args.shape[1] for args, _, _ in seen] == [10, later[0], later[0], 10, later[1], later[1]]
    assert [named["want_BW"].shape[1] for _, named, _ in seen] == [3, 2, 1] * 2


def test_a_refresh_reads_all_again() -> None:
    paradigm = diffusion("block=6", "per_pass=1", "cache=dual", "refresh=2", *SURE)
    seen = calls_of(paradigm, suffix_canvas([[3, 4, 5, 1]], 6), ["a"])
    assert [args.shape[1] for args, _, _ in seen] == [10, 6] * 3


# guidance


def test_guidance_is_the_published_formula_over_one_doubled_batch() -> None:
    paradigm, canvas = diffusion("guidance=1.5", "per_pass=2", *SURE), suffix_canvas([[3, 4, 5, 1]], 4)
    told, untold = canvas.ids_BL, canvas.ids_BL.masked_fill(~canvas.holes_BL, VOCABULARY.mask)
    seen = calls_of(paradigm, canvas, ["a"])
    assert torch.equal(seen[0][0], torch.cat((told, untold)))
    u, c = (paradigm.backbone(ids, everywhere, pad_BL=canvas.pad_BL)[0, 4:] for ids in (untold, told))
    mixed = u + 2.5 * (c - u)
    mixed[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
    surest = mixed.softmax(-1).amax(-1).topk(2)[1]
    first = next(iter(paradigm.decode(canvas, noise("a"))))
    assert torch.equal(first[0, 4:][surest], mixed.argmax(-1)[surest])
    assert int((first == VOCABULARY.mask).sum()) == 2
    traced = trace(paradigm, canvas, noise("a"))
    assert (traced.calls, traced.evaluations, traced.positions) == (2, 4, 2 * 2 * 8)


def test_guidance_of_weight_zero_changes_nothing() -> None:
    canvas = suffix_canvas(PROMPTS, [6, 4, 6])
    for cache in ("block=2", "cache=dual"):
        settings = ("block=2", "per_pass=1", cache, "decoding.temperature=1")
        assert torch.equal(
            decoded(diffusion(*settings, "guidance=0"), canvas, NAMES), decoded(diffusion(*settings), canvas, NAMES)
        )


# all together


@pytest.mark.parametrize("model", ["diffusion", "masked_infill"])
@pytest.mark.parametrize(
    "settings",
    [
        ["factor=2", "block=4"], ["entropy_bound=0.5"], ["steps=4", "schedule=cosine"], ["threshold=0.25", "block=3"],
        ["threshold=0.25", "block=3", "cache=prefix"], ["threshold=0.25", "block=3", "cache=dual", "refresh=2"],
        ["per_pass=2", "block=4", "cache=dual", "guidance=1"], ["ends_last=true", "per_pass=2"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["random", "confidence"])
def test_the_same_text_whatever_the_batch(model: str, settings: list[str], order: str) -> None:
    paradigm = tiny(
        model, "decoding.temperature=1", f"decoding.order={order}", *(f"paradigm.decoder.{s}" for s in settings)
    )
    canvas = suffix_canvas(PROMPTS, [8, 5, 7])
    together = decoded(paradigm, canvas, NAMES)
    for row, name in enumerate(NAMES):
        alone = row_of(canvas, row)
        assert torch.equal(decoded(paradigm, alone, [name])[alone.holes_BL], together[row][canvas.holes_BL[row]])
        seen = trace(paradigm, alone, noise(name))
        assert torch.equal(seen.filled_BL, seen.settled_BL), "what is written stays"


def test_blocks_are_written_left_to_right_under_every_cache() -> None:
    for cache in ("null", "prefix", "dual"):
        paradigm = diffusion("block=3", "threshold=0.3", f"cache={cache}", *SURE)
        filled = trace(paradigm, suffix_canvas([[3, 1]], 9), noise("a")).filled_BL[0, 2:].view(3, 3)
        assert all(int(a.max()) < int(b.min()) for a, b in pairwise(filled))


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        (["steps=3", "factor=1"], "paradigm.decoder.factor=1.0: cannot be combined with steps=3"),
        (["schedule=cosine"], "paradigm.decoder.schedule=cosine: requires steps; set steps"),
        (["cache=dual"], "paradigm.decoder.cache=dual: requires block; set block"),
        (["block=2", "refresh=2"], "paradigm.decoder.refresh=2: requires cache; set cache"),
        (["guidance=-1"], "paradigm.decoder.guidance=-1.0: must be at least 0"),
        (["threshold=1.5"], "paradigm.decoder.threshold=1.5: must be from 0 to 1"),
    ],
)
def test_what_makes_no_sense_together_is_refused(settings: list[str], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        diffusion(*settings)
