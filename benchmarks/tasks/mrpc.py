"""Microsoft Research Paraphrase Corpus: whether two sentences from the news have the same meaning."""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="MRPC",
    metric="accuracy",
    also=("f1",),
    dataset=DataSet(
        hub=("nyu-mll/glue", "mrpc"),
        columns=Columns(text=("sentence1", "sentence2"), labels=("not_equivalent", "equivalent")),
        tsv=TsvLayout(folder="MRPC", text=("#1 String", "#2 String"), label="Quality"),
        paper_rows={"train": 3_668, "validation": 408},
        fingerprints={
            "embedded": "b576ab32d0df48472a76cacc85b8cb3535a0e40403d930714c7ca050a16073d8",
        },
    ),
)
