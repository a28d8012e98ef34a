"""Finite differences, first order and betty against the exact hypergradient, in float64 on tiny models."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from autolora.compute.runtime import Interrupted, Runtime
from autolora.problem import Batch
from autolora.rank_search.bilevel import Bilevel
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.hypergradient import ENGINES, exact, finite_difference, first_order
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from tests.autolora.rank_search.test_hypergradient import toy
from tests.support.tiny import build, collate, examples, problem, stop_after

ETA = 0.1
RADII = (0.04, 0.02, 0.01, 0.005)


def with_dropout(bilevel: Bilevel, draw: Callable[[], object]) -> Bilevel:
    """The same problem with a random mask over the weights in every pass; `draw` is called before each pass."""

    def masked(weights: Sequence[Tensor], loss: Callable[[Sequence[Tensor]], Tensor]) -> Tensor:
        draw()
        return loss([torch.nn.functional.dropout(weight, 0.3) for weight in weights])

    return replace(bilevel, train_loss=partial(masked, loss=bilevel.train_loss))


def error(bilevel: Bilevel, radius: float, *, one_sided: bool) -> float:
    """Relative error of the second-order term."""
    torch.manual_seed(0)
    truth = torch.cat(exact(bilevel, ETA).second_order)
    torch.manual_seed(0)
    found = torch.cat(finite_difference(bilevel, ETA, one_sided=one_sided, radius=radius).second_order)
    return float((found - truth).norm() / truth.norm())


@pytest.mark.parametrize(("one_sided", "order"), [(False, 2), (True, 1)])
@pytest.mark.parametrize("dropout", [False, True])
def test_finite_differences_converge_with_their_order(*, one_sided: bool, order: int, dropout: bool) -> None:
    bilevel = toy("softmax", regression=False)
    if dropout:
        bilevel = with_dropout(bilevel, lambda: None)
    errors = [error(bilevel, radius, one_sided=one_sided) for radius in RADII]
    gains = [coarse / fine for coarse, fine in itertools.pairwise(errors)]
    assert gains[-2:] == pytest.approx([2**order] * 2, rel=0.15)
    assert error(bilevel, 1e-4, one_sided=one_sided) < (1e-6 if order == 2 else 1e-3)


def test_with_other_masks_in_each_pass_finite_differences_do_not_converge() -> None:
    def fresh() -> Bilevel:
        seeds = itertools.count()
        return with_dropout(toy("softmax", regression=False), lambda: torch.manual_seed(next(seeds)))

    errors = [error(fresh(), radius, one_sided=False) for radius in (0.01, 0.001, 0.0001)]
    assert errors[0] > 1
    assert errors[1:] == pytest.approx([10 * errors[0], 100 * errors[0]], rel=0.1)  # noise over 2 * radius


def test_a_perturbed_pass_leaves_the_random_numbers_that_follow_it() -> None:
    drawn = []
    for engine in (first_order, finite_difference):
        torch.manual_seed(0)
        engine(with_dropout(toy("softmax", regression=False), lambda: None), ETA)
        drawn.append(torch.rand(1))
    assert torch.equal(*drawn)


def test_first_order_is_the_direct_term_of_the_exact_one() -> None:
    bilevel = toy("softmax", regression=False)
    found, truth = first_order(bilevel, ETA), exact(bilevel, ETA)
    assert torch.equal(torch.cat(found.total), torch.cat(truth.direct))
    assert found.second_order_share == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_at_eta_zero_all_engines_agree(engine: str) -> None:
    bilevel = toy("softmax", regression=False)
    assert torch.equal(torch.cat(ENGINES[engine](bilevel, 0).total), torch.cat(exact(bilevel, 0).total))


@pytest.mark.parametrize("engine", ["exact", "finite-difference", "finite-difference-one-sided"])
def test_with_a_look_ahead_of_its_own_the_mixed_derivative_is_taken_there(engine: str) -> None:
    plain = toy("softmax", regression=False)

    def advance(gradient: Sequence[Tensor]) -> list[Tensor]:
        return [w.detach() - 0.05 * g.sign() for w, g in zip(plain.weights, gradient, strict=True)]

    gradient = torch.autograd.grad(plain.train_loss(plain.weights), plain.weights)
    ahead = [weight.requires_grad_() for weight in advance(gradient)]
    *v, direct_0, direct_1 = torch.autograd.grad(plain.valid_loss(ahead), [*ahead, *plain.logits])
    there = torch.autograd.grad(plain.train_loss(ahead), ahead, create_graph=True)
    mixed = torch.autograd.grad(there, plain.logits, grad_outputs=v)
    truth = torch.cat([direct_0, direct_1]) - torch.cat(mixed)

    found = ENGINES[engine](replace(plain, advance=advance), 1.0)
    tolerance = {"exact": 1e-12, "finite-difference": 1e-4, "finite-difference-one-sided": 1e-2}[engine]
    assert (torch.cat(found.total) - truth).norm() < tolerance * truth.norm()


def test_without_a_validation_gradient_there_is_no_second_order_term() -> None:
    bilevel = toy("softmax", regression=False)
    flat = replace(bilevel, valid_loss=lambda weights: 0 * weights[0].sum() + bilevel.logits[0].sum())
    assert all(not term.any() for term in finite_difference(flat, ETA).second_order)


CONFIG = SearchConfig(
    max_rank=4,
    engine="finite-difference",
    eta=1.0,
    look_ahead="optimizer",
    selection_lr=1e-2,
    record_every=1,
    training=TrainingConfig(lr=1e-2, steps=6, batch_size=8, warmup=0),
)
PLAIN = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def exactly() -> torch.nn.Module:
    return build(dtype=torch.float64, **PLAIN)


@pytest.mark.parametrize("order", ["simultaneous", "selection-first"])
def test_betty_takes_the_same_course_as_our_finite_differences_where_it_looks_ahead(order: str) -> None:
    pytest.importorskip("betty")
    task = problem(build_model=exactly)
    ours = search(task, replace(CONFIG, order=order))
    theirs = search(task, replace(CONFIG, order=order, engine="betty"))
    assert max(ours.history[-1]["spread"].values()) > 1e-3
    for name, values in ours.selection.items():
        assert values == pytest.approx(theirs.selection[name], rel=1e-6)
    for mine, yours in zip(ours.history, theirs.history, strict=True):
        assert yours["train_loss"] == pytest.approx(mine["train_loss"], rel=1e-6)
        assert yours["valid_loss"] == pytest.approx(mine["valid_loss"], rel=1e-6)


def betty_gradient(optimizer: str, lr: float) -> tuple[Tensor, Tensor, Tensor]:
    """One step of betty: its hypergradient; and our direct and second-order terms at the weights that it reached."""
    batches = collate(examples(8)), collate(examples(8, seed=1))
    torch.manual_seed(0)
    config = replace(CONFIG, engine="betty", max_rank=3)
    searching = RankSearch(exactly(), config, steps=2)
    betty = searching._betty
    assert betty
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # U = 0 has no second-order term
        for tensor in [*searching.model.weights, *searching.model.logits]:
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))
    seen: list[Tensor] = []
    logits, weights = searching.model.logits, searching.model.weights
    betty.upper.optimizer_step = lambda: seen.extend(beta.grad.clone() for beta in logits)
    betty.lower.optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer](weights, lr=lr)
    searching.step(0, *batches)
    bilevel = Bilevel(
        train_loss=searching.model.on(batches[0]),
        valid_loss=searching.model.on(batches[1]),
        weights=weights,
        logits=logits,
        advance=lambda _: [weight.clone() for weight in weights],  # betty has already moved the weights
    )
    truth = exact(bilevel, 1.0)
    return torch.cat(seen), torch.cat(truth.direct), torch.cat(truth.second_order)


@pytest.mark.parametrize("lr", [1e-1, 1e-2, 1e-4])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_bettys_eta_is_one_whatever_the_learning_rate(optimizer: str, lr: float) -> None:
    pytest.importorskip("betty")
    found, direct, second = betty_gradient(optimizer, lr)
    eta = torch.dot(direct - found, second) / torch.dot(second, second)
    assert float(eta) == pytest.approx(1, abs=1e-3)
    assert (found - (direct - second)).norm() < 1e-3 * second.norm()


@pytest.mark.parametrize(
    "fields",
    [{"eta": None}, {"eta": 0.5}, {"look_ahead": "gradient"}, {"order": "weights-first"}],
)
def test_settings_that_betty_cannot_have_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="betty"):
        replace(CONFIG, engine="betty", **fields)


def script_of_first_order(searching: RankSearch, batches: Sequence[tuple[Batch, Batch]]) -> list[Tensor]:
    """The logits after the authors' first-order loop, written with torch's own accumulation of gradients.

    The weights step first; what the validation loss leaves in their gradients is added to the next step's. The logits'
    gradients are cleared after their own step alone, so that the train loss counts in it.
    """
    weights, logits = searching.model.weights, searching.model.logits
    of_weights = torch.optim.AdamW(weights, lr=1e-2, weight_decay=0.0)
    of_logits = torch.optim.Adam(logits, lr=1e-2)
    for train_batch, valid_batch in batches:
        searching.model.on(train_batch)(weights).backward()
        of_weights.step()
        of_weights.zero_grad()
        searching.model.on(valid_batch)(weights).backward()
        of_logits.step()
        of_logits.zero_grad()
    return logits


def test_mixed_gradients_follow_the_authors_first_order_script() -> None:
    settings = {"eta": 0.0, "look_ahead": "gradient", "engine": "exact", "order": "weights-first"}
    plain = TrainingConfig(lr=1e-2, steps=6, warmup=0.0, schedule="constant", weight_decay=0.0, clip_norm=None)
    batches = [(collate(examples(8, seed=index)), collate(examples(8, seed=10 + index))) for index in range(6)]

    def begun() -> RankSearch:
        torch.manual_seed(0)
        return RankSearch(exactly(), replace(CONFIG, mixed_gradients=True, training=plain, **settings), steps=6)

    searching = begun()
    start = torch.cat(searching.model.logits).clone()
    for index, pair in enumerate(batches):
        searching.step(index, *pair)
    moved = torch.cat(searching.model.logits)
    assert (moved - start).abs().max() > 1e-2
    assert (moved - torch.cat(script_of_first_order(begun(), batches))).abs().max() < 1e-9


@pytest.mark.parametrize("order", ["simultaneous", "selection-first"])
def test_mixed_gradients_in_another_order_than_the_scripts_are_refused(order: str) -> None:
    with pytest.raises(ValueError, match="weights-first"):
        SearchConfig(eta=0.0, mixed_gradients=True, order=order)


def test_a_search_can_be_stepped_from_a_loop_of_ones_own() -> None:
    torch.manual_seed(0)
    searching = RankSearch(build(), replace(CONFIG, eta=None, look_ahead="gradient", engine="exact"), steps=3)
    for index in range(3):
        searching.step(index, collate(examples(8, seed=index)), collate(examples(8, seed=10 + index)))
    found = searching.result()
    assert found.steps == 3
    assert sum(found.allocation.ranks) > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"order": "selection-first"},
        {"engine": "betty"},
        {"engine": "betty", "order": "selection-first"},
        {
            "engine": "exact",
            "eta": 0.0,
            "look_ahead": "gradient",
            "mixed_gradients": True,
            "order": "weights-first",
        },
    ],
)
def test_an_interrupted_search_ends_with_the_bits_of_an_undisturbed_one(
    fields: dict[str, object], tmp_path: Path
) -> None:
    pytest.importorskip("betty")
    config = replace(CONFIG, **fields)
    with pytest.raises(Interrupted):
        search(problem(runtime=stop_after(3, checkpoints=tmp_path)), config)
    resumed = search(problem(runtime=Runtime(checkpoints=tmp_path)), config)
    undisturbed = search(problem(), config)
    assert replace(resumed, seconds=0) == replace(undisturbed, seconds=0)
