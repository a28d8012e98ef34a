"""Faults planted into the code, one at a time: whole cells are run with them, and the regression check must notice.

The reference is results/reference/quick. Run with `-s`, it prints the table of docs/regression.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from peft.tuners.adalora import AdaLoraModel
from scipy import stats

from autolora.rank_search.bilevel import Hypergradient
from autolora.rank_search.rank_search import RankSearch
from autolora.training import optimization
from benchmarks.analysis.regression.comparison import LEVEL, CellCheck, check
from benchmarks.analysis.regression.noise import noise_of_cells
from benchmarks.analysis.resampling import SCORES, one_score
from benchmarks.analysis.stats import summarise
from benchmarks.core.settings import load_settings
from benchmarks.core.spec import Prepared
from benchmarks.run import cell
from benchmarks.run.launch import Request, Scope, launch
from benchmarks.store.published import RESULTS
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from benchmarks.tasks.families import evaluation
from tests.support.fakes import in_training_mode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TASK = "rte"
METHODS = ("full", "adapter", "lora", "adalora", "autolora")
NEW_SEEDS = 3
Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    name: str
    method: str
    plant: Patch
    caught_by: str
    """Part of the check's reason."""
    dropout: float = 0.0
    """The preset has none."""


def learning_rate(patch: pytest.MonkeyPatch) -> None:
    right = optimization.Optimization.__init__

    def wrong(self: Any, weights: Any, config: Any, steps: int, **options: Any) -> None:
        right(self, weights, replace(config, lr=10 * config.lr), steps, **options)

    patch.setattr(optimization.Optimization, "__init__", wrong)


def sign(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Hypergradient) -> list[torch.Tensor]:
        return [one + self.eta * two for one, two in zip(self.direct, self.second_order or self.direct, strict=True)]

    patch.setattr(Hypergradient, "total", property(wrong))


def frozen_selection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RankSearch, "_update_selection", lambda *_: None)


def no_pruning(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AdaLoraModel, "update_and_allocate", lambda *_: None)


def training_mode(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluation, "evaluation_mode", in_training_mode)


def shifted_labels(share: float) -> Patch:
    """The first so many training examples have the next class's label."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = cell.apply_procedure

        def wrong(prepared: Prepared, config: Any) -> Prepared:
            found = right(prepared, config)
            shifted = round(share * len(found.train))
            classes = len(set(found.strata))
            train = [
                {**example, "labels": (example["labels"] + 1) % classes} if index < shifted else example
                for index, example in enumerate(found.train)
            ]
            return replace(found, train=train)

        patch.setattr(cell, "apply_procedure", wrong)

    return plant


FAULTS = (
    Fault(name="learning rate x 10", method="lora", plant=learning_rate, caught_by=" instead of "),
    Fault(name="sign of the second-order term", method="autolora", plant=sign, caught_by="a cosine of -"),
    Fault(name="selection frozen", method="autolora", plant=frozen_selection, caught_by="no selection variable"),
    Fault(
        name="evaluation in training mode",
        method="lora",
        plant=training_mode,
        caught_by="evaluating the same examples again gave different predictions",
        dropout=0.1,
    ),
    Fault(name="AdaLoRA not pruning", method="adalora", plant=no_pruning, caught_by="ever pruned"),
)


def checked(folder: Path, method: str, seeds: Sequence[int], *, dropout: float = 0.0) -> CellCheck:
    """The check of newly run cells against the reference. The code differs by the fault, whatever the commits say."""
    settings = load_settings("quick", {"run": {"seeds": [*seeds], "dropout": dropout}})
    scope = Scope(settings=settings, tasks=[TASK], methods=[method])
    new = launch(Request(scopes=[scope], store=Store(folder=folder), workers=1)).results
    reference = [
        replace(result, environment=replace(result.environment, clean=False)) for result in reference_seeds(method)
    ]
    (found,) = check(new, reference, [(TASK, method)])
    return found


def reference_seeds(method: str) -> list[Result]:
    store = Store(folder=RESULTS / "reference" / "quick")
    return [result for result in store.results() if (result.task, result.method) == (TASK, method)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(reference_seeds(fault.method)) >= 3
    fault.plant(monkeypatch)
    found = checked(tmp_path, fault.method, [0, 1], dropout=fault.dropout)
    tell(fault.name, found)
    assert found.outcome == "moved"
    assert fault.caught_by in found.reasons[0]


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_shifted_training_labels_cost_points_and_the_check_says_what_it_could_have_found(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifted_labels(share)(monkeypatch)
    found = checked(tmp_path, "full", [0, 1, 2])
    tell(f"{share:.0%} of the labels shifted", found)
    assert found.detectable_difference is not None
    assert mean(found.candidate) < mean(found.reference)


def test_without_a_fault_nothing_has_moved(tmp_path: Path) -> None:
    found = checked(tmp_path, "lora", [5, 6])
    tell("none, seeds that the reference does not have", found)
    assert found.outcome == "as before"


def tell(name: str, found: CellCheck) -> None:
    now, before = (f"{sum(side) / len(side):.1f}" if side else "-" for side in (found.candidate, found.reference))
    cells = (name, found.method_title, before, now, found.outcome, "; ".join(found.reasons) or "-")
    print("\n| " + " | ".join(cells) + " |")  # noqa: T201  the table's row


def test_the_power_to_notice_shifted_evaluation_labels_grows_with_their_share() -> None:
    """From the reference's own predictions, without training; three new seeds against the reference's."""
    powers = {share: _powers(share) for share in (0.01, 0.05, 0.2)}
    assert len(powers[0.01]) >= 30
    for share, of_cells in powers.items():
        found = sum(power >= 0.8 for power in of_cells)
        print(f"\n| {share:.0%} | {sum(of_cells) / len(of_cells):.2f} | {found} of {len(of_cells)} |")  # noqa: T201
    means = [sum(of_cells) / len(of_cells) for of_cells in powers.values()]
    assert means == sorted(means)
    assert means[0] < means[-1]


def _powers(share: float) -> list[float]:
    """Per cell of Table 1, the probability that a check of all of them notices so many shifted labels."""
    store = Store(folder=RESULTS / "reference" / "quick")
    summaries = {
        pair: summary
        for pair, summary in summarise(store.results()).items()
        if pair[1] in METHODS and len(summary.results) >= 5 and summary.results[0].metric in SCORES
    }
    noise, powers = noise_of_cells(summaries), []
    for pair, summary in summaries.items():
        drops = []
        for result in summary.results:
            answer = store.predictions(result)[result.split]
            known = sorted(set(answer["labels"]))
            shifted = [
                known[(known.index(label) + 1) % len(known)] if place < share * len(answer["labels"]) else label
                for place, label in enumerate(answer["labels"])
            ]
            drops.append(one_score(result.metric, answer) - one_score(result.metric, {**answer, "labels": shifted}))
        found = noise[pair].difference([0.0] * NEW_SEEDS, summary.scores)
        critical = stats.t.isf(LEVEL / len(summaries) / 2, found.degrees_of_freedom)
        powers.append(float(stats.t.sf(critical - mean(drops) / found.error, found.degrees_of_freedom)))
    return powers
