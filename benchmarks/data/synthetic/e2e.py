"""E2E in miniature: records of restaurants, each with several reference texts.

As in the original data set, a record has a name, a kind and two to four other attributes, a text mentions all
attributes, some values depend on the attribute ("low" is a rating, "cheap" a price), and no record of the test set is
in the training set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import MAX_TRIES, Dice

RECORDS = {"train": 700, "test": 80}
TEXTS = 3
"""Reference texts per record."""
NAMES = (
    "Alimentum", "Aromi", "Bibimbap House", "Blue Spice", "Browns Cambridge", "Clowns", "Cocum", "Cotto", "Fitzbillies",
    "Giraffe", "Green Man", "Loch Fyne", "Midsummer House", "Strada", "Taste of Cambridge", "The Cricketers",
    "The Eagle", "The Golden Palace", "The Mill", "The Phoenix", "The Punter", "The Vaults", "The Waterman",
    "The Wrestlers", "Travellers Rest", "Wildwood", "Zizzi",
)  # fmt: skip
LANDMARKS = ("Burger King", "Café Adriatic", "Café Rouge", "Crowne Plaza Hotel", "Express by Holiday Inn",
             "Raja Indian Cuisine", "Rainbow Vegetarian Café", "The Bakers", "The Sorrento", "Yippee Noodle Bar")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Slot:
    """An attribute: phrases for its values, and words that connect the phrases to a sentence."""

    phrases: Mapping[str, Sequence[str]]
    """Value -> phrases for it."""
    verbs: Sequence[str]
    """Words between the subject and the phrase, in a separate sentence."""
    connectors: Sequence[str]
    """Words between the noun of the first sentence and the phrase."""


KINDS = ("coffee shop", "pub", "restaurant")
SLOTS: Mapping[str, Slot] = {
    "food": Slot(
        phrases={kind: (f"{kind} food",) for kind in ("Chinese", "English", "French", "Indian", "Italian", "Japanese")}
        | {"Fast food": ("fast food", "burgers and chips")},
        verbs=("serves", "offers", "has"),
        connectors=("serving", "that serves", "with"),
    ),
    "price": Slot(
        phrases={
            "cheap": ("low prices", "cheap meals"),
            "moderate": ("average prices", "moderate prices"),
            "high": ("high prices", "expensive meals"),
            "less than £20": ("meals for less than £20", "prices under £20"),
            "more than £30": ("meals for more than £30", "prices above £30"),
        },
        verbs=("has", "offers"),
        connectors=("with", "that has"),
    ),
    "customer rating": Slot(
        phrases={
            "low": ("a low customer rating", "a poor rating"),
            "average": ("an average customer rating", "ratings that are average"),
            "high": ("a high customer rating", "an excellent rating"),
            "1 out of 5": ("a customer rating of 1 out of 5", "one star of five"),
            "5 out of 5": ("a customer rating of 5 out of 5", "all of five stars"),
        },
        verbs=("has", "received", "was given"),
        connectors=("with", "that has"),
    ),
    "area": Slot(
        phrases={
            "riverside": ("by the river", "in the riverside area"),
            "city centre": ("in the city centre", "in the centre of the city"),
        },
        verbs=("is located", "can be found", "lies"),
        connectors=("", "located"),
    ),
    "family friendly": Slot(
        phrases={
            "yes": ("welcoming to children", "family friendly", "a good place for families"),
            "no": ("not for children", "not family friendly", "for adults only"),
        },
        verbs=("is",),
        connectors=("that is", "which is"),
    ),
    "near": Slot(
        phrases={name: (f"near {name}", f"close to {name}", f"next to {name}") for name in LANDMARKS},
        verbs=("is", "is located", "can be found"),
        connectors=("", "located"),
    ),
}


def generate() -> dict[str, list[Row]]:
    """Splits "train" and "test" with `record` and `texts`; all records are distinct."""
    dice = Dice("benchmarks.embedded.e2e")
    seen: set[str] = set()
    return {split: [_row(dice, seen) for _ in range(size)] for split, size in RECORDS.items()}


def _row(dice: Dice, seen: set[str]) -> Row:
    name, kind, values = _new_record(dice, seen)
    return {
        "record": _record(name, kind, values),
        "texts": [_text(dice, name, kind, values) for _ in range(TEXTS)],
    }


def _new_record(dice: Dice, seen: set[str]) -> tuple[str, str, dict[str, str]]:
    for _ in range(MAX_TRIES):
        chosen = dice.shuffled(list(SLOTS))[: 2 + dice.pick(range(3))]
        values = {slot: dice.pick(list(SLOTS[slot].phrases)) for slot in SLOTS if slot in chosen}
        name, kind = dice.pick(NAMES), dice.pick(KINDS)
        record = _record(name, kind, values)
        if record not in seen:
            seen.add(record)
            return name, kind, values
    raise RuntimeError("e2e: the generator has run out of records")


def _record(name: str, kind: str, values: Mapping[str, str]) -> str:
    slots = {"name": name, "Type": kind, **values}
    return " | ".join(f"{slot} : {value}" for slot, value in slots.items())


def _text(dice: Dice, name: str, kind: str, values: Mapping[str, str]) -> str:
    """One or more sentences that mention all attributes, in random order."""
    parts = [
        (SLOTS[slot], dice.pick(SLOTS[slot].phrases[value])) for slot, value in dice.shuffled(list(values.items()))
    ]
    joined = dice.pick((0, 1, 1, 2))
    first, rest = parts[:joined], parts[joined:]
    tail = "".join(
        f" {phrase}" for slot, words in first for phrase in [f"{dice.pick(slot.connectors)} {words}".strip()]
    )
    sentences = [dice.pick((f"{name} is a {kind}{tail}.", f"There is a {kind}{tail} called {name}."))]
    while rest:
        taken, rest = (rest[:2], rest[2:]) if dice.chance(0.5) else (rest[:1], rest[1:])
        subject = dice.pick(("It", "It", f"The {kind}", name))
        sentences.append(f"{subject} {' and '.join(f'{dice.pick(slot.verbs)} {words}' for slot, words in taken)}.")
    return " ".join(sentences)
