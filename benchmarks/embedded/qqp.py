"""QQP in miniature: do two questions ask for the same? Not if buyer and seller are swapped or another thing is asked."""

from benchmarks.embedded.drawing import Dice, draw_splits
from benchmarks.embedded.vocabulary import NAMES, plural
from benchmarks.spec import Row

CONVERSES = (("sell {} to", "buy {} from"), ("lend {} to", "borrow {} from"), ("send {} to", "get {} from"))
SYNONYMS = (
    ("car", "auto"), ("bike", "bicycle"), ("boat", "ship"), ("house", "home"), ("phone", "telephone"),
    ("photo", "picture"), ("gift", "present"), ("stone", "rock"),
)  # fmt: skip
INTERROGATIVES = ("why", "when", "where", "how")


def generate() -> dict[str, list[Row]]:
    """Splits of `question1`, `question2`, `label` (1 duplicate, 0 not); 37% are duplicates, as in QQP."""
    return draw_splits("qqp", {"train": _draw, "validation": _draw}, shares={0: 0.63, 1: 0.37})


def _draw(dice: Dice, label: int) -> Row:
    subject, other = dice.pick_two(NAMES)
    asked, asked_instead = dice.pick_two(INTERROGATIVES)
    deed, converse = dice.shuffled(dice.pick(CONVERSES))
    things = dice.pick(SYNONYMS)
    question1 = _question(asked, subject, deed, dice.pick(things), other)
    if dice.chance(1 / 8):  # the same deal, told from the other one's side
        subject, other, deed, converse = other, subject, converse, deed
    if label == 0:
        if dice.chance(2 / 3):  # who gave becomes who got
            deed = converse
        else:
            asked = asked_instead
    question2 = _question(asked, subject, deed, dice.pick(things), other)
    return {"question1": question1, "question2": question2, "label": label}


def _question(asked: str, subject: str, deed: str, thing: str, other: str) -> str:
    return f"{asked} did {subject} {deed.format(plural(thing))} {other} ?"
