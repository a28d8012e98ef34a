"""Before you believe ranks: search with several seeds. What is learned comes again, a draw of noise does not.

python examples/several_seeds.py roberta-base
"""

# ruff: noqa: T201  an example prints

import sys
from dataclasses import replace

import torch
from data import sentences
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from autolora import Problem, SearchConfig, TrainingConfig, search

NAME = sys.argv[1]
SEEDS = range(5)
SHUFFLES = 1000
tokenizer = AutoTokenizer.from_pretrained(NAME)
rows = sentences(400)
labels = [int(row["label"]) for row in rows]


def build():  # noqa: ANN201, D103
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(NAME, num_labels=2)


def agreement(ranks: torch.Tensor) -> float:
    """Mean correlation of the projections' ranks between two seeds: 1 where all agree, 0 by chance.

    Shape: (seeds, projections). A seed that gives all projections one rank agrees with nobody.
    """
    between = torch.corrcoef(ranks).nan_to_num(0).fill_diagonal_(0)
    return float(between.sum()) / (len(ranks) * (len(ranks) - 1))


# 1. One search per seed: data order, split, dropout and the initial factors differ.
problem = Problem(
    build_model=build,
    train=[{**tokenizer(str(row["text"])), "labels": label} for row, label in zip(rows, labels, strict=True)],
    collate=DataCollatorWithPadding(tokenizer),
    strata=labels,
)
config = SearchConfig(training=TrainingConfig(lr=1e-3, steps=20))
found = [search(replace(problem, seed=seed), config) for seed in SEEDS]

# 2. Do they agree more than they would by chance? Shuffling each seed's ranks over the projections says what chance does.
ranks = torch.tensor([list(each.ranks.values()) for each in found], dtype=torch.float64)
observed = agreement(ranks)
shuffled = [agreement(torch.stack([row[torch.randperm(len(row))] for row in ranks])) for _ in range(SHUFFLES)]
p = (1 + sum(each >= observed for each in shuffled)) / (1 + SHUFFLES)
for name, of_seeds in zip(found[0].ranks, ranks.T.int().tolist(), strict=True):
    print(name, *of_seeds)
print(f"agreement {observed:+.2f}, by chance {sum(shuffled) / SHUFFLES:+.2f}, p {p:.3f}")
print("learned" if p < 0.05 else "not told from noise: search longer, or take one rank for all projections")
