"""Stanford Sentiment Treebank: whether a phrase from a film review is positive."""

from benchmarks.families.classification import TextClassification
from benchmarks.sources.dataset import DataSet
from benchmarks.sources.rows import Columns
from benchmarks.sources.tsv import TsvLayout

TASK = TextClassification(
    version=1,
    title="SST-2",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "sst2"),
        columns=Columns(text=("sentence",), labels=("negative", "positive")),
        tsv=TsvLayout(folder="SST-2", text=("sentence",), label="label"),
        paper_rows={"train": 67_349, "validation": 872},
    ),
)
