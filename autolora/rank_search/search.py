"""Algorithm 1: learn the selection variables on D_val, one look-ahead step of the weights away from D_tr."""

import torch
from torch import Tensor

from autolora.adapters.adapt import fresh_model
from autolora.problem import Batch, Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.result import SearchResult
from autolora.training.loop import run_steps
from autolora.training.splits import stratified_split
from autolora.training.train import batch_order, gather, pad_token_of


def search(problem: Problem, config: SearchConfig | None = None, *, probing: bool = False) -> SearchResult:
    """Learn the selection variables of every query and value projection, and the ranks that follow (Algorithm 1).

    Args:
        problem: its training set is split into D_tr and D_val by the problem's strata and seed.
        config: the paper's settings by default.
        probing: hold the second-order term against finite differences, once at the end; changes nothing else, and is
            left out of a timing run, whose model is unusable.

    Raises:
        ValueError: the model cannot be searched (see `RankSearch`), or the training set is too small to split: a
            stratum has an example on one side only.
        Interrupted: the runtime was asked to stop.
        NonFiniteLossError: a loss or a selection logit became NaN or infinite.
        ImportError: the engine is betty's, which is not installed.
    """
    config = config or SearchConfig()
    train, valid = split(problem, config.valid_share)
    batch_size = config.training.batch_size
    train_order = batch_order(train, batch_size, seed=problem.seed, stream="search-train")
    valid_order = batch_order(valid, batch_size, seed=problem.seed, stream="search-valid")
    steps = config.training.total_steps(train_order.steps_per_epoch)
    in_progress = begin(problem, config, steps)
    pad_token = pad_token_of(in_progress.model.model)

    def batches(index: int) -> tuple[Batch, Batch]:
        """Padded alike where few lengths are wanted: pairs of lengths are many."""
        length = max(train_order.length(index), valid_order.length(index)) if problem.runtime.graphs else 0
        parts = ((train, train_order), (valid, valid_order))
        train_batch, valid_batch = (
            gather(problem, part, order.batch(index), length=length, pad_token=pad_token) for part, order in parts
        )
        return train_batch, valid_batch

    def step(index: int) -> Tensor:
        return in_progress.step(index, *batches(index))

    problem.runtime.team.seed(problem.seed)
    seconds = run_steps(
        step,
        steps,
        stage="search",
        state=in_progress.state,
        runtime=problem.runtime,
        finished=lambda: in_progress.converged,
        keep_last=True,
        typical=train_order.typical,
    )
    probed = in_progress.probe(*batches(0)) if probing and not problem.runtime.timing_run else None
    return in_progress.result(seconds, probed)


def begin(problem: Problem, config: SearchConfig, steps: int) -> RankSearch:
    """A search of so many steps over a fresh model of the problem, seeded. Raises: as `RankSearch`."""
    torch.manual_seed(problem.seed)
    return RankSearch(
        fresh_model(problem),
        config,
        steps=steps,
        loss=problem.loss,
        head=problem.head,
        targets=problem.targets,
        runtime=problem.runtime,
    )


def split(problem: Problem, valid_share: float) -> tuple[list[Example], list[Example]]:
    """D_tr and D_val of a problem's training set, stratified and seeded (section 5.2).

    Raises:
        ValueError: one of them would be empty, or lack a stratum of the other.
    """
    strata = problem.all_strata
    train, valid = stratified_split(strata, valid_share, seed=problem.seed, groups=problem.groups)
    lacking = {strata[index] for index in train} ^ {strata[index] for index in valid}
    if lacking:
        raise ValueError(
            f"the split into D_tr and D_val leaves class {min(lacking)} on one side only: the search needs examples "
            f"of every class on both; got {sum(stratum == min(lacking) for stratum in strata)} of that class"
        )
    return problem.examples(train), problem.examples(valid)
