"""MRPC in miniature: do two sentences report the same event, or do action, person, day or roles differ?"""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.events import Account, draw_accounts
from benchmarks.data.synthetic.language.vocabulary import past

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def generate() -> dict[str, list[Row]]:
    """Splits with `sentence1`, `sentence2`, `label` (1 paraphrase, 0 not); 67% are paraphrases, as in MRPC."""
    return draw_splits("mrpc", {"train": _draw, "validation": _draw}, shares={1: 0.67, 0: 0.33})


def _draw(dice: Dice, label: int) -> Row:
    first, second = draw_accounts(dice, DAYS, same=label == 1)
    return {"sentence1": _report(first), "sentence2": _report(second), "label": label}


def _report(account: Account) -> str:
    event, verb = account.event, past(account.verb)
    if account.passive:
        return f"the {event.other} was {verb} by the {event.subject} on {event.occasion} ."
    return f"the {event.subject} {verb} the {event.other} on {event.occasion} ."
