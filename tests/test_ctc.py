"""CTC against brute force: every alignment written out, collapsed by hand, its probability added to its text's."""

import itertools
import math
from collections import defaultdict, deque
from pathlib import Path

import pytest
import torch
from conftest import SMALL, VOCABULARY, cell, noise, row_of, suffix_canvas, tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from paradigms.base import Canvas
from paradigms.ctc import CTC, Decoder, collapse
from paradigms.decoders.prefix_beam import PrefixBeamSearch
from wordways.report.derive import quotas
from wordways.report.oracles import oracle_lines
from wordways.run.execute import run_cell
from wordways.run.trace import trace

EOS, BLANK = VOCABULARY.eos, VOCABULARY.mask
PROMPT = [4, 1]  # four slots
WORDS = range(3, 12)
Text = tuple[int, ...]


def ctc(*settings: str) -> CTC:
    paradigm = tiny("ctc", *settings)
    assert isinstance(paradigm, CTC)
    return paradigm


def canvas_of(texts: list[Text], holes: int, prompt: list[int] = PROMPT) -> Canvas:
    """Every text behind the same prompt, closed by end tokens."""
    closed = [[*text, *[EOS] * holes] for text in texts]
    return suffix_canvas([prompt] * len(texts), holes, truth=lambda row, i: closed[row][i])


def collapsed(slots: Text) -> Text:
    return tuple(token for token, _ in itertools.groupby(slots) if token != BLANK)


def law_of_slots(paradigm: CTC, prompt: list[int]) -> Tensor:
    """ln p of what each slot says, the long way: the prompt, and masks behind it."""
    canvas = suffix_canvas([prompt], paradigm.upsample * len(prompt))
    logits_SV = paradigm.backbone(canvas.ids_BL, paradigm.rule(canvas), pad_BL=canvas.pad_BL)[0, len(prompt) :]
    logits_SV[:, [VOCABULARY.pad, EOS]] = -torch.inf
    return logits_SV.log_softmax(-1)


def enumerated(paradigm: CTC, prompt: list[int]) -> dict[Text, float]:
    """The law of all texts, from all alignments."""
    chances = law_of_slots(paradigm, prompt).exp().tolist()
    law: defaultdict[Text, float] = defaultdict(float)
    for slots in itertools.product([BLANK, *WORDS], repeat=len(chances)):
        law[collapsed(slots)] += math.prod(p_V[token] for p_V, token in zip(chances, slots, strict=True))
    return law


def nats(paradigm: CTC, canvas: Canvas) -> Tensor:
    with torch.inference_mode():
        return -paradigm.log_likelihood(canvas, noise(*map(str, range(len(canvas.ids_BL))))).nats_B


def decoded(paradigm: CTC, canvas: Canvas, names: list[str]) -> Tensor:
    with torch.inference_mode():
        return deque(paradigm.decode(canvas, noise(*names)), maxlen=1).pop()


# the law


def test_a_text_is_as_likely_as_its_alignments_together() -> None:
    paradigm = ctc()
    law = enumerated(paradigm, PROMPT)
    assert sum(law.values()) == pytest.approx(1, rel=1e-12)
    assert max(map(len, law)) == 4
    assert () in law
    assert (5, 5) in law
    assert (5, 5, 5) not in law, "with blanks between them five slots"
    found = nats(paradigm, canvas_of(list(law), 5))
    torch.testing.assert_close((-found).exp(), torch.tensor(list(law.values()), dtype=torch.float64), rtol=1e-9, atol=0)


def test_where_the_holes_end_the_law_is_that_of_the_text_as_it_is_cut() -> None:
    paradigm = ctc()
    cut: defaultdict[Text, float] = defaultdict(float)
    for text, p in enumerated(paradigm, PROMPT).items():
        cut[text[:2]] += p
    found = nats(paradigm, canvas_of(list(cut), 2))
    torch.testing.assert_close((-found).exp(), torch.tensor(list(cut.values()), dtype=torch.float64), rtol=1e-9, atol=0)
    assert float((-found).exp().sum()) == pytest.approx(1, rel=1e-9)


@torch.inference_mode()
def test_a_token_costs_what_it_does_behind_those_before_it() -> None:
    paradigm, text = ctc(), (7, 7, 5)
    law = enumerated(paradigm, PROMPT)
    begins = [sum(p for other, p in law.items() if other[:n] == text[:n]) for n in range(4)]
    expected = [-math.log(begins[n + 1] / begins[n]) for n in range(3)] + [-math.log(law[text] / begins[3])]
    found, counted = paradigm.token_nats(canvas_of([text], 6), noise("a"))
    assert found[0].tolist() == pytest.approx([*expected, 0, 0], rel=1e-9)
    assert counted[0].tolist() == [True] * 4 + [False] * 2


def test_no_text_at_all_is_blanks_alone() -> None:
    paradigm = ctc()
    expected = -float(law_of_slots(paradigm, PROMPT)[:, BLANK].sum().detach())
    assert float(nats(paradigm, canvas_of([()], 3))) == pytest.approx(expected, rel=1e-9)


@torch.inference_mode()
def test_what_the_slots_cannot_hold_is_impossible() -> None:
    """Four slots: no five tokens, and no three equal ones, for which five would be needed."""
    paradigm = ctc()
    canvas = canvas_of([(5, 6, 7, 8, 9), (5, 5, 5), (5, 5, 6), (5, 6, 7, 8)], 6)
    assert nats(paradigm, canvas).isinf().tolist() == [True, True, False, False]
    per_token, counted = paradigm.token_nats(canvas, noise(*"abcd"))
    assert per_token[0].isinf().tolist() == [False] * 4 + [True] * 2
    assert per_token[1].isinf().tolist() == [False] * 2 + [True] * 2 + [False] * 2
    assert not per_token.isnan().any()
    assert counted.sum(1).tolist() == [6, 4, 4, 5]
    assert nats(ctc("paradigm.upsample=3"), canvas).isfinite().all(), "six slots hold them all"


def test_a_row_among_longer_prompts_is_the_row_alone() -> None:
    paradigm, prompts, texts = ctc(), [[3, 4, 5, 1], [6, 1], [1]], [(5, 9, 9, 1), (7, 7, 1, 1), (1, 1, 1, 1)]
    canvas = suffix_canvas(prompts, [4, 3, 4], truth=lambda row, i: texts[row][i])
    together = nats(paradigm, canvas)
    for row in range(3):
        assert float(nats(paradigm, row_of(canvas, row))) == pytest.approx(float(together[row]), rel=1e-12)


# the objective


def test_the_loss_is_the_law_of_whole_texts_per_token_they_hold() -> None:
    """Row by row from the enumeration; what is impossible counts neither above nor below the line."""
    paradigm, texts = ctc(), [(7, 7, 5), (5, 5, 5), (9,), (3, 4, 3)]
    law = enumerated(paradigm, PROMPT)
    expected = -sum(math.log(law[text]) for text in texts if text in law) / (3 + 1 + 3)
    loss = paradigm.loss(canvas_of(texts, 4), noise(*"abcd"), 0.0)
    assert float(loss.mean.detach()) == pytest.approx(expected, rel=1e-9)
    assert int(loss.supervised) == 7
    exact = paradigm.loss(canvas_of([(7, 7, 5)], 3), noise("a"), 0.0)
    assert float(exact.mean.detach()) == pytest.approx(-math.log(law[7, 7, 5]) / 3, rel=1e-9), "without an end the same"


def test_impossible_rows_teach_nothing() -> None:
    def gradients(texts: list[Text]) -> list[Tensor]:
        paradigm = ctc()
        loss = paradigm.loss(canvas_of(texts, 6), noise(*map(str, range(len(texts)))), 0.0).mean
        loss.backward()
        return [torch.zeros_like(w) if w.grad is None else w.grad for w in paradigm.parameters()]

    for one, other in zip(gradients([(7, 5), (5, 6, 7, 8, 9)]), gradients([(7, 5)]), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="upsample=2: no text of this batch fits into its slots"):
        gradients([(5, 5, 5)])


# the text


@given(st.lists(st.lists(st.sampled_from([BLANK, 5, 6, 7]), min_size=6, max_size=6), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_equal_neighbours_are_one_and_blanks_go(slots: list[list[int]]) -> None:
    found = collapse(torch.tensor(slots), BLANK, EOS).tolist()
    assert found == [[*collapsed(tuple(row)), *[EOS] * 6][:6] for row in slots]


class Planted(nn.Module):
    """Behind every prompt the same slots, for certain."""

    def __init__(self, slots: list[int]):
        super().__init__()
        self.slots = slots

    def forward(self, ids_BQ: Tensor, rule, *, pad_BL: Tensor, want_BW: Tensor) -> Tensor:
        logits_BWV = torch.full((*want_BW.shape, VOCABULARY.size), -100.0, dtype=torch.float64)
        logits_BWV[:, :, [VOCABULARY.pad, EOS]] = 100.0  # to be ruled out by the paradigm
        logits_BWV[:, range(len(self.slots)), self.slots] = 50.0
        return logits_BWV


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    ("slots", "holes", "expected"),
    [
        ([5, 5, BLANK, 5, 6, 6], 4, [5, 5, 6, EOS]),
        ([BLANK, 7, 8, 7, BLANK, BLANK], 8, [7, 8, 7, *[EOS] * 5]),
        ([5, 6, 7, 8, 9, 10], 4, [5, 6, 7, 8]),
        ([BLANK] * 6, 2, [EOS, EOS]),
    ],
)
def test_a_planted_alignment_is_read_off(temperature: float, slots: list[int], holes: int, expected: list[int]) -> None:
    paradigm = ctc(f"paradigm.decoder.temperature={temperature}")
    paradigm.backbone = Planted(slots)  # pyright: ignore[reportAttributeAccessIssue]
    ids_BL = decoded(paradigm, suffix_canvas([[3, 4, 1]], holes), ["a"])
    assert ids_BL[0].tolist() == [3, 4, 1, *expected]


def alignments(log_p_SV: Tensor) -> dict[Text, float]:
    """The probabilities of all texts, by summing over all alignments, one by one."""
    law: defaultdict[Text, float] = defaultdict(float)
    for slots in itertools.product(range(log_p_SV.shape[1]), repeat=len(log_p_SV)):
        law[collapsed(slots)] += math.exp(sum(float(log_p_SV[s, token]) for s, token in enumerate(slots)))
    return law


def told(ids_BS: Tensor) -> list[Text]:
    return [tuple(token for token in row if token != EOS) for row in ids_BS.tolist()]


def test_wide_beams_find_the_most_probable_of_all_texts() -> None:
    """Three words, up to four slots; a path's mode is another text in some of them."""
    generator, greedy_is_wrong = torch.Generator().manual_seed(0), 0
    logits_BSV = 1.5 * torch.randn(40, 4, 6, generator=generator, dtype=torch.float64)
    logits_BSV[:, :, [VOCABULARY.pad, EOS]] = -torch.inf
    logits_BSV[:, :, BLANK] += 0.5
    slots_B = torch.arange(40) % 4 + 1
    real_BS = torch.arange(4) < slots_B[:, None]
    found = told(PrefixBeamSearch(200)(logits_BSV, real_BS, BLANK, EOS, lambda: logits_BSV))
    paths = told(Decoder(0.0)(logits_BSV, real_BS, BLANK, EOS, lambda: logits_BSV))
    for row, log_p_SV in enumerate(logits_BSV.log_softmax(-1)):
        law = alignments(log_p_SV[: int(slots_B[row])])
        assert found[row] == max(law, key=lambda text: law[text])
        greedy_is_wrong += paths[row] != found[row]
    assert greedy_is_wrong > 5


def paper(log_p_SV: Tensor, beams: int) -> Text:
    """Hannun et al. (2014), algorithm 1 without a language model: dictionaries, slot by slot."""
    ends_in: dict[Text, tuple[float, float]] = {(): (1.0, 0.0)}  # in a blank, in a token
    for p_V in log_p_SV.exp().tolist():
        new: defaultdict[Text, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for text, (p_blank, p_token) in ends_in.items():
            new[text][0] += p_V[BLANK] * (p_blank + p_token)
            for token, p in enumerate(p_V):
                if token == BLANK or p == 0:
                    continue
                if text and token == text[-1]:
                    new[text][1] += p * p_token
                    new[(*text, token)][1] += p * p_blank
                else:
                    new[(*text, token)][1] += p * (p_blank + p_token)
        best = sorted(new, key=lambda text: -sum(new[text]))[:beams]
        ends_in = {text: (new[text][0], new[text][1]) for text in best}
    return max(ends_in, key=lambda text: sum(ends_in[text]))


@pytest.mark.parametrize("beams", [1, 2, 3, 8])
def test_narrow_beams_are_those_of_the_paper(beams: int) -> None:
    generator = torch.Generator().manual_seed(beams)
    logits_BSV = torch.randn(60, 9, 8, generator=generator, dtype=torch.float64)
    logits_BSV[:, :, [VOCABULARY.pad, EOS]] = -torch.inf
    logits_BSV[:, :, BLANK] += 1
    found = told(PrefixBeamSearch(beams)(logits_BSV, torch.ones(60, 9).bool(), BLANK, EOS, lambda: logits_BSV))
    assert found == [paper(log_p_SV, beams) for log_p_SV in logits_BSV.log_softmax(-1)]
    assert any(5 in text for text in found)


def test_a_text_of_three_paths_beats_the_best_path() -> None:
    """The drawing of the module: the best path is two blanks, 0.36, but "5" has 0.64."""
    logits_BSV = torch.full((1, 2, 12), -torch.inf, dtype=torch.float64)
    logits_BSV[:, :, 5], logits_BSV[:, :, BLANK] = math.log(0.4), math.log(0.6)
    both = torch.ones(1, 2).bool()
    assert told(Decoder(0.0)(logits_BSV, both, BLANK, EOS, lambda: logits_BSV)) == [()]
    assert told(PrefixBeamSearch(2)(logits_BSV, both, BLANK, EOS, lambda: logits_BSV)) == [(5,)]


def test_beams_out_of_range_are_named() -> None:
    for beams in (0, 257):
        with pytest.raises(ValueError, match=f"beams={beams}: must be from 1 to 256"):
            PrefixBeamSearch(beams)


def test_slots_that_are_not_a_rows_own_say_nothing() -> None:
    paradigm = ctc("paradigm.decoder.temperature=0")
    paradigm.backbone = Planted([5, 6, 7, 8, 9, 10])  # pyright: ignore[reportAttributeAccessIssue]
    ids_BL = decoded(paradigm, suffix_canvas([[3, 4, 1], [1]], [4, 3]), ["a", "b"])
    assert ids_BL[:, 3:].tolist() == [[5, 6, 7, 8], [5, 6, EOS, VOCABULARY.pad]]


def test_it_is_one_call_over_prompt_and_slots_however_many_holes() -> None:
    for holes in (2, 30):
        seen = trace(ctc("paradigm.upsample=3"), suffix_canvas([[3, 4, 5, 1], [6, 1]], holes), noise("a", "b"))
        assert (seen.calls, seen.positions) == (1, 2 * (4 + 3 * 4))


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="upsample=0: must be from 1 to 100"):
        ctc("paradigm.upsample=0")
    with pytest.raises(ValueError, match=r"temperature=-1\.0: must be at least 0"):
        ctc("paradigm.decoder.temperature=-1.0")


# what the harness makes of slots that are no holes


def test_nothing_is_claimed_of_holes_that_have_no_law(tmp_path: Path) -> None:
    small = [s for s in SMALL if not s.startswith(("task.n", "task.alphabet", "task.operations"))]
    record = run_cell(cell(
        "paradigm=ctc", "paradigm.upsample=10", "task=hidden_markov", "task.n=4", *small,  # an empty prompt: one token
        f"results={tmp_path}", f"checkpoints={tmp_path}/c",
    ))  # fmt: skip
    assert record.status == "ok", record.reason
    assert record.likelihood is not None
    assert record.trace is not None
    assert (record.likelihood["kind"], record.likelihood["exposure"]) == ("exact", None)
    assert {entry["workload"] for entry in record.timing} == {"natural"}, "its length cannot be forced"
    assert record.trace["aligned"] is False
    assert set(map(tuple, record.trace["filled"])) == {(1,) * 4}, "one pass, but not one draw a hole"
    assert quotas(record, record.groups()[0]) is None
    assert oracle_lines([record]) == []
    assert [call["likeliest"] for film in record.replay for call in film["calls"]] == [[]] * len(record.replay)
