"""AQuA-RAT: algebraic word problems with five options, each answered with a letter after a rationale."""

from functools import partial

from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.data.sources.solutions import aqua_row, read_lines, rows_of_hub
from benchmarks.tasks.families.extraction import concluded_letter
from benchmarks.tasks.families.generated_answer import GeneratedAnswer

TASK = GeneratedAnswer(
    version=1,
    title="AQuA",
    extract=concluded_letter,
    dataset=DescribedDataSet(
        name="aqua",
        unit="questions",
        hub=HubForm(
            repository="deepmind/aqua_rat",
            configuration="raw",
            splits={"train": "train", "test": "test"},
            read=partial(rows_of_hub, row=aqua_row),
        ),
        forms=(
            Form(name="json", files={"train": "train.json", "test": "test.json"}),
            Form(name="json", files={"train": "dev.json", "test": "test.json"}),
        ),
        folders=("AQuA",),
        read=partial(read_lines, row=aqua_row),
        official_rows={"train": 97_467, "test": 254},
    ),
)
