"""Block by block: what is kept is exact, what is trained is the blocks' sum, and the sweep has both its ends."""

import itertools
import math
import re
from collections import Counter, deque
from typing import Any

import pytest
import torch
from conftest import VOCABULARY, noise, row_of, suffix_canvas, tiny, tiny_backbone
from scipy import stats
from torch import Tensor

from paradigms.base import Canvas, Paradigm
from paradigms.block_diffusion import BlockDiffusion, beside
from paradigms.decoders.orders import FEW_HOLES
from paradigms.trunk.attention import blockwise, prefix, prompt_apart
from wordways.run.trace import forbidding, metered, trace

PROMPTS, NAMES = [[3, 4, 5, 1], [6, 7, 1], [8, 1]], ["a", "b", "c"]
TRUTH = [5, 9, 4, 7, 3, 8, 6, 11, 10, 5]
WORDS = range(3, 12)
MASK, EOS = VOCABULARY.mask, VOCABULARY.eos


def blocks_of(block: int, *settings: str, dtype: torch.dtype = torch.float64) -> BlockDiffusion:
    settings = tuple(s if s.startswith("decoding.") else f"paradigm.decoder.{s}" for s in settings)
    paradigm = tiny("block_diffusion", f"paradigm.block={block}", *settings, dtype=dtype)
    assert isinstance(paradigm, BlockDiffusion)
    return paradigm


def decoded(paradigm: Paradigm, canvas: Canvas, names: list[str]) -> Tensor:
    with torch.inference_mode():
        return deque(paradigm.decode(canvas, noise(*names)), maxlen=1).pop()


def copies(n: int, holes: int) -> Canvas:
    return suffix_canvas([[3, 6, 1]] * n, holes, truth=lambda row, i: TRUTH[i])


def texts_of(texts: list[tuple[int, ...]]) -> Canvas:
    return suffix_canvas([[3, 6, 1]] * len(texts), len(texts[0]), truth=lambda row, i: texts[row][i])


def calls_of(paradigm: Paradigm, canvas: Canvas, names: list[str]) -> list[tuple[Tensor, dict[str, Any], Tensor]]:
    """What stood there before each call, how the backbone was asked, what it answered before anything was forbidden."""
    asked, states = [], [canvas.ids_BL.clone()]
    handle = paradigm.backbone.register_forward_hook(
        lambda _, __, named, out: asked.append((named, out.clone())), with_kwargs=True
    )
    with torch.inference_mode():
        states += [ids_BL.clone() for ids_BL in paradigm.decode(canvas, noise(*names))]
    handle.remove()
    return [(state, *call) for state, call in zip(states, asked, strict=False)]


def in_step(calls: list[tuple[Tensor, dict[str, Any], Tensor]], block: int) -> bool:
    """Do all rows of every call stand in the same block? Their writing begins at column 4."""
    blocks = [(named["at_BQ"][:, -1] - 4) // block for _, named, _ in calls]
    return all(bool((block_b == block_b[0]).all()) for block_b in blocks)


# what is kept is exact


@pytest.mark.parametrize("block", [1, 2, 3, 9])
@torch.inference_mode()
def test_every_call_says_what_a_call_without_a_cache_would(block: int) -> None:
    paradigm, canvas = blocks_of(block, "threshold=0.3"), suffix_canvas(PROMPTS * 2, [7, 6, 8] * 2)
    names = [f"{name}{again}" for again in range(2) for name in NAMES]
    calls, rule = calls_of(paradigm, canvas, names), paradigm.rule(canvas)
    assert in_step(calls, block) == (block in (1, 9))
    for state_BL, named, logits_bWV in calls:
        rows_b = (state_BL == MASK).any(1)
        whole_bLV = paradigm.backbone(state_BL[rows_b], rule, pad_BL=canvas.pad_BL[rows_b])
        at_bW = named["at_BQ"].gather(1, named["want_BW"])
        expected_bWV = whole_bLV.gather(1, at_bW[:, :, None].expand(logits_bWV.shape))
        real_bW = ~canvas.pad_BL[rows_b].gather(1, at_bW)
        torch.testing.assert_close(logits_bWV[real_bW], expected_bWV[real_bW], rtol=0, atol=1e-12)


@torch.inference_mode()
def test_kept_prefixes_and_a_block_that_sees_itself_are_one_forward_and_reading_again_changes_nothing() -> None:
    backbone, rule = tiny_backbone(), blockwise(3, 2)
    canvas = suffix_canvas([[3, 4, 1], [6, 1]], 6, truth=lambda row, i: TRUTH[row + i])
    whole = backbone(canvas.ids_BL, rule, pad_BL=canvas.pad_BL)
    cache, real = backbone.cache(2, 9), ~canvas.pad_BL
    for first, end in [(0, 3), (3, 5), (3, 7), (5, 7), (1, 9)]:
        at = torch.arange(first, end).expand(2, -1)
        ids, pad = canvas.ids_BL[:, first:end], canvas.pad_BL[:, :end]
        piece = backbone(ids, rule, pad_BL=pad, at_BQ=at, cache=cache)
        torch.testing.assert_close(
            piece[real[:, first:end]], whole[:, first:end][real[:, first:end]], rtol=0, atol=1e-12
        )


def test_each_pass_reads_its_block_and_the_first_the_one_before() -> None:
    paradigm, canvas = blocks_of(2), suffix_canvas([[3, 4, 5, 1]], 5)
    with forbidding(paradigm, EOS):
        calls = calls_of(paradigm, canvas, ["a"])
    read = [(int(named["at_BQ"][0, 0]), int(named["at_BQ"][0, -1]), named["pad_BL"].shape[1]) for _, named, _ in calls]
    assert read == [(0, 5, 6), (4, 5, 6), (4, 7, 8), (6, 7, 8), (6, 8, 9)]
    assert [named["want_BW"].shape[1] for _, named, _ in calls] == [2, 1, 2, 1, 1], "logits of open holes only"


@pytest.mark.parametrize(
    "settings",
    [("threshold=0.3",), ("decoding.temperature=0", "order=confidence", "factor=1.6"), ("entropy_bound=1.5",)],
)
def test_rows_that_finish_their_blocks_at_different_passes_are_the_rows_alone(settings: tuple[str, ...]) -> None:
    paradigm, canvas = blocks_of(3, *settings), suffix_canvas(PROMPTS, [7, 6, 9])
    together = calls_of(paradigm, canvas, NAMES)
    assert not in_step(together, 3)
    text = decoded(paradigm, canvas, NAMES)
    alone = [row_of(canvas, row) for row in range(3)]
    for row, one in enumerate(alone):
        assert torch.equal(decoded(paradigm, one, [NAMES[row]])[one.holes_BL], text[row][canvas.holes_BL[row]])
    assert len(together) == max(len(calls_of(paradigm, one, [NAMES[row]])) for row, one in enumerate(alone))


# the two ends of the sweep


@torch.inference_mode()
def test_blocks_of_one_at_temperature_zero_are_a_plain_loop_from_left_to_right() -> None:
    paradigm, ended = blocks_of(1, "decoding.temperature=0"), 0
    for prompt in [[a, b, 1] for a in WORDS for b in (4, 8)]:
        ids = [*prompt]
        while len(ids) < 8 and EOS not in ids[3:]:
            shown = torch.tensor([[*ids, MASK]])
            logits = paradigm.backbone(shown, prefix(3), pad_BL=torch.zeros_like(shown, dtype=torch.bool))[0, -1]
            logits[[MASK, VOCABULARY.pad]] = -torch.inf
            ids.append(int(logits.argmax()))
        ended += EOS in ids[3:]
        seen = trace(paradigm, suffix_canvas([prompt], 5), noise("a"))
        assert seen.ids_BL[0].tolist() == ids + [EOS] * (8 - len(ids))
        assert seen.calls == len(ids) - 3
    assert 0 < ended < 18, "some texts end early, some do not"


@pytest.mark.parametrize(
    "settings",
    [
        ("per_pass=1",),
        ("steps=3",),
        ("order=margin", "steps=4", "schedule=cosine"),
        ("threshold=0.4", "ends_last=true"),
    ],
)
def test_one_block_is_diffusion_with_the_prompt_apart(
    settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny("diffusion", *(f"paradigm.decoder.{s}" for s in settings))
    monkeypatch.setattr(whole, "rule", lambda canvas: prompt_apart(canvas.start()))
    canvas = suffix_canvas(PROMPTS, [7, 6, 7])
    written = []
    for paradigm in (whole, blocks_of(8, *settings)):
        with forbidding(paradigm, EOS), torch.inference_mode():
            written.append([ids_BL.tolist() for ids_BL in paradigm.decode(canvas, noise(*NAMES))])
    assert len(written[0]) > 2
    assert written[0] == written[1]


@pytest.mark.parametrize("holes", [5, FEW_HOLES + 1])
@torch.inference_mode()
def test_one_block_is_trained_and_judged_as_diffusion_is(holes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, block = tiny("diffusion", "paradigm.decoder.per_pass=2"), blocks_of(holes, "per_pass=2")
    monkeypatch.setattr(whole, "rule", lambda canvas: prompt_apart(canvas.start()))
    canvas, names = copies(6, holes), list("abcdef")
    torch.testing.assert_close(block.loss(canvas, noise(*names), 0), whole.loss(canvas, noise(*names), 0))
    ours, theirs = (paradigm.log_likelihood(canvas, noise(*names)) for paradigm in (block, whole))
    assert ours.kind == theirs.kind == "bound"
    if holes <= FEW_HOLES:
        assert (float(ours.se_B.sum()), ours.exact_B is None) == (0, False)
        torch.testing.assert_close(ours.exact_B, theirs.exact_B)
    torch.testing.assert_close(ours.nats_B, theirs.nats_B, rtol=1e-12 if holes <= FEW_HOLES else 0.1, atol=0)


# what is trained


def nats_of_block(
    paradigm: BlockDiffusion, canvas: Canvas, row: int, first: int, hidden: list[int], of: list[int] | None = None
) -> float:
    """One plain call: -log p of the tokens in the hidden columns (or `of` some) of the block from column `first` on."""
    of, end = of or hidden, min(first + paradigm.block, canvas.ids_BL.shape[1])
    ids = canvas.ids_BL[row : row + 1, :end].clone()
    ids[0, hidden] = MASK
    rule = blockwise(canvas.start(), paradigm.block)
    logits = paradigm.backbone(ids, rule, pad_BL=canvas.pad_BL[row : row + 1, :end])[0, of]
    logits[:, [MASK, VOCABULARY.pad]] = -torch.inf
    return -float(logits.log_softmax(-1)[range(len(of)), canvas.ids_BL[row, of]].sum())


@pytest.mark.parametrize("block", [1, 2, 4])
@torch.inference_mode()
def test_the_loss_in_one_call_is_the_sum_over_blocks_one_at_a_time(block: int) -> None:
    """Rows of unequal length, blocks that are not full, a text that has ended: seven holes, six, and three of seven."""
    paradigm = blocks_of(block)
    canvas = suffix_canvas(PROMPTS, [7, 6, 7], truth=lambda row, i: EOS if row == 2 and i >= 2 else TRUTH[row + i])
    shown = []
    handle = paradigm.backbone.register_forward_pre_hook(lambda _, args: shown.append(args[0].clone()))
    loss = paradigm.loss(canvas, noise(*NAMES), 0)
    handle.remove()
    told = [7, 6, -(-3 // block) * block]  # up to the end of the block with the end token
    hidden_BS, total = shown[0][:, -7:] == MASK, 0.0
    assert int(hidden_BS.sum()) == int(loss.supervised) > 0
    for row, holes in enumerate(told):
        for first in range(0, holes, block):
            inside = range(first, min(first + block, holes))
            hidden = [4 + i for i in inside if hidden_BS[row, i]]
            assert hidden, "at least one hole of every block is hidden"
            total += len(inside) / len(hidden) * nats_of_block(paradigm, canvas, row, 4 + first, hidden)
        assert not hidden_BS[row, holes:].any()
    assert len(shown) == 1
    assert float(loss.mean) == pytest.approx(total / sum(told), rel=1e-12)


def enumerated(paradigm: BlockDiffusion, holes: int, per_pass: int) -> tuple[float, float]:
    """Of the first truth: the bound by its definition; ln of the mean over all orders within blocks, pass by pass."""
    canvas, bound, exact = copies(1, holes), 0.0, 0.0
    for first in range(3, 3 + holes, paradigm.block):
        columns = range(first, min(first + paradigm.block, 3 + holes))
        for size in range(1, len(columns) + 1):
            sets = [list(hidden) for hidden in itertools.combinations(columns, size)]
            bound += sum(nats_of_block(paradigm, canvas, 0, first, hidden) for hidden in sets) / len(sets) / size
            # weighted b/l, and b sizes are alike likely
        chances = []
        for order in map(list, itertools.permutations(columns)):
            passes = [(order[done:], order[done : done + per_pass]) for done in range(0, len(order), per_pass)]
            chances.append(math.exp(-sum(nats_of_block(paradigm, canvas, 0, first, *one) for one in passes)))
        exact += math.log(sum(chances) / len(chances))
    return -bound, exact


@pytest.mark.parametrize(("block", "per_pass"), [(1, 1), (2, 1), (3, 1), (3, 2)])
@torch.inference_mode()
def test_likelihoods_are_those_of_every_set_and_every_order(block: int, per_pass: int) -> None:
    """Of five holes, so that the last block is short."""
    paradigm = blocks_of(block, f"per_pass={per_pass}", "order=random")
    law, (bound, exact) = paradigm.log_likelihood(copies(1, 5), noise("a")), enumerated(paradigm, 5, per_pass)
    assert float(law.nats_B) == pytest.approx(bound, rel=1e-12)
    if block == 1:
        assert (law.kind, law.exact_B) == ("exact", None)
        assert bound == pytest.approx(exact, rel=1e-12)
    else:
        assert law.kind == "bound"
        assert law.exact_B is not None
        assert float(law.exact_B) == pytest.approx(exact, rel=1e-12)
        assert per_pass > 1 or bound < exact


@torch.inference_mode()
def test_the_loss_is_the_bound_per_token_and_its_counts_are_stratified() -> None:
    paradigm, n = blocks_of(2), 8000
    loss = paradigm.loss(copies(n, 5), noise(*map(str, range(n))), 0)
    bound, _ = enumerated(paradigm, 5, 1)
    assert float(loss.mean) == pytest.approx(-bound / 5, rel=0.01)
    assert float(loss.supervised) == pytest.approx(n * (1.5 + 1.5 + 1), abs=3)
    for name in NAMES:
        assert int(paradigm.loss(copies(1, 8), noise(name), 0).supervised) == 1 + 1 + 2 + 2, "within a text, too"


@torch.inference_mode()
def test_the_sampled_bound_is_unbiased_and_its_error_is_honest() -> None:
    """Blocks of more holes than are summed over."""
    paradigm, n, holes = blocks_of(FEW_HOLES + 1), 100, FEW_HOLES + 1
    law = paradigm.log_likelihood(copies(n, holes), noise(*map(str, range(n))))
    bound = float(paradigm.over_sets(copies(1, holes), torch.ones(1, 1, holes, dtype=torch.bool)).nats_B)
    spread = float(law.nats_B.std())
    assert float(law.nats_B.mean()) == pytest.approx(bound, abs=4 * spread / n**0.5)
    assert 0 < spread <= 1.1 * float(law.se_B.mean()), "stratification may only help"


@torch.inference_mode()
def test_a_token_is_judged_by_its_block_and_what_stands_before() -> None:
    paradigm, canvas = blocks_of(2), copies(1, 5)
    nats_BH, counted_BH = paradigm.token_nats(canvas, noise("a"))
    expected = [nats_of_block(paradigm, canvas, 0, 3 + i - i % 2, [3 + i]) for i in range(5)]
    assert nats_BH[0].tolist() == pytest.approx(expected, rel=1e-12)
    assert counted_BH.all()


@torch.inference_mode()
def test_noisy_blocks_see_clean_ones_before_them_alone() -> None:
    """Every hole masked, one token changed: no block up to its own may notice, every later one must."""
    paradigm, seen = blocks_of(2), []
    handle = paradigm.backbone.register_forward_hook(lambda *call: seen.append(call[-1].clone()))
    for changed in [None, *range(7)]:
        canvas = copies(1, 7)
        if changed is not None:
            canvas.ids_BL[0, 3 + changed] = 3 + TRUTH[changed] % 9
        paradigm.masked_nats(canvas, torch.tensor([[[True, True]] * 3 + [[True, False]]]))
    handle.remove()
    for changed in range(7):
        moved_S = (seen[1 + changed] - seen[0]).abs().amax(1) > 1e-9
        assert moved_S.tolist() == [i // 2 > changed // 2 for i in range(7)]


def test_the_doubled_text_is_looked_at_as_drawn() -> None:
    lines = re.findall(r"^ *[pwn]((?: [x.]){6})$", beside.__doc__ or "", re.MULTILINE)
    drawn = torch.tensor([[mark == "x" for mark in line.split()] for line in lines])
    position = torch.arange(6)
    rule = beside(blockwise(1, 1), start=1, clean=3)
    assert torch.equal(rule(position[None, :, None], position[None, None, :])[0], drawn)


@pytest.mark.parametrize(("block", "clean"), [(1, 9), (3, 9), (4, 7), (8, 3)])
def test_training_reads_the_text_twice_but_for_the_last_block(block: int, clean: int) -> None:
    paradigm = blocks_of(block)
    with metered(paradigm) as meter, torch.inference_mode():
        masked = paradigm.loss(copies(4, 7), noise(*"abcd"), 0).supervised
    read = clean + 7
    assert (meter.calls, meter.positions) == (1, 4 * read)
    assert meter.flops == paradigm.backbone.flops(batch=4, queries=read, keys=read, wanted=int(masked) / 4)


# the law


def with_ends(holes: int, block: int) -> list[tuple[int, ...]]:
    """Every text of so many holes; what stands in blocks behind an end token is end tokens."""
    found = []
    for text in itertools.product((EOS, *WORDS), repeat=holes):
        told = -(-(text.index(EOS) + 1) // block) * block if EOS in text else holes
        found += [text] if set(text[told:]) <= {EOS} else []
    return found


@pytest.mark.parametrize("holes", [2, 3])
@pytest.mark.parametrize(("block", "settings"), [(1, ()), (2, ("order=left_to_right",)), (2, ("order=margin",))])
@torch.inference_mode()
def test_the_law_of_what_is_written_sums_to_one(block: int, settings: tuple[str, ...], holes: int) -> None:
    paradigm, texts = blocks_of(block, *settings), with_ends(holes, block)
    law = paradigm.log_likelihood(texts_of(texts), noise(*map(str, range(len(texts)))))
    assert float(law.nats_B.exp().sum()) == pytest.approx(1, rel=1e-9)
    assert law.kind == ("exact" if block == 1 else "bound")
    closed = [text for text in texts if EOS not in text or text.index(EOS) % block == block - 1]
    assert paradigm.log_likelihood(texts_of(closed), noise(*map(str, range(len(closed))))).kind == "exact"


@torch.inference_mode()
def test_nothing_behind_the_block_with_the_end_counts() -> None:
    paradigm = blocks_of(3, "order=random")
    short, long = ((5, 9, EOS), (5, 9, EOS, EOS, EOS, EOS, EOS))
    laws = [paradigm.log_likelihood(texts_of([text]), noise("a")) for text in (short, long)]
    torch.testing.assert_close(laws[0].nats_B, laws[1].nats_B, rtol=0, atol=1e-12)
    assert all(law.exact_B is not None and not law.exact_B.isnan().any() for law in laws)
    inside = paradigm.log_likelihood(texts_of([(5, EOS, EOS), (5, 9, EOS)]), noise("a", "b"))
    assert inside.exact_B is not None
    assert inside.exact_B.isnan().tolist() == [True, False], "what followed the end in its block could be anything"


@pytest.mark.parametrize(
    "settings",
    [
        ("order=left_to_right",),
        ("order=entropy", "per_pass=2"),
        ("order=random",),
        ("order=random", "per_pass=2"),
    ],
)
@torch.inference_mode()
def test_texts_are_drawn_from_the_exact_law(settings: tuple[str, ...]) -> None:
    """Three words in blocks of two: an exact likelihood, or the exact value beside the bound."""
    paradigm, n = blocks_of(2, *settings, "decoding.temperature=1", dtype=torch.float32), 8000
    texts = list(itertools.product(WORDS, repeat=3))
    with forbidding(paradigm, EOS):
        law = paradigm.log_likelihood(texts_of(texts), noise(*map(str, range(len(texts)))))
        written = decoded(paradigm, suffix_canvas([[3, 6, 1]] * n, 3), [str(i) for i in range(n)])[:, 3:]
    nats_B = law.nats_B if law.exact_B is None else law.exact_B
    assert law.kind == ("bound" if "order=random" in settings else "exact")
    counts = Counter(tuple(text) for text in written.tolist())
    expected, observed = nats_B.exp() * n, torch.tensor([counts[text] for text in texts])
    assert float(expected.sum()) == pytest.approx(n, rel=1e-5)
    rare = expected < 8
    bins = [torch.cat((x[~rare], x[rare].sum()[None])) for x in (observed, expected)]
    assert len(bins[0]) > 50
    assert stats.chisquare(bins[0].numpy(), bins[1].numpy(), sum_check=False).pvalue > 1e-3


# count and end


def test_steps_and_quotas_are_those_of_a_block() -> None:
    paradigm, canvas = blocks_of(4, "steps=3"), suffix_canvas([[3, 1]], 10)
    with forbidding(paradigm, EOS):
        seen = trace(paradigm, canvas, noise("a"))
    assert seen.filled_BL[0, 2:].bincount().tolist() == [0, 2, 1, 1, 2, 1, 1, 1, 1]
    assert torch.equal(seen.filled_BL, seen.settled_BL)
    assert int(seen.filled_BL[0, 2:6].max()) < int(seen.filled_BL[0, 6:10].min())


def test_a_threshold_of_nothing_writes_a_block_a_pass() -> None:
    paradigm, canvas = blocks_of(3, "threshold=0"), suffix_canvas([[3, 1]], 8)
    with forbidding(paradigm, EOS):
        assert trace(paradigm, canvas, noise("a")).filled_BL[0, 2:].tolist() == [1, 1, 1, 2, 2, 2, 3, 3]


def test_a_text_stops_behind_the_block_in_which_it_ends() -> None:
    """In the second block of three the second hole is made an end token; the other text goes on, alone."""
    paradigm, rows = blocks_of(3), []

    def end(_: object, __: object, named: dict[str, Any], logits_bWV: Tensor) -> Tensor:
        at_bW = named["at_BQ"].gather(1, named["want_BW"])
        ends_bW = at_bW == 8
        ends_bW[-1] = False
        logits_bWV[..., EOS] = torch.where(ends_bW, 1e9, -torch.inf)
        rows.append(len(at_bW))
        return logits_bWV

    handle = paradigm.backbone.register_forward_hook(end, with_kwargs=True)
    seen = trace(paradigm, suffix_canvas([[3, 4, 5, 1], [6, 7, 5, 1]], 9), noise("a", "b"))
    handle.remove()
    written = seen.ids_BL[:, 4:].tolist()
    assert EOS not in written[0][:4]
    assert written[0][4] == EOS
    assert written[0][6:] == [EOS] * 3
    assert torch.equal(seen.filled_BL, seen.settled_BL), "what was written stays, behind the end, too"
    assert EOS not in written[1]
    assert rows == [2] * 6 + [1] * 3


def test_a_block_has_a_hole() -> None:
    with pytest.raises(ValueError, match=r"paradigm.block=0: must be at least 1"):
        blocks_of(0)
