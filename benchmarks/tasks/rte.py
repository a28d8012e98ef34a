"""Recognizing Textual Entailment: whether one text entails another."""

from benchmarks.families.classification import TextClassification
from benchmarks.sources.dataset import DataSet
from benchmarks.sources.rows import Columns
from benchmarks.sources.tsv import TsvLayout

TASK = TextClassification(
    version=1,
    title="RTE",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "rte"),
        columns=Columns(text=("sentence1", "sentence2"), labels=("entailment", "not_entailment")),
        tsv=TsvLayout(folder="RTE", text=("sentence1", "sentence2"), label="label"),
        paper_rows={"train": 2_490, "validation": 277},
    ),
)
