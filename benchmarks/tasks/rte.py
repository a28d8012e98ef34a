"""Recognizing Textual Entailment: whether one text entails another."""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="RTE",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "rte"),
        columns=Columns(text=("sentence1", "sentence2"), labels=("entailment", "not_entailment")),
        tsv=TsvLayout(folder="RTE", text=("sentence1", "sentence2"), label="label"),
        paper_rows={"train": 2_490, "validation": 277},
        fingerprints={
            "embedded": "cb2820a9c895cce53f8e5a187ba00a0635113a10b29b35bb7b6cb8ed7dee6447",
            "tsv": "7bc96baa830389b65fd62bce0201806fa94b7895144fc5d73d2931ebea0af874",
        },
    ),
)
