"""Check whether ranks are learned or noise: search with several seeds, and test whether their ranks agree.

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
    """Mean correlation of the projections' ranks over all pairs of seeds: 1 if all seeds agree, 0 by chance.

    Shape: (seeds, projections). A seed with the same rank for all projections has correlation 0 with every other seed.
    """
    correlations = torch.corrcoef(ranks).nan_to_num(0).fill_diagonal_(0)
    return float(correlations.sum()) / (len(ranks) * (len(ranks) - 1))


# 1. One search per seed: data order, split, dropout and the initial factors differ.
problem = Problem(
    build_model=build,
    train=[{**tokenizer(str(row["text"])), "labels": label} for row, label in zip(rows, labels, strict=True)],
    collate=DataCollatorWithPadding(tokenizer),
    strata=labels,
)
config = SearchConfig(training=TrainingConfig(lr=1e-3, steps=20))
found = [search(replace(problem, seed=seed), config) for seed in SEEDS]

# 2. Permutation test: shuffling each seed's ranks over the projections gives the agreement by chance.
ranks = torch.tensor([list(result.ranks.values()) for result in found], dtype=torch.float64)
observed = agreement(ranks)
shuffled = [agreement(torch.stack([row[torch.randperm(len(row))] for row in ranks])) for _ in range(SHUFFLES)]
p = (1 + sum(value >= observed for value in shuffled)) / (1 + SHUFFLES)
for name, ranks_by_seed in zip(found[0].ranks, ranks.T.int().tolist(), strict=True):
    print(name, *ranks_by_seed)
print(f"agreement {observed:+.2f}, by chance {sum(shuffled) / SHUFFLES:+.2f}, p {p:.3f}")
print("learned" if p < 0.05 else "not distinguishable from noise: search longer, or use one rank for all projections")
