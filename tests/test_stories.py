"""Stories: the world is kept account of, the law sums to one, the verifier takes what can happen and nothing else."""

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base import Example, Setting, split_of
from tasks.stories import OPENING, PLACES, Stories, World, chance, described, is_sentence, read, sentences

WORLD = World({"anna": "hall", "ben": "hall"}, {"key": "hall", "cup": "attic"})


def task(form: str = "continuation", told: int = 1, untold: int = 2) -> Stories:
    return Stories(form, told, untold)  # type: ignore[arg-type]


def test_what_can_happen_is_what_the_world_allows() -> None:
    first = WORLD.events()
    assert {kind: len(sentences) for kind, sentences in first.items()} == {"goes": 6, "picks": 2}
    holding = first["picks"]["anna picks up the key ."]
    assert set(holding.events()["gives"]) == {"anna gives ben the key ."}
    assert "anna picks up the key ." not in holding.law(), "it is held"
    moved = holding.law()["anna goes to the attic ."][1]
    assert moved.place("key") == "attic", "what is held goes along"
    assert "gives" not in moved.events(), "nobody else is there"
    assert set(moved.events()["picks"]) == {"anna picks up the cup ."}
    laid = moved.law()["anna puts down the key ."][1]
    assert laid.place("key") == "attic"
    assert laid.law()["anna goes to the hall ."][1].place("key") == "attic", "what is laid down stays"
    given = holding.law()["anna gives ben the key ."][1]
    assert given.law()["ben goes to the attic ."][1].place("key") == "attic"
    assert given.law()["anna goes to the attic ."][1].place("key") == "hall", "ben has it"


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_laws_sum_to_one_and_drawn_stories_are_possible(number: int) -> None:
    example = next(iter(task().examples("train", first=number)))
    world = read(example.prompt)
    for sentence in sentences(f"{example.prompt} {example.target}")[OPENING:-1]:
        law = world.law()
        assert sum(p for p, _ in law.values()) == pytest.approx(1)
        assert all(map(is_sentence, law))
        world = law[sentence][1]
    assert sentences(example.target)[-1] in world.endings()
    judged = task().score(example, example.target)
    known = {name: value for name, value in judged.items() if name != "seq_rep_4" and value is not None}
    assert set(known.values()) == {1}, "whatever was moved, and when"
    assert len(known) == 5
    assert known.keys() > {"accuracy", "grammatical", "consistent", "ending"}
    assert split_of(" ".join(sentences(example.prompt)[:OPENING])) == "train"


def test_consistency_is_judged_in_the_world_that_the_text_itself_tells() -> None:
    """What cannot happen changes nothing; the ending is true where the story has led, wherever it should have led."""
    judge = Stories("continuation", 0, 3)
    example = next(iter(judge.examples("test")))
    world = read(example.prompt)
    (person, place), thing = next(iter(world.people.items())), next(iter(world.things))
    there = next(other for other in PLACES if other != place)
    goes, stays = f"{person} goes to the {there} .", f"{person} goes to the {place} ."
    for text, consistent, ending in (
        (f"{goes} {goes} {world.ending(thing)}", 2 / 3, 1),  # nobody goes where he is
        (f"{stays} {goes} {stays} {world.ending(thing)}", 3 / 4, 1),  # and back again
        (f"{world.ending(thing)} {goes}", 1, 0),
    ):
        judged = judge.score(example, text)
        assert judged["consistent"] == pytest.approx(consistent), text
        assert judged["ending"] == ending, text
        assert judged["accuracy"] == 0, text


def told_by(world: World, *sentences: str) -> Example:
    for sentence in sentences:
        world = world.law()[sentence][1]
    return Example("x", " ".join([*described(dict(WORLD.people), dict(WORLD.things)), *sentences]), "")


def test_an_ending_is_counted_by_when_its_thing_was_moved() -> None:
    """Anna takes the key from the hall to the attic; so many sentences later it is said where it is, and the cup."""
    judge, to_and_fro = (
        Stories("continuation", 1, 1),
        itertools.cycle(["ben goes to the kitchen .", "ben goes to the hall ."]),
    )
    carried = ["anna picks up the key .", "anna goes to the attic ."]
    kinds = ("ending_unmoved", "ending_near", "ending_far")
    for between in range(6):
        idle = list(itertools.islice(to_and_fro, between))
        for told in range(2 + between):  # wherever the prompt ends and the text begins
            story = [*carried, *idle]
            example = told_by(WORLD, *story[:told])
            for ending, expected in {
                "now the key is in the attic .": {"ending_near" if between <= 2 else "ending_far": 1},
                "now the key is in the hall .": {"ending_near" if between <= 2 else "ending_far": 0},
                "now the cup is in the attic .": {"ending_unmoved": 1},
                "now the cup is in the hall .": {"ending_unmoved": 0},
                "now the hat is in the hall .": {},
            }.items():
                judged = judge.score(example, " ".join([*story[told:], ending]))
                assert {kind: judged[kind] for kind in kinds if judged[kind] is not None} == expected
        if between % 2:
            next(to_and_fro)


def test_what_cannot_happen_moves_nothing() -> None:
    judge, example = Stories("continuation", 0, 1), told_by(WORLD)
    text = "anna picks up the cup . anna goes to the attic . now the cup is in the attic ."
    assert judge.score(example, text)["ending_unmoved"] == 1, "she was not where it is"


def test_all_continuations_together_have_probability_one() -> None:
    example = next(iter(task(told=0, untold=2).examples("test")))
    total, world = 0.0, read(example.prompt)
    for one, (_, after) in world.law().items():
        for two, (_, last) in after.law().items():
            for ending in last.endings():
                total += math.exp(-task(told=0).nats(example, f"{one} {two} {ending}"))
    assert total == pytest.approx(1)


def test_what_cannot_happen_or_is_not_true_is_wrong() -> None:
    judge = task(told=0, untold=1)
    example = next(iter(judge.examples("test")))
    world = read(example.prompt)
    event, (_, after) = next(iter(world.law().items()))
    (thing, other) = after.things
    assert judge.score(example, f"{event} {after.ending(thing)}")["accuracy"] == 1
    elsewhere = next(place for place in PLACES if place != after.place(other))
    false = f"{event} now the {other} is in the {elsewhere} ."
    assert dict(list(judge.score(example, false).items())[:4]) == {
        "accuracy": 0, "grammatical": 1, "consistent": 0.5, "ending": 0
    }  # fmt: skip
    assert judge.score(example, after.ending(thing))["accuracy"] == 0, "an event is missing"
    assert judge.score(example, f"{event} {event} {after.ending(thing)}")["accuracy"] == 0, "one too many"
    for nonsense in ("goes anna the the", ""):
        judged = judge.score(example, nonsense)
        assert {name for name in judged if judged[name] is None} == {"ending_unmoved", "ending_near", "ending_far"}
        assert {value for value in judged.values() if value is not None} == {0}
    assert judge.score(example, event.rpartition(" ")[0])["grammatical"] == 0, "it does not end"


def test_a_missing_sentence_is_drawn_given_what_follows() -> None:
    """The posterior over all sentences against counting whole stories."""
    judge = task("infilling", told=0, untold=1)
    example = next(iter(judge.examples("test")))
    world, rest = read(example.prompt), sentences(example.suffix)
    joint = {s: p * chance(after, rest[:-1], rest[-1]) for s, (p, after) in world.law().items()}
    assert sum(math.exp(-judge.nats(example, s)) for s in joint) == pytest.approx(1)
    for sentence, p in joint.items():
        right = judge.score(example, sentence)["accuracy"]
        assert right == float(p > 0)
        if p:
            assert judge.nats(example, sentence) == pytest.approx(-math.log(p / sum(joint.values())))
    assert judge.score(example, example.target)["accuracy"] == 1


def test_questions_ask_for_both_things_of_a_story() -> None:
    examples = list(itertools.islice(task("question", 1, 3).examples("test"), 40))
    assert set(Counter(example.instance for example in examples).values()) == {2}
    for one, other in itertools.pairwise(examples):
        if one.instance == other.instance:
            assert sentences(one.prompt)[:-1] == sentences(other.prompt)[:-1]
            assert sentences(one.prompt)[-1] != sentences(other.prompt)[-1]
    for example in examples:
        *told, asked = sentences(example.prompt)
        world = read(example.prompt)
        for sentence in told[OPENING:]:
            world = world.law()[sentence][1]
        assert example.target == f"in the {world.place(asked.split()[-2])} ."


def test_theory() -> None:
    def theory(form: str, measure: str, quotas: tuple[int, ...], kind: str) -> float | None:
        found = task(form).theory(Setting(measure, form, quotas, None, 1.0, kind))
        return found and found.value

    assert theory("continuation", "accuracy", (1,) * 20, "exact") == 1
    assert theory("continuation", "accuracy", (20,), "exact") is None
    assert theory("question", "accuracy", (4,), "exact") == 1
    assert theory("continuation", "kl", (1,) * 20, "exact") == 0
    assert theory("continuation", "kl", (2,) * 10, "bound") == 0
    assert theory("continuation", "kl", (20,), "exact") is None
    assert theory("continuation", "accuracy", (1,) * 20, "pseudo") is None


@pytest.mark.parametrize(("told", "untold"), [(-1, 2), (1, 0)])
def test_refusals(told: int, untold: int) -> None:
    with pytest.raises(ValueError, match=f"told={told}, untold={untold}: must be"):
        task("continuation", told, untold)
