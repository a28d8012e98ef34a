"""Winograd Natural Language Inference: whether the second sentence resolves a pronoun of the first correctly."""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="WNLI",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "wnli"),
        columns=Columns(text=("sentence1", "sentence2"), labels=("not_entailment", "entailment")),
        tsv=TsvLayout(folder="WNLI", text=("sentence1", "sentence2"), label="label"),
        paper_rows={"train": 635, "validation": 71},
        fingerprints={
            "embedded": "0b38c4e2146a7297aa825f640852e2a40ac69bbc8f129f718004e8e00206488b",
        },
    ),
)
