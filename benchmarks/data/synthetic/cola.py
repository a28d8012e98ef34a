"""CoLA in miniature: is a sentence grammatical, or does it violate word order, agreement or verb form?"""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.vocabulary import PEOPLE, past, plural

VERBS = ("admire", "call", "defend", "follow", "help", "ignore", "invite", "thank", "trust", "visit")
ADJECTIVES = ("clever", "famous", "happy", "lonely", "old", "polite", "quiet", "rich", "tall", "young")
SINGULAR = ("this", "that", "every")
PLURAL = ("these", "those", "many")
MODALS = ("will", "must")
VIOLATIONS = ("order",) * 5 + ("form",) * 4 + ("agreement",)
"""Kinds of violations, in their proportions: agreement is the hardest."""


def generate() -> dict[str, list[Row]]:
    """Splits with `sentence`, `label` (1 acceptable, 0 not); 70% are acceptable, as in CoLA."""
    return draw_splits("cola", {"train": _draw, "validation": _draw}, shares={1: 0.7, 0: 0.3})


def _draw(dice: Dice, label: int) -> Row:
    violation = dice.pick(VIOLATIONS) if label == 0 else None
    subject, other = dice.pick_two(PEOPLE)
    verb = dice.pick(VERBS)
    many, others, perfect = (dice.chance(0.5) for _ in range(3))
    agreed = many != (violation == "agreement")  # violated at the auxiliary if it is inflected, else at the determiner
    words = [
        dice.pick(PLURAL if (many if perfect else agreed) else SINGULAR),
        dice.pick(ADJECTIVES),
        plural(subject) if many else subject,
        ("have" if agreed else "has") if perfect else dice.pick(MODALS),
        past(verb) if perfect != (violation == "form") else verb,
        "the",
        plural(other) if others else other,
    ]
    if violation == "order":
        place = dice.pick((0, 1, 3, 5))
        words[place : place + 2] = reversed(words[place : place + 2])
    return {"sentence": f"{' '.join(words)} .", "label": label}
