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
            "embedded": "df4e3559a12383f6b76dfdef5db9ba4ec0a34a5c25551b43599c545e849d7daf",
        },
    ),
)
