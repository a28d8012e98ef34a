"""Questions with choices as instructions that a language model answers with the name of a choice."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.core.spec import InputError, Row


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """The text of an instruction: question, choices, and the names of the choices as the format of the answer.

    Source: the data of LLM-Adapters (Hu et al., arXiv:2304.01933).
    """

    word: str = "answer"
    """The choices are named by this word and a number from 1: "answer1"."""
    names: Sequence[str] = ()
    """Names of the choices instead: "false" and "true"."""
    text: str = "Please choose the correct {word} to the question: {question}\n\n{choices}\n\nAnswer format: {names}"
    between: str = " "
    """Text between two choices."""

    @property
    def pattern(self) -> str:
        """Regular expression of all names."""
        return "|".join(self.names) or rf"{self.word}\d+"

    def row(self, row: Row) -> Row:
        """The row of a question with choices as one with the texts `question`, `solution` and `answer`, a choice's name.

        Raises:
            InputError: there are more or fewer names than choices.
        """
        choices = row["choices"]
        names = self.names or [f"{self.word}{number}" for number in range(1, len(choices) + 1)]
        if len(names) != len(choices):
            raise InputError(f"a question must have the choices {', '.join(names)}; got {choices!r}")
        listed = [f"{name.capitalize()}: {choice}" for name, choice in zip(names, choices, strict=True)]
        question = self.text.format(
            word=self.word, question=row["question"], choices=self.between.join(listed), names="/".join(names)
        )
        name = names[row["label"]]
        return {"question": question, "solution": f"the correct answer is {name}", "answer": name}
