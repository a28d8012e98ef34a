"""GSM8K: word problems of primary school, each answered with a number after a worked solution."""

from functools import partial

from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.data.sources.solutions import gsm8k_row, read_lines, rows_of_hub
from benchmarks.tasks.families.extraction import last_number
from benchmarks.tasks.families.generated_answer import GeneratedAnswer

TASK = GeneratedAnswer(
    version=1,
    title="GSM8K",
    extract=last_number,
    dataset=DescribedDataSet(
        name="gsm8k",
        unit="questions",
        hub=HubForm(
            repository="openai/gsm8k",
            configuration="main",
            splits={"train": "train", "test": "test"},
            read=partial(rows_of_hub, row=gsm8k_row),
        ),
        forms=(Form(name="jsonl", files={"train": "train.jsonl", "test": "test.jsonl"}),),
        folders=("grade_school_math/data",),
        read=partial(read_lines, row=gsm8k_row),
        official_rows={"train": 7_473, "test": 1_319},
    ),
)
