"""Heads change how many passes a text takes and nothing else: the same tokens, the same distribution."""

import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from conftest import CPU, VOCABULARY, noise, suffix_canvas, tiny, tiny_backbone
from scipy import stats
from test_speculative import SMALL, TEXTS, cycles, items, names
from torch import Tensor
from torch.nn import functional as F

from paradigms.autoregressive import Autoregressive, Decoder
from paradigms.base import Canvas, Vocabulary
from paradigms.decoders.verify import accept
from paradigms.multi_token import HeadsDraft, MultiToken
from paradigms.trunk.attention import causal
from paradigms.trunk.backbone import Backbone
from wordways.run.noise import SeededNoise
from wordways.run.trace import metered, trace

HEADS = 3


def model(backbone: Backbone, temperature: float = 0.0, vocabulary: Vocabulary = VOCABULARY) -> MultiToken:
    """Random heads, so that they are no copies of the model."""
    paradigm = MultiToken(vocabulary, backbone, HEADS, HeadsDraft(temperature))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in paradigm.heads.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return paradigm.to(backbone.embed.weight.dtype).eval()


@torch.inference_mode()
def decoded(paradigm: MultiToken | Autoregressive, canvas: Canvas) -> Tensor:
    return deque(paradigm.decode(canvas, names(len(canvas.ids_BL))), maxlen=1).pop()


@pytest.fixture(scope="module")
def trained() -> MultiToken:
    """Words in a circle, whose successors the heads can know."""
    paradigm = MultiToken(VOCABULARY, tiny_backbone(dtype=torch.float32), HEADS, HeadsDraft(0.0))
    paradigm.initialise(torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(paradigm.parameters(), lr=1e-2)
    for step in range(120):
        loss = paradigm.loss(cycles(48, step), SeededNoise(0, [f"{step}/{row}" for row in range(48)], CPU), 0.0)
        optimizer.zero_grad()
        loss.mean.backward()
        optimizer.step()
    return paradigm.eval()


@pytest.mark.parametrize("weights", ["random", "trained"])
def test_greedy_text_is_that_of_the_model_alone(weights: str, trained: MultiToken) -> None:
    """200 texts in a batch, to the last token; drafts come true in the trained model, and do not in the random one."""
    paradigm = trained if weights == "trained" else model(tiny_backbone(1, dtype=torch.float32))
    canvas = cycles(200, 999) if weights == "trained" else items(200, 1)
    canvas = replace(canvas, ids_BL=canvas.ids_BL.masked_fill(canvas.holes_BL, VOCABULARY.mask))
    plain = Autoregressive(VOCABULARY, paradigm.backbone, "causal", Decoder(0.0)).eval()
    less, seen = (trace(one, canvas, names(200)) for one in (paradigm, plain))
    assert torch.equal(less.ids_BL, seen.ids_BL)
    if weights == "trained":
        assert less.calls < 0.7 * seen.calls


@torch.inference_mode()
def passes_by_hand(paradigm: MultiToken, prompt: list[int], holes: int) -> list[int]:
    """Tokens per pass of the greedy algorithm for one text, everything read anew, states taken off the last layer."""
    text, draft, written = list(prompt), [], []
    while len(text) < len(prompt) + holes and VOCABULARY.eos not in text[len(prompt) :]:
        row, states = torch.tensor([[*text, *draft]]), []
        logits = paradigm.backbone(row, causal, pad_BL=torch.zeros_like(row).bool(), states=states)[0]
        logits[:, [VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
        after, count = logits.argmax(-1).tolist(), 0
        for guess in [*draft, None]:
            token = after[len(text) - 1]
            text.append(token)
            count += 1
            if guess != token or token == VOCABULARY.eos or len(text) == len(prompt) + holes:
                break
        written.append(count)
        state = states[0][0, len(text) - 2]
        draft = []
        for block in paradigm.heads.blocks:
            guesses = paradigm.backbone.embed.weight @ (state + F.silu(block.weight @ state + block.bias))  # pyright: ignore
            guesses[[VOCABULARY.mask, VOCABULARY.pad]] = -torch.inf
            draft.append(int(guesses.argmax()))
    return written


def test_every_pass_writes_as_many_tokens_as_the_algorithm_says(trained: MultiToken) -> None:
    several = 0
    for paradigm, canvas in ((trained, cycles(12, 7)), (model(tiny_backbone(1)), items(12, 3))):
        for row in range(12):
            prompt = canvas.ids_BL[row][~canvas.pad_BL[row] & ~canvas.holes_BL[row]].tolist()
            blank = suffix_canvas([prompt], int(canvas.holes_BL[row].sum()))
            seen = trace(paradigm, blank, names(1))
            ids, filled = seen.ids_BL[blank.holes_BL].tolist(), seen.filled_BL[blank.holes_BL].tolist()
            tokens = ids.index(VOCABULARY.eos) + 1 if VOCABULARY.eos in ids else len(ids)
            counts = Counter(filled[:tokens])
            found = [counts[call] for call in range(1, seen.calls + 1)]
            assert found == passes_by_hand(paradigm, prompt, len(ids))
            several += max(found) > 1
    assert several > 6


# the same distribution above temperature 0


def p_value(paradigm: MultiToken, rows: int = 8000) -> float:
    """Chi-square of texts of up to three tokens against the probability of every one of them."""

    def canvas(count: int, truth: Callable[[int, int], int] | None = None) -> Canvas:
        return suffix_canvas([[4, 5, 4, 1]] * count, 3, truth)

    with torch.inference_mode():
        law = paradigm.log_likelihood(canvas(len(TEXTS), lambda row, i: (*TEXTS[row], 1, 1, 1)[i]), names(len(TEXTS)))
    assert law.kind == "exact"
    assert float(law.nats_B.exp().sum()) == pytest.approx(1, rel=1e-5)
    ids = [tuple(row) for row in decoded(paradigm, canvas(rows))[:, 4:].tolist()]
    seen = Counter(row[: row.index(1) + 1] if 1 in row else row for row in ids)
    observed, expected = torch.tensor([seen[text] for text in TEXTS]), law.nats_B.exp() * rows
    rare = expected < 8
    bins = [torch.cat((x[~rare], x[rare].sum()[None])) for x in (observed, expected)]
    bins = [x[bins[1] > 0] for x in bins]
    return float(stats.chisquare(bins[0].numpy(), bins[1].numpy(), sum_check=False).pvalue)


def sampling(temperature: float = 1.0) -> MultiToken:
    return model(tiny_backbone(3, SMALL, torch.float32), temperature, SMALL)


def test_texts_are_drawn_from_the_causal_law() -> None:
    assert p_value(sampling()) > 1e-3


def test_a_wrong_acceptance_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(p: Tensor, q: Tensor, draft: Tensor, chance: Tensor, draw: Callable[[], Tensor]):
        return accept(p, q, draft, chance * 0, draw)

    monkeypatch.setattr("paradigms.decoders.verify.accept", everything)
    assert p_value(sampling()) < 1e-9


def test_drafts_are_sampled_apart_from_what_verifies_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the sample that chose the last token, drafts would come with it: the numbers of a pass are all different."""
    asked: list[float] = []
    plain = SeededNoise.uniform

    def listening(self: SeededNoise, *how: object, **named: object) -> Tensor:
        found = plain(self, *how, **named)  # pyright: ignore[reportArgumentType]
        asked.extend(found.flatten().tolist())
        return found

    monkeypatch.setattr(SeededNoise, "uniform", listening)
    decoded(sampling(), suffix_canvas([[4, 5, 4, 1]] * 4, 9))
    assert len(asked) > 50
    assert len(set(asked)) == len(asked)


# the objective, and what the heads cost


def test_the_loss_is_the_sum_of_every_heads_cross_entropy() -> None:
    """Term by term, token by token, from the logits of a text read whole."""
    paradigm, texts = model(tiny_backbone(2)), [(5, 6, 7, 8), (9, 1), (3, 4, 1)]
    canvas = suffix_canvas([[3, 6, 1], [4, 1], [7, 8, 9, 1]], [4, 2, 3], lambda row, i: texts[row][i])
    found = paradigm.loss(canvas, noise(*"abc"), 0.0)
    sums, counts = [0.0] * (HEADS + 1), [0] * (HEADS + 1)
    for row, prompt in enumerate(([3, 6, 1], [4, 1], [7, 8, 9, 1])):
        ids, states = torch.tensor([[*prompt, *texts[row]]]), []
        paradigm.backbone(ids, causal, pad_BL=torch.zeros_like(ids).bool(), states=states)
        for place, head in itertools.product(range(len(texts[row])), range(-1, HEADS)):
            if place + head + 1 < len(texts[row]):
                h = states[0][0, len(prompt) - 1 + place]
                block = None if head < 0 else paradigm.heads.blocks[head]
                h = h if block is None else h + F.silu(block(h))
                logits = (paradigm.backbone.embed.weight @ h).index_fill(0, torch.tensor([0, 2]), -torch.inf)
                sums[head + 1] -= float(logits.log_softmax(0)[texts[row][place + head + 1]].detach())
                counts[head + 1] += 1
    assert [int(count) for _, count in found.terms] == counts == [9, 6, 3, 1]
    assert [float(total.detach()) for total, _ in found.terms] == pytest.approx(sums, rel=1e-9)


def test_heads_are_counted_apart_once_a_row_and_pass() -> None:
    paradigm = tiny("multi_token")
    own = sum(weight.numel() for module in paradigm.own() for weight in module.parameters())
    assert own == 3 * (16 * 16 + 16)
    with torch.inference_mode(), metered(paradigm) as meter:
        next(iter(paradigm.decode(suffix_canvas([[3, 4, 5, 1]] * 2, 6), noise("a", "b"))))
    of_heads = 2 * 2 * 3 * 16 * (16 + 12)
    assert meter.flops == paradigm.backbone.flops(2, 4, 4, 1) + of_heads


@pytest.mark.parametrize("draft", [0, 65])
def test_the_number_of_heads_has_bounds(draft: int) -> None:
    with pytest.raises(ValueError, match=f"paradigm.draft={draft}: must be from 1 to 64"):
        tiny("multi_token", f"paradigm.draft={draft}")
