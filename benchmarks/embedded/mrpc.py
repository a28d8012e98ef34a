"""MRPC in miniature: do two news items report the same event? Not if the roles are swapped or the deed is another."""

from benchmarks.embedded.drawing import Dice, draw_splits
from benchmarks.embedded.vocabulary import PEOPLE, SYNONYMOUS_VERBS, past
from benchmarks.spec import Row

OPENERS = ("", "it seems ")


def generate() -> dict[str, list[Row]]:
    """Splits of `sentence1`, `sentence2`, `label` (1 paraphrase, 0 not); 67% are paraphrases, as in MRPC."""
    return draw_splits("mrpc", {"train": _draw, "validation": _draw}, shares={1: 0.67, 0: 0.33})


def _draw(dice: Dice, label: int) -> Row:
    subject, other = dice.pick_two(PEOPLE)
    verbs, different_verbs = dice.pick_two(SYNONYMOUS_VERBS)
    passive = dice.chance(0.5)
    sentence1 = _report(dice, subject, dice.pick(verbs), other, passive=passive)
    if dice.chance(1 / 8):  # the same event, told from the other one's side
        subject, other, passive = other, subject, not passive
    if label == 0:
        if dice.chance(0.5):  # who did it becomes who suffered it
            passive = not passive
        else:
            verbs = different_verbs
    sentence2 = _report(dice, subject, dice.pick(verbs), other, passive=passive)
    return {"sentence1": sentence1, "sentence2": sentence2, "label": label}


def _report(dice: Dice, subject: str, verb: str, other: str, *, passive: bool) -> str:
    deed = f"was {past(verb)} by" if passive else past(verb)
    return f"{dice.pick(OPENERS)}the {subject} {deed} the {other} ."
