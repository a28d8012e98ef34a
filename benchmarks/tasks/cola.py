"""Corpus of Linguistic Acceptability: whether a sentence is grammatical; the official files have no header line."""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="CoLA",
    metric="matthews",
    also=("accuracy",),
    dataset=DataSet(
        hub=("nyu-mll/glue", "cola"),
        columns=Columns(text=("sentence",), labels=("unacceptable", "acceptable")),
        tsv=TsvLayout(
            folder="CoLA", header=("source", "label", "judgement", "sentence"), text=("sentence",), label="label"
        ),
        paper_rows={"train": 8_551, "validation": 1_043},
        fingerprints={
            "embedded": "50bf521125a6e3b354dbcce95635dd5ea518a062159200e82415e2b9f46ea3e1",
            "tsv": "262ca2ab9b415fea544153149c45349673c656dbb94208515de0a08a30cda82a",
        },
    ),
)
