"""Find ranks for a `transformers.Trainer`, then train with them by the same trainer.

python examples/with_trainer.py roberta-base
"""

# ruff: noqa: T201  an example prints

import sys

from data import sentences
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from autolora import find_ranks_for

NAME = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForSequenceClassification.from_pretrained(NAME, num_labels=2)
data = Dataset.from_list(sentences(400)).map(lambda row: tokenizer(row["text"]), remove_columns="text")
options = {
    "args": TrainingArguments("out", max_steps=20, learning_rate=1e-3, report_to="none", save_strategy="no"),
    "train_dataset": data.rename_column("label", "labels"),
    "data_collator": DataCollatorWithPadding(tokenizer),
}

# 1. Find ranks with the trainer's model, data, loss and arguments; its model is left unchanged.
found = find_ranks_for(Trainer(model, **options), lora_config=LoraConfig(r=8, lora_alpha=16, task_type="SEQ_CLS"))
print(found.summary())

# 2. Train with the ranks found.
adapted = get_peft_model(model, found.lora_config)
Trainer(adapted, **options).train()
adapted.save_pretrained("adapter")
print("adapter/ loads with peft.PeftModel.from_pretrained")
