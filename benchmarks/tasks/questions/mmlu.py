"""MMLU: exam questions on 57 subjects, with four choices, answered with a letter; trained on questions of other data sets."""

from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.data.sources.mmlu import read_mmlu, rows_of_mmlu
from benchmarks.tasks.families.multiple_choice import MultipleChoice

TASK = MultipleChoice(
    version=1,
    title="MMLU",
    prompt="{question}\nAnswer:",
    answers="letters",
    dataset=DescribedDataSet(
        name="mmlu",
        unit="questions",
        hub=HubForm(
            repository="cais/mmlu",
            configuration="all",
            splits={"train": "auxiliary_train", "test": "test"},
            read=rows_of_mmlu,
        ),
        forms=(
            Form(name="csv", files={"train": "auxiliary_train", "test": "test"}),
            Form(name="csv", files={"train": "dev", "test": "test"}),  # the five examples of each subject
        ),
        folders=("data",),
        read=read_mmlu,
        official_rows={"train": 99_842, "test": 14_042},
    ),
)
