"""Question-answering Natural Language Inference: whether a sentence answers a question."""

from benchmarks.families.classification import TextClassification
from benchmarks.sources.dataset import DataSet
from benchmarks.sources.rows import Columns
from benchmarks.sources.tsv import TsvLayout

TASK = TextClassification(
    version=1,
    title="QNLI",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "qnli"),
        columns=Columns(text=("question", "sentence"), labels=("entailment", "not_entailment")),
        tsv=TsvLayout(folder="QNLI", text=("question", "sentence"), label="label"),
        paper_rows={"train": 104_743, "validation": 5_463},
    ),
)
