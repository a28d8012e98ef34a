"""Search ranks for a `transformers.Trainer`, then train with them by the same trainer.

python examples/with_trainer.py roberta-base
"""

# ruff: noqa: T201  an example prints

import sys

from data import sentences
from datasets import Dataset
from peft import get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from autolora import SearchConfig, TrainingConfig, problem_from_trainer, search

NAME = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForSequenceClassification.from_pretrained(NAME, num_labels=2)
data = Dataset.from_list(sentences(400)).map(lambda row: tokenizer(row["text"]), remove_columns="text")
options = {
    "args": TrainingArguments("out", max_steps=20, learning_rate=1e-3, report_to="none", save_strategy="no"),
    "train_dataset": data.rename_column("label", "labels"),
    "data_collator": DataCollatorWithPadding(tokenizer),
}

# 1. Search ranks with the trainer's model, data and loss; its model is left unchanged.
problem = problem_from_trainer(Trainer(model, **options))
found = search(problem, SearchConfig(training=TrainingConfig(lr=1e-3, steps=20)))
print(found.ranks)

# 2. Train with the ranks found.
adapted = get_peft_model(model, found.allocation.to_lora_config(task_type="SEQ_CLS"))
Trainer(adapted, **options).train()
adapted.save_pretrained("adapter")
print("adapter/ loads with peft.PeftModel.from_pretrained")
