"""STS-B in miniature: how similar are two sentences, from 0 to 5? Every differing part lowers the score."""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.vocabulary import (
    AFFIRMING,
    DENYING,
    NAMES,
    PEOPLE,
    SYNONYMOUS_VERBS,
    progressive,
)

SUBJECTS = tuple((name,) for name in NAMES)
OBJECTS = tuple((person,) for person in PEOPLE)
COSTS = {"subject": 1.0, "polarity": 1.75, "verb": 1.25, "object": 1.0}
"""Part of the sentence -> points subtracted if it differs; synonyms do not count as different."""


def generate() -> dict[str, list[Row]]:
    """Splits with `sentence1`, `sentence2`, `label` (a score from 0 to 5, 5 for equal meaning); 0 to 4 parts differ."""
    shares = {0: 0.15, 1: 0.3, 2: 0.3, 3: 0.2, 4: 0.05}
    return draw_splits("stsb", {"train": _draw, "validation": _draw}, shares)


def _draw(dice: Dice, differences: int) -> Row:
    different = dice.shuffled(tuple(COSTS))[:differences]
    choices = {
        "subject": dice.pick_two(SUBJECTS),
        "polarity": dice.pick_two((AFFIRMING, DENYING)),
        "verb": dice.pick_two(SYNONYMOUS_VERBS),
        "object": dice.pick_two(OBJECTS),
    }
    sentence1 = _sentence(*(dice.pick(same) for same, _ in choices.values()))
    sentence2 = _sentence(*(dice.pick(other if part in different else same) for part, (same, other) in choices.items()))
    return {"sentence1": sentence1, "sentence2": sentence2, "label": 5.0 - sum(COSTS[part] for part in different)}


def _sentence(subject: str, polarity: str, verb: str, patient: str) -> str:
    return f"{subject} is {polarity} {progressive(verb)} the {patient} ."
