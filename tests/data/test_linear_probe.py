"""Linear probing against scikit-learn's logistic and ridge regression."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

from benchmarks.cli.main import main
from benchmarks.data.models.linear_probe import PENALTY, fit_head
from benchmarks.store.store import Store
from tests.support.tiny import build, collate, examples, save_encoder

CLASSES = [{**example, "labels": sum(example["input_ids"]) % 3} for example in examples(60)]
SCORES = [{**example, "labels": 3 + example["input_ids"][0] / 20} for example in examples(60)]
HEAD = ("classifier",)


def features(model: nn.Module, rows: list[dict[str, object]]) -> np.ndarray:
    """The pooled output, example by example."""
    model.eval()
    with torch.no_grad():
        pooled = [model.base_model(torch.tensor([row["input_ids"]])).pooler_output[0] for row in rows]
    return torch.stack(pooled).double().numpy()


def test_classes_are_fitted_as_by_logistic_regression() -> None:
    model = build(num_labels=3)
    fit_head(model, CLASSES, number=60, head=HEAD, collate=collate)
    peer = LogisticRegression(C=1 / PENALTY, max_iter=5000, tol=1e-10)
    inputs = features(model, CLASSES)
    peer.fit(inputs, [row["labels"] for row in CLASSES])
    logits = inputs @ model.classifier.weight.detach().double().numpy().T + model.classifier.bias.detach().numpy()
    expected = peer.decision_function(inputs)
    assert logits - logits.mean(1, keepdims=True) == pytest.approx(expected - expected.mean(1, keepdims=True), abs=1e-3)


def test_scores_are_fitted_as_by_ridge_regression() -> None:
    model = build(num_labels=1)
    fit_head(model, SCORES, number=60, head=HEAD, collate=collate)
    inputs = features(model, SCORES)
    peer = Ridge(alpha=PENALTY / 2)  # its squares are not halved
    peer.fit(inputs, [row["labels"] for row in SCORES])
    assert model.classifier.weight[0].tolist() == pytest.approx(peer.coef_, abs=1e-4)
    assert model.classifier.bias.item() == pytest.approx(peer.intercept_, abs=1e-4)


def test_only_the_last_layer_of_the_head_changes_and_nothing_random_is_drawn() -> None:
    model = build("roberta").train()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    fit_head(model, examples(20), number=20, head=HEAD, collate=collate)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classifier.out_proj.weight", "classifier.out_proj.bias"}
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_the_fit_does_not_depend_on_the_heads_initial_values_and_uses_spaced_examples() -> None:
    first, second = build(), build()
    with torch.no_grad():
        second.classifier.weight.add_(1)
    fit_head(first, examples(40), number=20, head=HEAD, collate=collate)
    fit_head(second, examples(40)[::2], number=99, head=HEAD, collate=collate)
    assert torch.equal(first.classifier.weight, second.classifier.weight)


def test_a_head_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="linear layer"):
        fit_head(build(), examples(4), number=4, head=("dropout",), collate=collate)


def test_a_head_without_a_bias_is_refused() -> None:
    model = build()
    model.classifier = nn.Linear(16, 2, bias=False)
    with pytest.raises(ValueError, match="no bias"):
        fit_head(model, examples(4), number=4, head=HEAD, collate=collate)


def test_a_cell_with_a_probe_scores_about_the_mean_after_its_first_step(tmp_path: Path) -> None:
    means = {}
    for number in (0, 32):
        store = Store(folder=tmp_path / f"{number}")
        options = ["--tasks", "stsb", "--methods", "lora", "--model", str(save_encoder(tmp_path / f"model{number}"))]
        sizes = ["--set", f"run.linear_probe={number}", "--set", "run.max_length=32", "--max-steps", "1"]
        assert main(["run", *options, *sizes, "--workers", "1", "--quiet", "--runs", str(store.folder)]) == 0
        (result,) = store.results()
        assert ("linear_probe" in result.seconds) == (number > 0)
        predictions = store.predictions(result)["validation"]["predictions"]
        means[number] = sum(predictions) / len(predictions)
    assert abs(means[0]) < 1.0
    assert means[32] == pytest.approx(3.2, abs=0.5)  # the labels' mean
