"""Drafts are wrong where they should be, revisions are counted word by word, doubt finds what it should."""

import itertools
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CPU, cell, noise, suffix_canvas, tiny
from hypothesis import given
from hypothesis import strategies as st
from perfect import Perfect
from test_derive import RECORD

from paradigms.base import LATER, Canvas
from paradigms.decoders.commit_once import CommitOnce
from paradigms.decoders.revised import Later
from tasks.base import Example, Share
from tasks.error_injection import EditFromPrompt, ErrorInjection, OwnErrors
from tasks.list_operations import ListOperations
from tasks.metrics.repetition import SeqRep4
from wordways.report.derive import beyond_draft, quality
from wordways.run.detection import auroc, detection
from wordways.run.scores import scores
from wordways.run.subject import Subject
from wordways.run.subject import test_set as chosen
from wordways.run.text import build_text
from wordways.run.writing import drafted, write_texts
from wordways.settings import SettingError, build

COPYING = ListOperations(5, 7, ["copy"], "before")


def injected(corruption: Any = "random", wrong: int = 2) -> ErrorInjection:
    return ErrorInjection(COPYING, wrong, corruption)


@pytest.mark.parametrize("corruption", ["random", "plausible"])
@pytest.mark.parametrize("wrong", [1, 3])
def test_a_draft_has_as_many_wrong_words_as_asked_for_and_is_no_answer(corruption: str, wrong: int) -> None:
    task, places = injected(corruption, wrong), set()
    pool = {place: {words[place] for words in task.others} for place in range(5)}
    for example in itertools.islice(task.examples("test"), 200):
        draft, right = example.draft.split(), example.target.split()
        changed = [place for place in range(5) if draft[place] != right[place]]
        assert len(draft) == 5
        assert len(changed) == wrong
        assert not COPYING.score(example, example.draft)["accuracy"]
        assert corruption == "random" or all(draft[place] in pool[place] for place in changed)
        places |= set(changed)
    assert places == set(range(5))
    assert list(itertools.islice(task.examples("test"), 5)) == list(itertools.islice(task.examples("test"), 5))


def test_in_holes_only_the_test_has_drafts_and_training_is_the_wrapped_tasks() -> None:
    task = injected()
    for split in ("train", "valid"):
        assert next(iter(task.examples(split))) == next(iter(COPYING.examples(split)))
    wrapped, plain = cell("task=error_injection"), cell("task=sudoku")
    assert wrapped.training_key == plain.training_key
    assert cell("task=error_injection", "task.wrong=3").training_key == plain.training_key
    assert cell("task=error_injection", "task.wrong=3").id != wrapped.id
    assert cell("task=error_injection", "task.task.clues=6").training_key != plain.training_key
    assert cell("task=edit_from_prompt").training_key != plain.training_key


def test_in_the_prompt_every_split_has_drafts_that_the_judge_finds_again() -> None:
    task = EditFromPrompt(COPYING, 2, "random")
    for split in ("train", "test"):
        for example in itertools.islice(task.examples(split), 20):
            draft = task.draft_of(example)
            assert example.draft == ""
            assert sum(a != b for a, b in zip(draft.split(), example.target.split(), strict=True)) == 2
            kept = task.score(example, draft)
            assert kept == {"accuracy": 0, "fix_rate": Share(0, 2), "break_rate": Share(0, 3), "net_gain": 0}


@given(st.lists(st.sampled_from("abc"), max_size=7))
def test_rates_are_counted_word_by_word(words: list[str]) -> None:
    task = injected()
    example = Example("x", "copy a b c d e", "a b c d e", draft="a b a b e")
    task.task = type("Judge", (), {"score": lambda self, e, text: {"accuracy": float(text == e.target)}})()  # type: ignore
    after = (words + [""] * 5)[:5]
    found = task.score(example, " ".join(words))
    fixed, broken = sum(after[i] == "abcde"[i] for i in (2, 3)), sum(after[i] != "abcde"[i] for i in (0, 1, 4))
    assert found["fix_rate"] == Share(fixed, 2)
    assert found["break_rate"] == Share(broken, 3)
    assert found["net_gain"] == pytest.approx((fixed - broken) / 5)


def test_a_draft_of_ones_own_may_be_right_and_may_end_too_early() -> None:
    task, example = OwnErrors(COPYING), Example("x", "copy : a b c d e", "a b c d e", stratum="copy")
    right = task.score(replace(example, draft="a b c d e"), "a b x d e")
    assert right == {
        "accuracy": 0, "draft_accuracy": 1, "fix_rate": Share(0, 0), "break_rate": Share(1, 5), "net_gain": -1 / 5,
    }  # fmt: skip
    short = task.score(replace(example, draft="a x"), "a b c d e")
    assert short == {
        "accuracy": 1, "draft_accuracy": 0, "fix_rate": Share(4, 4), "break_rate": Share(0, 1), "net_gain": 4 / 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [(0, "wrong=0: must be from 1 to 4"), (5, "wrong=5: must be from 1 to 4; the shortest answer has 5 words")],
)
def test_impossible_numbers_are_refused(wrong: int, refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        injected("random", wrong)


def test_the_canvas_holds_the_draft_and_doubt_finds_the_error(tmp_path: Any) -> None:
    """With the exact conditionals a single error stands out: it is impossible, given the others."""
    task = injected("random", 1)
    text = build_text(task, tmp_path)
    examples, rows = chosen(task, text, 30)
    node = cell(
        "paradigm=diffusion_gibbs",
        "paradigm.decoder.temperature=0",
        "paradigm.decoder.updates=5",
        "paradigm.decoder.burn_in=0",
    ).nodes
    backbone: Any = Perfect(build_text(COPYING, tmp_path), shifted=False)
    paradigm = build(node["paradigm"], "paradigm", vocabulary=text.vocabulary, backbone=backbone)
    subject = Subject(paradigm, text, examples, rows, 0, CPU)
    canvas = subject.blank(range(len(rows)))
    for row, example in enumerate(examples):
        assert text.read(canvas.ids_BL[row][canvas.holes_BL[row]].tolist()) == example.draft
    assert detection(subject, 7)["items"] == [1] * len(examples)


def test_auroc_is_the_share_of_right_pairs() -> None:
    assert auroc([3.0, 1.0], [2.0, 1.0]) == (1 + 1 + 0 + 0.5) / 4
    assert auroc([], [2.0]) is auroc([2.0], []) is None, "no value rather than 0 or a half"


# errors of one's own


def test_a_draft_of_ones_own_is_what_the_drafter_writes_and_the_revision_starts_from_it(tmp_path: Path) -> None:
    """In a shuffle, whose words depend on each other, what is written all at once is often wrong."""
    drafter, task = CommitOnce(temperature=1.0, per_pass=4), OwnErrors(ListOperations(4, 6, ["shuffle"], "before"))
    text = build_text(task, tmp_path)
    examples, rows = chosen(task, text, 60)
    node = cell("paradigm=diffusion_gibbs", "paradigm.decoder.burn_in=0", "paradigm.decoder.updates=100").nodes
    backbone: Any = Perfect(build_text(task.task, tmp_path), shifted=False)
    paradigm = build(node["paradigm"], "paradigm", vocabulary=text.vocabulary, backbone=backbone)
    subject = drafted(Subject(paradigm, text, examples, rows, 0, CPU), drafter, 7, lambda _: None)
    again = drafted(Subject(paradigm, text, examples, rows, 0, CPU), drafter, 60, lambda _: None)
    drafts = [example.draft for example in subject.examples]
    assert drafts == [example.draft for example in again.examples], "whatever the batch"
    canvas = subject.blank(range(60))
    shown = [text.read(ids_L[holes_L].tolist()) for ids_L, holes_L in zip(canvas.ids_BL, canvas.holes_BL, strict=True)]
    assert shown == drafts
    right = [task.task.score(example, example.draft)["accuracy"] for example in subject.examples]
    assert 0 < right.count(1) < 20, "1 in 10 shuffles written at once is right"
    judged = scores(task, subject.examples, write_texts(subject, 30, lambda _: None))
    assert judged["draft_accuracy"]["items"] == right
    wrong = [Share(*pair).whole for pair in judged["fix_rate"]["statistics"]]
    assert [item is None for item in judged["fix_rate"]["items"]] == [count == 0 for count in wrong]
    doubts = detection(subject, 7)["items"]
    assert [doubt is None for doubt in doubts] == [count in (0, 4) for count in wrong]


def test_a_rate_is_of_all_words_together_and_of_texts_that_have_any() -> None:
    entry = {
        "unit": "share",
        "higher_is_better": True,
        "items": [1, None, 0.25],
        "statistics": [[1, 1], [0, 0], [1, 4]],
    }
    record = replace(
        RECORD, item_ids=["a", "b", "c"], strata=dict.fromkeys("abc", "x"),
        scores={"fix_rate": entry, "detection": {"unit": "share", "higher_is_better": True, "items": [None] * 3}},
    )  # fmt: skip
    found = quality(record, "fix_rate", "x")
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(2 / 5), 2)
    assert quality(record, "detection", "x") is None


def test_what_revision_adds_is_paired_by_item() -> None:
    ids = [str(number) for number in range(4)]
    scores = {name: {"unit": "share", "items": items} for name, items in {
        "accuracy": [1, 1, 0, 1], "draft_accuracy": [0, 1, 1, 0],
    }.items()}  # fmt: skip
    record = replace(RECORD, item_ids=ids, strata=dict.fromkeys(ids, "x"), scores=scores)
    found = beyond_draft(record)
    assert found is not None
    assert found.value == 1 / 4
    assert found.sampling == pytest.approx((11 / 12 / 4) ** 0.5), "of +1 0 -1 +1"
    assert (found.low, found.high) == (-1, 1), "four items decide nothing"
    assert beyond_draft(replace(record, scores={"accuracy": scores["accuracy"]})) is None


def test_own_errors_train_what_the_wrapped_task_trains_and_need_a_drafter_that_fits() -> None:
    own = cell("task=own_errors", "paradigm=diffusion_mask_predict")
    assert own.training_key == cell("task=sudoku", "paradigm=diffusion_mask_predict").training_key
    assert own.id != cell("task=own_errors", "paradigm=diffusion_mask_predict", "measure.drafter.per_pass=4").id
    for settings, refusal in {
        ("task=own_errors", "paradigm=autoregressive"): "measure.drafter=CommitOnce: does not decode Autoregressive",
        ("task=own_errors", "paradigm=diffusion", "measure.drafter=null"): "measure.drafter: missing",
        ("task=sudoku", "paradigm=diffusion", "+measure.drafter={_target_: paradigms.decoders.gibbs.Gibbs}"): (
            "measure.drafter=Gibbs: task=Sudoku asks for no drafts"
        ),
    }.items():
        with pytest.raises(SettingError, match=refusal):
            cell(*settings)


# written first, then revised


def test_the_second_decoder_starts_from_what_the_first_wrote() -> None:
    settings = ["decoding.temperature=0", "decoding.order=confidence"]
    first = tiny("diffusion", *settings, "paradigm.decoder.per_pass=3")
    both = tiny("diffusion_revised", *settings, "paradigm.decoder.first.per_pass=3", "paradigm.decoder.then.passes=4")
    alone = tiny("diffusion_repredict", *settings, "paradigm.decoder.passes=4")
    canvas = suffix_canvas([[3, 4, 1], [5, 1]], 6)
    with torch.no_grad():
        yields = [ids.clone() for ids in both.decode(canvas, noise("a", "b"))]
        written = deque(first.decode(canvas, noise("a", "b")), maxlen=1).pop()
        draft = Canvas(written, canvas.holes_BL, canvas.pad_BL)
        revised = deque(alone.decode(draft, noise("a", "b")), maxlen=1).pop()
    assert len(yields) == 2 + 4
    assert torch.equal(yields[1], written)
    assert torch.equal(yields[-1], revised)
    assert not torch.equal(yields[-1], yields[1])


def test_no_number_is_drawn_twice() -> None:
    rows, plain = torch.tensor([0]), noise("a")
    later = Later(plain)
    assert not torch.equal(later.uniform(0, rows, (4,)), plain.uniform(0, rows, (4,)))
    assert torch.equal(later.uniform(3, rows, (4,)), plain.uniform(LATER + 3, rows, (4,)))


@given(st.lists(st.sampled_from("ab"), max_size=12))
def test_seq_rep_is_the_share_of_4_grams_seen_before(words: list[str]) -> None:
    grams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    expected = sum(gram in grams[:place] for place, gram in enumerate(grams)) / len(grams) if grams else 0
    assert SeqRep4().item(" ".join(words), []) == pytest.approx(expected)
