"""Quora Question Pairs: whether two questions ask the same.

In the official files, line breaks inside questions split some rows. The Hub's copy omits these rows, and so does this
task; the paper counts a few rows more than remain.
"""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="QQP",
    metric="accuracy",
    also=("f1",),
    dataset=DataSet(
        hub=("nyu-mll/glue", "qqp"),
        columns=Columns(text=("question1", "question2"), labels=("not_duplicate", "duplicate")),
        tsv=TsvLayout(folder="QQP", text=("question1", "question2"), label="is_duplicate", broken_rows=True),
        paper_rows={"train": 363_871, "validation": 40_432},
        fingerprints={
            "embedded": "feae3b6763792a0ef38c45abc57787d0c1fa44acef911847a9228ce29d944c60",
        },
    ),
)
