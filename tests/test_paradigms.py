"""The contract, over every preset there is: what a paradigm must do whatever it is."""

import itertools
import json
from collections import deque

import pytest
import torch
from conftest import CPU, QUICK, VOCABULARY, noise, paradigm_node, row_of, sampling, searches, suffix_canvas, tiny
from hydra.errors import ConfigCompositionException
from scipy import stats

from paradigms.base import Canvas, Paradigm
from wordways.run.noise import SeededNoise
from wordways.run.trace import forbidding, metered, trace

PROMPTS = [[3, 4, 5, 1], [6, 7, 1], [8, 1]]
NAMES = ["a", "b", "c"]


def natural_canvas() -> Canvas:
    return suffix_canvas(PROMPTS, [5, 6, 4])


def decoded(paradigm: Paradigm, canvas: Canvas, names: list[str]) -> torch.Tensor:
    with torch.inference_mode():
        return deque(paradigm.decode(canvas, noise(*names)), maxlen=1).pop()


def test_holes_are_filled_and_the_context_is_left_alone(preset: str) -> None:
    canvas, before = natural_canvas(), natural_canvas()
    ids_BL = decoded(tiny(preset), canvas, NAMES)
    assert not (ids_BL == VOCABULARY.mask).any()
    assert not (ids_BL == VOCABULARY.pad)[canvas.holes_BL].any()
    assert torch.equal(ids_BL[~canvas.holes_BL], before.ids_BL[~before.holes_BL])
    assert torch.equal(canvas.ids_BL, before.ids_BL), "the canvas handed in is not the paradigm's to change"


def test_it_yields_once_a_call_whole_batches_in_canvas_order(preset: str) -> None:
    paradigm, canvas = tiny(preset), natural_canvas()
    with torch.inference_mode(), metered(paradigm) as meter:
        for number, ids_BL in enumerate(paradigm.decode(canvas, noise(*NAMES)), 1):
            assert meter.calls == number
            assert ids_BL.shape == canvas.ids_BL.shape
    assert meter.calls > 0


def test_same_seed_same_text_whatever_the_batch(preset: str) -> None:
    paradigm, canvas = tiny(preset), natural_canvas()
    together = decoded(paradigm, canvas, NAMES)
    for row, name in enumerate(NAMES):
        alone = row_of(canvas, row)
        assert torch.equal(decoded(paradigm, alone, [name])[alone.holes_BL], together[row][canvas.holes_BL[row]])
    backwards = Canvas(canvas.ids_BL.flip(0), canvas.holes_BL.flip(0), canvas.pad_BL.flip(0))
    assert torch.equal(decoded(paradigm, backwards, NAMES[::-1]).flip(0), together)


def test_rows_whose_holes_begin_apart_are_as_they_are_alone(preset: str) -> None:
    """Text behind the holes, and padding behind that: decoded, and scored, like the row by itself."""
    paradigm = tiny(preset)
    if "span" not in paradigm.fills:
        pytest.skip("writes to the right only")
    prompts, counts, behind = ([3, 4, 5, 1], [1], [9, 1]), (2, 4, 3), ([6], [7, 8, 3], [])
    lines = [[*prompt, *[VOCABULARY.mask] * count, *rest] for prompt, count, rest in zip(prompts, counts, behind)]  # noqa: B905
    width = max(map(len, lines))
    ids_BL = torch.tensor([line + [VOCABULARY.pad] * (width - len(line)) for line in lines])
    canvas = Canvas(ids_BL, ids_BL == VOCABULARY.mask, ids_BL == VOCABULARY.pad)
    together = decoded(paradigm, canvas, NAMES)
    written = Canvas(ids_BL.where(~canvas.holes_BL, 3 + torch.arange(width) % 8), canvas.holes_BL, canvas.pad_BL)
    law_B = paradigm.log_likelihood(written, noise(*NAMES)).nats_B
    for row, name in enumerate(NAMES):
        alone = row_of(canvas, row)
        assert torch.equal(decoded(paradigm, alone, [name])[alone.holes_BL], together[row][canvas.holes_BL[row]])
        torch.testing.assert_close(paradigm.log_likelihood(row_of(written, row), noise(name)).nats_B, law_B[row, None])


def test_another_seed_another_text_where_anything_is_drawn(preset: str) -> None:
    paradigm = sampling(preset)
    canvas = suffix_canvas([[3, 4, 5, 1]] * 8, 6)
    one, other = ([ids.tolist() for ids in decoded(paradigm, canvas, [f"{s}{i}" for i in range(8)])] for s in "ab")
    assert (one == other) == searches(preset)
    if searches(preset):
        return
    assert one[0] != one[1], "rows of a batch share their noise"


def test_gradients_reach_every_weight(preset: str) -> None:
    paradigm = tiny(preset)
    canvas = suffix_canvas(PROMPTS * 20, 5, truth=lambda row, i: 3 + (row + i) % 8)
    paradigm.loss(canvas, noise(*(str(i) for i in range(60))), 0.0).mean.backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in paradigm.parameters())


LOSSES: dict[str, list[float]] = {}  # presets that differ in their decoder share a training, here as in a sweep


def losses_on_copying(preset: str) -> list[float]:
    paradigm = tiny(preset, dtype=torch.float32)
    paradigm.initialise(torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(paradigm.parameters(), lr=1e-2)
    generator, losses = torch.Generator().manual_seed(0), []
    for step in range(60):
        words = torch.randint(3, 12, (64, 3), generator=generator).tolist()
        canvas = suffix_canvas([[*w, 1] for w in words], 3, truth=lambda row, i, w=words: w[row][i])
        loss = paradigm.loss(canvas, SeededNoise(0, [f"{step}/{row}" for row in range(64)], CPU), step / 60).mean
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_the_loss_falls_on_copying(preset: str) -> None:
    """Sixty steps on a copy task take the loss to under two thirds of where it began."""
    node = paradigm_node(f"paradigm={preset}", *QUICK.get(preset, []))
    shaping = json.dumps({name: value for name, value in node.items() if name != "decoder"})
    losses = LOSSES.get(shaping) or LOSSES.setdefault(shaping, losses_on_copying(preset))
    assert sum(losses[-5:]) < 2 / 3 * sum(losses[:5])


def test_training_does_not_depend_on_who_says_where_the_text_ends(preset: str) -> None:
    if tiny(preset).length != "eos" or preset == "diffusion_revised":
        pytest.skip("its length is no setting of the decoder")
    canvas = suffix_canvas(PROMPTS * 9, 5, truth=lambda row, i: 3 + (row + i) % 8 if i < 3 else VOCABULARY.eos)
    names = [str(i) for i in range(27)]
    expected = tiny(preset).loss(canvas, noise(*names), 0.0).mean
    for length in ("oracle", "fixed"):
        try:
            paradigm = tiny(preset, f"paradigm.decoder.length={length}")
        except ConfigCompositionException:
            pytest.skip("its length is no setting of the decoder")
        assert torch.equal(paradigm.loss(canvas, noise(*names), 0.0).mean, expected)


def test_no_paradigm_looks_where_its_rule_forbids(preset: str) -> None:
    """Change one token: only positions allowed to see it, directly or through others, may change their logits."""
    paradigm = tiny(preset)
    canvas = suffix_canvas([[3, 4, 5, 1]], 4, truth=lambda row, i: 6 + i)
    length, rule = canvas.ids_BL.shape[1], paradigm.rule(canvas)
    position = torch.arange(length)
    sees = rule(position[None, :, None], position[None, None, :]).expand(1, length, length)[0]
    reach = (
        torch.linalg.matrix_power((sees | torch.eye(length, dtype=torch.bool)).double(), len(paradigm.backbone.layers))
        > 0
    )
    before = paradigm.backbone(canvas.ids_BL, rule, pad_BL=canvas.pad_BL)[0]
    for changed in range(length):
        ids = canvas.ids_BL.clone()
        ids[0, changed] = 11
        moved = (paradigm.backbone(ids, rule, pad_BL=canvas.pad_BL)[0] - before).abs().amax(1) > 1e-12
        assert torch.equal(moved, reach[:, changed]), f"position {changed}"


def test_the_loss_of_a_token_ignores_what_the_token_may_not_see(preset: str) -> None:
    """The likelihood's own leak test: the text's law sums to at most one, so no token has seen itself."""
    paradigm = tiny(preset)
    texts = list(itertools.product(range(3, 12), repeat=2))
    canvas = suffix_canvas([[4, 1]] * len(texts), 2, truth=lambda row, i: texts[row][i])
    with torch.inference_mode():
        law = paradigm.log_likelihood(canvas, noise(*map(str, range(len(texts)))))
    assert law.nats_B.shape == law.se_B.shape == (len(texts),)
    if law.kind != "pseudo":
        assert float(law.nats_B.exp().sum()) <= 1 + 1e-9


def test_spans_and_scattered_holes_where_it_says_so(preset: str) -> None:
    paradigm = tiny(preset)
    ids = torch.tensor([[3, 1, 2, 2, 7, 8], [1, 5, 2, 2, 2, 9]])
    holes, pad = ids == VOCABULARY.mask, torch.zeros_like(ids, dtype=torch.bool)
    if "span" in paradigm.fills:
        written = decoded(paradigm, Canvas(ids, holes, pad), ["a", "b"])
        assert not (written == VOCABULARY.mask).any()
    else:
        assert paradigm.fills == {"suffix"}


def test_lengths_can_be_forced(preset: str) -> None:
    paradigm, canvas = tiny(preset), suffix_canvas(PROMPTS, 6)
    if paradigm.length == "predicted" or not paradigm.aligned:
        pytest.skip("its length cannot be forced")
    with forbidding(paradigm, VOCABULARY.eos):
        written = decoded(paradigm, canvas, NAMES)
    assert not (written == VOCABULARY.eos)[canvas.holes_BL].any()
    assert not paradigm.backbone._forward_hooks


# the autoregressive accounts


def test_forced_to_n_tokens_takes_n_calls() -> None:
    paradigm, canvas = tiny("autoregressive"), suffix_canvas([[3, 4, 5, 1]], 6)
    with forbidding(paradigm, VOCABULARY.eos):
        seen = trace(paradigm, canvas, noise("a"))
    assert (seen.calls, seen.positions) == (6, 4 + 6 - 1)
    assert seen.filled_BL[0, 4:].tolist() == [1, 2, 3, 4, 5, 6]


def test_ended_by_eos_takes_one_call_more_than_tokens() -> None:
    paradigm = tiny("autoregressive", "decoding.temperature=1")
    found = 0
    for name in map(str, range(40)):
        seen = trace(paradigm, suffix_canvas([[3, 4, 5, 1]], 8), noise(name))
        written = seen.ids_BL[0, 4:].tolist()
        if VOCABULARY.eos in written[:-1]:
            tokens = written.index(VOCABULARY.eos)
            assert (seen.calls, seen.positions) == (tokens + 1, 4 + tokens)
            assert set(written[tokens:]) == {VOCABULARY.eos}
            found += 1
    assert found > 5


def test_finished_rows_leave_the_batch() -> None:
    paradigm, names = tiny("autoregressive", "decoding.temperature=1"), [str(i) for i in range(16)]
    alone = [trace(paradigm, suffix_canvas([[3, 4, 5, 1]], 8), noise(name)) for name in names]
    together = trace(paradigm, suffix_canvas([[3, 4, 5, 1]] * 16, 8), noise(*names))
    assert together.positions == sum(seen.positions for seen in alone)
    assert together.calls == max(seen.calls for seen in alone)
    assert len({seen.calls for seen in alone}) > 1


def test_without_a_cache_the_text_is_the_same_and_every_call_reads_it_all() -> None:
    canvas, names = suffix_canvas(PROMPTS, [6, 4, 6]), NAMES
    kept, read_again = (
        trace(tiny(preset, "decoding.temperature=1"), canvas, noise(*names))
        for preset in ("autoregressive", "autoregressive_uncached")
    )
    assert torch.equal(kept.ids_BL, read_again.ids_BL)
    with forbidding(paradigm := tiny("autoregressive_uncached"), VOCABULARY.eos):
        seen = trace(paradigm, suffix_canvas([[3, 4, 5, 1]], 6), noise("a"))
    assert (seen.calls, seen.positions) == (6, 4 + 5 + 6 + 7 + 8 + 9)


# the parallel decoder's lengths


def test_one_pass_is_one_call() -> None:
    seen = trace(tiny("parallel"), suffix_canvas(PROMPTS, 6), noise(*NAMES))
    assert (seen.calls, seen.positions) == (1, 3 * 10)


def test_predicted_length_costs_a_call_over_the_prompt_and_shortens_the_canvas() -> None:
    paradigm = tiny("parallel", "paradigm.decoder.length=predicted")
    seen = trace(paradigm, suffix_canvas([[3, 4, 5, 1]], 8), noise("a"))
    written = seen.ids_BL[0, 4:].tolist()
    length = written.index(VOCABULARY.eos) if VOCABULARY.eos in written else 8
    logits = paradigm.backbone(
        torch.tensor([[3, 4, 5, 1]]), paradigm.rule(suffix_canvas([[3, 4, 5, 1]], 8)), pad_BL=torch.zeros(1, 4).bool()
    )
    assert length == int(logits[0, -1, :9].argmax())
    assert seen.calls == (2 if length else 1)
    assert seen.positions == 4 + (4 + length if length else 0)


def test_many_passes_need_the_training_for_it() -> None:
    with pytest.raises(ValueError, match=r"paradigm.decoder.passes=4: must be 1 with training=vanilla"):
        tiny("parallel", "paradigm.decoder.passes=4")


# diffusion: order x count x block


@pytest.mark.parametrize("order", ["random", "confidence", "margin", "entropy", "left_to_right"])
@pytest.mark.parametrize(("count", "calls"), [("steps=3", 3), ("per_pass=4", 2), ("steps=50", 8), ("block=2", 8)])
def test_committed_tokens_stay_and_passes_are_what_was_asked(order: str, count: str, calls: int) -> None:
    paradigm = tiny("diffusion", f"paradigm.decoder.order={order}", f"paradigm.decoder.{count}")
    seen = trace(paradigm, suffix_canvas([[3, 1]], 8), noise("a"))
    assert torch.equal(seen.filled_BL, seen.settled_BL)
    assert seen.calls == calls


def test_quotas_put_the_remainder_first() -> None:
    paradigm = tiny("diffusion", "paradigm.decoder.steps=3")
    seen = trace(paradigm, suffix_canvas([[3, 1]], 8), noise("a"))
    assert seen.filled_BL[0, 2:].bincount().tolist() == [0, 3, 3, 2]


def test_blocks_of_one_at_temperature_zero_write_left_to_right() -> None:
    paradigm = tiny(
        "diffusion", "paradigm.decoder.block=1", "decoding.temperature=0", "paradigm.decoder.order=confidence"
    )
    seen = trace(paradigm, suffix_canvas([[3, 1]], 6), noise("a"))
    assert seen.filled_BL[0, 2:].tolist() == [1, 2, 3, 4, 5, 6]


def test_blocks_are_finished_one_after_the_other_with_their_share_of_the_steps() -> None:
    paradigm = tiny("diffusion", "paradigm.decoder.block=4", "paradigm.decoder.steps=5")
    seen = trace(paradigm, suffix_canvas([[3, 1]], 8), noise("a"))
    filled = seen.filled_BL[0, 2:]
    assert int(filled[:4].max()) == 3  # five steps over two blocks: three and two
    assert sorted(filled[4:].tolist()) == [4, 4, 5, 5]


def test_steps_and_per_pass_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"paradigm.decoder.per_pass=2: cannot be combined with steps=3"):
        tiny("diffusion_k2", "paradigm.decoder.steps=3")


# refinement by masking again


def test_mask_predict_opens_the_least_confident_fewer_each_time() -> None:
    paradigm = tiny("masked_infill_mask_predict", "paradigm.decoder.passes=4")
    seen = trace(paradigm, suffix_canvas([[3, 1]], 8), noise("a"))
    assert seen.calls == 4
    assert (seen.filled_BL[0, 2:] == 1).all()
    settled = seen.settled_BL[0, 2:]
    for call in range(2, 5):  # before pass t + 1, floor(8 (1 - t/4)) holes open again: 6, 4, 2
        assert int((settled >= call).sum()) <= 8 * (4 - (call - 1)) // 4


def test_gibbs_visits_every_hole_in_every_sweep() -> None:
    paradigm, visits = tiny("masked_infill_gibbs", "paradigm.decoder.updates=12"), []
    backbone = paradigm.backbone
    handle = backbone.register_forward_pre_hook(
        lambda _, __, named: visits.append(int(named["want_BW"])), with_kwargs=True
    )
    decoded(paradigm, suffix_canvas([[3, 1]], 4), ["a"])
    handle.remove()
    assert [sorted(visits[first : first + 4]) for first in (0, 4, 8)] == [[2, 3, 4, 5]] * 3
    assert visits[:4] != visits[4:8] or visits[4:8] != visits[8:]


@pytest.mark.parametrize(("order", "expected"), [("left_to_right", [1, 2, 3, 4])])
def test_one_by_one_in_reading_order(order: str, expected: list[int]) -> None:
    seen = trace(tiny("masked_infill", f"paradigm.decoder.order={order}"), suffix_canvas([[3, 1]], 4), noise("a"))
    assert seen.filled_BL[0, 2:].tolist() == expected


# laws: what is drawn is what the likelihood says


@pytest.mark.parametrize(
    "name", ["autoregressive", "autoregressive_prefix", "shallow_decoder", "parallel", "ctc", "block_diffusion_1"]
)
def test_texts_are_drawn_from_the_exact_law(name: str) -> None:
    paradigm, n = tiny(name, "decoding.temperature=1", dtype=torch.float32), 6000
    texts = [(a, b) for a in range(12) for b in range(12) if not {a, b} & {0, 2}]
    truth = suffix_canvas([[4, 1]] * len(texts), 2, truth=lambda row, i: texts[row][i])
    with torch.inference_mode():
        law = paradigm.log_likelihood(truth, noise(*map(str, range(len(texts))))).nats_B.exp()
    ids = decoded(paradigm, suffix_canvas([[4, 1]] * n, 2), [str(i) for i in range(n)])[:, 2:].tolist()
    ended = {text: float(p) for text, p in zip(texts, law, strict=True)}
    groups: dict[tuple[int, ...], list[float]] = {}
    for text, p in ended.items():  # texts that end at once are one outcome, whatever stands behind the end
        key = (1,) if text[0] == 1 else text
        if text[0] != 1 or text == (1, 1):
            groups.setdefault(key, [p, 0.0])
    for row in ids:
        groups[(1,) if row[0] == 1 else tuple(row)][1] += 1
    expected = torch.tensor([p for p, _ in groups.values()]) * n
    observed = torch.tensor([count for _, count in groups.values()])
    assert float(expected.sum()) == pytest.approx(n, rel=1e-5)
    rare = expected < 8
    bins = [torch.cat((x[~rare], x[rare].sum()[None])) for x in (observed, expected)]
    assert stats.chisquare(bins[0].numpy(), bins[1].numpy(), sum_check=False).pvalue > 1e-3
