"""Retrieval: who is told what, and what theory makes of it."""

import itertools

import pytest

from tasks.base import Setting
from tasks.retrieval import BACKWARD, FORWARD, Retrieval

TASK = Retrieval(pairs=32, tokens=3)


def test_every_token_occurs_in_one_place_only() -> None:
    words = list(TASK.vocabulary())
    assert len(words) == len(set(words)) == 3 + 32 * 6
    for pair in range(32):
        assert set(TASK.key(pair).split()) | set(TASK.value(pair).split()) <= set(words)


def test_training_never_answers_what_the_test_asks() -> None:
    train, test = (list(TASK.examples(split)) for split in ("train", "test"))
    assert sum(e.stratum == "document" for e in train) == 32
    assert len(train) == 32 + 32
    assert len(test) == 32
    asked = {e.prompt for e in train if e.prompt}
    for example in test:
        assert example.prompt not in asked
        pair = int(example.id.rpartition("-")[2])
        assert TASK.document(pair) in train, "the document itself was read"
        key, value = TASK.key(pair), TASK.value(pair)
        question = {FORWARD: (f"value_of {key}", f": {value}"), BACKWARD: (f"key_of {value}", f": {key}")}[
            example.stratum
        ]
        assert (example.prompt, example.target) == question
        assert TASK.score(example, example.target) == {"accuracy": 1}
        assert TASK.score(example, example.target.rpartition(" ")[0]) == {"accuracy": 0}
    assert list(TASK.examples("train", first=10)) == train[10:]


@pytest.mark.parametrize(
    ("kind", "quotas", "order", "forward", "backward"),
    [
        ("exact", (1, 1, 1), None, 1, 0),
        ("exact", (3,), None, 0, 0),
        ("bound", (1, 1, 1), "confidence", 1, 1),
        ("exact", (1, 1, 1), "margin", 1, 1),
        ("exact", (1, 1, 1), "left_to_right", 1, 1),
        ("pseudo", (1, 1, 1), "confidence", None, None),
    ],
)
def test_theory_follows_from_what_training_shows(
    kind: str, quotas: tuple[int, ...], order: str | None, forward: int | None, backward: int | None
) -> None:
    for stratum, value in ((FORWARD, forward), (BACKWARD, backward)):
        found = TASK.theory(Setting("accuracy", stratum, quotas, order, 0.0, kind))
        assert (found and found.value) == value


def test_of_blocks_nothing_is_said() -> None:
    """Whether a key was ever hidden before its value depends on where blocks part."""
    assert TASK.theory(Setting("accuracy", BACKWARD, (1, 1, 1), "confidence", 0.0, "bound", block=2)) is None


def test_one_pass_never_reads_a_pair_whatever_its_length() -> None:
    """A colon and one token are two holes already."""
    found = Retrieval(16, 1).theory(Setting("accuracy", FORWARD, (2,), None, 0.0, "exact"))
    assert found is not None
    assert found.value == 0


def test_a_model_that_knows_the_documents_left_to_right_knows_no_key_by_its_value() -> None:
    """The law behind the line: what follows a prefix in some document, by counting."""
    documents = [document.target.split() for document in TASK.examples("valid")]

    def continuations(prefix: list[str]) -> set[str]:
        return {words[len(prefix)] for words in documents if words[: len(prefix)] == prefix}

    pair = next(iter(TASK.held_out))
    key, value = TASK.key(pair).split(), TASK.value(pair).split()
    written: list[str] = []
    for word in value:
        assert continuations([*key, ":", *written]) == {word}
        written.append(word)
    assert continuations(value) == set(), "no document goes on behind a value"


@pytest.mark.parametrize(("pairs", "tokens"), [(15, 2), (32, 0)])
def test_refusals(pairs: int, tokens: int) -> None:
    with pytest.raises(ValueError, match=f"pairs={pairs}, tokens={tokens}: must be"):
        Retrieval(pairs, tokens)


def test_halves_are_halves() -> None:
    assert len(TASK.held_out) == 16
    assert TASK.held_out == Retrieval(32, 5).held_out, "which pairs are held out does not depend on their length"
    assert list(itertools.islice(TASK.examples("test"), 4)) == list(TASK.examples("test"))[:4]
