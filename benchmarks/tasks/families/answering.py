"""Ways of answering questions with choices, by the setting `run.answers`."""

from dataclasses import replace
from functools import partial
from typing import Literal, cast

from benchmarks.core.spec import InputError, Task
from benchmarks.tasks.families.extraction import first_name
from benchmarks.tasks.families.generated_answer import GeneratedAnswer
from benchmarks.tasks.families.multiple_choice import Answers, MultipleChoice

Answering = Answers | Literal["generated"]
NAME_TOKENS = 32
"""Largest number of tokens of a generated answer that is a choice's name, as in LLM-Adapters."""


def answered_with(task: Task, answers: Answering | None) -> Task:
    """The task with another way of answering; None: the task's own.

    "generated": the choice's name is looked for in a generated text, as in LLM-Adapters (arXiv:2304.01933).

    Raises:
        InputError: the task has no choices.
    """
    if answers is None:
        return task
    if not isinstance(task, MultipleChoice):
        raise InputError(f"run.answers is for questions with choices; {task.title} has none: leave it out")
    if answers != "generated":
        return replace(task, answers=answers)
    generated = GeneratedAnswer(
        version=task.version,
        title=task.title,
        dataset=task.dataset,
        extract=partial(first_name, pattern=task.instruction.pattern),
        row=task.instruction.row,
        new_tokens=NAME_TOKENS,
        metric=task.metric,
        evaluation_splits=task.evaluation_splits,
    )
    return cast("Task", generated)
