"""QNLI in miniature: does the sentence answer the question?"""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.vocabulary import KINDS, NAMES, past

DEEDS = ("blame", "call", "follow", "help", "insult", "invite", "praise", "rescue", "thank", "trust", "visit", "warn")
JOBS = ("clean", "collect", "deliver", "inspect", "paint", "purchase", "receive", "rent", "repair", "return", "wash")
THINGS = KINDS["flower"] + KINDS["instrument"] + KINDS["tool"] + KINDS["vehicle"]
ADJUNCTS = {
    "where": (
        "in athens", "in berlin", "in boston", "in cairo", "in dublin", "in london", "in madrid", "in moscow",
        "in oslo", "in paris", "in prague", "in rome", "in tokyo", "in vienna",
    ),
    "when": (
        "on monday", "on tuesday", "on wednesday", "on thursday", "on friday", "on saturday", "on sunday"
    ),
    "why": ("for charity", "for fame", "for fun", "for love", "for money", "for practice", "for revenge"),
}  # fmt: skip
"""Interrogative -> adverbials that answer it."""
MISMATCHES = ("person",) * 5 + ("thing",) * 4 + ("circumstance",)
"""What keeps a sentence from answering a "where", "when" or "why" question, in proportion: circumstances are the hardest."""


def generate() -> dict[str, list[Row]]:
    """Splits with `question`, `sentence`, `label` (0 entailment: the sentence answers, 1 not_entailment), half of each."""
    return draw_splits("qnli", {"train": _draw, "validation": _draw}, shares={0: 0.5, 1: 0.5})


def _draw(dice: Dice, label: int) -> Row:
    ask = dice.pick((_who, _who, _where_when_why))
    question, sentence = ask(dice, answered=label == 0)
    return {"question": f"{question} ?", "sentence": f"{sentence} .", "label": label}


def _who(dice: Dice, *, answered: bool) -> tuple[str, str]:
    """A "who" question; sentences with the opposite adverb or with swapped roles do not answer it."""
    agent, patient = dice.pick_two(NAMES)
    deed = past(dice.pick(DEEDS))
    asked, opposite = dice.pick_two(("always", "never"))
    question = f"who {asked} {deed} {patient}"
    if not answered:
        if dice.chance(2 / 3):
            asked = opposite
        else:
            agent, patient = patient, agent
    return question, f"{agent} {asked} {deed} {patient}"


def _where_when_why(dice: Dice, *, answered: bool) -> tuple[str, str]:
    """A "where", "when" or "why" question; sentences about another kind of circumstance, person or thing do not answer it."""
    person, somebody_else = dice.pick_two(NAMES)
    thing, something_else = dice.pick_two(THINGS)
    job = dice.pick(JOBS)
    asked, other = dice.pick_two(tuple(ADJUNCTS))
    question = f"{asked} did {person} {job} the {thing}"
    mismatch = None if answered else dice.pick(MISMATCHES)
    if mismatch == "person":
        person = somebody_else
    elif mismatch == "thing":
        thing = something_else
    adjunct = dice.pick(ADJUNCTS[other if mismatch == "circumstance" else asked])
    return question, f"{person} {past(job)} the {thing} {adjunct}"
