"""Countdown: the verifier takes just the answers that trying everything finds, and no text breaks it."""

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base import Example, Setting, Split
from tasks.countdown import Countdown

LARGEST = 20
TASK = Countdown(3, LARGEST)
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
WORDS = [*TASK.vocabulary(), "", "-1", "07", "None", "1.0", "²"]


def drawn(split: Split, count: int, task: Countdown = TASK) -> list[Example]:
    return list(itertools.islice(task.examples(split), count))


def problem(prompt: str) -> Example:
    return Example("planted", prompt, "")


def read(prompt: str) -> tuple[list[int], int]:
    operands, goal = prompt.split(" = ")
    return [int(operand) for operand in operands.split()], int(goal)


def answers(operands: Sequence[int], goal: int, largest: int) -> Iterator[str]:
    """Every answer there is, by exact fractions: of all that can be computed, what happens to be whole and in range."""
    if len(operands) == 1:
        if operands[0] == goal:
            yield ""
        return
    for i, j in itertools.permutations(range(len(operands)), 2):
        rest = [operand for k, operand in enumerate(operands) if k not in (i, j)]
        a, b = Fraction(operands[i]), Fraction(operands[j])
        for operation, result in (("+", a + b), ("-", a - b), ("*", a * b), ("/", a / b if b else Fraction(-1))):
            if result.denominator == 1 and 0 <= result <= largest:
                for others in answers([*rest, int(result)], goal, largest):
                    yield f"{a} {operation} {b} = {result}" + (f" , {others}" if others else "")


@pytest.mark.parametrize(("operands", "goal"), [((1, 2, 2), 4), ((2, 2, 4), 1)])
def test_of_all_texts_of_the_form_just_the_answers_are_right(operands: tuple[int, ...], goal: int) -> None:
    """A quarter of a million pairs of equations between numbers up to six."""
    task, numbers = Countdown(3, 10), range(7)
    example = problem(f"{' '.join(map(str, operands))} = {goal}")
    sides = [f"{a} {operation} {b}" for a in numbers for operation in "+-*/" for b in numbers]
    texts = (f"{one} = {made} , {two} = {goal}" for one, made, two in itertools.product(sides, numbers, sides))
    expected = {t for t in answers(operands, goal, 10) if all(int(w) in numbers for w in t.split() if w.isdigit())}
    assert len(expected) > 3
    assert {text for text in texts if task.score(example, text)["accuracy"]} == expected


@st.composite
def edited(draw: st.DrawFn) -> tuple[Example, str, set[str]]:
    """A problem, one of its answers with words changed, exchanged, left out or doubled, and all its answers."""
    task = Countdown(draw(st.sampled_from([3, 4])), LARGEST)
    example = next(task.examples("train", draw(st.integers(0, 200))))
    right = sorted(answers(*read(example.prompt), LARGEST))
    words = draw(st.sampled_from(right)).split(" ")
    for _ in range(draw(st.integers(0, 2))):
        i, j = (draw(st.integers(0, len(words) - 1)) for _ in range(2))
        match draw(st.sampled_from(["change", "exchange", "leave out", "double"])):
            case "change":
                words[i] = draw(st.sampled_from(WORDS))
            case "exchange":
                words[i], words[j] = words[j], words[i]
            case "leave out":
                del words[i]
            case "double":
                words.insert(j, words[i])
    return example, " ".join(words), set(right)


@given(edited())
@settings(max_examples=300, deadline=None)
def test_the_verifier_takes_an_edited_answer_only_where_it_is_an_answer(case: tuple[Example, str, set[str]]) -> None:
    example, text, right = case
    assert TASK.score(example, text) == {"accuracy": float(text in right)}


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join)))
def test_no_text_breaks_the_verifier(text: str) -> None:
    right = text in set(answers((3, 4, 2), 14, LARGEST))
    assert TASK.score(problem("3 4 2 = 14"), text) == {"accuracy": float(right)}


@pytest.mark.parametrize("text", ["3 + 4 = 7 , 7 * 2 = 14", "4 + 3 = 7 , 2 * 7 = 14"])
def test_right_answers(text: str) -> None:
    assert TASK.score(problem("3 4 2 = 14"), text) == {"accuracy": 1}


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        pytest.param("3 4 2 = 14", "3 + 4 = 7 , 7 + 7 = 14", id="a result used twice"),
        pytest.param("3 4 7 = 14", "3 + 4 = 7 , 7 + 7 = 14 , 7 + 7 = 14", id="too many equations"),
        pytest.param("3 4 7 = 10", "3 + 4 = 7 , 3 + 7 = 10", id="an operand used twice"),
        pytest.param("3 3 4 = 12", "3 * 4 = 12 , 12 * 1 = 12", id="a foreign operand"),
        pytest.param("3 4 2 = 14", "3 + 4 = 8 , 8 * 2 = 14", id="wrong arithmetic"),
        pytest.param("3 4 2 = 14", "3 + 4 = 7 , 7 - 2 = 5", id="another goal"),
        pytest.param("3 4 2 = 14", "3 + 4 = 7 , 7 - 2 = 14", id="the goal without its arithmetic"),
        pytest.param("3 4 7 = 7", "3 + 4 = 7", id="a missing equation"),
        pytest.param("3 4 2 = 14", "3 + 4 = 7 , 7 * 2 = 14 ,", id="a comma behind"),
        pytest.param("3 4 2 = 14", "3 + 4 = 7 , 7 * 2 = 14 14", id="junk behind"),
        pytest.param("3 4 2 = 14", "3 + 4 = 7 7 * 2 = 14", id="no comma between"),
        pytest.param("3 4 2 = 14", "3 + 4 = 7 = 7 * 2 = 14", id="something else between"),
        pytest.param("3 4 2 = 14", "3 + 4 = 07 , 07 * 2 = 14", id="a leading zero"),
        pytest.param("3 4 2 = 14", "3+4=7 , 7*2=14", id="no spaces"),
        pytest.param("3 4 2 = 14", "3 + 4  = 7 , 7 * 2 = 14", id="two spaces"),
        pytest.param("3 4 15 = 14", "3 - 4 = -1 , 15 + -1 = 14", id="a negative result"),
        pytest.param("3 2 14 = 14", "3 / 2 = 1 , 14 * 1 = 14", id="an inexact division"),
        pytest.param("2 2 4 = 4", "2 - 2 = 0 , 4 / 0 = 4", id="a division by zero"),
        pytest.param("15 16 20 = 11", "15 + 16 = 31 , 31 - 20 = 11", id="a number above the largest"),
        pytest.param("3 4 2 = 14", "3 - 4 = None , None * 2 = 14", id="a result there is not"),
        pytest.param("3 4 2 = 5", "3 ^ 2 = 9 , 9 - 4 = 5", id="an unknown operation"),
        pytest.param("3 4 2 = 14", "", id="nothing"),
    ],
)
def test_wrong_answers(prompt: str, text: str) -> None:
    assert TASK.score(problem(prompt), text) == {"accuracy": 0}


@pytest.mark.parametrize("numbers", [3, 4, 5])
def test_what_is_drawn_is_an_answer_of_one_length(numbers: int) -> None:
    task, operations = Countdown(numbers, 99), set[str]()
    for example in drawn("test", 200, task):
        operands, goal = read(example.prompt)
        words = example.target.split(" ")
        assert len(operands) == numbers
        assert len(words) == 6 * (numbers - 1) - 1
        assert all(0 < operand <= 99 for operand in operands)
        assert set(words) | set(example.prompt.split()) <= set(task.vocabulary())
        assert words[-1] == str(goal)
        assert task.score(example, example.target) == {"accuracy": 1}
        if numbers < 5:
            assert example.target in set(answers(operands, goal, 99))
        operations |= set(words) & set("+-*/")
    assert operations == set("+-*/")


def test_splits_share_no_problem_whatever_the_order_of_its_operands() -> None:
    """Of numbers up to ten there are so few problems that without care they would meet."""
    task = Countdown(3, 10)
    problems = [{(*sorted(read(e.prompt)[0]), read(e.prompt)[1]) for e in drawn(s, 1000, task)} for s in SPLITS]
    assert all(len(found) > 20 for found in problems)
    assert not any(one & other for one, other in itertools.combinations(problems, 2))


def test_examples_are_the_same_at_every_call() -> None:
    assert drawn("valid", 12) == drawn("valid", 12)
    assert list(itertools.islice(TASK.examples("valid", first=7), 5)) == drawn("valid", 12)[7:]
    assert len({example.prompt for example in drawn("valid", 12)}) > 6


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (Setting("accuracy", "countdown", (1,) * 11, None, 1.0, "exact"), 1),
        (Setting("accuracy", "countdown", (1,) * 11, "random", 1.0, "bound"), 1),
        (Setting("accuracy", "countdown", (1,) * 11, "random", 1.0, "pseudo"), None),
        (Setting("accuracy", "countdown", (2,) * 5 + (1,), "random", 1.0, "bound"), None),
        (Setting("accuracy", "countdown", (1,) * 11, "confidence", 0.0, "bound", 0.9), None),
        (Setting("nats_per_token", "countdown", (1,) * 11, None, 1.0, "exact"), None),
    ],
)
def test_theory_is_of_texts_written_one_by_one(setting: Setting, value: float | None) -> None:
    theory = TASK.theory(setting)
    assert (theory and theory.value) == value


@pytest.mark.parametrize(("numbers", "largest"), [(2, 99), (6, 99), (3, 9)])
def test_refusals(numbers: int, largest: int) -> None:
    with pytest.raises(ValueError, match=f"numbers={numbers}, largest={largest}: must be"):
        Countdown(numbers, largest)
