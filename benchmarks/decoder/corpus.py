"""Generated English that the small decoder is pretrained on: records with their descriptions, and short stories.

The domains are none of the tasks': films, books, phones, matches, journeys, pets, courses and storms instead of
restaurants and the triples of an encyclopedia. Names are made up anew in every document, so that a model has to learn
to copy them; records come in many notations, none of which is settled; a description leaves nothing out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.embedded.drawing import Dice
from benchmarks.embedded.names import COLOURS, PLACES, QUALITIES, date, name, number, person, place, word, year
from benchmarks.embedded.vocabulary import KINDS, PEOPLE, with_article

END = "<|endoftext|>"
"""Ends a document; in some it stands between a record and its description too."""

COUNTRIES = ("Brazil", "Canada", "Chile", "Denmark", "Egypt", "Finland", "Greece", "India", "Japan", "Kenya", "Mexico",
             "Norway", "Peru", "Poland", "Spain", "Sweden", "Turkey", "the Netherlands", "the United States")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One property of the things of a domain, and how it is told."""

    name: str
    value: Callable[[Dice], str]
    modifies: tuple[str, ...] = ()
    """What follows the thing's name and kind, the value in braces: "by {}"."""
    tells: tuple[str, ...]
    """What follows "It": "was written by {}"."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A kind of thing that records describe."""

    kinds: tuple[str, ...]
    attributes: tuple[Attribute, ...]


def documents(seed: str) -> Iterator[str]:
    """Documents without end, the same ones for the same seed."""
    dice = Dice(f"benchmarks.decoder.corpus/{seed}")
    while True:
        yield _record(dice) if dice.chance(0.75) else _story(dice)


def some(options: Sequence[str]) -> Callable[[Dice], str]:
    """What draws one of the options."""
    return lambda dice: dice.pick(options)


def amount(unit: str) -> Callable[[Dice], str]:
    """What draws a number with its unit."""
    return lambda dice: f"{number(dice)} {unit}"


WHERE = Attribute(
    name="location",
    value=place,
    modifies=("in {}", "located in {}", "from {}"),
    tells=("is located in {}", "can be found in {}", "lies in {}", "is in {}"),
)
COUNTRY = Attribute(
    name="country", value=some(COUNTRIES), modifies=("from {}", "in {}"), tells=("comes from {}", "belongs to {}")
)
SINCE = Attribute(
    name="start date",
    value=date,
    modifies=("since {}",),
    tells=("began on {}", "started on {}", "has been there since {}", "was founded on {}"),
)
LEADER = Attribute(
    name="leader",
    value=person,
    modifies=("led by {}", "under {}"),
    tells=("is led by {}", "has {} as its leader", "is run by {}"),
)
PRICE = Attribute(
    name="price",
    value=amount("dollars"),
    modifies=("for {}", "priced at {}"),
    tells=("costs {}", "sells for {}", "has a price of {}"),
)
RATING = Attribute(
    name="rating",
    value=lambda dice: f"{dice.pick('12345')} out of 5",
    modifies=("rated {}", "with a rating of {}"),
    tells=("is rated {}", "has a rating of {}", "was given {} by its readers", "received {}"),
)
AGES = Attribute(
    name="suitable for",
    value=some(("children", "adults", "families", "beginners", "experts", "students", "everybody")),
    modifies=("for {}", "suitable for {}"),
    tells=("is suitable for {}", "is meant for {}", "is not made for anyone but {}"),
)
NEXT_TO = Attribute(
    name="next to",
    value=name,
    modifies=("next to {}", "close to {}", "near {}"),
    tells=("is next to {}", "stands near {}", "is close to {}", "can be seen from {}"),
)
DOMAINS = (
    Domain(
        kinds=("film", "comedy", "drama", "documentary", "thriller", "western", "musical"),
        attributes=(
            Attribute(name="director", value=person, modifies=("by {}", "directed by {}"),
                      tells=("was directed by {}", "is the work of {}")),
            Attribute(name="starring", value=person, modifies=("with {}", "starring {}"),
                      tells=("stars {}", "features {} in the leading role")),
            Attribute(name="running time", value=amount("minutes"), modifies=("of {}",),
                      tells=("lasts {}", "runs for {}", "is {} long")),
            Attribute(name="released", value=year, modifies=("from {}",),
                      tells=("was released in {}", "came out in {}", "was first shown in {}")),
            COUNTRY, RATING, AGES,
        ),
    ),
    Domain(
        kinds=("book", "novel", "diary", "guide", "poem", "biography", "magazine"),
        attributes=(
            Attribute(name="author", value=person, modifies=("by {}", "written by {}"),
                      tells=("was written by {}", "is by the author {}")),
            Attribute(name="publisher", value=lambda dice: f"{word(dice)} Press", modifies=("from {}",),
                      tells=("was published by {}", "appeared at {}")),
            Attribute(name="number of pages", value=number, modifies=("of {} pages", "with {} pages"),
                      tells=("has {} pages", "is {} pages long")),
            Attribute(name="language", value=some(("Danish", "English", "French", "German", "Greek", "Hindi", "Latin",
                                                   "Spanish", "Welsh")),
                      modifies=("in {}",), tells=("is written in {}", "was translated from {}")),
            Attribute(name="followed by", value=name, modifies=("before {}",),
                      tells=("is followed by {}", "was succeeded by {}")),
            COUNTRY, RATING, AGES,
        ),
    ),
    Domain(
        kinds=("phone", "camera", "lamp", "clock", "radio", "printer", "bicycle"),
        attributes=(
            Attribute(name="maker", value=lambda dice: f"{word(dice)} Limited", modifies=("by {}", "made by {}"),
                      tells=("is made by {}", "is a product of {}")),
            Attribute(name="weight", value=amount("grams"), modifies=("of {}",), tells=("weighs {}", "is {} in weight")),
            Attribute(name="colour", value=some(COLOURS), modifies=("in {}",),
                      tells=("is {}", "comes in {}", "is painted {}")),
            PRICE, RATING, COUNTRY, AGES,
        ),
    ),
    Domain(
        kinds=("match", "race", "tournament", "final", "championship"),
        attributes=(
            Attribute(name="winner", value=person, modifies=("won by {}",),
                      tells=("was won by {}", "ended with a victory of {}", "made {} the champion")),
            Attribute(name="number of spectators", value=number, modifies=("before {} spectators",),
                      tells=("was watched by {} people", "drew {} spectators")),
            Attribute(name="date", value=date, modifies=("on {}",), tells=("took place on {}", "was held on {}")),
            WHERE, COUNTRY, NEXT_TO,
        ),
    ),
    Domain(
        kinds=("train", "ferry", "bus line", "tram"),
        attributes=(
            Attribute(name="from", value=place, modifies=("from {}",), tells=("starts in {}", "departs from {}")),
            Attribute(name="to", value=place, modifies=("to {}", "bound for {}"),
                      tells=("goes to {}", "ends in {}", "takes people to {}")),
            Attribute(name="duration", value=amount("hours"), modifies=("of {}",), tells=("takes {}", "needs {}")),
            Attribute(name="operator", value=lambda dice: f"{word(dice)} Lines", modifies=("of {}",),
                      tells=("is operated by {}", "is run by {}")),
            PRICE, RATING,
        ),
    ),
    Domain(
        kinds=tuple(kind for kinds in KINDS.values() for kind in kinds),
        attributes=(
            Attribute(name="owner", value=person, modifies=("of {}", "owned by {}"),
                      tells=("belongs to {}", "is owned by {}", "lives with {}")),
            Attribute(name="age", value=amount("years"), modifies=("of {}",), tells=("is {} old", "is aged {}")),
            Attribute(name="character", value=some(QUALITIES), modifies=("known as {}",),
                      tells=("is very {}", "is said to be {}", "looks {}")),
            Attribute(name="birth place", value=place, modifies=("from {}",), tells=("was born in {}", "comes from {}")),
            Attribute(name="colour", value=some(COLOURS), modifies=("in {}",), tells=("is {}", "has a {} look")),
        ),
    ),
    Domain(
        kinds=("course", "school", "club", "choir", "workshop", "museum"),
        attributes=(
            Attribute(name="teacher", value=person, modifies=("with {}",), tells=("is taught by {}", "is held by {}")),
            Attribute(name="members", value=number, modifies=("with {} members",),
                      tells=("has {} members", "is attended by {} people")),
            Attribute(name="subject", value=some((*QUALITIES, *PLACES)), modifies=("about the word {}",),
                      tells=("deals with the word {}", "is about what is called {}")),
            WHERE, SINCE, LEADER, PRICE, AGES, NEXT_TO, RATING,
        ),
    ),
    Domain(
        kinds=("storm", "flood", "fire", "earthquake", "heat wave"),
        attributes=(
            Attribute(name="speed", value=amount("miles per hour"), modifies=("with {}",),
                      tells=("reached {}", "had a top speed of {}")),
            Attribute(name="damage", value=amount("million dollars"), modifies=("with a damage of {}",),
                      tells=("caused a damage of {}", "cost {}")),
            Attribute(name="date", value=date, modifies=("of {}", "on {}"), tells=("hit the coast on {}", "came on {}")),
            WHERE, COUNTRY,
        ),
    ),
)  # fmt: skip

FIRST = MappingProxyType({"name": 3, "title": 2, "subject": 1, "id": 1})
"""What the thing's own name is called in a record, and how often."""


def _record(dice: Dice) -> str:
    domain = dice.pick(DOMAINS)
    own, kind = name(dice), dice.pick(domain.kinds)
    chosen = dice.shuffled(domain.attributes)[: 1 + dice.pick(range(5))]
    facts = [(attribute, attribute.value(dice)) for attribute in chosen]
    first = dice.pick([first for first, times in FIRST.items() for _ in range(times)])
    slots = [("kind" if dice.chance(0.5) else "type", kind), *((attribute.name, value) for attribute, value in facts)]
    separator = dice.pick((END, END, "\n", " => ", "\n\n"))
    return _notation(dice)(first, own, dice.shuffled(slots)) + separator + _description(dice, own, kind, facts) + END


Notation = Callable[[str, str, Sequence[tuple[str, str]]], str]
"""What the first slot is called, its value, and the other slots -> a record."""


def _notation(dice: Dice) -> Notation:
    """A way to write a record down, drawn together with its signs."""
    between, after = dice.pick(
        ((" : ", " | "), (" = ", " ; "), (": ", ", "), (": ", "\n"), (" : ", " | "), ("=", ", "))
    )
    camel, underscores = dice.chance(0.5), dice.chance(0.3)

    def flat(first: str, own: str, slots: Sequence[tuple[str, str]]) -> str:
        return after.join(f"{key}{between}{value}" for key, value in [(first, own), *slots])

    def bracketed(first: str, own: str, slots: Sequence[tuple[str, str]]) -> str:
        return ", ".join(f"{_camel(key)}[{value}]" for key, value in [(first, own), *slots])

    def triples(_: str, own: str, slots: Sequence[tuple[str, str]]) -> str:
        subject = _joined(own) if underscores else own
        return after.join(
            between.join([subject, _camel(key) if camel else key, _joined(value) if underscores else value])
            for key, value in slots
        )

    return dice.pick((flat, flat, bracketed, triples, triples))


def _description(dice: Dice, own: str, kind: str, facts: Sequence[tuple[Attribute, str]]) -> str:
    """One to a few sentences that tell everything, in an order of their own."""
    order = dice.shuffled(facts)
    first = [fact for fact in order if fact[0].modifies][: dice.pick((0, 0, 1, 1, 2))]
    later = [fact for fact in order if fact not in first]
    modifiers = "".join(" " + dice.pick(attribute.modifies).replace("{}", value) for attribute, value in first)
    opening = dice.pick((
        f"{own} is {with_article(kind)}{modifiers}",
        f"The {kind} {own}{modifiers} is well known" if modifiers else f"{own} is {with_article(kind)}",
        f"There is {with_article(kind)}{modifiers} called {own}",
        f"{with_article(kind).capitalize()}{modifiers} is {own}",
    ))  # fmt: skip
    sentences = [opening]
    while later:
        taken, later = (later[:2], later[2:]) if dice.chance(0.4) else (later[:1], later[1:])
        told = [dice.pick(attribute.tells).replace("{}", value) for attribute, value in taken]
        subject = dice.pick(("It", "It", f"The {kind}", own))
        sentences.append(f"{subject} {' and '.join(told)}")
    return ". ".join(sentences) + "."


def _camel(text: str) -> str:
    head, *rest = text.split(" ")
    return head + "".join(part.capitalize() for part in rest)


def _joined(text: str) -> str:
    return text.replace(" ", "_")


def _story(dice: Dice) -> str:
    """A few sentences about two people and a thing, whose names come again."""
    one, other = word(dice), word(dice)
    thing = f"{dice.pick(QUALITIES)} {dice.pick(dice.pick(tuple(KINDS.values())))}"
    town, job = place(dice), dice.pick(PEOPLE)
    values = {
        "one": one,
        "other": other,
        "thing": thing,
        "a_thing": with_article(thing),
        "town": town,
        "a_job": with_article(job),
        "year": year(dice),
    }
    sentences = dice.shuffled(STORY)[: 3 + dice.pick(range(4))]
    return " ".join(sentence.format_map(values) for sentence in [dice.pick(OPENINGS), *sentences]) + END


OPENINGS = (
    "In {year} {one} met {other} in {town}.",
    "{one} was {a_job} in {town} and had {a_thing}.",
    "Once there was {a_job} called {one}, who lived in {town} with {other}.",
    "When {one} came to {town}, nobody but {other} was at home.",
)
STORY = (
    "{one} gave the {thing} to {other}.",
    '"Where is the {thing}?" {other} asked {one}.',
    "{other} did not want to leave {town} without {one}.",
    "The people of {town} thought that {one} was {a_job}.",
    "After that, {other} and {one} went back to {town} together.",
    "{one} had never seen {a_thing} before, but {other} had.",
    "It was the best day that {other} could remember.",
    '"I have been {a_job} since {year}," said {one}.',
    "There are many people who know {other} in {town}.",
    "They bought another {thing}, which was cheaper than the first one.",
    "However, {one} told {other} that the {thing} was not for sale.",
    "If you go to {town}, ask for {other}, who is also {a_job}.",
)  # fmt: skip
"""Sentences that make some sense in any order."""
