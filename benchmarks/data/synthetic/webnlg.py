"""WebNLG in miniature: sets of triples about one entity, each with several reference texts.

As in the original data set, entities and properties are written as in DBpedia, a set has one to three triples of one
category, and half of the test set has categories that do not occur in the training set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import MAX_TRIES, Dice
from benchmarks.data.synthetic.language.names import date, number, person, place, year

TRAIN_RECORDS = 700
TEST_RECORDS = {True: 40, False: 40}
"""Whether the category occurs in the training set -> number of test records."""
TEXTS = 3
"""Reference texts per record."""
LONGEST = 3
"""Maximum number of triples of a record."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """A category of entities: endings of their names, and their properties."""

    name_endings: Sequence[str]
    """Last words of the names; empty for persons."""
    properties: Mapping[str, Sequence[str]]
    """Property -> clauses, with {0} for the entity and {1} for the value."""


SEEN: Mapping[str, Category] = {
    "Airport": Category(
        name_endings=("Airport", "International Airport", "Airfield"),
        properties={
            "cityServed": ("{0} serves the city of {1}", "the city of {1} is served by {0}"),
            "location": ("{0} is located in {1}", "{0} is in {1}"),
            "runwayLength": ("the runway of {0} is {1} metres long", "{0} has a runway with a length of {1} metres"),
            "operatingOrganisation": ("{0} is operated by {1}", "{1} is the operator of {0}"),
            "elevation": ("{0} lies {1} metres above sea level", "the elevation of {0} is {1} metres"),
        },
    ),
    "Building": Category(
        name_endings=("Tower", "Hall", "House", "Cathedral"),
        properties={
            "architect": ("{0} was designed by {1}", "{1} was the architect of {0}"),
            "floorCount": ("{0} has {1} floors", "there are {1} floors in {0}"),
            "location": ("{0} is located in {1}", "{0} stands in {1}"),
            "completionDate": ("{0} was completed in {1}", "the construction of {0} ended in {1}"),
            "owner": ("{0} is owned by {1}", "{1} is the owner of {0}"),
        },
    ),
    "University": Category(
        name_endings=("University", "College", "Institute"),
        properties={
            "president": ("{1} is the president of {0}", "the president of {0} is {1}"),
            "numberOfStudents": ("{0} has {1} students", "there are {1} students at {0}"),
            "established": ("{0} was established in {1}", "{0} was founded in {1}"),
            "city": ("{0} is in the city of {1}", "{0} can be found in {1}"),
            "staff": ("{0} employs {1} people", "the staff of {0} has {1} members"),
        },
    ),
    "Astronaut": Category(
        name_endings=(),
        properties={
            "birthDate": ("{0} was born on {1}", "the birth date of {0} is {1}"),
            "birthPlace": ("{0} was born in {1}", "{1} is the birth place of {0}"),
            "almaMater": ("{0} went to school in {1}", "{0} graduated from the school of {1}"),
            "selectedByNasa": ("{0} was selected by NASA in {1}", "NASA selected {0} in {1}"),
            "timeInSpace": ("{0} spent {1} minutes in space", "{0} was in space for {1} minutes"),
        },
    ),
}
UNSEEN: Mapping[str, Category] = {
    "Athlete": Category(
        name_endings=(),
        properties={
            "birthPlace": ("{0} was born in {1}", "{1} is the birth place of {0}"),
            "club": ("{0} plays for {1}", "{1} is the club of {0}"),
            "height": ("{0} is {1} centimetres tall", "the height of {0} is {1} centimetres"),
            "youthclub": ("{0} played for {1} as a youth", "the youth club of {0} was {1}"),
        },
    ),
    "MeanOfTransportation": Category(
        name_endings=("Roadster", "Class", "Express"),
        properties={
            "manufacturer": ("{0} is made by {1}", "{1} is the manufacturer of {0}"),
            "productionStartYear": ("{0} has been made since {1}", "the production of {0} began in {1}"),
            "length": ("{0} is {1} millimetres long", "the length of {0} is {1} millimetres"),
            "assembly": ("{0} is assembled in {1}", "{1} is where {0} is put together"),
        },
    ),
}
NUMBERS = ("runwayLength", "elevation", "floorCount", "numberOfStudents", "staff", "timeInSpace", "height", "length")
YEARS = ("completionDate", "established", "selectedByNasa", "productionStartYear")
PLACES = ("cityServed", "location", "city", "birthPlace", "almaMater", "assembly")


def generate() -> dict[str, list[Row]]:
    """Splits "train" and "test" with `record`, `texts` and `category`; all entities are distinct."""
    dice = Dice("benchmarks.embedded.webnlg")
    names: set[str] = set()
    train = [_row(dice, SEEN, names) for _ in range(TRAIN_RECORDS)]
    test = [_row(dice, SEEN if seen else UNSEEN, names) for seen, rows in TEST_RECORDS.items() for _ in range(rows)]
    return {"train": train, "test": dice.shuffled(test)}


def _row(dice: Dice, categories: Mapping[str, Category], names: set[str]) -> Row:
    """A record about an entity that no other record is about."""
    title = dice.pick(list(categories))
    category = categories[title]
    entity = _new_name(dice, category, names)
    chosen = dice.shuffled(list(category.properties))[: 1 + dice.pick(range(LONGEST))]
    triples = [(entity, name, _value(dice, name)) for name in chosen]
    record = " | ".join(
        f"{_with_underscores(entity)} : {name} : {_with_underscores(value)}" for entity, name, value in triples
    )
    return {"record": record, "texts": [_text(dice, category, triples) for _ in range(TEXTS)], "category": title}


def _new_name(dice: Dice, category: Category, names: set[str]) -> str:
    for _ in range(MAX_TRIES):
        name = f"{place(dice)} {dice.pick(category.name_endings)}" if category.name_endings else person(dice)
        if name not in names:
            names.add(name)
            return name
    raise RuntimeError("webnlg: the generator has run out of names")


def _value(dice: Dice, name: str) -> str:
    if name in NUMBERS:
        return number(dice)
    if name in YEARS:
        return year(dice)
    if name in PLACES:
        return place(dice)
    return date(dice) if name == "birthDate" else person(dice)


def _text(dice: Dice, category: Category, triples: Sequence[tuple[str, str, str]]) -> str:
    """Sentences with one clause per triple, one or two clauses each, in random order."""
    clauses = []
    for index, (entity, name, value) in enumerate(dice.shuffled(triples)):
        subject = "it" if index and category.name_endings and dice.chance(0.5) else entity
        clauses.append(dice.pick(category.properties[name]).format(subject, value))
    sentences = []
    while clauses:
        taken, clauses = (clauses[:2], clauses[2:]) if dice.chance(0.5) else (clauses[:1], clauses[1:])
        sentence = " and ".join(taken)
        sentences.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return " ".join(sentences)


def _with_underscores(text: str) -> str:
    return text.replace(" ", "_")
