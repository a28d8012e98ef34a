"""Events told twice: what MRPC's statements and QQP's questions are about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.vocabulary import PEOPLE, SYNONYMOUS_VERBS

UNRELATED = 0.1
"""Share of different events that have nothing in common; the others differ in one part."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Who did what to whom, and when or how."""

    subject: str
    verbs: tuple[str, str]
    """Synonyms for the deed."""
    other: str
    occasion: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """How an event is told."""

    event: Event
    verb: str
    passive: bool


def tell_twice(dice: Dice, occasions: Sequence[str], *, same: bool) -> tuple[Account, Account]:
    """Two accounts of the same event, in synonyms or the passive; or of two events."""
    subject, other, *others = dice.shuffled(PEOPLE)
    verbs, different_verbs = dice.pick_two(SYNONYMOUS_VERBS)
    occasion, different_occasion = dice.pick_two(occasions)
    event = Event(subject=subject, verbs=verbs, other=other, occasion=occasion)
    unrelated = Event(subject=others[0], verbs=different_verbs, other=others[1], occasion=different_occasion)
    changed = [
        replace(event, verbs=different_verbs),
        replace(event, other=others[0]),
        replace(event, subject=other, other=subject),
        replace(event, occasion=different_occasion),
    ]
    second = event if same else unrelated if dice.chance(UNRELATED) else dice.pick(changed)
    return _tell(dice, event, passive=False), _tell(dice, second, passive=dice.chance(1 / 4))


def _tell(dice: Dice, event: Event, *, passive: bool) -> Account:
    return Account(event=event, verb=dice.pick(event.verbs), passive=passive)
