"""Domains of the decoder's pretraining records: kinds of entities with their attributes."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.data.models.decoder.attributes import (
    AGES,
    AREA,
    BIRTHPLACE,
    BORN,
    COUNTRY,
    FAMILIES,
    GUESTS,
    LEADER,
    NEXT_TO,
    PRICE,
    PRICES,
    RATING,
    SINCE,
    WHERE,
    Attribute,
    amount,
    some,
)
from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.names import (
    COLOURS,
    PLACES,
    QUALITIES,
    date,
    name,
    number,
    person,
    place,
    word,
    year,
)
from benchmarks.data.synthetic.language.vocabulary import KINDS


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One domain of entities that records describe."""

    kinds: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    pronouns: tuple[str, ...] = ("It",)
    entity_name: Callable[[Dice], str] = name
    """Draws the name of an entity."""


DOMAINS = (
    Domain(
        kinds=("film", "comedy", "drama", "documentary", "thriller", "western", "musical"),
        attributes=(
            Attribute(name="director", value=person, modifiers=("by {}", "directed by {}"),
                      predicates=("was directed by {}", "is the work of {}")),
            Attribute(name="starring", value=person, modifiers=("with {}", "starring {}"),
                      predicates=("stars {}", "features {} in the leading role")),
            Attribute(name="running time", value=amount("minutes"), modifiers=("of {}",),
                      predicates=("lasts {}", "runs for {}", "is {} long")),
            Attribute(name="released", value=year, modifiers=("from {}",),
                      predicates=("was released in {}", "came out in {}", "was first shown in {}")),
            COUNTRY, RATING, AGES,
        ),
    ),
    Domain(
        kinds=("book", "novel", "diary", "guide", "poem", "biography", "magazine"),
        attributes=(
            Attribute(name="author", value=person, modifiers=("by {}", "written by {}"),
                      predicates=("was written by {}", "is by the author {}")),
            Attribute(name="publisher", value=lambda dice: f"{word(dice)} Press", modifiers=("from {}",),
                      predicates=("was published by {}", "appeared at {}")),
            Attribute(name="number of pages", value=number, modifiers=("of {} pages", "with {} pages"),
                      predicates=("has {} pages", "is {} pages long")),
            Attribute(name="language", value=some(("Danish", "English", "French", "German", "Greek", "Hindi", "Latin",
                                                   "Spanish", "Welsh")),
                      modifiers=("in {}",), predicates=("is written in {}", "was translated from {}")),
            Attribute(name="followed by", value=name, modifiers=("before {}",),
                      predicates=("is followed by {}", "was succeeded by {}")),
            COUNTRY, RATING, AGES,
        ),
    ),
    Domain(
        kinds=("phone", "camera", "lamp", "clock", "radio", "printer", "bicycle"),
        attributes=(
            Attribute(name="maker", value=lambda dice: f"{word(dice)} Limited", modifiers=("by {}", "made by {}"),
                      predicates=("is made by {}", "is a product of {}")),
            Attribute(name="weight", value=amount("grams"), modifiers=("of {}",), predicates=("weighs {}", "is {} in weight")),
            Attribute(name="colour", value=some(COLOURS), modifiers=("in {}",),
                      predicates=("is {}", "comes in {}", "is painted {}")),
            PRICE, RATING, COUNTRY, AGES,
        ),
    ),
    Domain(
        kinds=("match", "race", "tournament", "final", "championship"),
        attributes=(
            Attribute(name="winner", value=person, modifiers=("won by {}",),
                      predicates=("was won by {}", "ended with a victory of {}", "made {} the champion")),
            Attribute(name="number of spectators", value=number, modifiers=("before {} spectators",),
                      predicates=("was watched by {} people", "drew {} spectators")),
            Attribute(name="date", value=date, modifiers=("on {}",), predicates=("took place on {}", "was held on {}")),
            WHERE, COUNTRY, NEXT_TO,
        ),
    ),
    Domain(
        kinds=("train", "ferry", "bus line", "tram"),
        attributes=(
            Attribute(name="from", value=place, modifiers=("from {}",), predicates=("starts in {}", "departs from {}")),
            Attribute(name="to", value=place, modifiers=("to {}", "bound for {}"),
                      predicates=("goes to {}", "ends in {}", "takes people to {}")),
            Attribute(name="duration", value=amount("hours"), modifiers=("of {}",), predicates=("takes {}", "needs {}")),
            Attribute(name="operator", value=lambda dice: f"{word(dice)} Lines", modifiers=("of {}",),
                      predicates=("is operated by {}", "is run by {}")),
            PRICE, RATING,
        ),
    ),
    Domain(
        kinds=tuple(kind for kinds in KINDS.values() for kind in kinds),
        attributes=(
            Attribute(name="owner", value=person, modifiers=("of {}", "owned by {}"),
                      predicates=("belongs to {}", "is owned by {}", "lives with {}")),
            Attribute(name="age", value=amount("years"), modifiers=("of {}",), predicates=("is {} old", "is aged {}")),
            Attribute(name="character", value=some(QUALITIES), modifiers=("known as {}",),
                      predicates=("is very {}", "is said to be {}", "looks {}")),
            Attribute(name="birth place", value=place, modifiers=("from {}",), predicates=("was born in {}", "comes from {}")),
            Attribute(name="colour", value=some(COLOURS), modifiers=("in {}",), predicates=("is {}", "has a {} look")),
        ),
    ),
    Domain(
        kinds=("course", "school", "club", "choir", "workshop", "museum"),
        attributes=(
            Attribute(name="teacher", value=person, modifiers=("with {}",), predicates=("is taught by {}", "is held by {}")),
            Attribute(name="members", value=number, modifiers=("with {} members",),
                      predicates=("has {} members", "is attended by {} people")),
            Attribute(name="subject", value=some((*QUALITIES, *PLACES)), modifiers=("about the word {}",),
                      predicates=("deals with the word {}", "is about what is called {}")),
            WHERE, SINCE, LEADER, PRICE, AGES, NEXT_TO, RATING,
        ),
    ),
    Domain(
        kinds=("storm", "flood", "fire", "earthquake", "heat wave"),
        attributes=(
            Attribute(name="speed", value=amount("miles per hour"), modifiers=("with {}",),
                      predicates=("reached {}", "had a top speed of {}")),
            Attribute(name="damage", value=amount("million dollars"), modifiers=("with a damage of {}",),
                      predicates=("caused a damage of {}", "cost {}")),
            Attribute(name="date", value=date, modifiers=("of {}", "on {}"), predicates=("hit the coast on {}", "came on {}")),
            WHERE, COUNTRY,
        ),
    ),
    Domain(
        kinds=("hotel", "theatre", "cinema", "shop", "library", "gallery", "hostel", "bakery", "barber shop"),
        attributes=(PRICES, GUESTS, AREA, FAMILIES, NEXT_TO, SINCE, COUNTRY, LEADER),
    ),
    Domain(
        kinds=("painter", "writer", "chemist", "singer", "politician", "explorer", "actor", "engineer"),
        attributes=(
            BORN,
            BIRTHPLACE,
            Attribute(name="alma mater", value=lambda dice: f"{word(dice)} School",
                      modifiers=("educated at {}",), predicates=("went to {}", "graduated from {}", "studied at {}")),
            Attribute(name="employer", value=lambda dice: f"{word(dice)} Limited", modifiers=("working for {}",),
                      predicates=("works for {}", "is employed by {}")),
            Attribute(name="known for", value=name, modifiers=("known for {}",), predicates=("is known for {}", "made {}")),
            Attribute(name="year of award", value=year, modifiers=(), predicates=("won an award in {}", "got a prize in {}")),
            Attribute(name="spouse", value=person, modifiers=("married to {}",),
                      predicates=("is married to {}", "has {} as a partner")),
        ),
        pronouns=("He", "She", "It"),
        entity_name=person,
    ),
    Domain(
        kinds=("bridge", "stadium", "tunnel", "dam", "park", "monument", "railway station"),
        attributes=(
            Attribute(name="architect", value=person, modifiers=("by {}", "designed by {}"),
                      predicates=("was designed by {}", "was built by {}", "is the work of the architect {}")),
            Attribute(name="length", value=amount("metres"), modifiers=("of {}",), predicates=("is {} long", "measures {}")),
            Attribute(name="completion date", value=year, modifiers=("from {}",),
                      predicates=("was completed in {}", "was opened in {}", "has been open since {}")),
            Attribute(name="owner", value=person, modifiers=("owned by {}",), predicates=("is owned by {}", "belongs to {}")),
            Attribute(name="height", value=number, modifiers=("with a height of {} metres",),
                      predicates=("is {} metres high", "has a height of {} metres")),
            WHERE, COUNTRY, NEXT_TO,
        ),
    ),
    Domain(
        kinds=("town", "city", "village", "region", "island"),
        attributes=(
            Attribute(name="population", value=number, modifiers=("with {} inhabitants",),
                      predicates=("has {} inhabitants", "is home to {} people", "has a population of {}")),
            Attribute(name="mayor", value=person, modifiers=("led by {}",), predicates=("has {} as its mayor", "is led by {}")),
            Attribute(name="elevation", value=amount("metres"), modifiers=(),
                      predicates=("lies {} above sea level", "is at a height of {}")),
            Attribute(name="served by", value=name, modifiers=("served by {}",), predicates=("is served by {}",)),
            COUNTRY, SINCE,
        ),
        entity_name=place,
    ),
)  # fmt: skip
