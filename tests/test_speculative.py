"""Speculation changes how many calls a text takes and nothing else: the same tokens, the same law."""

import itertools
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from conftest import CPU, VOCABULARY, noise, suffix_canvas, tiny, tiny_backbone
from scipy import stats
from torch import Tensor

from paradigms.base import Canvas, Vocabulary, loss_of_both
from paradigms.decoders.drafts import Jacobi, Lookahead, PromptLookup, look_up
from paradigms.decoders.sampling import pick
from paradigms.decoders.verify import accept
from paradigms.speculative import MaskDraft, NoDraft, Speculative
from paradigms.trunk.attention import AttentionRule, causal
from paradigms.trunk.backbone import Backbone
from wordways.run.exposure import commitments
from wordways.run.noise import SeededNoise
from wordways.run.trace import forbidding, trace

DRAFT, WINDOW, NGRAM = 4, 5, 3
DRAFTERS: dict[str, Callable[[float], MaskDraft | Jacobi | Lookahead | PromptLookup]] = {
    "mask": lambda temperature: MaskDraft(temperature),
    "jacobi": lambda temperature: Jacobi(WINDOW, temperature),
    "lookahead": lambda temperature: Lookahead(WINDOW, NGRAM, temperature),
    "prompt_lookup": lambda temperature: PromptLookup(WINDOW, 2, temperature),
}
PRESETS = ["speculative", "speculative_jacobi", "speculative_lookahead", "speculative_prompt_lookup"]
CYCLE = 4  # of words 3, 4, 5, 6 in the texts of the trained model


def model(name: str, backbone: Backbone, temperature: float = 0.0, vocabulary: Vocabulary = VOCABULARY) -> Speculative:
    return Speculative(vocabulary, backbone, DRAFT, DRAFTERS[name](temperature)).eval()


def names(count: int) -> SeededNoise:
    return SeededNoise(0, [str(row) for row in range(count)], CPU)


@torch.inference_mode()
def decoded(paradigm: Speculative, canvas: Canvas) -> Tensor:
    return deque(paradigm.decode(canvas, names(len(canvas.ids_BL))), maxlen=1).pop()


def items(count: int, seed: int) -> Canvas:
    """Prompts and canvases of all lengths."""
    rng = random.Random(seed)
    prompts = [[rng.randint(3, 11) for _ in range(rng.randint(0, 5))] + [1] for _ in range(count)]
    return suffix_canvas(prompts, [rng.randint(1, 14) for _ in range(count)])


def cycles(count: int, seed: int) -> Canvas:
    """Words that follow each other in a circle from where the prompt says, for as long as chance will have it."""
    rng = random.Random(seed)
    first, length = ([rng.randint(low, high) for _ in range(count)] for low, high in ((0, 3), (4, 13)))
    return suffix_canvas(
        [[3 + f, 1] for f in first], 14, lambda row, i: 3 + (first[row] + i) % CYCLE if i < length[row] else 1
    )


@pytest.fixture(scope="module")
def trained() -> Backbone:
    """A model of both masks in which many guesses come true and many do not."""
    backbone = tiny_backbone(dtype=torch.float32)
    backbone.initialise(torch.Generator().manual_seed(0))
    paradigm = Speculative(VOCABULARY, backbone, DRAFT, NoDraft())
    optimizer = torch.optim.AdamW(paradigm.parameters(), lr=1e-2)
    for step in range(80):
        loss = paradigm.loss(cycles(48, step), SeededNoise(0, [f"{step}/{row}" for row in range(48)], CPU), 0.0)
        optimizer.zero_grad()
        loss.mean.backward()
        optimizer.step()
    return backbone.eval()


@torch.inference_mode()
def likeliest(backbone: Backbone, ids: list[int]) -> list[int]:
    """The likeliest token behind every position of a row, read whole."""
    row = torch.tensor([ids])
    logits = backbone(row, causal, pad_BL=torch.zeros_like(row, dtype=torch.bool))[0]
    logits[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
    return logits.argmax(-1).tolist()


@torch.inference_mode()
def plain_greedy(backbone: Backbone, canvas: Canvas) -> Tensor:
    """One token a call, the whole canvas read every time: no cache, no draft."""
    ids_BL, ended_B = canvas.ids_BL.clone(), torch.zeros(len(canvas.ids_BL), dtype=torch.bool)
    for column in range(canvas.start(), ids_BL.shape[1]):
        logits_BV = backbone(ids_BL, causal, pad_BL=canvas.pad_BL)[:, column - 1]
        logits_BV[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
        token_B = logits_BV.argmax(-1).masked_fill(ended_B, VOCABULARY.eos)
        ids_BL[:, column] = token_B.where(canvas.holes_BL[:, column], ids_BL[:, column])
        ended_B |= token_B == VOCABULARY.eos
    return ids_BL


# the same tokens at temperature 0


@pytest.mark.parametrize("name", DRAFTERS)
@pytest.mark.parametrize("weights", ["random", "random without end", "trained"])
def test_greedy_text_is_the_plain_one_to_the_last_token(name: str, weights: str, trained: Backbone) -> None:
    """In float32, on 200 items; some guesses are accepted there and some refused."""
    backbone = trained if weights == "trained" else tiny_backbone(1, dtype=torch.float32)
    canvas = cycles(200, 999) if weights == "trained" else items(200, 1)
    canvas = replace(canvas, ids_BL=canvas.ids_BL.masked_fill(canvas.holes_BL, VOCABULARY.mask))
    paradigm, grown = model(name, backbone), []
    before, sure = canvas.ids_BL.clone(), 2 if name == "mask" else 1  # tokens that a call writes without any luck
    endless = forbidding(paradigm, VOCABULARY.eos) if weights == "random without end" else nullcontext()
    with torch.inference_mode(), endless:
        expected = plain_greedy(backbone, canvas)
        for ids_BL in paradigm.decode(canvas, names(200)):
            unfinished_B = ((ids_BL == VOCABULARY.mask) & canvas.holes_BL).any(1)
            grown += (ids_BL != before).sum(1)[unfinished_B].tolist()
            before = ids_BL.clone()
    assert torch.equal(before, expected)
    window = DRAFT if name == "mask" else WINDOW
    if weights != "random" and (weights, name) != ("trained", "jacobi"):  # too soon at an end; see below
        assert sum(tokens > sure for tokens in grown) >= 10, "guesses come true"
    assert sum(0 < tokens < window + 1 for tokens in grown) >= 10, "and do not"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_write_what_their_baseline_writes(preset: str, trained: Backbone) -> None:
    plain, drafting = (tiny(name, "decoding.temperature=0") for name in ("speculative_none", preset))
    plain.backbone = drafting.backbone = trained
    canvas = cycles(40, 5)
    canvas = replace(canvas, ids_BL=canvas.ids_BL.masked_fill(canvas.holes_BL, VOCABULARY.mask))
    seen, less = (trace(paradigm, canvas, names(40)) for paradigm in (plain, drafting))
    assert torch.equal(seen.ids_BL, less.ids_BL)
    if preset != "speculative_jacobi":  # which gains next to nothing where a word follows from the last alone
        assert less.calls < seen.calls


# the same law above


SMALL = Vocabulary(size=6, mask=2, eos=1, pad=0)
TEXTS = [text for n in range(4) for words in itertools.product((3, 4, 5), repeat=n)
         for text in [(*words, 1) if n < 3 else words]]  # fmt: skip


def p_value(paradigm: Speculative, drawn_by: Speculative | None = None, rows: int = 8000) -> float:
    """Chi-square of texts of up to three tokens against the law of every one of them."""

    def canvas(count: int, truth: Callable[[int, int], int] | None = None) -> Canvas:
        return suffix_canvas([[4, 5, 4, 1]] * count, 3, truth)

    written = canvas(len(TEXTS), lambda row, i: (*TEXTS[row], 1, 1, 1)[i])
    with torch.inference_mode():
        law = paradigm.log_likelihood(written, names(len(TEXTS)))
    assert law.kind == "exact"
    assert float(law.nats_B.exp().sum()) == pytest.approx(1, rel=1e-5)
    ids = [tuple(row) for row in decoded(drawn_by or paradigm, canvas(rows))[:, 4:].tolist()]
    seen = Counter(row[: row.index(1) + 1] if 1 in row else row for row in ids)
    assert seen.keys() <= set(TEXTS)
    observed, expected = torch.tensor([seen[text] for text in TEXTS]), law.nats_B.exp() * rows
    rare = expected < 8
    bins = [torch.cat((x[~rare], x[rare].sum()[None])) for x in (observed, expected)]
    bins = [x[bins[1] > 0] for x in bins]
    return float(stats.chisquare(bins[0].numpy(), bins[1].numpy(), sum_check=False).pvalue)


def drawing(name: str) -> Speculative:
    return model(name, tiny_backbone(3, SMALL, torch.float32), 1.0, SMALL)


@pytest.mark.parametrize("name", DRAFTERS)
def test_texts_are_drawn_from_the_causal_law(name: str) -> None:
    assert p_value(drawing(name)) > 1e-3


@pytest.mark.parametrize("name", DRAFTERS)
def test_a_temperature_divides_the_logits(name: str) -> None:
    """Logits twice as large at temperature 2 have the same law, at temperature 1 another."""
    twice = [model(name, tiny_backbone(3, SMALL, torch.float32), temperature, SMALL) for temperature in (1.0, 2.0)]
    for paradigm in twice:
        paradigm.backbone.norm.weight.data *= 2
    assert p_value(drawing(name), twice[1]) > 1e-3
    assert p_value(drawing(name), twice[0]) < 1e-9


def accept_everything(
    p_bNV: Tensor, q_bKV: Tensor, draft_bK: Tensor, chance_bK: Tensor, draw: Callable[[], Tensor]
) -> tuple[Tensor, Tensor]:
    return accept(p_bNV, q_bKV, draft_bK, chance_bK * 0, draw)


def redraw_from_p(
    p_bNV: Tensor, q_bKV: Tensor, draft_bK: Tensor, chance_bK: Tensor, draw: Callable[[], Tensor]
) -> tuple[Tensor, Tensor]:
    """What was refused may come again."""
    accepted_b, _ = accept(p_bNV, q_bKV, draft_bK, chance_bK, draw)
    left_bV = p_bNV[torch.arange(len(p_bNV)), accepted_b]
    return accepted_b, pick(left_bV.log(), 1.0, draw)


@pytest.mark.parametrize("name", DRAFTERS)
@pytest.mark.parametrize("wrong", [accept_everything, redraw_from_p])
def test_a_wrong_acceptance_is_caught(name: str, wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paradigms.decoders.verify.accept", wrong)
    assert p_value(drawing(name)) < 1e-9


def accepted_the_long_way(
    p: list[list[float]], q: list[list[float]], draft: list[int], chance: list[float], draws: list[float]
) -> tuple[int, int]:
    """Leviathan et al., 2023, algorithm 1, for one row; the last token by Gumbel's trick."""
    accepted = 0
    for law, guess, guessed, u in zip(p, q, draft, chance, strict=False):
        if u > law[guessed] / guess[guessed]:
            break
        accepted += 1
    rest = p[accepted]
    if accepted < len(draft):
        rest = [max(0.0, a - b) for a, b in zip(p[accepted], q[accepted], strict=True)]
    scaled = torch.tensor(rest).log() - (-torch.tensor(draws).log()).log()
    return accepted, int(scaled.argmax())


def test_acceptance_equals_the_published_rule_row_by_row() -> None:
    generator = torch.Generator().manual_seed(0)
    p, q = (torch.randn(300, n, 7, generator=generator, dtype=torch.float64).softmax(-1) for n in (4, 3))
    q[::3] = torch.nn.functional.one_hot(q[::3].argmax(-1), 7).double()  # guesses that were not drawn
    draft = torch.multinomial(q.flatten(0, 1), 1, generator=generator).view(300, 3)
    chance, draws = (torch.rand(300, n, generator=generator, dtype=torch.float64) for n in (3, 7))
    accepted, after = accept(p, q, draft, chance, lambda: draws)
    rows = zip(p.tolist(), q.tolist(), draft.tolist(), chance.tolist(), draws.tolist(), strict=True)
    assert list(zip(accepted.tolist(), after.tolist(), strict=True)) == [accepted_the_long_way(*row) for row in rows]
    assert set(accepted.tolist()) == {0, 1, 2, 3}


# drafts are what they say


def by_hand(length: int, masks: list[int]) -> AttentionRule:
    """Causal, and masks have each other in sight: drawn as a table."""
    sees = torch.ones(length, length, dtype=torch.bool).tril()
    sees[torch.tensor(masks, dtype=torch.long)[:, None], masks] = True
    return lambda query_BQ1, key_11L: sees[query_BQ1[0, :, 0]][None]


def masked_draft(backbone: Backbone, text: list[int]) -> list[int]:
    """What is expected behind a row's last token and behind each of the masks that follow it."""
    ids = torch.tensor([[*text, *[VOCABULARY.mask] * (DRAFT - 1)]])
    rule = by_hand(ids.shape[1], list(range(len(text), ids.shape[1])))
    logits = backbone(ids, rule, pad_BL=torch.zeros_like(ids).bool())[0]
    logits[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
    return logits[len(text) - 1 :].argmax(-1).tolist()


def found_before(text: list[int], window: int, ngram: int) -> list[int]:
    """Saxena, 2023, for one row."""
    for n in range(min(ngram, len(text) - 1), 0, -1):
        for first in range(len(text) - n):
            if text[first : first + n] == text[-n:]:
                return text[first + n : first + n + window]
    return []


@torch.inference_mode()
def tokens_a_call(name: str, backbone: Backbone, prompt: list[int], holes: int) -> Iterator[int]:
    """The greedy algorithms for one row, token by token, everything read anew."""
    text, room, pool = list(prompt), len(prompt) + holes, {}
    expected = dict.fromkeys(range(100), prompt[-1])
    while len(text) < room and VOCABULARY.eos not in text[len(prompt) :]:
        draft = [expected[len(text) + i] for i in range(WINDOW)]
        if name == "mask":
            yield 0
            draft = masked_draft(backbone, text)
        elif name == "prompt_lookup":
            draft = found_before(text, WINDOW, 2)
        elif name == "lookahead":
            draft[: NGRAM - 1] = pool.get(text[-1], draft[: NGRAM - 1])
        after = likeliest(backbone, text + draft)[len(text) - 1 :]
        for i in range(len(draft) + 3 - NGRAM):
            pool[[text[-1], *draft][i]] = after[i : i + NGRAM - 1]
        expected |= {len(text) + i: token for i, token in enumerate(after)}
        before = len(text)
        for guess, token in zip([*draft, None], after, strict=True):
            text.append(token)
            if token in (VOCABULARY.eos, None) or guess != token or len(text) == room:
                break
        yield len(text) - before


@pytest.mark.parametrize("name", DRAFTERS)
def test_every_call_writes_as_many_tokens_as_the_algorithm_says(name: str, trained: Backbone) -> None:
    told, random_ones = 0, tiny_backbone(1)
    for row, (backbone, canvas) in itertools.product(
        range(12), ((trained, cycles(12, 7)), (random_ones, items(12, 3)))
    ):
        prompt = canvas.ids_BL[row][~canvas.pad_BL[row] & ~canvas.holes_BL[row]].tolist()
        blank = suffix_canvas([prompt], int(canvas.holes_BL[row].sum()))
        paradigm = model(name, backbone)
        with forbidding(paradigm, VOCABULARY.eos) if backbone is random_ones else nullcontext():
            seen = trace(paradigm, blank, names(1))
            ids, filled = seen.ids_BL[blank.holes_BL].tolist(), seen.filled_BL[blank.holes_BL].tolist()
            tokens = ids.index(VOCABULARY.eos) + 1 if VOCABULARY.eos in ids else len(ids)
            written = Counter(filled[:tokens])
            expected = tokens_a_call(name, backbone, prompt, len(ids))
            assert [written[call] for call in range(1, seen.calls + 1)] == list(expected)
        told += seen.calls < tokens
    assert told > 3, "too few drafts came true for this to mean anything"


def test_lookup_equals_a_search_by_hand() -> None:
    rng = random.Random(0)
    for ngram, window in itertools.product((1, 2, 3), (1, 4)):
        rows = [[rng.randint(3, 6) for _ in range(rng.randint(1, 12))] for _ in range(60)]
        ids_bL = torch.tensor([[0] * (12 - len(row)) + row + [9] * 3 for row in rows])
        found = look_up(ids_bL, torch.full((60,), 12), window, ngram, 0)
        expected = [found_before(row, window, ngram) for row in rows]
        assert found.tolist() == [row + [0] * (window - len(row)) for row in expected]
        assert [] in expected
        assert len(set(map(tuple, expected))) > 3


def test_two_calls_write_two_tokens_at_least() -> None:
    """The first guess is never refused: it is what the causal model says of the last token, in either call."""
    seen = trace(model("mask", tiny_backbone(2), 1.0), suffix_canvas([[3, 4, 1]] * 50, 12), names(50))
    for ids, filled in zip(seen.ids_BL[:, 3:].tolist(), seen.filled_BL[:, 3:].tolist(), strict=True):
        tokens = ids.index(VOCABULARY.eos) + 1 if VOCABULARY.eos in ids else 12
        counts = Counter(filled[:tokens])
        assert all(call % 2 == 0 for call in counts), "drafts are not on the canvas"
        assert all(counts[call] >= 2 for call in sorted(counts)[:-1])


# keys and values


@pytest.mark.parametrize("name", DRAFTERS)
def test_no_call_sees_what_was_refused(name: str) -> None:
    """Every law equals that of the row read whole: what is written, then this call's guesses, and nothing stale."""
    paradigm, canvas = model(name, tiny_backbone(1), 1.0), suffix_canvas([[5, 3, 4, 1]], 12)
    reads: list[tuple[Tensor, Tensor, Tensor]] = []

    def watch(_: object, args: tuple[Tensor, ...], named: dict[str, Tensor], logits: Tensor) -> None:
        if "cache" in named:
            reads.append((args[0][0], named["at_BQ"][0], logits[0].clone()))

    refused = 0
    with forbidding(paradigm, VOCABULARY.eos):
        handle = paradigm.backbone.register_forward_hook(watch, with_kwargs=True)
        for number in range(3):
            before = canvas.ids_BL[0]
            for ids_BL in paradigm.decode(canvas, noise(str(number))):
                ids_Q, at_Q, logits_WV = reads.pop()
                written = int((before == VOCABULARY.mask).nonzero()[0])
                guesses = ids_Q[at_Q >= written].tolist()
                whole = torch.tensor([[*before[:written].tolist(), *guesses]])
                masks = (whole[0] == VOCABULARY.mask).nonzero()[:, 0].tolist()
                rule = by_hand(whole.shape[1], masks)
                pad_BL = torch.arange(whole.shape[1])[None] >= canvas.ids_BL.shape[1]  # guesses past the last hole
                logits = paradigm.backbone(whole, rule, pad_BL=pad_BL)[0]
                real_L = ~pad_BL[0]
                torch.testing.assert_close(
                    logits_WV[real_L[written - 1 :]], logits[written - 1 :][real_L[written - 1 :]], rtol=0, atol=1e-9
                )
                refused += 0 < int((ids_BL[0] != before).sum()) <= len(guesses)
                before = ids_BL[0].clone()
        handle.remove()
    assert refused > 3


@pytest.mark.parametrize("name", DRAFTERS)
def test_ended_rows_leave_the_batch(name: str) -> None:
    paradigm, blank = model(name, tiny_backbone(), 1.0), suffix_canvas([[3, 4, 5, 1]], 8)
    alone = [trace(paradigm, blank, noise(str(row))) for row in range(16)]
    together = trace(paradigm, suffix_canvas([[3, 4, 5, 1]] * 16, 8), names(16))
    assert together.positions == sum(seen.positions for seen in alone)
    assert together.calls == max(seen.calls for seen in alone)
    assert len({seen.calls for seen in alone}) > 1


class Recorded(SeededNoise):
    """Remembers what was drawn."""

    def __init__(self, ids: Sequence[str]):
        super().__init__(0, ids, CPU)
        self.drawn: list[tuple[int, int]] = []

    def uniform(self, call: int, rows_b: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
        self.drawn.append((call, stream))
        return super().uniform(call, rows_b, shape, stream)


@pytest.mark.parametrize("preset", [*PRESETS, "speculative_none", "draft_and_edit"])
def test_no_number_is_drawn_twice(preset: str) -> None:
    paradigm, draws = tiny(preset, "decoding.temperature=1"), Recorded(["a", "b"])
    with torch.inference_mode(), forbidding(paradigm, VOCABULARY.eos):
        deque(paradigm.decode(suffix_canvas([[3, 1], [4, 1]], 12), draws), maxlen=0)
    assert len(set(draws.drawn)) == len(draws.drawn) > 6


# training under both masks


def test_a_coin_gives_every_row_to_one_of_two_objectives() -> None:
    canvas, parts = cycles(400, 0), []
    paradigm = Speculative(VOCABULARY, tiny_backbone(), DRAFT, NoDraft())

    def keep(part: Canvas):
        parts.append(part.ids_BL)
        return paradigm.writer().loss(part, names(400), 0.0)

    both = loss_of_both(canvas, names(400), keep, keep)
    assert sorted(torch.cat(parts).tolist()) == sorted(canvas.ids_BL.tolist())
    assert abs(len(parts[0]) - 200) < 4 * 10
    each = [paradigm.writer().loss(suffix_of(ids), names(400), 0.0) for ids in parts]
    torch.testing.assert_close(both.mean, each[0].mean + each[1].mean)
    assert both.supervised == each[0].supervised + each[1].supervised
    one = loss_of_both(canvas.rows(torch.tensor([0])), names(1), keep, keep)
    assert len(parts[-1]) == 1
    assert one.supervised > 0


def suffix_of(ids_BL: Tensor) -> Canvas:
    holes_BL = torch.arange(ids_BL.shape[1]).expand_as(ids_BL) >= 2
    return Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))


@torch.inference_mode()
def test_the_draft_is_taught_behind_a_cut_that_may_be_anywhere() -> None:
    """Against the definition, row by row: masks from the cut on, each to say the next token, none told it."""
    lengths, reads = [3, 5, 8, 1, 2], []
    canvas = suffix_canvas([[4, 7, 1]] * 500, 12, lambda row, i: 3 + (row + i) % 7 if i < lengths[row % 5] - 1 else 1)
    paradigm = Speculative(VOCABULARY, tiny_backbone(), DRAFT, NoDraft())
    backbone = paradigm.backbone
    handle = backbone.register_forward_pre_hook(lambda _, args: reads.append(args[0]))
    loss = paradigm.draft_loss(canvas, names(500))
    handle.remove()
    (ids_BL,) = reads
    total, counted, cuts = 0.0, 0, {length: Counter[int]() for length in lengths}
    for row in range(500):
        length, masked = lengths[row % 5], (ids_BL[row] == VOCABULARY.mask).nonzero()[:, 0].tolist()
        cut = masked[0]
        cuts[length][cut - 3] += 1
        assert masked == list(range(cut, cut + DRAFT - 1))
        changed = ids_BL[row : row + 1].clone()
        changed[0, cut + DRAFT - 1 :] = 11  # no law may depend on what comes behind the masks
        logits = backbone(changed, by_hand(ids_BL.shape[1], masked), pad_BL=changed < 0)[0]
        logits[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
        for at in masked:
            if at + 1 < 3 + length:
                total -= float(logits[at].log_softmax(-1)[canvas.ids_BL[row, at + 1]])
                counted += 1
    assert int(loss.supervised) == counted
    assert float(loss.mean) == pytest.approx(total / counted, rel=1e-9)
    one_by_one = [
        paradigm.draft_loss(canvas.rows(torch.tensor([row])), SeededNoise(0, [str(row)], CPU)) for row in range(100)
    ]
    together = paradigm.draft_loss(canvas.rows(torch.arange(100)), names(100))
    assert sum(int(loss.supervised) for loss in one_by_one) == int(together.supervised), "no target is cut off"
    for length, seen in cuts.items():
        assert seen.keys() == set(range(max(1, length - 1)))
        assert len(seen) == 1 or stats.chisquare([*seen.values()]).pvalue > 1e-3


def test_a_draft_comes_true_more_often_when_trained(trained: Backbone) -> None:
    """The masks' guesses of the cycle's next words, of which an untrained one knows nothing."""
    text = [3, 1, 3, 4, 5, 6, 3]
    assert masked_draft(trained, text)[1:] == [5, 6, 3]
    assert masked_draft(tiny_backbone(), text)[1:] != [5, 6, 3]


# what others see, and what is refused


@pytest.mark.parametrize("preset", PRESETS)
def test_laws_seen_from_outside_multiply_to_the_likelihood(preset: str) -> None:
    paradigm, truth = tiny(preset, "paradigm.decoder.temperature=1.0"), [7, 9, 9, 4]
    calls = commitments(paradigm, suffix_canvas([[3, 4, 1]], 4), noise("a"), truth)
    made = [one for committed in calls for one in committed]
    assert [(one.hole, one.token) for one in made] == list(enumerate(truth))
    filled = suffix_canvas([[3, 4, 1]], 4, truth=lambda row, i: truth[i])
    with torch.inference_mode():
        expected = float(paradigm.log_likelihood(filled, noise("a")).nats_B[0])
    assert sum(float(one.law_V[one.token].log()) for one in made) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("preset", "override", "line"),
    [
        ("speculative", "draft=1", "draft=1: must be from 2"),
        ("speculative", "decoder.temperature=-1.0", "decoder.temperature=-1.0: must be at least 0"),
        ("speculative_jacobi", "decoder.window=0", "decoder.window=0: must be at least 1"),
        ("speculative_lookahead", "decoder.ngram=1", "decoder.ngram=1: must be from 2 to window"),
        ("speculative_lookahead", "decoder.window=2", "decoder.ngram=4: must be from 2 to window . 1, here 3"),
        ("speculative_prompt_lookup", "decoder.ngram=0", "decoder.ngram=0: must be at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(preset: str, override: str, line: str) -> None:
    with pytest.raises(ValueError, match=f"^paradigm.{line}"):
        tiny(preset, f"paradigm.{override}")
