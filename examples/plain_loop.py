"""Search ranks in a custom training loop, then train with plain PEFT.

python examples/plain_loop.py roberta-base
"""

# ruff: noqa: T201  an example prints

import sys

import torch
from data import sentences
from peft import get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from autolora import RankSearch, SearchConfig, TrainingConfig

NAME = sys.argv[1]
STEPS = 20
tokenizer = AutoTokenizer.from_pretrained(NAME)


def batches(seed):  # noqa: ANN001, ANN201, D103
    rows = sentences(16 * STEPS, seed)
    for start in range(0, len(rows), 16):
        part = rows[start : start + 16]
        encoded = tokenizer([row["text"] for row in part], padding=True, return_tensors="pt")
        yield {**encoded, "labels": torch.tensor([row["label"] for row in part])}


# 1. Search ranks. The search changes its model in place, so the training below uses a fresh model.
model = AutoModelForSequenceClassification.from_pretrained(NAME, num_labels=2)
search = RankSearch(model, SearchConfig(training=TrainingConfig(lr=1e-3)), steps=STEPS)
for index, (train_batch, valid_batch) in enumerate(zip(batches(seed=0), batches(seed=1), strict=True)):
    loss = search.step(index, train_batch, valid_batch)
found = search.result()
print(found.ranks)

# 2. Train with PEFT alone: the ranks are a `peft.LoraConfig`.
config = found.allocation.to_lora_config(task_type="SEQ_CLS")
model = get_peft_model(AutoModelForSequenceClassification.from_pretrained(NAME, num_labels=2), config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for batch in batches(seed=2):
    model(**batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
model.save_pretrained("adapter")
print("adapter/ loads with peft.PeftModel.from_pretrained")
