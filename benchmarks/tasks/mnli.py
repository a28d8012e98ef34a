"""Multi-Genre Natural Language Inference: whether a premise entails a hypothesis, contradicts it or neither.

The headline split is the matched development set, with the genres of the training set; the mismatched one is also
scored.
"""

from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification

TASK = TextClassification(
    version=1,
    title="MNLI",
    metric="accuracy",
    dataset=DataSet(
        hub=("nyu-mll/glue", "mnli"),
        columns=Columns(text=("premise", "hypothesis"), labels=("entailment", "neutral", "contradiction")),
        tsv=TsvLayout(
            folder="MNLI",
            text=("sentence1", "sentence2"),
            label="gold_label",
            files={
                "train": "train",
                "validation_matched": "dev_matched",
                "validation_mismatched": "dev_mismatched",
            },
        ),
        evaluation_splits=("validation_matched", "validation_mismatched"),
        paper_rows={"train": 392_702, "validation_matched": 9_815, "validation_mismatched": 9_832},
        fingerprints={
            "embedded": "215a3a0dd9604b422d4bae2bc35502abaed2604c982e0a6e6c2e93b1cc8d275e",
        },
    ),
)
