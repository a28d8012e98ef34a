"""CommonsenseQA: questions about everyday concepts, with five choices."""

from functools import partial

from benchmarks.data.sources.choices import read_json_lines, rows_of_hub
from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.tasks.families.multiple_choice import MultipleChoice

TASK = MultipleChoice(
    version=1,
    title="CommonsenseQA",
    evaluation_splits=("validation",),
    dataset=DescribedDataSet(
        name="commonsense_qa",
        unit="questions",
        hub=HubForm(
            repository="tau/commonsense_qa",
            configuration="default",
            splits={"train": "train", "validation": "validation"},
            read=partial(rows_of_hub, question="question"),
        ),
        forms=(Form(name="jsonl", files={"train": "train_rand_split.jsonl", "validation": "dev_rand_split.jsonl"}),),
        read=read_json_lines,
        official_rows={"train": 9_741, "validation": 1_221},
    ),
)
