"""Semantic Textual Similarity Benchmark: how similar two sentences are, from 0 to 5."""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="STS-B",
    metric="spearman",
    also=("pearson",),
    dataset=DataSet(
        hub=("nyu-mll/glue", "stsb"),
        columns=Columns(text=("sentence1", "sentence2"), score_range=(0.0, 5.0)),
        tsv=TsvLayout(folder="STS-B", text=("sentence1", "sentence2"), label="score"),
        paper_rows={"train": 5_749, "validation": 1_500},
        fingerprints={
            "embedded": "498cc1515986a932e153e0e4411a1d5fa2eddb32c3377afb9f6bb1f81d3212b5",
            "tsv": "e726d5f1eeb0dd27699483dcfa0fb826734da6d34266deb359b6c97cb0ab8a8e",
        },
    ),
)
