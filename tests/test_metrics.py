"""Metrics are the reference library's, on any text, item by item and pooled."""

import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.metrics import METRICS
from tasks.metrics.adapter import as_evaluate

WORDS = st.lists(st.sampled_from(["the", "cat", "a", "Straße", "sat.", "on", "🚲", "…", "mat"]), max_size=12).map(
    " ".join
)
PAIRS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8)


def pooled(name: str, pairs: list[tuple[str, str]]) -> float:
    rows = [METRICS[name].statistics(text, [reference]) for text, reference in pairs]
    return METRICS[name].value([sum(column) for column in zip(*rows, strict=True)])


@given(PAIRS)
@settings(max_examples=200, deadline=None)
def test_pooled_bleu_and_chrf_are_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    texts, references = [list(side) for side in zip(*pairs, strict=True)]
    assert abs(pooled("bleu", pairs) - sacrebleu.corpus_bleu(texts, [references]).score) < 1e-9
    assert abs(pooled("chrf", pairs) - sacrebleu.corpus_chrf(texts, [references]).score) < 1e-9


@given(WORDS, WORDS)
@settings(max_examples=200, deadline=None)
def test_single_texts_are_sacrebleus(text: str, reference: str) -> None:
    assert METRICS["bleu"].item(text, [reference]) == sacrebleu.sentence_bleu(text, [reference]).score
    assert METRICS["chrf"].item(text, [reference]) == sacrebleu.sentence_chrf(text, [reference]).score
    assert METRICS["accuracy"].item(text, [reference]) == float(text == reference)


def test_through_the_evaluate_interface_with_signature() -> None:
    texts, references = ["the cat sat on the mat .", "a dog"], [["the cat sat on a mat ."], ["a dog"]]
    result = as_evaluate(METRICS["bleu"]).compute(predictions=texts, references=references)
    assert abs(result["bleu"] - sacrebleu.corpus_bleu(texts, [[r[0] for r in references]]).score) < 1e-9
    assert "tok:13a" in result["signature"]
    assert f"version:{sacrebleu.__version__}" in result["signature"]
    assert as_evaluate(METRICS["accuracy"]).compute(predictions=texts, references=references)["accuracy"] == 0.5
