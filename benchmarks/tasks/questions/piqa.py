"""PIQA: which of two ways reaches an everyday goal."""

from collections.abc import Iterator

from benchmarks.core.spec import Row
from benchmarks.data.sources.choices import choice_row, read_llm_adapters
from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.tasks.families.instruction import Instruction
from benchmarks.tasks.families.multiple_choice import MultipleChoice


def _rows(rows: Iterator[Row]) -> list[Row]:
    return [choice_row(row["goal"], (row["sol1"], row["sol2"]), row["label"]) for row in rows]


TASK = MultipleChoice(
    version=1,
    title="PIQA",
    evaluation_splits=("validation",),
    instruction=Instruction(word="solution", between="\n\n"),
    dataset=DescribedDataSet(
        name="piqa",
        unit="goals",
        hub=HubForm(
            repository="ybisk/piqa",
            configuration="plain_text",
            splits={"train": "train", "validation": "validation"},
            read=_rows,
        ),
        forms=(Form(name="json", files={"train": "train.json", "validation": "test.json"}),),
        folders=("llm_adapters/piqa",),
        read=read_llm_adapters,
        official_rows={"train": 16_113, "validation": 1_838},
    ),
)
