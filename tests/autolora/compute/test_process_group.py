"""Two processes that train one model give the results of one process up to rounding, in training and in the search."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import Tensor, nn

from autolora.compute.process_group import Team
from autolora.compute.runtime import Interrupted, Runtime
from autolora.problem import Problem
from autolora.rank_search.bilevel import Hypergradient
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from autolora.training.train import train
from baselines.adalora import AdaLora
from baselines.lora_grid import LoraGrid
from baselines.stacking.lora_stack import StackConfig
from tests.support.tiny import build, collate, examples, problem, stop_after, weights
from tests.support.together import together

TRAINING = TrainingConfig(lr=1e-2, steps=7, batch_size=8, warmup=0)
CONFIG = SearchConfig(max_rank=4, training=TRAINING, selection_lr=1e-2)
SEARCHES = {
    "exact": CONFIG,
    "eta = 1": replace(CONFIG, eta=1.0),
    "one-sided": replace(CONFIG, engine="finite-difference-one-sided"),
    "first-order": replace(CONFIG, engine="first-order"),
    "weights-first": replace(CONFIG, order="weights-first"),
    "as released": replace(CONFIG, look_ahead="optimizer", order="selection-first"),
    "mixed gradients": replace(CONFIG, eta=0.0, mixed_gradients=True, order="weights-first"),
    "in parts": replace(CONFIG, training=replace(TRAINING, micro_batches=2)),
    "sigmoid": replace(CONFIG, parameterisation="sigmoid"),
}
pytestmark = pytest.mark.xdist_group("team")  # the two processes are started once
ETA = 1.0
LORA = LoraConfig(r=2, target_modules=["query", "value"])


def task(**changes: Any) -> Problem:
    """41 examples in batches of 8: the last batch of an epoch has one example, so that one process has none."""
    return problem(**{"build_model": steady, "train": examples(41)} | changes)


def steady() -> nn.Module:
    return build(dtype=torch.float64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def shaken() -> nn.Module:
    return build(dtype=torch.float64)


def full() -> dict[str, Tensor]:
    model = steady()
    train(model, task(), TRAINING)
    return weights(model)


def adalora() -> dict[str, Tensor]:
    method = AdaLora(initial_rank=3, target_rank=2, training=TRAINING)
    outcome = method.train(task())
    return weights(outcome.model) | {"ranks": torch.tensor(list((outcome.ranks or {}).values()))}


def grid() -> dict[str, Tensor]:
    method = LoraGrid(ranks=(1, 2), stack=StackConfig(members=1), training=replace(TRAINING, lr=2e-2))
    outcome = method.train(task())
    return weights(outcome.model) | {"scores": torch.tensor(list(outcome.details["grid"].values()))}


def searched(name: str) -> dict[str, Tensor]:
    found = search(task(), SEARCHES[name], probing=True)
    probed = found.probe
    share = {"probe": torch.tensor(probed["share"])} if probed else {}
    return {name: torch.tensor(values) for name, values in found.selection.items()} | share


EQUAL: dict[str, Callable[[], dict[str, Tensor]]] = {
    "full": full,
    "adalora": adalora,
    "grid": grid,
    **{name: partial(searched, name) for name in SEARCHES},
}


def hypergradients() -> tuple[Hypergradient, Hypergradient]:
    """The hypergradient of the batch that both processes share, and that of this process's half of it alone."""
    return _hypergradient(Team.of_this_process()), _hypergradient(Team(), half=Team.of_this_process().rank)


def _hypergradient(team: Team, half: int | None = None) -> Hypergradient:
    torch.manual_seed(0)
    found = RankSearch(steady(), CONFIG, steps=10, runtime=Runtime(team=team))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in [*found.model.weights, *found.model.logits]:
            tensor.add_(torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype), alpha=0.3)
    batches = [collate(examples(8, seed=seed)) for seed in (2, 3)]
    if half is not None:
        batches = [{name: tensor[4 * half : 4 * half + 4] for name, tensor in batch.items()} for batch in batches]
    found.config = replace(CONFIG, eta=ETA)
    return found._hypergradient(*batches, eta=ETA)


def resumed(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], str]:
    """With dropout: weights of an uninterrupted training; those after an interruption by process 1; its message."""
    undisturbed = shaken()
    train(undisturbed, task(build_model=shaken), TRAINING)
    rank = Team.of_this_process().rank
    runtime = stop_after(3, checkpoints=folder) if rank == 1 else Runtime(checkpoints=folder)
    with pytest.raises(Interrupted) as caught:
        train(shaken(), task(runtime=runtime), TRAINING)
    going_on = shaken()
    train(going_on, task(runtime=Runtime(checkpoints=folder)), TRAINING)
    return weights(undisturbed), weights(going_on), str(caught.value)


def masks() -> list[Tensor]:
    """The random numbers of every process."""
    team = Team.of_this_process()
    team.seed(0)
    return team.gather(torch.rand(5))


def refused() -> list[str]:
    messages = []
    for attempt in (
        partial(search, task(), replace(CONFIG, engine="betty", eta=1.0, look_ahead="optimizer")),
        partial(LoraGrid(training=TRAINING).train, task()),
    ):
        with pytest.raises(ValueError, match="process") as caught:
            attempt()
        messages.append(str(caught.value))
    return messages


def everything(folder: Path) -> dict[str, Any]:
    """The results of all computations of the two processes, which take seconds to start."""
    return {
        "equal": {name: work() for name, work in EQUAL.items()},
        "hypergradients": hypergradients(),
        "resumed": resumed(folder / "checkpoints"),
        "masks": masks(),
        "refused": refused(),
    }


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("team")
    return together(everything, folder, folder=folder)


@pytest.mark.parametrize("name", EQUAL)
def test_two_processes_find_what_one_finds(members: list[dict[str, Any]], name: str) -> None:
    alone = EQUAL[name]()
    assert alone
    for member in members:
        found = member["equal"][name]
        assert found.keys() == alone.keys()
        for key, value in alone.items():
            assert torch.allclose(found[key].double(), value.double(), rtol=0, atol=1e-6), key


def test_all_processes_have_the_same_weights(members: list[dict[str, Any]]) -> None:
    leader, other = members
    for name in EQUAL:
        assert all(torch.equal(leader["equal"][name][key], other["equal"][name][key]) for key in leader["equal"][name])


def test_the_mean_of_the_processes_hypergradients_differs_from_the_hypergradient(members: list[dict[str, Any]]) -> None:
    alone = _hypergradient(Team())
    size = _norm(alone.total)
    for member in members:
        assert _distance(member["hypergradients"][0].total, alone.total) < 1e-9 * size
    halves = [member["hypergradients"][1] for member in members]
    mean = [sum(layer) / 2 for layer in zip(*(half.total for half in halves), strict=True)]
    assert _distance(mean, alone.total) > 0.05 * size


def test_one_process_stops_all_processes_and_the_resumed_training_is_bit_identical(
    members: list[dict[str, Any]],
) -> None:
    for member in members:
        undisturbed, going_on, reason = member["resumed"]
        assert "after step 3 of 7" in reason
        assert all(torch.equal(undisturbed[name], going_on[name]) for name in undisturbed)


def test_processes_draw_different_masks_and_process_0_those_of_a_single_process(
    members: list[dict[str, Any]],
) -> None:
    leader, other = members[0]["masks"]
    torch.manual_seed(0)
    assert torch.equal(leader, torch.rand(5))
    assert not torch.equal(leader, other)


def test_methods_for_one_process_refuse_several(members: list[dict[str, Any]]) -> None:
    for member in members:
        betty, stack = member["refused"]
        assert "engine 'betty'" in betty
        assert "stack.members = 1" in stack


@pytest.mark.slow
def test_a_checkpoint_of_other_processes_is_refused(members: list[dict[str, Any]], tmp_path: Path) -> None:
    assert members
    with pytest.raises(Interrupted):
        train(steady(), task(runtime=stop_after(2, checkpoints=tmp_path)), TRAINING)
    with pytest.raises(ValueError, match="of 1 processes, and now there are 2"):
        together(_begin_anew, tmp_path, folder=tmp_path)


def _begin_anew(folder: Path) -> None:
    train(steady(), task(runtime=Runtime(checkpoints=folder)), TRAINING)


@pytest.mark.parametrize(("number", "each"), [(1, 1), (3, 2), (4, 2)])
def test_members_have_equally_many_parts_and_together_all_of_them(number: int, each: int) -> None:
    parts = [(f"part {index}", 1 / number) for index in range(number)]
    owned = [Team(rank=rank, size=2).local_parts(parts) for rank in (0, 1)]
    assert [len(own) for own in owned] == [each, each]
    assert sorted(part for own in owned for part in own if part[1]) == parts


@pytest.mark.parametrize("rank", [-1, 2])
def test_a_rank_outside_of_the_team_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=r"lie in 0\.\.1"):
        Team(rank=rank, size=2)


def _norm(tensors: list[Tensor]) -> float:
    return float(torch.cat([tensor.flatten() for tensor in tensors]).norm())


def _distance(tensors: list[Tensor], others: list[Tensor]) -> float:
    return _norm([one - other for one, other in zip(tensors, others, strict=True)])
