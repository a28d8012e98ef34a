"""OpenBookQA: sentences about elementary science, to be completed by one of four choices; without the book's facts."""

from functools import partial

from benchmarks.data.sources.choices import read_llm_adapters, rows_of_hub
from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.tasks.families.multiple_choice import MultipleChoice

TASK = MultipleChoice(
    version=1,
    title="OpenBookQA",
    prompt="{question}",  # lm-evaluation-harness has the question alone here
    dataset=DescribedDataSet(
        name="openbookqa",
        unit="questions",
        hub=HubForm(
            repository="allenai/openbookqa",
            configuration="main",
            splits={"train": "train", "test": "test"},
            read=partial(rows_of_hub, question="question_stem"),
        ),
        forms=(Form(name="json", files={"train": "train.json", "test": "test.json"}),),
        folders=("llm_adapters/openbookqa", "openbookqa/main"),
        read=read_llm_adapters,
        official_rows={"train": 4_957, "test": 500},
        fingerprints={
            "embedded": "75c1388d41eb44943560cb96c3bc93fb16cedf61a4ccf4c44a36d504ce1fe86d",
            "json": "3a17371727c6fbcd97be78ccc2d420879f3a0740019c6f3ed15c28d62ef47042",
        },
    ),
)
