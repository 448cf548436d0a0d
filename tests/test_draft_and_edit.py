"""Edits of a draft: only of its least likely tokens, only where the whole text gains, every call on the count."""

import itertools
import math
import random
from collections import deque

import pytest
import torch
from conftest import CPU, VOCABULARY, noise, suffix_canvas, tiny, tiny_backbone

from paradigms.autoregressive import Autoregressive
from paradigms.base import ORDER, Canvas
from paradigms.draft_and_edit import DraftAndEdit, Editing
from paradigms.trunk.attention import causal, everywhere
from paradigms.trunk.backbone import Backbone
from wordways.run.noise import SeededNoise
from wordways.run.trace import forbidding, trace

EOS, MASK, BANNED = VOCABULARY.eos, VOCABULARY.mask, [VOCABULARY.mask, VOCABULARY.pad]
PROMPTS = [[3 + row % 9, 3 + row % 7, 1] for row in range(40)]


def model(temperature: float, seed: int = 0, **settings: float) -> DraftAndEdit:
    how = Editing(temperature=temperature, **settings)  # type: ignore[arg-type]
    return DraftAndEdit(VOCABULARY, tiny_backbone(seed), how).eval()


def rows(count: int) -> SeededNoise:
    return SeededNoise(0, [str(row) for row in range(count)], CPU)


@torch.inference_mode()
def nats(backbone: Backbone, ids: list[int], start: int) -> list[float]:
    """-log p of every token of a text up to its end, each given all before it."""
    row = torch.tensor([ids])
    logits = backbone(row, causal, pad_BL=row < 0)[0]
    logits[:, BANNED] = -torch.inf
    last = ids.index(EOS, start) + 1 if EOS in ids[start:] else len(ids)
    return [-float(logits[at - 1].log_softmax(-1)[ids[at]]) for at in range(start, last)]


@torch.inference_mode()
def filled_in(backbone: Backbone, ids: list[int], holes: list[int], passes: int) -> list[int]:
    """Mask-predict for one row: all holes, then again the least sure of them, fewer each time."""
    ids, sure, hidden = list(ids), dict.fromkeys(holes, 0.0), holes
    for number in range(passes):
        masked = torch.tensor([[MASK if at in hidden else token for at, token in enumerate(ids)]])
        logits = backbone(masked, everywhere, pad_BL=masked < 0)[0]
        logits[:, [*BANNED, EOS]] = -torch.inf
        for at in hidden:
            law = logits[at].softmax(-1)
            ids[at], sure[at] = int(law.argmax()), float(law.max())
        hidden = sorted(sorted(holes), key=sure.__getitem__)[: len(holes) * (passes - number - 1) // passes]
    return ids


def edited(backbone: Backbone, prompt: list[int], draft: list[int], how: Editing) -> list[list[int]]:
    """The draft and what stands after each round, the long way."""
    start, stands = len(prompt), [[*prompt, *draft]]
    end = stands[0].index(EOS, start) if EOS in draft else len(stands[0])
    for number in range(how.rounds):
        share = how.share_first + (how.share_last - how.share_first) * number / (how.rounds - 1)
        unlikely = nats(backbone, stands[-1], start)
        worst = sorted(range(start, end), key=lambda at, u=unlikely: -u[at - start])
        holes = worst[: math.ceil(round(share * (end - start), 6))]
        other = filled_in(backbone, stands[-1], holes, how.passes)
        gains = sum(nats(backbone, other, start)) < sum(unlikely)
        stands.append(other if gains else stands[-1])
    return stands


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_edits_are_those_worked_out_by_hand(passes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of drafts at random, for a greedy one is seldom bettered."""
    rng, kept, refused = random.Random(0), 0, 0
    for row, prompt in enumerate(PROMPTS):
        paradigm, holes = model(0.0, row, passes=passes), 3 + row % 10
        text = [rng.randint(3, 11) for _ in range(rng.randint(1, holes))]
        draft = text + [EOS] * (holes - len(text))
        monkeypatch.setattr(Autoregressive, "decode", lambda *_, d=draft, p=prompt: iter([torch.tensor([p + d])]))
        seen = [ids_BL[0].tolist() for ids_BL in inferred(paradigm, suffix_canvas([prompt], holes))]
        expected = edited(paradigm.backbone, prompt, draft, paradigm.decoder)
        assert seen[0] == expected[0]
        assert seen[-1] == expected[-1]
        changes = sum(before != after for before, after in itertools.pairwise(expected))
        kept, refused = kept + changes, refused + paradigm.decoder.rounds - changes
    assert min(kept, refused) > 20


@torch.inference_mode()
def inferred(paradigm, canvas: Canvas):
    yield from paradigm.decode(canvas, rows(len(canvas.ids_BL)))


@torch.inference_mode()
def test_the_score_rises_or_the_text_stays_and_its_end_with_it() -> None:
    """At temperature 1, in one batch, with ends at every place."""
    paradigm, canvas = model(1.0), suffix_canvas(PROMPTS * 3, [4 + row % 12 for row in range(120)])
    draft = deque(inferred(paradigm.writer, canvas), maxlen=1).pop().clone()
    stands = [ids_BL.clone() for ids_BL in inferred(paradigm, canvas)]
    first = next(number for number, ids_BL in enumerate(stands) if torch.equal(ids_BL, draft))
    stands, kept, ends = stands[first:], 0, set()
    for row, holes_L in enumerate(canvas.holes_BL):
        columns = int(holes_L.nonzero().max()) + 1
        texts = [ids_BL[row, :columns].tolist() for ids_BL in stands]
        end = draft[row, 3:columns].tolist().index(EOS) if EOS in draft[row, 3:columns] else columns - 3
        ends.add(end)
        for before, after in itertools.pairwise(texts):
            assert after[:3] == before[:3]
            assert EOS not in after[3 : 3 + end]
            assert after[3 + end :] == before[3 + end :]
            changed = sum(a != b for a, b in zip(before, after, strict=True))
            if changed:
                kept += 1
                assert changed <= math.ceil(0.3 * end)
                assert sum(nats(paradigm.backbone, after, 3)) < sum(nats(paradigm.backbone, before, 3))
    assert kept > 20
    assert len(ends) > 5


def test_every_call_counts_and_only_a_score_changes_what_stands() -> None:
    paradigm = model(1.0, rounds=4, passes=3)
    canvas = suffix_canvas(PROMPTS[:8], 30)
    with forbidding(paradigm, EOS):
        seen = trace(paradigm, canvas, rows(8))
    assert seen.calls == 30 + 1 + 4 * (3 + 1)
    drafting, scoring = range(1, 31), [31 + round * 4 for round in range(1, 5)]
    assert seen.filled_BL[canvas.holes_BL].unique().tolist() == list(drafting)
    edits = set(seen.settled_BL[canvas.holes_BL].tolist()) - set(drafting)
    assert edits
    assert edits <= set(scoring)


def test_a_text_of_nothing_has_nothing_to_edit() -> None:
    paradigm = model(0.0)
    with torch.no_grad():
        paradigm.backbone.embed.weight[:] = 0.0
        paradigm.backbone.embed.weight[EOS] = 1.0
        paradigm.backbone.norm.weight[:] = 1.0
    seen = trace(paradigm, suffix_canvas([[1]], 6), noise("a"))
    assert seen.ids_BL.tolist() == [[1] * 7]
    assert seen.calls == 2


@pytest.mark.parametrize(
    ("tokens", "rounds", "expected"),
    [(10, 3, [3, 2, 1]), (7, 3, [3, 2, 1]), (30, 3, [9, 6, 3]), (10, 1, [3]), (50, 6, [15, 13, 11, 9, 7, 5])],
)
def test_a_falling_share_of_the_text_is_masked(tokens: int, rounds: int, expected: list[int]) -> None:
    how = Editing(rounds=rounds)
    assert [int(how.masked(number, torch.tensor([tokens]))) for number in range(rounds)] == expected


def test_it_is_trained_as_the_two_it_is_made_of() -> None:
    """Every row either as the autoregressive paradigm or as diffusion, by a coin."""
    canvas = suffix_canvas(PROMPTS * 5, 6, truth=lambda row, i: 3 + (row * 5 + i) % 9)
    paradigm, others = model(1.0), [tiny(preset) for preset in ("autoregressive", "diffusion")]
    coin_B = rows(200).uniform(0, torch.arange(200), (1,), ORDER)[:, 0] < 0.5
    assert 70 < int(coin_B.sum()) < 130
    parts = [other.loss(canvas.rows(of), rows(200), 0.0) for other, of in zip(others, (coin_B, ~coin_B), strict=True)]
    both = paradigm.loss(canvas, rows(200), 0.0)
    torch.testing.assert_close(both.mean, parts[0].mean + parts[1].mean)
    assert both.supervised == parts[0].supervised + parts[1].supervised


@torch.inference_mode()
def test_the_likelihood_is_the_drafts_and_says_so() -> None:
    canvas = suffix_canvas(PROMPTS, 5, truth=lambda row, i: 3 + (row + i) % 9)
    law, drafts = (one.log_likelihood(canvas, rows(40)) for one in (model(1.0), tiny("autoregressive")))
    assert (law.kind, drafts.kind) == ("pseudo", "exact")
    torch.testing.assert_close(law.nats_B, drafts.nats_B)


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ("rounds=0", "must be at least 1"),
        ("passes=0", "must be at least 1"),
        ("share_first=0.0", "must be above 0 and at most 1"),
        ("share_last=1.5", "must be above 0 and at most 1"),
        ("temperature=-1.0", "must be at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(setting: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"^paradigm.decoder.{setting}: {allowed}$"):
        tiny("draft_and_edit", f"paradigm.decoder.{setting}")
