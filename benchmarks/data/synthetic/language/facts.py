"""Questions about facts that pretrained language models know, with choices from the same relation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice

TEST_SHARE = 0.25
"""Share of a relation's subjects that are asked about in the test set alone."""
NUMBERS_OF_CHOICES = (3, 4, 4, 4, 4, 5)


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relation, such as that of countries to their capitals."""

    questions: Sequence[str]
    """Questions about a subject, each with `{}` for it."""
    facts: Mapping[str, str]
    """Subject -> right answer; the answers to other subjects are wrong ones."""


def ask(task: str, relations: Sequence[Relation]) -> dict[str, list[Row]]:
    """Ask every question about every subject; no subject of the test set is in the training set.

    Args:
        task: name of the task, part of the seed.
        relations: each with at least five different answers.

    Returns:
        "train" and "test" -> rows in random order, with `question`, `choices` and `label`, the index of the right choice.
    """
    dice = Dice(f"benchmarks.embedded.{task}")
    splits: dict[str, list[Row]] = {"train": [], "test": []}
    for relation in relations:
        subjects = dice.shuffled(list(relation.facts))
        of_test = round(TEST_SHARE * len(subjects))
        for position, subject in enumerate(subjects):
            rows = splits["test" if position < of_test else "train"]
            rows.extend(_row(dice, relation, question, subject) for question in relation.questions)
    return {split: dice.shuffled(rows) for split, rows in splits.items()}


def _row(dice: Dice, relation: Relation, question: str, subject: str) -> Row:
    right = relation.facts[subject]
    others = dice.shuffled([answer for answer in dict.fromkeys(relation.facts.values()) if answer != right])
    choices = dice.shuffled([right, *others[: dice.pick(NUMBERS_OF_CHOICES) - 1]])
    return {"question": question.format(subject), "choices": choices, "label": choices.index(right)}
