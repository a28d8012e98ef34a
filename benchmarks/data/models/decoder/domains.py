"""What the decoder's records are about: things with attributes, and how these are told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Value -> other words for it in a description, where it has some."""

    def told(self, dice: Dice, frames: tuple[str, ...], value: str) -> str:
        """One of the frames with the value in it."""
        return dice.pick(frames).replace("{}", dice.pick(self.words.get(value, (value,))))


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A kind of thing that records describe."""

    kinds: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    pronouns: tuple[str, ...] = ("It",)
    called: Callable[[Dice], str] = name
    """What such a thing is called."""


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
PRICES = Attribute(
    name="price range",
    value=some(("cheap", "moderate", "high", "low", "less than £20", "£20-25", "more than £30")),
    modifies=("with {}", "that has {}", "offering {}"),
    tells=("has {}", "offers {}", "is known for {}"),
    words={
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
    modifies=("with {}", "that has {}"),
    tells=("has {}", "received {}", "was given {}", "gets {}"),
    words={
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
    modifies=("{}", "located {}", "that can be found {}"),
    tells=("is located {}", "can be found {}", "lies {}", "is {}"),
    words={
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
    modifies=("that is {}", "which is {}"),
    tells=("is {}",),
    words={
        "yes": ("family friendly", "welcoming to children", "a good place for families", "open to children"),
        "no": ("not family friendly", "not for children", "for adults only", "not open to families"),
    },
)
BORN = Attribute(
    name="birth date", value=date, modifies=("born on {}",), tells=("was born on {}", "has been alive since {}")
)
BIRTHPLACE = Attribute(
    name="birth place", value=place, modifies=("from {}", "born in {}"), tells=("was born in {}", "comes from {}")
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
                      modifies=("educated at {}",), tells=("went to {}", "graduated from {}", "studied at {}")),
            Attribute(name="employer", value=lambda dice: f"{word(dice)} Limited", modifies=("working for {}",),
                      tells=("works for {}", "is employed by {}")),
            Attribute(name="known for", value=name, modifies=("known for {}",), tells=("is known for {}", "made {}")),
            Attribute(name="year of award", value=year, modifies=(), tells=("won an award in {}", "got a prize in {}")),
            Attribute(name="spouse", value=person, modifies=("married to {}",),
                      tells=("is married to {}", "has {} as a partner")),
        ),
        pronouns=("He", "She", "It"),
        called=person,
    ),
    Domain(
        kinds=("bridge", "stadium", "tunnel", "dam", "park", "monument", "railway station"),
        attributes=(
            Attribute(name="architect", value=person, modifies=("by {}", "designed by {}"),
                      tells=("was designed by {}", "was built by {}", "is the work of the architect {}")),
            Attribute(name="length", value=amount("metres"), modifies=("of {}",), tells=("is {} long", "measures {}")),
            Attribute(name="completion date", value=year, modifies=("from {}",),
                      tells=("was completed in {}", "was opened in {}", "has been open since {}")),
            Attribute(name="owner", value=person, modifies=("owned by {}",), tells=("is owned by {}", "belongs to {}")),
            Attribute(name="height", value=number, modifies=("with a height of {} metres",),
                      tells=("is {} metres high", "has a height of {} metres")),
            WHERE, COUNTRY, NEXT_TO,
        ),
    ),
    Domain(
        kinds=("town", "city", "village", "region", "island"),
        attributes=(
            Attribute(name="population", value=number, modifies=("with {} inhabitants",),
                      tells=("has {} inhabitants", "is home to {} people", "has a population of {}")),
            Attribute(name="mayor", value=person, modifies=("led by {}",), tells=("has {} as its mayor", "is led by {}")),
            Attribute(name="elevation", value=amount("metres"), modifies=(),
                      tells=("lies {} above sea level", "is at a height of {}")),
            Attribute(name="served by", value=name, modifies=("served by {}",), tells=("is served by {}",)),
            COUNTRY, SINCE,
        ),
        called=place,
    ),
)  # fmt: skip
