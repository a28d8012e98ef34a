"""ARC-Challenge: science questions for pupils that neither retrieval nor word co-occurrence answers, with three to five choices."""

from functools import partial

from benchmarks.data.sources.choices import read_llm_adapters, rows_of_hub
from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.tasks.families.multiple_choice import MultipleChoice

TASK = MultipleChoice(
    version=1,
    title="ARC-Challenge",
    dataset=DescribedDataSet(
        name="arc_challenge",
        unit="questions",
        hub=HubForm(
            repository="allenai/ai2_arc",
            configuration="ARC-Challenge",
            splits={"train": "train", "test": "test"},
            read=partial(rows_of_hub, question="question"),
        ),
        forms=(Form(name="json", files={"train": "train.json", "test": "test.json"}),),
        folders=("ARC-Challenge", "llm_adapters/ARC-Challenge", "ai2_arc/ARC-Challenge"),
        read=read_llm_adapters,
        official_rows={"train": 1_119, "test": 1_172},
        fingerprints={"json": "65c8f1c9a3e2218253b81c72de7a22a31ad9763e90c37d680d4c500893e27d5f"},
    ),
)
