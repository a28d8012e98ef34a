"""QQP in miniature: do two questions ask the same, or do action, person, interrogative or roles differ?"""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.events import Account, draw_accounts
from benchmarks.data.synthetic.language.vocabulary import past

INTERROGATIVES = ("why", "when", "where", "how")


def generate() -> dict[str, list[Row]]:
    """Splits with `question1`, `question2`, `label` (1 duplicate, 0 not); 37% are duplicates, as in QQP."""
    return draw_splits("qqp", {"train": _draw, "validation": _draw}, shares={0: 0.63, 1: 0.37})


def _draw(dice: Dice, label: int) -> Row:
    first, second = draw_accounts(dice, INTERROGATIVES, same=label == 1)
    return {"question1": _question(first), "question2": _question(second), "label": label}


def _question(account: Account) -> str:
    event = account.event
    if account.passive:
        return f"{event.occasion} was the {event.other} {past(account.verb)} by the {event.subject} ?"
    return f"{event.occasion} did the {event.subject} {account.verb} the {event.other} ?"
