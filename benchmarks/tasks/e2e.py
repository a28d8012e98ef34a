"""E2E: descriptions of restaurants, generated from records of up to eight attributes."""

from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.data.sources.e2e import read_e2e, rows_of_hub
from benchmarks.tasks.families.generation import TextGeneration

TASK = TextGeneration(
    version=1,
    title="E2E",
    scores="e2e",
    dataset=DescribedDataSet(
        name="e2e",
        hub=HubForm(
            repository="tuetschek/e2e_nlg",
            configuration="default",
            splits={"train": "train", "test": "test"},
            read=rows_of_hub,
        ),
        forms=(
            Form(name="csv", files={"train": "trainset.csv", "test": "testset_w_refs.csv"}),
            Form(name="text", files={"train": "lora_text/train.txt", "test": "lora_text/test.txt"}),
        ),
        read=read_e2e,
        official_rows={"train": 4_862, "test": 630},
        fingerprints={
            "embedded": "e1f7e856efaf7a185535c46829d73c0839fcdc2b128fecb120f6381affc3647e",
            "csv": "e87a096a44ddf2fe937f8b3fa2b26a633a79df4603c004470e36f02ff5b24187",
            "text": "692fd2ed4d8d1875da8babcdd0ed7697285c8d2a44cd556b71d8e0d4b9fffd56",
        },
    ),
)
