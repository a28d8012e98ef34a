"""WNLI in miniature: whom does the pronoun refer to? Action and reason determine it, as in Winograd schemas."""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.vocabulary import PEOPLE

SCHEMAS = (
    ("thanked", "grateful", "helpful"), ("feared", "timid", "cruel"), ("envied", "poor", "rich"),
    ("consulted", "confused", "wise"), ("fed", "generous", "hungry"), ("fired", "strict", "lazy"),
    ("comforted", "kind", "sad"), ("followed", "curious", "suspicious"),
)  # fmt: skip
"""Action, reason that describes the agent, reason that describes the patient."""
DEGREES = ("so", "rather", "quite", "too", "very")


def generate() -> dict[str, list[Row]]:
    """Splits with `sentence1`, `sentence2`, `label` (1 if the pronoun is resolved rightly); 44% are 1, as in WNLI."""
    return draw_splits("wnli", {"train": _draw, "validation": _draw}, shares={0: 0.56, 1: 0.44})


def _draw(dice: Dice, label: int) -> Row:
    agent, patient = dice.pick_two(PEOPLE)
    action, of_agent, of_patient = dice.pick(SCHEMAS)
    reason, referent, other = dice.pick(((of_agent, agent, patient), (of_patient, patient, agent)))
    degree = dice.pick(DEGREES)
    sentence1 = f"the {agent} {action} the {patient} because he was {degree} {reason} ."
    sentence2 = f"the {referent if label == 1 else other} was {degree} {reason} ."
    return {"sentence1": sentence1, "sentence2": sentence2, "label": label}
