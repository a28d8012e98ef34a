"""Attributes of the entities in the decoder's pretraining records, and phrases for their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.names import date, name, number, person, place

COUNTRIES = ("Brazil", "Canada", "Chile", "Denmark", "Egypt", "Finland", "Greece", "India", "Japan", "Kenya", "Mexico",
             "Norway", "Peru", "Poland", "Spain", "Sweden", "Turkey", "the Netherlands", "the United States")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of the entities of a domain, and phrases for it."""

    name: str
    value: Callable[[Dice], str]
    """Draws a value."""
    modifiers: tuple[str, ...] = ()
    """Phrases that follow the entity's name and kind, with "{}" for the value: "by {}"."""
    predicates: tuple[str, ...]
    """Phrases that follow the subject, with "{}" for the value: "was written by {}"."""
    wordings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Value -> words that replace it in a description; other values are used as they are."""

    def phrase(self, dice: Dice, templates: tuple[str, ...], value: str) -> str:
        """Draw one of the templates, and fill in the value or one of its wordings."""
        return dice.pick(templates).replace("{}", dice.pick(self.wordings.get(value, (value,))))


def some(options: Sequence[str]) -> Callable[[Dice], str]:
    """Return a function that draws one of the options."""
    return lambda dice: dice.pick(options)


def amount(unit: str) -> Callable[[Dice], str]:
    """Return a function that draws a number with a unit."""
    return lambda dice: f"{number(dice)} {unit}"


WHERE = Attribute(
    name="location",
    value=place,
    modifiers=("in {}", "located in {}", "from {}"),
    predicates=("is located in {}", "can be found in {}", "lies in {}", "is in {}"),
)
COUNTRY = Attribute(
    name="country", value=some(COUNTRIES), modifiers=("from {}", "in {}"), predicates=("comes from {}", "belongs to {}")
)
SINCE = Attribute(
    name="start date",
    value=date,
    modifiers=("since {}",),
    predicates=("began on {}", "started on {}", "has been there since {}", "was founded on {}"),
)
LEADER = Attribute(
    name="leader",
    value=person,
    modifiers=("led by {}", "under {}"),
    predicates=("is led by {}", "has {} as its leader", "is run by {}"),
)
PRICE = Attribute(
    name="price",
    value=amount("dollars"),
    modifiers=("for {}", "priced at {}"),
    predicates=("costs {}", "sells for {}", "has a price of {}"),
)
RATING = Attribute(
    name="rating",
    value=lambda dice: f"{dice.pick('12345')} out of 5",
    modifiers=("rated {}", "with a rating of {}"),
    predicates=("is rated {}", "has a rating of {}", "was given {} by its readers", "received {}"),
)
AGES = Attribute(
    name="suitable for",
    value=some(("children", "adults", "families", "beginners", "experts", "students", "everybody")),
    modifiers=("for {}", "suitable for {}"),
    predicates=("is suitable for {}", "is meant for {}", "is not made for anyone but {}"),
)
NEXT_TO = Attribute(
    name="next to",
    value=name,
    modifiers=("next to {}", "close to {}", "near {}"),
    predicates=("is next to {}", "stands near {}", "is close to {}", "can be seen from {}"),
)
PRICES = Attribute(
    name="price range",
    value=some(("cheap", "moderate", "high", "low", "less than £20", "£20-25", "more than £30")),
    modifiers=("with {}", "that has {}", "offering {}"),
    predicates=("has {}", "offers {}", "is known for {}"),
    wordings={
        "cheap": ("cheap prices", "low prices"),
        "low": ("low prices", "cheap tickets"),
        "moderate": ("moderate prices", "average prices"),
        "high": ("high prices", "expensive tickets"),
        "less than £20": ("prices of less than £20", "prices under £20"),
        "£20-25": ("prices between £20 and £25", "prices of £20-25"),
        "more than £30": ("prices of more than £30", "prices above £30"),
    },
)
GUESTS = Attribute(
    name="customer rating",
    value=some(("low", "average", "high", "excellent", "poor", *(f"{stars} out of 5" for stars in "12345"))),
    modifiers=("with {}", "that has {}"),
    predicates=("has {}", "received {}", "was given {}", "gets {}"),
    wordings={
        "low": ("a low customer rating", "a poor rating"),
        "average": ("an average customer rating", "average ratings"),
        "high": ("a high customer rating", "high ratings from its customers"),
        "excellent": ("an excellent customer rating", "excellent ratings"),
        "poor": ("a poor customer rating", "poor ratings"),
    }
    | {f"{stars} out of 5": (f"a customer rating of {stars} out of 5", f"{stars} stars of five") for stars in "12345"},
)
AREA = Attribute(
    name="area",
    value=some(("riverside", "city centre", "old town", "suburbs", "north", "south", "harbour")),
    modifiers=("{}", "located {}", "that can be found {}"),
    predicates=("is located {}", "can be found {}", "lies {}", "is {}"),
    wordings={
        "riverside": ("by the river", "in the riverside area", "near the river"),
        "city centre": ("in the city centre", "in the centre of the city"),
        "old town": ("in the old town", "in the old part of the town"),
        "suburbs": ("in the suburbs", "outside of the city"),
        "north": ("in the north of the city", "in the north"),
        "south": ("in the south of the city", "in the south"),
        "harbour": ("at the harbour", "in the harbour area"),
    },
)
FAMILIES = Attribute(
    name="family friendly",
    value=some(("yes", "no")),
    modifiers=("that is {}", "which is {}"),
    predicates=("is {}",),
    wordings={
        "yes": ("family friendly", "welcoming to children", "a good place for families", "open to children"),
        "no": ("not family friendly", "not for children", "for adults only", "not open to families"),
    },
)
BORN = Attribute(
    name="birth date", value=date, modifiers=("born on {}",), predicates=("was born on {}", "has been alive since {}")
)
BIRTHPLACE = Attribute(
    name="birth place", value=place, modifiers=("from {}", "born in {}"), predicates=("was born in {}", "comes from {}")
)
