"""BoolQ: yes/no questions of web users, with a passage of Wikipedia, which LLM-Adapters' files lack."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.core.spec import Row
from benchmarks.data.sources.choices import choice_row, read_llm_adapters
from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.tasks.families.instruction import Instruction
from benchmarks.tasks.families.multiple_choice import MultipleChoice

ANSWERS = ("no", "yes")


def _with_passage(rows: Iterator[Row]) -> list[Row]:
    return [choice_row(f"{row['passage']}\nQuestion: {row['question']}?", ANSWERS, int(row["answer"])) for row in rows]


def _without_passage(path: Path) -> list[Row]:
    return [
        choice_row(f"Question: {row['question']}", ANSWERS, int(row["choices"][row["label"]] == "true"))
        for row in read_llm_adapters(path)
    ]


TASK = MultipleChoice(
    version=1,
    title="BoolQ",
    prompt="{question}\nAnswer:",
    instruction=Instruction(
        text="Please answer the following question with true or false, {question}\n\nAnswer format: true/false",
        names=("false", "true"),
    ),
    evaluation_splits=("validation",),
    dataset=DescribedDataSet(
        name="boolq",
        unit="questions",
        hub=HubForm(
            repository="google/boolq",
            configuration="default",
            splits={"train": "train", "validation": "validation"},
            read=_with_passage,
        ),
        forms=(Form(name="json", files={"train": "train.json", "validation": "test.json"}),),
        folders=("llm_adapters/boolq",),
        read=_without_passage,
        official_rows={"train": 9_427, "validation": 3_270},
        fingerprints={"json": "bab8efa6d3b61d5052dfa5f08b583d535371fb27a2a2c57c248bb7c6a16a16d6"},
    ),
)
