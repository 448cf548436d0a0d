"""Edits against slow references: orders by recursion, laws as Markov chains over all strings, planted policies."""

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from conftest import CPU, VOCABULARY, noise, row_of, suffix_canvas, tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from paradigms.base import Canvas, Edited, Noise
from paradigms.decoders.edits import EditAndStop
from paradigms.decoders.insertions import gap_by_gap, one_by_one
from paradigms.edit import Edit
from tasks.error_injection import ErrorInjection
from tasks.list_operations import ListOperations
from wordways.run.detection import detection
from wordways.run.noise import SeededNoise
from wordways.run.replay import watch
from wordways.run.subject import Subject
from wordways.run.text import build_text
from wordways.run.trace import trace

EOS, NONE, DELETE = VOCABULARY.eos, VOCABULARY.mask, VOCABULARY.pad
WORDS = range(3, 12)
PROMPT = [4, 1]
KINDS = ("edit", "edit_one")
Text = tuple[int, ...]


def edit(preset: str, *settings: str, dtype: torch.dtype = torch.float64) -> Edit:
    paradigm = tiny(preset, *settings, dtype=dtype)
    assert isinstance(paradigm, Edit)
    return paradigm


def canvas_of(texts: Sequence[Text], holes: int) -> Canvas:
    closed = [[*text, *[EOS] * holes] for text in texts]
    return suffix_canvas([PROMPT] * len(texts), holes, truth=lambda row, i: closed[row][i])


def names(count: int) -> SeededNoise:
    return noise(*map(str, range(count)))


def decoded(paradigm: Edit, canvas: Canvas) -> list[Text]:
    with torch.inference_mode():
        ids_BL = deque(paradigm.decode(canvas, names(len(canvas.ids_BL))), maxlen=1).pop()
    rows = zip(ids_BL, canvas.holes_BL, strict=True)
    return [tuple(itertools.takewhile(lambda i: i != EOS, ids_L[holes_L].tolist())) for ids_L, holes_L in rows]


# orders


def depths(chance: Sequence[float], level: int = 0) -> list[int]:
    """Of a search tree, by recursion: the token with the least priority, then what is left and right of it."""
    if not chance:
        return []
    root = min(range(len(chance)), key=chance.__getitem__)
    return [*depths(chance[:root], level + 1), level, *depths(chance[root + 1 :], level + 1)]


@given(st.lists(st.lists(st.floats(0.01, 0.99), max_size=7, unique=True), min_size=1, max_size=4))
def test_depths_are_those_of_a_search_tree_and_of_a_permutation(rows: list[list[float]]) -> None:
    chance_BH, text_BH = torch.full((len(rows), 8), 0.001, dtype=torch.float64), torch.zeros(len(rows), 8).bool()
    for row, chance in enumerate(rows):
        chance_BH[row, : len(chance)], text_BH[row, : len(chance)] = torch.tensor(chance, dtype=torch.float64), True
    for found, expected in (
        (gap_by_gap, depths),
        (one_by_one, lambda chance: [sorted(chance).index(u) for u in chance]),
    ):
        found_BH = found(chance_BH, text_BH)
        assert [d[t].tolist() for d, t in zip(found_BH, text_BH, strict=True)] == [expected(chance) for chance in rows]


# training states


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=3), st.integers(0, 10**6))
def test_the_edits_of_a_state_turn_it_into_the_target(kind: str, texts: list[list[int]], seed: int) -> None:
    paradigm, canvas = edit(kind, "paradigm.wrong=0.6"), canvas_of([tuple(text) for text in texts], 7)
    draws, rows = noise(*map(str, range(len(texts))), seed=seed), len(texts)
    state = paradigm.state(canvas, draws.uniform(9, torch.arange(rows), ())[:], draws, 0, torch.full((rows,), 0.6))
    for row, text in enumerate(texts):
        now = state.ids_BT[row][state.real_BT[row]].tolist()
        todo = [
            (int(at), int(what))
            for at, what, real in zip(state.where_BE[row], state.what_BE[row], state.todo_BE[row], strict=True)
            if real
        ]
        behind = [[what for at, what in todo if at == place and what != DELETE] for place in range(len(now) + 1)]
        gone = {at for at, what in todo if what == DELETE}
        assert all(1 <= at <= len(now) for at in gone)
        made = list(behind[0])
        for place, token in enumerate(now, 1):
            made += [token] * (place not in gone) + behind[place]
            assert not (place in gone and behind[place]), "a wrong token is deleted, and nothing is inserted behind it"
        assert made == text
        assert int(state.weight_B[row]) >= (
            len(text) + 1 if kind == "edit_one" else math.ceil(math.log2(len(text) + 1))
        )


def test_states_of_one_order_are_all_equally_likely() -> None:
    """Of three tokens every subset of a size is as frequent as the others, and sizes are, too."""
    paradigm, rows = edit("edit_one", "paradigm.wrong=0"), 4000
    canvas, draws = canvas_of([(5, 6, 7)] * rows, 4), names(rows)
    state = paradigm.state(canvas, draws.uniform(9, torch.arange(rows), ()), draws, 0, torch.zeros(rows))
    seen = Counter(tuple(ids[real].tolist()) for ids, real in zip(state.ids_BT, state.real_BT, strict=True))
    expected = {
        kept: rows / 4 / math.comb(3, size) for size in range(4) for kept in itertools.combinations((5, 6, 7), size)
    }
    assert seen.keys() == expected.keys()
    assert stats.chisquare([seen[kept] for kept in expected], list(expected.values())).pvalue > 1e-3


# the law, as a Markov chain over all strings


def odds_of(paradigm: Edit, text: Text, room: int) -> list[dict[int, float]]:
    """For every position the odds of each possible edit against none, the long way: one text, no batch."""
    ids = torch.tensor([[*PROMPT, *text]])
    logits_QV = paradigm.backbone(ids, paradigm.rule(canvas_of([()], 1)), pad_BL=torch.zeros_like(ids).bool())[0]
    found = []
    for place in range(len(text) + 1):
        logits_V = logits_QV[len(PROMPT) - 1 + place].tolist()
        possible = [*WORDS] * (len(text) < room) + [DELETE] * (place > 0 and paradigm.wrong > 0)
        found.append({what: math.exp(logits_V[what] - logits_V[NONE]) for what in possible})
    return found


def after(text: Text, edits: dict[int, int], room: int) -> Text:
    """The text after edits by position; insertions that do not fit are left out, the rightmost first."""
    stays = [place for place in range(1, len(text) + 1) if edits.get(place) != DELETE]
    inserts = [place for place in sorted(edits) if edits[place] != DELETE][: room - len(stays)]
    made: list[int] = []
    for place in range(len(text) + 1):
        made += [text[place - 1]] if place in stays else []
        made += [edits[place]] if place in inserts else []
    return tuple(made)


def steps(paradigm: Edit, text: Text, room: int) -> Counter[Text]:
    """The distribution of the text after one more pass."""
    odds, law = odds_of(paradigm, text, room), Counter[Text]()
    if paradigm.per_pass == "one":
        whole = 1 + sum(sum(of.values()) for of in odds)
        law[text] += 1 / whole  # type: ignore[assignment]
        for place, of in enumerate(odds):
            for what, o in of.items():
                law[after(text, {place: what}, room)] += o / whole  # type: ignore[assignment]
        return law
    for chosen in itertools.product(*([(NONE, 1.0), *of.items()] for of in odds)):
        p = math.prod(o / (1 + sum(of.values())) for (_, o), of in zip(chosen, odds, strict=True))
        edits = {place: what for place, (what, _) in enumerate(chosen) if what != NONE}
        law[after(text, edits, room)] += p  # type: ignore[assignment]
    return law


def chain(paradigm: Edit, room: int) -> Counter[Text]:
    """The law of final texts: what has not changed in a pass has ended, and 2 room + 2 passes are all there are."""
    texts = [text for size in range(room + 1) for text in itertools.product(WORDS, repeat=size)]
    table = {text: steps(paradigm, text, room) for text in texts}
    open_, ended = Counter({(): 1.0}), Counter[Text]()
    for left in reversed(range(2 * room + 2)):
        now, open_ = open_, Counter()
        for text, p in now.items():
            for grown, q in table[text].items():
                (ended if grown == text or not left else open_)[grown] += p * q  # type: ignore[assignment]
    assert sum(ended.values()) == pytest.approx(1, rel=1e-9)
    return ended


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [0.0, 0.2])
def test_texts_are_drawn_from_the_chain_over_all_strings(kind: str, wrong: float) -> None:
    """Texts, and with them their lengths: 91 strings of up to two of nine words."""
    rows, settings = 6000, ("decoding.temperature=1", f"paradigm.wrong={wrong}")
    law = chain(edit(kind, *settings), 2)
    canvas = suffix_canvas([PROMPT] * rows, 2)
    seen = Counter(decoded(edit(kind, *settings, dtype=torch.float32), canvas))
    assert seen.keys() <= law.keys()
    expected = torch.tensor([law[text] * rows for text in law], dtype=torch.float64)
    observed = torch.tensor([seen[text] for text in law], dtype=torch.float64)
    rare = expected < 8
    bins = [torch.cat((x[~rare], x[rare].sum()[None])).numpy() for x in (observed, expected)]
    assert stats.chisquare(bins[0], bins[1], sum_check=False).pvalue > 1e-3
    lengths = [sum(p for text, p in law.items() if len(text) == n) for n in range(3)]
    found = [sum(count for text, count in seen.items() if len(text) == n) / rows for n in range(3)]
    assert found == pytest.approx(lengths, abs=4 * 0.5 / rows**0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihood_is_the_chains_where_nothing_is_deleted_and_below_it_elsewhere(kind: str) -> None:
    for wrong in (0.0, 0.2):
        paradigm = edit(kind, f"paradigm.wrong={wrong}")
        law = chain(paradigm, 2)
        with torch.inference_mode():
            found = paradigm.log_likelihood(canvas_of(list(law), 2), names(len(law)))
        expected_B = torch.tensor(list(law.values()), dtype=torch.float64)
        assert found.kind == ("bound" if wrong else "exact")
        if wrong:
            assert bool((found.nats_B.exp() < expected_B * (1 + 1e-9)).all())
            assert float(found.nats_B.exp().sum()) > 0.1, "detours are not all there is"
        else:
            torch.testing.assert_close(found.nats_B.exp(), expected_B, rtol=1e-9, atol=0)


def paths(paradigm: Edit, target: Text, kept: Text, room: int) -> Iterator[tuple[float, float]]:
    """ln p and ln q of every way of the training's q to insert all of the target; kept are numbers of its tokens."""
    text, odds = tuple(target[i] for i in kept), odds_of(paradigm, tuple(target[i] for i in kept), room)
    gaps = [
        [i for i in range(len(target)) if i not in kept and sum(k < i for k in kept) == g] for g in range(len(odds))
    ]
    whole = [1 + sum(of.values()) for of in odds]
    if len(text) == len(target):
        joint = -math.log(1 + sum(w - 1 for w in whole))
        yield (joint if paradigm.per_pass == "one" else -sum(map(math.log, whole))), 0.0
        return
    if paradigm.per_pass == "one":
        sampled = [{gap: i} for gap, missing in enumerate(gaps) for i in missing]
    else:
        found = itertools.product(*(missing or [None] for missing in gaps))
        sampled = [{gap: i for gap, i in enumerate(chosen) if i is not None} for chosen in found]
    for edits in sampled:
        ln_p = sum(math.log(odds[gap][target[i]]) for gap, i in edits.items())
        ln_p -= math.log(1 + sum(w - 1 for w in whole)) if paradigm.per_pass == "one" else sum(map(math.log, whole))
        for rest_p, rest_q in paths(paradigm, target, tuple(sorted((*kept, *edits.values()))), room):
            yield ln_p + rest_p, rest_q - math.log(len(sampled))


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_is_the_mean_over_orders_and_below_the_sum_over_them(kind: str) -> None:
    paradigm, text = edit(kind, "paradigm.wrong=0"), (5, 6, 5, 7)
    found = list(paths(paradigm, text, (), 5))
    assert sum(math.exp(q) for _, q in found) == pytest.approx(1)
    expected = sum(math.exp(q) * (p - q) for p, q in found)
    exact = math.log(sum(math.exp(p) for p, _ in found))
    canvas = canvas_of([text] * 8, 5)
    with torch.inference_mode():
        sampled = paradigm.bound(canvas, names(8))
        mean_B, se_B = sampled.nats_B, sampled.se_B
        law = paradigm.log_likelihood(canvas, names(8))
    assert abs(float(mean_B.mean()) - expected) < 4 * float(se_B.mean()) / 8**0.5
    assert expected < float(law.nats_B[0]) + 1e-9
    if kind == "edit_one":  # separate gaps may also wait, which no sampled order does
        assert float(law.nats_B[0]) == pytest.approx(exact, rel=1e-9)
    else:
        assert exact < float(law.nats_B[0])
    with torch.inference_mode():
        losses = [float(paradigm.loss(canvas, noise(*(f"{s}/{i}" for i in range(8))), 0.0).mean) for s in range(150)]
    mean = sum(losses) / len(losses)
    assert abs(mean + expected / 5) < 4 * stats.sem(losses), "what is trained is the bound, per token and end"


def test_a_long_text_has_a_bound_with_an_error() -> None:
    paradigm = edit("edit_one", "paradigm.wrong=0")
    with torch.inference_mode():
        law = paradigm.log_likelihood(canvas_of([(5, 6, 7), (5,) * 9], 10), names(2))
    assert law.kind == "bound"
    assert (law.se_B > 0).tolist() == [False, True]


# planted policies


class Planted(nn.Module):
    """Logits that know the target, of different words in ascending order: all other tokens are wrong.

    wanted: at every gap one of its missing words, the middle one.
    """

    def __init__(self, target: Sequence[int], start: int = 2, behind: int = 0):
        super().__init__()
        self.target, self.start, self.behind = target, start, behind
        self.embed = nn.Embedding(1, 1)

    def flops(self, *_: Any) -> int:
        return 0

    def bytes_moved(self, *_: Any) -> int:
        return 0

    def forward(self, ids_BQ: Tensor, rule: Any, *, pad_BL: Tensor, want_BW: Tensor) -> Tensor:
        logits_BWV = torch.full((*want_BW.shape, VOCABULARY.size), -50.0)
        for row, (ids, pad) in enumerate(zip(ids_BQ.tolist(), pad_BL.tolist(), strict=True)):
            real = [token for token, hidden in zip(ids, pad, strict=True) if not hidden]
            text = real[self.start : len(real) - self.behind]
            assert want_BW[row, 0] == self.start - 1
            for place, (token, logits_V) in enumerate(zip([None, *text], logits_BWV[row], strict=False)):
                logits_V[self.decided(text, place, token)] = 0
        return logits_BWV

    def decided(self, text: list[int], place: int, token: int | None) -> int:
        if token is not None and token not in self.target:
            return DELETE
        low = max((t for t in text[:place] if t in self.target), default=0)
        high = min((t for t in text[place:] if t in self.target), default=VOCABULARY.size)
        missing = [t for t in self.target if low < t < high]
        return missing[len(missing) // 2] if missing else NONE


def planted(backbone: nn.Module, per_pass: Any = "all", temperature: float = 0.0) -> Edit:
    return Edit(VOCABULARY, backbone, per_pass, 0.2, EditAndStop(temperature))  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("per_pass", "calls"), [("all", 4), ("one", 8)])
def test_a_policy_that_knows_the_target_writes_it_from_nothing(per_pass: str, calls: int, temperature: float) -> None:
    """Seven tokens: in halves, and one pass more that changes nothing; or one by one."""
    paradigm = planted(Planted([3, 4, 5, 6, 7, 8, 9]), per_pass, temperature)
    seen = trace(paradigm, suffix_canvas([[11, 1]], 9), noise("a"))
    assert seen.ids_BL[0, 2:].tolist() == [3, 4, 5, 6, 7, 8, 9, EOS, EOS]
    assert seen.calls == calls
    assert torch.equal(seen.filled_BL, seen.settled_BL)
    if per_pass == "all":
        assert seen.filled_BL[0, 2:].tolist() == [3, 2, 3, 1, 3, 2, 3, 4, 4], "the middle first, wherever it stood then"
    else:
        assert sorted(seen.filled_BL[0, 2:].tolist()) == [*range(1, 9), 8]


@pytest.mark.parametrize("per_pass", ["all", "one"])
@pytest.mark.parametrize("draft", [[10, 4, 11, 6], [10, 10, 10, 10], [3, 4, 5, 6], [3], [4, 10, 5]])
def test_a_policy_that_knows_the_target_corrects_any_draft(per_pass: str, draft: list[int]) -> None:
    """Also one that fills the room: then a token must go before another comes."""
    for room in (4, 6):
        canvas = suffix_canvas([[11, 1]], room, truth=lambda _, i: (*draft, *[EOS] * 6)[i])
        seen = trace(planted(Planted([3, 4, 5, 6]), per_pass), canvas, noise("a"))
        assert seen.ids_BL[0, 2:].tolist() == [3, 4, 5, 6, EOS, EOS][:room]
        for column, token in enumerate([3, 4, 5, 6], 2):
            assert (int(seen.filled_BL[0, column]) == 0) == (token in draft), "a token of the draft is not filled in"


def test_a_span_of_unknown_length_is_filled_between_its_sides() -> None:
    ids = torch.tensor([[11, 1, 2, 2, 2, 2, 8, 9]])
    canvas = Canvas(ids, ids == VOCABULARY.mask, torch.zeros_like(ids).bool())
    *_, ids_BL = planted(Planted([4, 6], behind=2)).decode(canvas, noise("a"))
    assert ids_BL[0].tolist() == [11, 1, 4, 6, EOS, EOS, 8, 9]


def test_a_text_that_wants_more_room_stops_where_it_ends() -> None:
    *_, ids_BL = planted(Planted([3, 4, 5, 6, 7, 8, 9])).decode(suffix_canvas([[11, 1]], 5), noise("a"))
    assert ids_BL[0, 2:].tolist() == [3, 4, 5, 6, 8], "the middle, both halves, then the leftmost of four"


LAW: dict[Text, float] = {(): 0.1, (3,): 0.2, (3, 4): 0.25, (4, 3): 0.1, (3, 3, 4): 0.2, (4, 3, 3, 4): 0.15}


class Ideal(Planted):
    """Knows which edits lead from a text to one of the law, if all its parts of a size are equally likely."""

    def forward(self, ids_BQ: Tensor, rule: Any, *, pad_BL: Tensor, want_BW: Tensor) -> Tensor:
        logits_BWV = torch.zeros(*want_BW.shape, VOCABULARY.size, dtype=torch.float64)
        for row, (ids, pad) in enumerate(zip(ids_BQ.tolist(), pad_BL.tolist(), strict=True)):
            now = tuple(token for token, hidden in zip(ids, pad, strict=True) if not hidden)[self.start :]
            for text, p in LAW.items():
                for kept in itertools.combinations(range(len(text)), len(now)):
                    missing = [i for i in range(len(text)) if i not in kept]
                    if tuple(text[i] for i in kept) != now:
                        continue
                    share = p / math.comb(len(text), len(now)) / max(1, len(missing))
                    for i in missing:
                        logits_BWV[row, sum(k < i for k in kept), text[i]] += share
                    logits_BWV[row, :, NONE] += share * (not missing)
        return logits_BWV.clamp(min=1e-40).log()


def test_one_edit_a_pass_lets_an_ideal_model_draw_from_the_data() -> None:
    """Texts, and with them their lengths, have the probabilities of the data, whatever the order of insertion."""
    paradigm = Edit(VOCABULARY, Ideal([]), "one", 0.0, EditAndStop())  # type: ignore[arg-type]
    found = paradigm.log_likelihood(canvas_of(list(LAW), 5), names(len(LAW)))
    assert found.kind == "exact"
    assert found.nats_B.exp().tolist() == pytest.approx(list(LAW.values()), rel=1e-6)
    rows = 3000
    seen = Counter(decoded(paradigm, suffix_canvas([PROMPT] * rows, 5)))
    assert seen.keys() == LAW.keys()
    assert stats.chisquare([seen[text] for text in LAW], [p * rows for p in LAW.values()]).pvalue > 1e-3


class Restless(Planted):
    """Inserts a token into the empty text, and deletes it."""

    def decided(self, text: list[int], place: int, token: int | None) -> int:
        return DELETE if place else NONE if text else 5


def test_inserting_and_deleting_ends() -> None:
    seen = trace(planted(Restless([])), suffix_canvas([[11, 1]], 3), noise("a"))
    assert seen.calls == 2 * 3 + 2
    assert seen.ids_BL[0, 2:].tolist() == [EOS] * 3
    both = trace(planted(Restless([])), suffix_canvas([[11, 1], [10, 1]], [3, 1]), noise("a", "b"))
    assert (both.calls, both.evaluations) == (8, 8 + 4), "every row ends by its own room"


# identities


class Script(Edit):
    """Given passes: what stands in the holes, and where it stood."""

    def __init__(self, passes: Sequence[tuple[list[int], list[int]]]):
        super().__init__(VOCABULARY, tiny("edit").backbone, "all", 0.0, EditAndStop())
        self.passes = passes

    def edits(self, canvas: Canvas, noise: Noise) -> Iterator[Edited]:
        for ids, stood in self.passes:
            self.backbone(canvas.ids_BL, self.rule(canvas), pad_BL=canvas.pad_BL)
            yield Edited(torch.tensor([[3, 1, *ids]]), torch.tensor([[0, 1, *stood]]))


def test_a_trace_follows_tokens_and_not_columns() -> None:
    a, b, c, d = 5, 6, 7, 8
    passes = [
        ([b, NONE, NONE, NONE], [-1, -1, -1, -1]),
        ([a, b, c, NONE], [-1, 2, -1, -1]),  # b moves
        ([b, d, NONE, NONE], [3, -1, -1, -1]),  # a and c are deleted, d inserted
        ([a, b, d, NONE], [-1, 2, 3, -1]),
        ([a, b, c, EOS], [2, 3, 4, -1]),  # d changes in place
    ]
    seen = trace(Script(passes), suffix_canvas([[3, 1]], 4), noise("a"))
    assert seen.ids_BL[0, 2:].tolist() == [a, b, c, EOS]
    assert seen.filled_BL[0].tolist() == [0, 0, 4, 1, 3, 5]
    assert seen.settled_BL[0].tolist() == [0, 0, 4, 1, 5, 5]


def test_a_replay_says_which_tokens_moved() -> None:
    passes = [([6, NONE, NONE], [-1, -1, -1]), ([5, 6, NONE], [-1, 2, -1]), ([6, EOS, EOS], [3, -1, -1])]
    wrote, _, moved = watch(Script(passes), suffix_canvas([[3, 1]], 3), noise("a"))
    assert wrote == [{0: 6}, {0: 5, 1: 6}, {0: 6, 1: EOS, 2: EOS}]
    assert moved == [{}, {1: 0}, {0: 1}]


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_where_it_is_said_to_come_from(kind: str) -> None:
    """Prompts, drafts and suffixes of different lengths; whatever stood there stands here now."""
    paradigm = edit(kind, "decoding.temperature=1")
    lines = [[11, 1, 5, 6, 2, 2, 2, 9, 8, 0], [11, 4, 3, 1, 7, 1, 1, 1, 1, 9], [1, 2, 2, 2, 10, 10, 0, 0, 0, 0]]
    ids = torch.tensor(lines)
    holes = torch.tensor(
        [[2 <= i <= 6 for i in range(10)], [4 <= i <= 8 for i in range(10)], [1 <= i <= 3 for i in range(10)]]
    )
    canvas, before_BL, kept, new = Canvas(ids, holes, ids == 0), ids, 0, 0
    with torch.inference_mode():
        for ids_BL, from_BL in paradigm.edits(canvas, noise("a", "b", "c")):
            assert from_BL is not None
            old_BL = from_BL >= 0
            assert torch.equal(before_BL.gather(1, from_BL.clamp(min=0))[old_BL], ids_BL[old_BL])
            assert torch.equal(from_BL[~holes], torch.arange(10).expand(3, -1)[~holes])
            for row in range(3):
                tokens = [i for i in from_BL[row][holes[row]].tolist() if i >= 0]
                assert tokens == sorted(set(tokens)), "tokens keep their order, and none is in two places"
            kept, new, before_BL = kept + int((old_BL & holes).sum()), new + int((~old_BL).sum()), ids_BL.clone()
        assert kept > 0 < new
        for row, name in enumerate("abc"):
            alone = row_of(canvas, row)
            *_, ids_BL = paradigm.decode(alone, noise(name))
            assert torch.equal(ids_BL[0][alone.holes_BL[0]], before_BL[row][holes[row]])


# errors


def test_a_tokens_nats_are_those_of_keeping_it() -> None:
    paradigm, text = edit("edit"), (5, 9, 6)
    with torch.inference_mode():
        nats_BH, counted_BH = paradigm.token_nats(canvas_of([text], 5), noise("a"))
        odds = odds_of(paradigm, text, 5)
    assert counted_BH[0].tolist() == [True] * 4 + [False]
    quiet = sum(math.log(1 + sum(o for what, o in of.items() if what != DELETE)) for of in odds)
    expected = [*(math.log(1 + of[DELETE]) for of in odds[1:]), quiet, 0]
    assert nats_BH[0].tolist() == pytest.approx(expected, rel=1e-9)


class Copying(Planted):
    """Knows that the answer to a copying task is its prompt."""

    def forward(self, ids_BQ: Tensor, rule: Any, *, pad_BL: Tensor, want_BW: Tensor) -> Tensor:
        logits_BWV = torch.full((*want_BW.shape, 40), -50.0)
        for row, ids in enumerate(ids_BQ.tolist()):
            start = ids.index(EOS) + 1
            answer, text = ids[:4], [i for i, pad in zip(ids, pad_BL[row], strict=True) if not pad][start:]
            place = [0, *[1 + answer.index(t) if t in answer else 0 for t in text]]
            for w, logits_V in enumerate(logits_BWV[row][: len(place)]):
                wrong = w > 0 and place[w] <= max(place[:w])
                low, high = max(place[: w + 1]), min((p for p in place[w + 1 :] if p > max(place[: w + 1])), default=5)
                logits_V[DELETE if wrong else answer[low] if high > low + 1 else NONE] = 0
        return logits_BWV


@pytest.mark.parametrize("per_pass", ["all", "one"])
def test_injected_errors_are_detected_and_corrected_by_who_knows_the_answer(per_pass: str, tmp_path: Any) -> None:
    task = ErrorInjection(ListOperations(4, 8, ["copy"], "before"), 1, "random")  # type: ignore[arg-type]
    text = build_text(task, tmp_path)
    apart = (e for e in task.examples("test") if {*e.draft.split()} - {*e.target.split()})
    examples = list(itertools.islice(apart, 40))  # of a word twice in a draft nobody knows which one is wrong
    paradigm = Edit(text.vocabulary, Copying([]), per_pass, 0.2, EditAndStop(0.0))  # type: ignore[arg-type]
    subject = Subject(paradigm, text, examples, text.encode(examples), 0, CPU)
    assert detection(subject, 16)["items"] == [1.0] * 40
    canvas = subject.blank(range(40))
    with torch.inference_mode():
        *_, ids_BL = paradigm.decode(canvas, subject.noise(range(40)))
    for example, ids_L, holes_L in zip(examples, ids_BL, canvas.holes_BL, strict=True):
        scores = task.score(example, text.read(text.useful(ids_L, holes_L)))
        assert (scores["accuracy"], scores["net_gain"]) == (1.0, 0.25)


# refusals


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"wrong=1.0: must be at least 0 and below 1"):
        Edit(VOCABULARY, tiny("edit").backbone, "all", 1.0, EditAndStop())
    with pytest.raises(ValueError, match=r"temperature=-1: must be at least 0"):
        EditAndStop(-1)
    ids = torch.tensor([[2, 2, 5]])
    with pytest.raises(ValueError, match="a token must precede the first hole"):
        next(iter(tiny("edit").decode(Canvas(ids, ids == 2, ids == 0), noise("a"))))
