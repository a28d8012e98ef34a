"""Probes of correct engines, and of engines with planted errors."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from autolora.compute.runtime import Runtime, TimingRun
from autolora.rank_search.bilevel import Bilevel, Hypergradient
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.hypergradient import exact, first_order
from autolora.rank_search.probe import probe
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from tests.autolora.rank_search.test_hypergradient import toy
from tests.support.tiny import problem

ETA = 0.1
TRAINING = TrainingConfig(lr=1e-2, steps=4, batch_size=4)


def wrong(change: float) -> object:
    """An engine whose second-order term is multiplied by a factor."""

    def engine(bilevel: Bilevel, eta: float) -> Hypergradient:
        found = exact(bilevel, eta)
        return replace(found, second_order=[change * term for term in found.second_order or ()])

    return engine


@pytest.mark.parametrize(("change", "cosine", "size"), [(1, 1, 1), (-1, -1, 1), (0, 0, 0), (10, 1, 10)])
def test_a_probe_tells_sign_and_size_of_the_second_order_term(change: float, cosine: float, size: float) -> None:
    found = probe(wrong(change), toy("softmax", regression=False), ETA)  # type: ignore[arg-type]
    assert found is not None
    assert found.cosine == pytest.approx(cosine, abs=1e-4)
    assert found.size == pytest.approx(size, rel=1e-2)


def test_without_a_second_order_term_there_is_nothing_to_probe() -> None:
    assert probe(exact, toy("softmax", regression=False), 0.0) is None
    left_out = probe(first_order, toy("softmax", regression=False), ETA)
    assert left_out is not None
    assert left_out.size == 0


def test_a_probe_leaves_the_random_state_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    probe(exact, toy("softmax", regression=False), ETA)
    assert torch.equal(torch.rand(4), expected)


def test_a_search_keeps_its_probe_and_one_without_the_term_keeps_none() -> None:
    config = SearchConfig(max_rank=2, training=TRAINING)
    assert search(problem(), config).probe is None
    found = search(problem(), config, probing=True)
    assert found.probe is not None
    assert found.probe["cosine"] > 0.99
    for config in (SearchConfig(eta=0.0, max_rank=2), SearchConfig(engine="first-order", max_rank=2)):
        assert search(problem(), replace(config, training=TRAINING), probing=True).probe is None


def test_a_projected_search_is_not_probed() -> None:
    """Its weights are unusable, and the passes of the probe are not among the timed steps."""
    projected = problem(runtime=Runtime(timing_run=TimingRun(steps=1, warmup=0)))
    assert search(projected, SearchConfig(max_rank=2, training=TRAINING), probing=True).probe is None


def test_a_probe_changes_nothing_that_is_trained() -> None:
    config = SearchConfig(max_rank=2, training=TRAINING)
    with_probe = search(problem(), config, probing=True)
    after: Tensor = torch.rand(4)
    without = search(problem(), config)
    assert without.selection == with_probe.selection
    assert torch.equal(torch.rand(4), after)
