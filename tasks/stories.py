"""Little stories from a world that is kept account of: readable, and every sentence true or not.

Two people and two things are in four places. People go, pick up, put down and give; at the end it is said where a
thing is now. What happens next is drawn from all that can happen: first what kind of thing, then which. So the law of a
story is known, and a story is right where each sentence can happen in its world and the last one is true.
"""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tasks.base import Drawn, Example, Setting, Split, Theory, split_of
from tasks.metrics.accuracy import (
    Accuracy,
    Consistent,
    Ending,
    EndingFar,
    EndingNear,
    EndingUnmoved,
    Grammatical,
)
from tasks.metrics.base import Metric
from tasks.metrics.repetition import SeqRep4

PEOPLE = ("anna", "ben", "clara", "david", "emma", "felix")
THINGS = ("key", "lamp", "book", "ball", "cup", "hat")
PLACES = ("kitchen", "garden", "hall", "attic")
NEAR = 2  # sentences between the one that last moved a thing and the ending
OPENING = 4  # sentences that say where everybody and everything is
WORDS = ["is", "in", "the", "goes", "to", "picks", "up", "puts", "down", "gives", "now", "where", ".", "?"]


@dataclass(frozen=True)
class World:
    """Where everybody and everything is, and who holds what."""

    people: Mapping[str, str]
    things: Mapping[str, str]
    held: Mapping[str, str] = field(default_factory=dict)

    def place(self, thing: str) -> str:
        return self.people[self.held[thing]] if thing in self.held else self.things[thing]

    def events(self) -> dict[str, dict[str, "World"]]:
        """All that can happen: kind of event, sentence, the world after it."""
        found: dict[str, dict[str, World]] = {"goes": {}, "picks": {}, "puts": {}, "gives": {}}
        for person, place in self.people.items():
            for other in PLACES:
                if other != place:
                    moved = replace(self, people={**self.people, person: other})
                    found["goes"][f"{person} goes to the {other} ."] = moved
            for thing in self.things:
                if thing not in self.held and self.things[thing] == place:
                    taken = replace(self, held={**self.held, thing: person})
                    found["picks"][f"{person} picks up the {thing} ."] = taken
                if self.held.get(thing) == person:
                    kept = {other: holder for other, holder in self.held.items() if other != thing}
                    laid = replace(self, things={**self.things, thing: place}, held=kept)
                    found["puts"][f"{person} puts down the {thing} ."] = laid
                    for friend, where in self.people.items():
                        if friend != person and where == place:
                            given = replace(self, held={**self.held, thing: friend})
                            found["gives"][f"{person} gives {friend} the {thing} ."] = given
        return {kind: sentences for kind, sentences in found.items() if sentences}

    def law(self) -> dict[str, tuple[float, "World"]]:
        """Every sentence that can follow: its probability and the world after it."""
        kinds = self.events()
        return {
            sentence: (1 / len(kinds) / len(sentences), after)
            for sentences in kinds.values()
            for sentence, after in sentences.items()
        }

    def ending(self, thing: str) -> str:
        return f"now the {thing} is in the {self.place(thing)} ."

    def endings(self) -> dict[str, float]:
        return {self.ending(thing): 1 / len(self.things) for thing in self.things}


def chance(world: World, events: Sequence[str], ending: str | None) -> float:
    """The probability of these sentences from this world on; 0 where one cannot happen or is not true."""
    p = 1.0
    for sentence in events:
        following = world.law().get(sentence)
        if following is None:
            return 0.0
        p, world = p * following[0], following[1]
    return p if ending is None else p * world.endings().get(ending, 0.0)


class Stories(Drawn):
    """form: what is asked for: the rest of a story, a missing sentence, or where a thing is.

    told, untold: events before and after what is asked for begins; of a missing sentence, before and behind it.
    """

    def __init__(self, form: Literal["continuation", "infilling", "question"], told: int, untold: int):
        if told < 0 or untold < 1:
            raise ValueError(f"told={told}, untold={untold}: must be at least 0 events told and 1 untold")
        self.form, self.told, self.untold = form, told, untold
        self.strata: Sequence[str] = (form,)
        self.holes = "span" if form == "infilling" else "suffix"
        self.metrics: Sequence[Metric] = {
            "continuation": (
                Accuracy(),
                Grammatical(),
                Consistent(),
                Ending(),
                EndingUnmoved(),
                EndingNear(),
                EndingFar(),
                SeqRep4(),
            ),
            "infilling": (Accuracy(), Grammatical()),
            "question": (Accuracy(),),
        }[form]

    def examples(self, split: Split, first: int = 0) -> Iterator[Example]:
        """Endless; which split a story belongs to is a hash of its beginning. Both things of a story are asked for."""
        for number in itertools.count(first):
            story, turn = divmod(number, 2) if self.form == "question" else (number, 0)
            yield self.example(split, story, turn)

    def example(self, split: Split, number: int, turn: int) -> Example:
        rng = random.Random(f"{self.form}-{split}-{number}")
        world, beginning = opening(rng)
        while split_of(" ".join(beginning)) != split:
            world, beginning = opening(rng)
        events = []
        worlds = [world]
        for _ in range(self.told + self.untold + (self.form == "infilling")):
            law = worlds[-1].law()
            sentence = rng.choices(list(law), [p for p, _ in law.values()])[0]
            events.append(sentence)
            worlds.append(law[sentence][1])
        thing = list(world.things)[turn] if self.form == "question" else rng.choice(list(world.things))
        ending, name = worlds[-1].ending(thing), f"{split}-{number}"
        before, behind = events[: self.told], events[self.told :]
        prompt, target, suffix = [*beginning, *before], [*behind, ending], []
        if self.form == "infilling":
            target, suffix = behind[:1], [*behind[1:], ending]
        elif self.form == "question":
            prompt, name = [*beginning, *events, f"where is the {thing} ?"], f"{name}-{turn}"
            target = [f"in the {worlds[-1].place(thing)} ."]
        return Example(
            name, " ".join(prompt), " ".join(target), " ".join(suffix), stratum=self.form, instance=f"{split}-{number}"
        )

    def vocabulary(self) -> Sequence[str]:
        return [*WORDS, *PEOPLE, *THINGS, *PLACES]

    def score(self, example: Example, text: str) -> Mapping[str, float | None]:
        """accuracy: 1 where all of it can happen and what is said is true; grammatical: where all are sentences.

        Of a continuation also the share of consistent sentences, whether its ending is true, and how it repeats itself.
        An ending is counted again among those whose thing was moved as long ago, in the story as it was written.
        """
        if self.form == "question":
            return {"accuracy": float(text == example.target)}
        told, said = sentences(example.prompt)[OPENING:], sentences(text)
        grammatical = all(map(is_sentence, said)) and text.endswith(".")
        judged: dict[str, float | None] = {
            "accuracy": float(math.isfinite(self.nats(example, text))),
            "grammatical": float(grammatical),
        }
        if self.form == "infilling":
            return judged
        world, happens, moved = read(example.prompt), [], {}
        for number, sentence in enumerate([*told, *said]):
            following = world.law().get(sentence)
            happens.append(following is not None or sentence in world.endings())
            if following is not None:
                before, world = world, following[1]
                moved |= {thing: number for thing in world.things if world.place(thing) != before.place(thing)}
        happens = happens[len(told) :]
        ending = float(bool(said) and said[-1] in world.endings())
        judged |= {"consistent": sum(happens) / len(happens) if happens else 0.0, "ending": ending}
        judged |= dict.fromkeys(("ending_unmoved", "ending_near", "ending_far"))
        match said[-1].split() if said else []:
            case ["now", "the", thing, "is", "in", "the", place, "."] if thing in world.things and place in PLACES:
                between = len(told) + len(said) - 2 - moved.get(thing, 0)
                name = "unmoved" if thing not in moved else "near" if between <= NEAR else "far"
                judged[f"ending_{name}"] = ending
        return judged | {"seq_rep_4": SeqRep4().item(text, ())}

    def world_behind(self, prompt: str) -> World:
        world = read(prompt)
        for sentence in sentences(prompt)[OPENING:]:
            world = world.law()[sentence][1]
        return world

    def nats(self, example: Example, text: str) -> float:
        """Of a missing sentence: given also what follows it."""
        if self.form == "question":
            return 0.0 if text == example.target else math.inf
        world, (said, rest) = self.world_behind(example.prompt), (sentences(p) for p in (text, example.suffix))
        if self.form == "continuation":
            p = chance(world, said[:-1], said[-1]) if len(said) == self.untold + 1 else 0.0
        else:
            every = {s: p * chance(after, rest[:-1], rest[-1]) for s, (p, after) in world.law().items()}
            p = every.get(text, 0.0) / sum(every.values())
        return abs(math.log(p)) if p > 0 else math.inf

    def conditionals(self, known: Sequence[str | None]) -> None:
        return None

    def theory(self, setting: Setting) -> Theory | None:
        """Of a question one answer is right, whoever gives it; written word by word every story is right, as drawn."""
        one_by_one = set(setting.quotas) == {1}
        if setting.kind == "pseudo":
            return None
        if setting.measure == "kl" and (one_by_one or setting.kind == "bound"):
            return Theory(0.0, "kl")
        if setting.measure != "accuracy" or not (one_by_one or self.form == "question"):
            return None
        return Theory(1.0, "one_answer" if self.form == "question" else "no_independence_assumed")


def opening(rng: random.Random) -> tuple[World, list[str]]:
    """A world and the four sentences that describe it."""
    people = {person: rng.choice(PLACES) for person in rng.sample(PEOPLE, 2)}
    things = {thing: rng.choice(PLACES) for thing in rng.sample(THINGS, 2)}
    return World(people, things), described(people, things)


def described(people: Mapping[str, str], things: Mapping[str, str]) -> list[str]:
    return [f"{person} is in the {place} ." for person, place in people.items()] + [
        f"the {thing} is in the {place} ." for thing, place in things.items()
    ]


def read(prompt: str) -> World:
    """The world of a story's first four sentences."""
    found = [sentence.split() for sentence in sentences(prompt)[:OPENING]]
    people, things = ({words[-6]: words[-2] for words in part} for part in (found[:2], found[2:]))
    return World(people, things)


def sentences(text: str) -> list[str]:
    """Cut behind full stops and question marks."""
    found: list[list[str]] = [[]]
    for word in text.split():
        found[-1].append(word)
        if word in (".", "?"):
            found.append([])
    return [" ".join(words) for words in found if words]


def is_sentence(sentence: str) -> bool:
    """The grammar, whatever is true."""
    match sentence.split():
        case [who, "goes", "to", "the", place, "."]:
            return who in PEOPLE and place in PLACES
        case [who, "picks", "up", "the", thing, "."] | [who, "puts", "down", "the", thing, "."]:
            return who in PEOPLE and thing in THINGS
        case [who, "gives", friend, "the", thing, "."]:
            return who in PEOPLE and friend in PEOPLE and thing in THINGS
        case ["now", "the", thing, "is", "in", "the", place, "."]:
            return thing in THINGS and place in PLACES
    return False
