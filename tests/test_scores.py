"""What a record says of texts: every metric by item, beside the data's own, contrasts over items that have a value."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from test_record import EMPTY
from test_text import Sentences

from tasks.base import Example
from tasks.metrics import METRICS
from wordways.report import derive, scored
from wordways.report.contrasts import contrast_of
from wordways.report.rows import Row
from wordways.report.tables import quality
from wordways.run.scores import scores

NAMES = ("rouge_l", "coverage", "distinct_2", "self_bleu", "unigram_entropy", "length_ratio")
SAID = [("a dog runs", "a dog runs", "x"), ("", "a cat sleeps", "x"), ("…", "…", "x"), ("a dog runs", "b b b b", "y")]


class Judged(Sentences):
    metrics = tuple(METRICS[name] for name in NAMES)

    def score(self, example: Example, text: str) -> Mapping[str, float | None]:
        known = {True: example.demands, False: example.references}
        return {m.name: m.item(text, known[m.of_demands]) for m in self.metrics if not m.of_sets}


EXAMPLES = [
    Example(str(i), "", target, references=(target,), stratum=stratum, demands=("dog", "run"))
    for i, (_, target, stratum) in enumerate(SAID)
]
FOUND = scores(Judged([]), EXAMPLES, [text for text, _, _ in SAID])
RECORD = replace(
    EMPTY,
    status="ok",
    config={"seed": 0, "paradigm": {"decoder": {}}, "train": {}},
    scores=FOUND,
    item_ids=[e.id for e in EXAMPLES],
    strata={e.id: e.stratum for e in EXAMPLES},
)


def test_what_has_no_value_is_null_and_left_out() -> None:
    assert FOUND["rouge_l"]["items"] == [1, 0, None, 0]
    assert FOUND["coverage"]["items"] == [1, 0, 0, 1]
    rouge = derive.quality(RECORD, "rouge_l", "x")
    assert rouge is not None
    assert (rouge.value, rouge.n) == (0.5, 2)


def test_texts_are_judged_among_those_of_their_stratum() -> None:
    assert FOUND["self_bleu"]["items"][3] is None, "alone in its stratum"
    distinct = derive.quality(RECORD, "distinct_2", "x")
    assert distinct is not None
    assert distinct.value == 1, "the same words in another stratum repeat nothing here"
    assert FOUND["distinct_2"]["statistics"] == [[2, 2], [0, 0], [0, 0], [2, 2]]


def test_the_data_stand_beside_what_needs_them() -> None:
    assert {name for name, entry in FOUND.items() if "data" in entry} == {
        "coverage", "distinct_2", "self_bleu", "unigram_entropy"
    }  # fmt: skip
    assert FOUND["coverage"]["data"] == [1, 0, 0, 0]
    assert FOUND["distinct_2"]["data_statistics"][3] == [1, 3]
    data = derive.quality_of_data(RECORD, "distinct_2", "y")
    assert data is not None
    assert data.value == pytest.approx(1 / 3)


def test_signatures_are_kept_wherever_there_are_any() -> None:
    assert FOUND["rouge_l"]["signature"].startswith("rouge-score:0.1")
    assert "simplemma" in FOUND["coverage"]["signature"]
    assert FOUND["distinct_2"]["signature"] == ""
    assert "signature" not in FOUND["unigram_entropy"]
    several = [replace(example, references=(example.target, "x")[: 1 + place % 2])
               for place, example in enumerate(EXAMPLES)]  # fmt: skip
    again = scores(Judged([]), several, [text for text, _, _ in SAID])
    for found, number in ((FOUND, "1"), (again, "var")):
        assert found["length_ratio"]["signature"].startswith(f"nrefs:{number}|"), "of the references that were scored"


def test_the_table_has_the_references_row_and_a_dash_for_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored, "lost_note", lambda _: "")
    record = replace(RECORD, strata=dict.fromkeys(RECORD.item_ids, ""))
    table = quality.table([Row("ours", "parallel", "sentences", [record])])
    assert list(table.frame[""]) == ["ours", "reference"]
    assert list(table.frame["rouge_l"]) == ["0.333 (0.022–0.917)", "–"]
    assert str(table.frame["distinct_2"].iloc[1]).startswith("0.714")
    assert "rouge_l: rouge-score" in table.details


def test_contrasts_are_over_items_that_both_have_a_value_for() -> None:
    def row(items: list[float | None]) -> Row:
        found = {"rouge_l": {"unit": "share", "higher_is_better": True, "items": items}}
        return Row("", "", "", [replace(RECORD, scores=found, strata=dict.fromkeys("0123", "x"))])

    first = row([None, 0.5, 0.5, 0.5])
    contrast = contrast_of(first, row([0.25, 0.25, 0.25, None]), "rouge_l", "x")
    assert contrast is not None
    assert (contrast.difference.value, contrast.difference.n) == (-0.25, 2)
    assert contrast_of(first, row([None] * 4), "rouge_l", "x") is None
