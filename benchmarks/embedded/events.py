"""Events told twice: what MRPC's statements and QQP's questions are about."""

from dataclasses import dataclass

from benchmarks.embedded.drawing import Dice
from benchmarks.embedded.vocabulary import PEOPLE, SYNONYMOUS_VERBS


@dataclass(frozen=True, kw_only=True)
class Event:
    """Who did what to whom, and how it is told."""

    subject: str
    verb: str
    other: str
    passive: bool


def tell_twice(dice: Dice, *, same: bool) -> tuple[Event, Event]:
    """Two accounts of the same event, in synonyms or the passive; or of two that differ in deed, person or roles."""
    subject, other = dice.pick_two(PEOPLE)
    verbs, different_verbs = dice.pick_two(SYNONYMOUS_VERBS)
    first = Event(subject=subject, verb=dice.pick(verbs), other=other, passive=False)
    change = "nothing" if same else dice.pick(("deed", "person", "roles"))
    if change == "deed":
        verbs = different_verbs
    elif change == "person":
        other = dice.pick([person for person in PEOPLE if person not in (subject, other)])
    elif change == "roles":
        subject, other = other, subject
    return first, Event(subject=subject, verb=dice.pick(verbs), other=other, passive=dice.chance(1 / 4))
