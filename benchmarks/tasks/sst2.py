"""Stanford Sentiment Treebank: whether a phrase from a film review is positive."""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="SST-2",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "sst2"),
        columns=Columns(text=("sentence",), labels=("negative", "positive")),
        tsv=TsvLayout(folder="SST-2", text=("sentence",), label="label"),
        paper_rows={"train": 67_349, "validation": 872},
        fingerprints={
            "embedded": "99d10bcf3233c6b3c923a063c62e5f8e1615dfc28e69966cbdc743fffbcc4d5e",
            "tsv": "2632270d2a86eecd0a1bbdac91fcf2bf0016ee577976fd0b0cce485a173dc639",
        },
    ),
)
