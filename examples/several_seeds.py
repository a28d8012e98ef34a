"""Check whether ranks are learned or noise: search with several seeds, and test whether their ranks agree.

python examples/several_seeds.py roberta-base
"""

# ruff: noqa: T201  an example prints

import sys

import torch
from data import sentences
from peft import LoraConfig
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, TrainingArguments

from autolora import agreement, find_ranks

NAME = sys.argv[1]
SEEDS = range(5)
tokenizer = AutoTokenizer.from_pretrained(NAME)
train = [{**tokenizer(str(row["text"])), "labels": int(row["label"])} for row in sentences(400)]


def build():  # noqa: ANN201, D103
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(NAME, num_labels=2)


# One search per seed: data order, split, dropout and the initial factors differ.
found = [
    find_ranks(
        build,
        train,
        lora_config=LoraConfig(r=8, lora_alpha=16, task_type="SEQ_CLS"),
        data_collator=DataCollatorWithPadding(tokenizer),
        args=TrainingArguments(
            "out", seed=seed, max_steps=20, learning_rate=1e-3, report_to="none", save_strategy="no"
        ),
    )
    for seed in SEEDS
]
for result in found:
    print(*result.ranks.values())
print(agreement(found))
