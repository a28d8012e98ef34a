"""Question-answering Natural Language Inference: whether a sentence answers a question."""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="QNLI",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "qnli"),
        columns=Columns(text=("question", "sentence"), labels=("entailment", "not_entailment")),
        tsv=TsvLayout(folder="QNLI", text=("question", "sentence"), label="label"),
        paper_rows={"train": 104_743, "validation": 5_463},
        fingerprints={
            "embedded": "f3e3bc8c5ae5eb0d9eaea8b99f62849a05ce9dcb802fd3d1f03d56a1f19b7b40",
        },
    ),
)
