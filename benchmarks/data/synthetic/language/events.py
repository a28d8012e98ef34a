"""Events and pairs of accounts of them, for MRPC's statements and QQP's questions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.vocabulary import PEOPLE, SYNONYMOUS_VERBS

UNRELATED = 0.1
"""Share of pairs of different events that differ in every part; the other pairs differ in one part."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event: who did what to whom, and when or how."""

    subject: str
    verbs: tuple[str, str]
    """Synonymous verbs for the action."""
    other: str
    occasion: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """An event with the verb and the voice that describe it."""

    event: Event
    verb: str
    passive: bool


def draw_accounts(dice: Dice, occasions: Sequence[str], *, same: bool) -> tuple[Account, Account]:
    """Draw two accounts of the same event, with synonyms or the passive voice, or of two different events."""
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
    return _account(dice, event, passive=False), _account(dice, second, passive=dice.chance(1 / 4))


def _account(dice: Dice, event: Event, *, passive: bool) -> Account:
    return Account(event=event, verb=dice.pick(event.verbs), passive=passive)
