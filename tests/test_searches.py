"""Beam search and contrastive search against transformers, against all texts, and against the papers' formulas."""

import itertools
import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from conftest import VOCABULARY, noise, suffix_canvas, tiny, tiny_backbone
from torch import Tensor, nn

from paradigms.autoregressive import Autoregressive, Decoder
from paradigms.base import Canvas, Vocabulary
from paradigms.decoders.beam import Beams, BeamSearch
from paradigms.decoders.contrastive import ContrastiveSearch
from paradigms.trunk.attention import causal
from paradigms.trunk.backbone import Backbone
from wordways.run.trace import trace
from wordways.speed.llama import llama_of

EOS, NEVER = VOCABULARY.eos, [VOCABULARY.mask, VOCABULARY.pad]
SMALL = Vocabulary(size=6, mask=2, eos=1, pad=0)


def model(
    decoder: object, seed: int = 0, vocabulary: Vocabulary = VOCABULARY, prompt: str = "causal"
) -> Autoregressive:
    return Autoregressive(vocabulary, tiny_backbone(seed, vocabulary), prompt, decoder).eval()  # pyright: ignore[reportArgumentType]


@torch.inference_mode()
def decoded(paradigm: Autoregressive, canvas: Canvas) -> Tensor:
    names = [str(row) for row in range(len(canvas.ids_BL))]
    return deque(paradigm.decode(canvas, noise(*names)), maxlen=1).pop()


def items(count: int, seed: int) -> Canvas:
    """Prompts and canvases of several lengths."""
    rng = random.Random(seed)
    prompts = [[rng.randint(3, 11) for _ in range(rng.randint(0, 5))] + [1] for _ in range(count)]
    return suffix_canvas(prompts, [rng.randint(1, 12) for _ in range(count)])


# beam search


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("beams", [2, 4, 7])
def test_beams_generate_what_those_of_transformers_generate(beams: int, alpha: float) -> None:
    """Token for token, twenty prompts in one batch of ours and one by one in theirs."""
    paradigm, canvas, ended = model(BeamSearch(beams, alpha), seed=3), items(20, beams), 0
    paradigm.backbone.embed.weight.data[EOS] *= 1.5
    texts = decoded(paradigm, canvas)
    theirs: Any = llama_of(paradigm, 40)

    def forbid(_: object, __: object, logits: Tensor) -> Tensor:
        return logits.index_fill(-1, torch.tensor(NEVER), -torch.inf)

    theirs.lm_head.register_forward_hook(forbid)
    for row in range(20):
        prompt = canvas.ids_BL[row][~canvas.pad_BL[row] & ~canvas.holes_BL[row]]
        holes = int(canvas.holes_BL[row].sum())
        found = theirs.generate(
            prompt[None], attention_mask=torch.ones_like(prompt)[None], do_sample=False, num_beams=beams,
            length_penalty=alpha, early_stopping="never", max_new_tokens=holes,
        )[0, len(prompt) :].tolist()  # fmt: skip
        expected = [*found[: found.index(EOS)], *[EOS] * holes][:holes] if EOS in found else found
        assert texts[row][canvas.holes_BL[row]].tolist() == expected
        ended += EOS in found
    assert 2 < ended < 20 or alpha, "some texts end, others fill their holes"


def all_scores(
    paradigm: Autoregressive, prompt: Sequence[int], holes: int, alpha: float
) -> dict[tuple[int, ...], float]:
    """log p / n^alpha of every text, each by the likelihood."""
    words = [token for token in range(paradigm.vocabulary.size) if token not in (0, 1, 2)]
    texts: list[tuple[int, ...]] = [(*said, EOS) for n in range(holes) for said in itertools.product(words, repeat=n)]
    texts += list(itertools.product(words, repeat=holes))
    canvas = suffix_canvas([list(prompt)] * len(texts), holes, lambda row, i: (*texts[row], *[EOS] * holes)[i])
    with torch.inference_mode():
        nats = paradigm.log_likelihood(canvas, noise(*map(str, range(len(texts))))).nats_B.tolist()
    return {text: log_p / len(text) ** alpha for text, log_p in zip(texts, nats, strict=True)}


@pytest.mark.parametrize("prompt", ["causal", "bidirectional"])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_as_many_beams_as_beginnings_find_the_best_of_all_texts(alpha: float, prompt: str) -> None:
    missed = 0
    for seed in range(12):
        wide, narrow = (model(BeamSearch(beams, alpha), seed, SMALL, prompt) for beams in (64, 1))
        scores = all_scores(wide, [4, 5, 1], 4, alpha)
        best = max(scores, key=lambda text: scores[text])
        found, greedy = (tuple(decoded(one, suffix_canvas([[4, 5, 1]], 4))[0, 3:].tolist()) for one in (wide, narrow))
        assert found == (*best, *[EOS] * 4)[:4]
        missed += found != greedy
    assert missed, "greedy decoding finds them as well: nothing is shown"


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_search_that_stops_early_loses_nothing(alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same texts as when every row goes on to its last hole, in fewer passes."""
    paradigm, canvas = model(BeamSearch(3, alpha), seed=5), suffix_canvas([[3, 4, 1], [6, 1], [8, 9, 1]], 12)
    paradigm.backbone.embed.weight.data[EOS] *= 2
    soon = trace(paradigm, canvas, noise(*"abc"))

    monkeypatch.setattr(Beams, "could_win", lambda self, score_b: score_b > -torch.inf)
    late = trace(paradigm, canvas, noise(*"abc"))
    assert torch.equal(soon.ids_BL, late.ids_BL)
    assert soon.calls < late.calls == 12


def test_the_backbone_reads_every_beam() -> None:
    """Four positions of the prompt, then k a pass; the last token is never read."""
    paradigm = model(BeamSearch(3, 0.0), seed=1)
    paradigm.backbone.embed.weight.data[EOS] = -paradigm.backbone.embed.weight.data.sum(0)
    seen = trace(paradigm, suffix_canvas([[3, 4, 5, 1]], 6), noise("a"))
    assert seen.calls == seen.evaluations // 3 + 1
    assert seen.positions == 4 + 3 * (seen.calls - 1)


def test_a_text_that_is_overtaken_is_seen_to_be_revised() -> None:
    """A first token that begins no good text: greedy keeps it, the beams exchange it, and the trace tells."""
    revised = 0
    for seed in range(12):
        seen = trace(model(BeamSearch(4, 0.0), seed), suffix_canvas([[3, 4, 5, 1]], 6), noise("a"))
        assert bool((seen.settled_BL >= seen.filled_BL).all())
        revised += bool((seen.settled_BL > seen.filled_BL).any())
    assert revised


# contrastive search


@torch.inference_mode()
def states_and_law(backbone: Backbone, ids: list[int]) -> tuple[Tensor, Tensor]:
    """Hidden states of all tokens, and the distribution of the next one: layers by hand, the whole text read anew."""
    kept: list[Tensor] = []
    last: nn.Module = backbone.layers[-1]

    def keep(_: nn.Module, __: object, x_MD: Tensor) -> None:
        kept.append(x_MD)

    handle = last.register_forward_hook(keep)
    row = torch.tensor([ids])
    logits = backbone(row, causal, pad_BL=torch.zeros_like(row, dtype=torch.bool))[0, -1]
    handle.remove()
    logits[NEVER] = -torch.inf
    scale = (kept[0] ** 2).mean(1, keepdim=True) + 1e-5
    return kept[0] / scale.sqrt() * backbone.norm.weight, logits.softmax(-1)


def searched(backbone: Backbone, prompt: list[int], holes: int, k: int, alpha: float) -> list[int]:
    """Equation 5 of Su et al. (2022), a text at a time, a candidate at a time."""
    text = list(prompt)
    while len(text) < len(prompt) + holes and (len(text) == len(prompt) or text[-1] != EOS):
        before, law = states_and_law(backbone, text)
        scores = {}
        for candidate in law.topk(k)[1].tolist():
            after, _ = states_and_law(backbone, [*text, candidate])
            cosines = [float(after[-1] @ h / after[-1].norm() / h.norm()) for h in before]
            scores[candidate] = (1 - alpha) * float(law[candidate]) - alpha * max(cosines)
        text.append(max(scores, key=lambda token: scores[token]))
    return [*text[len(prompt) :], *[EOS] * holes][:holes]


@pytest.mark.parametrize(("k", "alpha"), [(4, 0.6), (3, 0.2), (9, 1.0), (1, 0.6), (5, 0.0)])
def test_contrastive_search_is_that_of_the_paper(k: int, alpha: float) -> None:
    paradigm, canvas = model(ContrastiveSearch(k, alpha), seed=2), items(12, 7)
    texts, greedy = decoded(paradigm, canvas), decoded(model(Decoder(0.0), seed=2), canvas)
    for row in range(12):
        prompt = canvas.ids_BL[row][~canvas.pad_BL[row] & ~canvas.holes_BL[row]].tolist()
        expected = searched(paradigm.backbone, prompt, int(canvas.holes_BL[row].sum()), k, alpha)
        assert texts[row][canvas.holes_BL[row]].tolist() == expected
    assert torch.equal(texts, greedy) == (k == 1 or alpha == 0)


def test_it_reads_the_prompt_and_then_all_candidates_of_every_token() -> None:
    seen = trace(model(ContrastiveSearch(4, 0.6)), suffix_canvas([[3, 4, 5, 1]], 6), noise("a"))
    tokens = int(seen.filled_BL.max()) - 1
    assert (seen.calls, seen.positions) == (1 + tokens, 4 + 4 * tokens)


def test_hidden_states_are_those_below_the_head() -> None:
    """Under padding, too, where the trunk computes fewer positions than it is given."""
    backbone, canvas = tiny_backbone(), items(6, 0)
    states: list[Tensor] = []
    logits_BLV = backbone(canvas.ids_BL, causal, pad_BL=canvas.pad_BL, states=states)
    expected_BLV = states[0] @ backbone.embed.weight.T
    torch.testing.assert_close(logits_BLV[~canvas.pad_BL], expected_BLV[~canvas.pad_BL])


# settings


@pytest.mark.parametrize(
    ("preset", "setting", "message"),
    [
        ("beam_4", "beams=0", "beams=0: must be from 1 to 1,000"),
        ("beam_4", "beams=1001", "beams=1001: must be from 1 to 1,000"),
        ("beam_4", "length_penalty=-0.5", "length_penalty=-0.5: must be at least 0"),
        ("beam_4", "length_penalty=11.0", "length_penalty=11.0: must be at most 10"),
        ("contrastive", "candidates=0", "candidates=0: must be from 1 to 1,000"),
        ("contrastive", "alpha=1.5", "alpha=1.5: must be from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_named(preset: str, setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"paradigm.decoder.{message}"):
        tiny(f"autoregressive_{preset}", f"paradigm.decoder.{setting}")


def test_the_prefix_model_searches_as_well() -> None:
    paradigm = tiny("autoregressive_prefix", "decoder@paradigm.decoder=beam")
    assert isinstance(paradigm, Autoregressive)
    assert (paradigm.prompt, paradigm.decoder) == ("bidirectional", BeamSearch())
    assert not (decoded(paradigm, items(3, 1)) == VOCABULARY.mask).any()
