"""Metrics are the reference libraries' where there are any, their formulas where not, item by item and pooled."""

from collections import Counter
from itertools import zip_longest

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import entropy

from tasks.metrics import METRICS
from tasks.metrics.adapter import as_evaluate
from tasks.metrics.base import Metric
from tasks.metrics.slots import SAYINGS, slot_and_value, slots_of
from tasks.metrics.words import TOKENIZERS, OfWords, check_language, scorer, tokenizer_of

WORDS = st.lists(st.sampled_from(["the", "cat", "a", "Straße", "sat.", "on", "🚲", "…", "mat"]), max_size=12).map(
    " ".join
)
PAIRS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8)
SEVERAL = st.lists(WORDS, min_size=1, max_size=4)
TEXTS = st.lists(WORDS, min_size=2, max_size=8)
often = settings(max_examples=200, deadline=None)


def pooled(name: str, pairs: list[tuple[str, str]]) -> float | None:
    rows = [METRICS[name].statistics(text, [reference]) for text, reference in pairs]
    return METRICS[name].value([sum(column) for column in zip(*rows, strict=True)])


def over(name: str, texts: list[str]) -> float | None:
    rows = METRICS[name].rows(texts, [()] * len(texts))
    return METRICS[name].value([sum(column) for column in zip(*rows, strict=True)])


@given(PAIRS)
@often
def test_pooled_metrics_are_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    texts, references = [list(side) for side in zip(*pairs, strict=True)]
    bleu = sacrebleu.corpus_bleu(texts, [references])
    assert pooled("bleu", pairs) == pytest.approx(bleu.score)
    assert pooled("chrf", pairs) == pytest.approx(sacrebleu.corpus_chrf(texts, [references]).score)
    assert pooled("length_ratio", pairs) == (bleu.sys_len / bleu.ref_len if bleu.ref_len else None)


@given(WORDS, SEVERAL)
@often
def test_single_texts_are_the_libraries(text: str, references: list[str]) -> None:
    assert METRICS["bleu"].item(text, references) == sacrebleu.sentence_bleu(text, references).score
    assert METRICS["chrf"].item(text, references) == sacrebleu.sentence_chrf(text, references).score
    for name in ("accuracy", "exact_match"):
        assert METRICS[name].item(text, references) == float(text in references)


@pytest.mark.parametrize(
    "name", [name for name in sorted(METRICS) if type(METRICS[name]).__module__.endswith("overlap")]
)
@given(text=WORDS, reference=WORDS.filter(str.isascii).filter(bool))
@often
def test_nothing_is_better_than_the_reference(name: str, text: str, reference: str) -> None:
    metric = METRICS[name]
    own, best = metric.item(text, [reference]), metric.item(reference, [reference])
    if metric.higher_is_better is None or own is None or best is None:
        return
    assert own <= best + 1e-9 if metric.higher_is_better else own >= best - 1e-9


@given(WORDS, SEVERAL)
@often
def test_rouge_l_is_rouge_scores(text: str, references: list[str]) -> None:
    expected = RougeScorer(["rougeL"]).score_multi(references, text)["rougeL"].fmeasure
    countable = any(letter.isascii() and letter.isalnum() for letter in "".join([text, *references]))
    assert METRICS["rouge_l"].item(text, references) == (expected if countable else None)


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=3))
@often
def test_edit_similarity_is_rapidfuzzs(text: str, references: list[str]) -> None:
    pairs = [(text, reference) for reference in references if len(text) + len(reference)]
    expected = [1 - Levenshtein.distance(a, b) / max(len(a), len(b)) for a, b in pairs]
    assert METRICS["edit_similarity"].item(text, references) == pytest.approx(max(expected, default=None))


@given(TEXTS)
@often
def test_self_bleu_is_sacrebleus_against_all_others(texts: list[str]) -> None:
    each = [sacrebleu.sentence_bleu(text, texts[:i] + texts[i + 1 :]).score for i, text in enumerate(texts)]
    rows = METRICS["self_bleu"].rows(texts, [()] * len(texts))
    assert [score for score, _ in rows] == pytest.approx(each)
    assert over("self_bleu", texts) == pytest.approx(sum(each) / len(each))


@given(TEXTS)
@often
def test_distinct_ngrams_are_counted_over_the_set(texts: list[str]) -> None:
    for order in (1, 2):
        split = [text.split() for text in texts]
        grams = [tuple(words[i : i + order]) for words in split for i in range(len(words) - order + 1)]
        expected = len(set(grams)) / len(grams) if grams else None
        assert over(f"distinct_{order}", texts) == (None if expected is None else pytest.approx(expected))


@given(WORDS)
@often
def test_entropy_is_scipys(text: str) -> None:
    counts = list(Counter(text.split()).values())
    expected = float(entropy(counts, base=2)) if counts else None
    assert METRICS["unigram_entropy"].item(text, ()) == (
        None if expected is None else pytest.approx(expected, abs=1e-9)
    )


def test_what_has_no_value_has_none() -> None:
    for name in ("rouge_l", "edit_similarity", "length_ratio"):
        assert METRICS[name].item("", [""]) is None, name
        assert METRICS[name].item("a", ["a"]) == 1, name
    assert METRICS["edit_similarity"].item("a", []) is None
    assert METRICS["coverage"].item("a dog", []) is None
    assert METRICS["slot_error_rate"].item("a pub", []) is None
    assert METRICS["distinct_2"].item("word", ()) is None
    assert METRICS["unigram_entropy"].item(" ", ()) is None
    assert over("self_bleu", ["alone"]) is None
    for metric in METRICS.values():
        row = metric.statistics("", [] if metric.of_demands else [""])
        assert metric.value(row) is not None or not any(row), "what has no value adds nothing"


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("A man throws a frisbee to his dogs.", 3),
        ("The dog catches the FRISBEE he had thrown!", 3),
        ("Two men threw a ball.", 1),
        ("throwaway dogma", 0),
        ("", 0),
    ],
)
def test_coverage_counts_forms_of_words(sentence: str, found: int) -> None:
    assert METRICS["coverage"].item(sentence, ["dog", "frisbee", "throw"]) == pytest.approx(found / 3)


EAGLE = (
    "name[The Eagle]", "eatType[pub]", "food[Fast food]", "priceRange[less than £20]", "customer rating[1 out of 5]",
    "area[riverside]", "familyFriendly[no]", "near[Café Rouge]",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (
            "The Eagle is a cheap fast food pub by the river near Cafe Rouge. It is poorly rated and not for families.",
            0,
        ),
        ("The Eagle is a pub.", 6),
        ("", 8),
        (
            "The Eagle, an expensive fast-food pub by the river near Café Rouge: one star, adults only.",
            1,
        ),
        (
            "The Eagle is a cheap fast food pub on the riverside near Café Rouge, rated 5 out of 5 and child friendly.",
            2,
        ),
        (
            "The Eagle: pub, burgers, under £20, rating 1 out of 5 stars, in the city centre by the river, no kids, "
            "near Café Rouge",
            1,
        ),
    ],
)
def test_slot_errors_are_missing_wrong_and_added(text: str, errors: int) -> None:
    assert METRICS["slot_error_rate"].statistics(text, EAGLE) == [errors, 8]


def test_slots_that_nobody_asked_for_are_errors_but_a_restaurant_is_not() -> None:
    metric, asked = METRICS["slot_error_rate"], ["name[The Golden Curry]", "eatType[coffee shop]"]
    assert metric.statistics("The Golden Curry is a coffee shop.", asked) == [0, 2]
    assert metric.statistics("The Golden Curry is a restaurant and a coffee shop.", asked) == [0, 2]
    assert metric.statistics("The Golden Curry is a cheap coffee shop with curry.", asked) == [2, 2]


def test_a_demand_is_a_slot_with_its_value() -> None:
    assert slot_and_value(" customer rating[3 out of 5] ") == ("customer rating", "3 out of 5")
    with pytest.raises(ValueError, match=r"^'cheap': must have the form slot\[value\]$"):
        METRICS["slot_error_rate"].item("", ["cheap"])
    assert METRICS["slot_error_rate"].item("red", ["colour[red]"]) == 1, "a slot without patterns is missing"
    assert len(SAYINGS) == 6


def theirs(name: str, texts: list[str], references: list[list[str]]) -> str:
    """The signature that sacrebleu gives after scoring the set, one list of references for each text."""
    metric = {"bleu": sacrebleu.BLEU, "length_ratio": sacrebleu.BLEU, "chrf": sacrebleu.CHRF}[name]()
    metric.corpus_score(texts, list(zip_longest(*references)))
    return str(metric.get_signature())


@pytest.mark.parametrize("name", ["bleu", "chrf", "length_ratio"])
@given(st.lists(SEVERAL, min_size=1, max_size=6), st.booleans())
@often
def test_signatures_are_those_of_the_set_that_was_scored(name: str, references: list[list[str]], equal: bool) -> None:
    if equal:
        references = [(known * 4)[:3] for known in references]
    signature = METRICS[name].signature(references)
    assert signature == theirs(name, ["a cat"] * len(references), references)
    numbers = {len(known) for known in references}
    assert signature.startswith(f"nrefs:{'var' if len(numbers) > 1 else numbers.pop()}|")


def test_the_signature_of_self_bleu_names_the_other_texts_as_references() -> None:
    found = METRICS["self_bleu"].signature([["a"], ["b", "c"]])
    alone = sacrebleu.BLEU(effective_order=True)
    alone.sentence_score("a", ["b", "c"])
    assert found == str(alone.get_signature()).replace("nrefs:2", "nrefs:others")


def test_through_the_evaluate_interface_with_signature() -> None:
    texts, references = ["the cat sat on the mat .", "a dog"], [["the cat sat on a mat ."], ["a dog"]]
    result = as_evaluate(METRICS["bleu"]).compute(predictions=texts, references=references)
    assert abs(result["bleu"] - sacrebleu.corpus_bleu(texts, [[r[0] for r in references]]).score) < 1e-9
    assert "nrefs:1|" in result["signature"]
    assert "tok:13a" in result["signature"]
    assert f"version:{sacrebleu.__version__}" in result["signature"]
    more = as_evaluate(METRICS["bleu"]).compute(predictions=texts, references=[references[0] * 2, references[1]])
    assert "nrefs:var|" in more["signature"], "as many references as each text has"
    assert as_evaluate(METRICS["accuracy"]).compute(predictions=texts, references=references)["accuracy"] == 0.5


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_goes_through_evaluate(name: str) -> None:
    metric, texts = METRICS[name], ["The Eagle is a pub", "", "a pub a pub a pub"]
    references = [["name[The Eagle]"], ["eatType[pub]", "name[x]"], ["a[pub]"]]
    found = as_evaluate(metric).compute(predictions=texts, references=references)
    sums = [sum(column) for column in zip(*metric.rows(texts, references), strict=True)]
    assert found == {name: metric.value(sums), "signature": metric.signature(references)}
    assert metric.__doc__


LETTERS = {
    "en": "abc ", "de": "aäß ", "fr": "éçù ", "ru": "бгд ", "ar": "ابت ", "hi": "कखग ",
    "zh": "一只狗在草地上跑", "ja-mecab": "一匹の犬が草の上を走る", "ko-mecab": "개가 풀밭을 달린다",
    "char": "สุนัขวิ่งบนหญ้า",
}  # fmt: skip
CODES = [*list(LETTERS)[:6], "nan", "zh-TW", "zho_Hans", "ja", "ko", *TOKENIZERS["char"]]
OF_WORDS = {name: type(metric) for name, metric in METRICS.items() if isinstance(metric, OfWords)}


@pytest.mark.parametrize("language", CODES)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_an_identical_text_is_perfect_in_every_language_and_a_loop_is_found(language: str, data: st.DataObject) -> None:
    try:
        scorer(tokenizer_of(language))
    except ValueError as error:
        pytest.skip(str(error))
    letters = LETTERS.get(language) or LETTERS[tokenizer_of(language)]
    text = f"{data.draw(st.text(st.sampled_from(letters), min_size=1).filter(str.strip))} " * 8
    found = {name: kind(language) for name, kind in OF_WORDS.items()}
    for name, best in {"bleu": 100, "rouge_l": 1, "length_ratio": 1}.items():
        assert found[name].item(text, [letters[0], text]) == pytest.approx(best), name
        assert found[name].value(found[name].statistics(text, [text])) == pytest.approx(best), name
    assert "".join(found["seq_rep_4"].words(text)) == "".join(text.split())
    assert (found["seq_rep_4"].item(text, ()) or 0) >= 0.5
    assert (found["distinct_1"].item(text, ()) or 1) <= 0.5
    assert of_pair(found["self_bleu"], text) == pytest.approx(100)


def of_pair(metric: Metric, text: str) -> float | None:
    """The value of a text beside another one like it."""
    return metric.value(metric.rows([text, text], [(), ()])[0])


def test_words_are_those_of_the_language_and_signatures_say_so() -> None:
    sentence = "一只狗在草地上跑。"
    assert OF_WORDS["bleu"]("zh").item(sentence, [sentence]) == pytest.approx(100)
    assert OF_WORDS["bleu"]("zh").value(OF_WORDS["bleu"]("zh").statistics(sentence, [sentence])) == pytest.approx(100)
    assert OF_WORDS["seq_rep_4"]().item(sentence * 4, ()) == 0, "of English, the whole is one word"
    for name, kind in OF_WORDS.items():
        assert kind().signature([["a"]]) == METRICS[name].signature([["a"]]) == kind("en-GB").signature([["a"]])
        for language, tokenizer in (("zh", "zh"), ("th", "char")):
            assert f"tok:{tokenizer}" in kind(language).signature([["a"]]), name
    assert {name for name, kind in OF_WORDS.items() if "tok:13a" in kind("de").signature([["a"]])} == {
        "bleu", "length_ratio", "rouge_l", "self_bleu"
    }  # fmt: skip


def test_a_language_whose_words_cannot_be_found_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise RuntimeError("pip\ninstall")

    monkeypatch.setattr("tasks.metrics.words.BLEU", missing)
    scorer.cache_clear()
    with pytest.raises(ValueError, match=r"^target=ja: needs the tokenizer ja-mecab; pip install 'sacrebleu\[ja\]'$"):
        check_language("target", "ja", ["犬"])
    monkeypatch.undo()
    for language in ("en", "cn", "jp"):
        with pytest.raises(ValueError, match=rf"^language={language}: most of the text is in a script without spaces"):
            check_language("language", language, ["English", "一只狗在草地上跑。"])
    check_language("language", "en", ["English with a sign, 狗"])
    check_language("language", "zh", ["一只狗在草地上跑。"])
    check_language("language", "en", [])


NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=",[]")).filter(str.strip)
VALUE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="]"))


@given(st.lists(st.tuples(NAME | st.sampled_from(["name", "near", *SAYINGS]), VALUE)), st.text())
@often
def test_any_slots_are_read_and_scored(slots: list[tuple[str, str]], text: str) -> None:
    demands = slots_of(", ".join(f"{name}[{value}]" for name, value in slots))
    expected = [(" ".join(name.split()), " ".join(value.split())) for name, value in slots]
    assert [slot_and_value(demand) for demand in demands] == expected
    errors, demanded = METRICS["slot_error_rate"].statistics(text, demands)
    assert demanded == len(slots)
    assert 0 <= errors <= len(slots) + len(SAYINGS)


@given(st.lists(st.text()), st.text())
@often
def test_any_concepts_are_scored(concepts: list[str], text: str) -> None:
    said = METRICS["coverage"].item(f"{text} {' '.join(concepts)}", concepts)
    assert said == (1 if concepts else None), "what stands in the text is covered"
