"""Semantic Textual Similarity Benchmark: how similar two sentences are, from 0 to 5."""

from benchmarks.families.classification import TextClassification
from benchmarks.sources.dataset import DataSet
from benchmarks.sources.rows import Columns
from benchmarks.sources.tsv import TsvLayout

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
    ),
)
