"""ARC-Easy: science questions for pupils, with three to five choices."""

from functools import partial

from benchmarks.data.sources.choices import read_llm_adapters, rows_of_hub
from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.tasks.families.multiple_choice import MultipleChoice

TASK = MultipleChoice(
    version=1,
    title="ARC-Easy",
    dataset=DescribedDataSet(
        name="arc_easy",
        unit="questions",
        hub=HubForm(
            repository="allenai/ai2_arc",
            configuration="ARC-Easy",
            splits={"train": "train", "test": "test"},
            read=partial(rows_of_hub, question="question"),
        ),
        forms=(Form(name="json", files={"train": "train.json", "test": "test.json"}),),
        folders=("ARC-Easy", "llm_adapters/ARC-Easy", "ai2_arc/ARC-Easy"),
        read=read_llm_adapters,
        official_rows={"train": 2_251, "test": 2_376},
        fingerprints={
            "embedded": "11bbbe8844cd3fbe5a210bf05377fba4b0ad6b97aac4e906cac9b04bac74bd07",
            "json": "0b227f868bd7fc44dd1a8058674819ee21615a9772a983acfa09b96c56a805de",
        },
    ),
)
