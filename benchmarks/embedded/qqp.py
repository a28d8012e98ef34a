"""QQP in miniature: do two questions ask for the same? Not about another deed, somebody else, or swapped roles."""

from benchmarks.embedded.drawing import Dice, draw_splits
from benchmarks.embedded.events import Event, tell_twice
from benchmarks.embedded.vocabulary import past
from benchmarks.spec import Row

INTERROGATIVES = ("why", "when", "where", "how")


def generate() -> dict[str, list[Row]]:
    """Splits of `question1`, `question2`, `label` (1 duplicate, 0 not); 37% are duplicates, as in QQP."""
    return draw_splits("qqp", {"train": _draw, "validation": _draw}, shares={0: 0.63, 1: 0.37})


def _draw(dice: Dice, label: int) -> Row:
    first, second = tell_twice(dice, same=label == 1)
    asked = dice.pick(INTERROGATIVES)
    return {"question1": _question(asked, first), "question2": _question(asked, second), "label": label}


def _question(asked: str, event: Event) -> str:
    if event.passive:
        return f"{asked} was the {event.other} {past(event.verb)} by the {event.subject} ?"
    return f"{asked} did the {event.subject} {event.verb} the {event.other} ?"
