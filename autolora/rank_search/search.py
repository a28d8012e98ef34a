"""Algorithm 1: learn the selection variables on D_val, one look-ahead step of the weights away from D_tr."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from autolora.adapters.adapt import fresh_model
from autolora.problem import Batch, Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.result import SearchResult
from autolora.training.batch_order import batch_order
from autolora.training.batches import gather, pad_token_of, refuse_without_labels
from autolora.training.identity import identity_of
from autolora.training.loop import Stage, run_steps
from autolora.training.splits import stratified_split


def search(
    problem: Problem,
    config: SearchConfig | None = None,
    *,
    valid: Sequence[Example] | None = None,
    probing: bool = False,
) -> SearchResult:
    """Learn the selection variables of every layer to adapt, and derive the ranks (Algorithm 1).

    Args:
        problem: its training set is split into D_tr and D_val by the problem's strata and seed.
        config: the paper's settings by default.
        valid: the examples of D_val; the training set is then D_tr as a whole. None splits it.
        probing: check the second-order term against finite differences once, at the end. This changes nothing else, and
            is skipped in a timing run, whose model is unusable.

    Raises:
        ValueError: the model cannot be searched (see `RankSearch`), or the training set is too small to split: a
            stratum has examples on one side only, or valid is empty or lacks labels.
        Interrupted: the runtime was asked to stop.
        NonFiniteLossError: a loss or a selection logit became NaN or infinite.
        ImportError: the engine is "betty", and betty-ml is not installed.
    """
    config = config or SearchConfig()
    refuse_without_labels(problem.train)
    train, held_out = train_and_valid(problem, config.valid_share, valid)
    batches = _Batches(problem, config, train, held_out)
    started = replace(problem, train=train, strata=None, groups=None)  # the head's initial values come from D_tr alone
    ranks = begin(started, config, config.training.total_steps(batches.steps_per_epoch))
    pad_token = pad_token_of(ranks.model.model)

    def step(index: int) -> Tensor:
        return ranks.step(index, *batches.pair(index, pad_token))

    identity = identity_of(problem, config, steps=ranks.steps, weights=ranks.model.weights, valid=valid)
    problem.runtime.team.seed(problem.seed)
    stage = Stage(
        name="search",
        step=step,
        steps=ranks.steps,
        state=ranks.state,
        finished=lambda: ranks.converged,
        keep_last=True,
        identity=identity,
        typical=batches.typical,
    )
    seconds = run_steps(stage, problem.runtime)
    probed = ranks.probe(*batches.pair(0, pad_token)) if probing and not problem.runtime.timing_run else None
    return ranks.result(seconds, probed)


def train_and_valid(
    problem: Problem, valid_share: float, valid: Sequence[Example] | None
) -> tuple[Sequence[Example], Sequence[Example]]:
    """D_tr and D_val: the whole training set and the given examples, or, if they are None, the parts of `split`.

    Raises:
        ValueError: as `split`, or the given D_val has no example, or none with a label.
    """
    if valid is None:
        return split(problem, valid_share)
    if not valid:
        raise ValueError("D_val is empty: the selection variables are learned on it; give it examples")
    refuse_without_labels(valid)
    return problem.train, valid


class _Batches:
    """Pairs of batches of D_tr and D_val, one pair per step; an epoch is a pass over D_tr."""

    def __init__(
        self, problem: Problem, config: SearchConfig, train: Sequence[Example], valid: Sequence[Example]
    ) -> None:
        self._problem = problem
        self._train, self._valid = train, valid
        batch_size = config.training.batch_size
        self._train_order = batch_order(train, batch_size, seed=problem.seed, stream="search-train")
        self._valid_order = batch_order(valid, batch_size, seed=problem.seed, stream="search-valid")
        self.steps_per_epoch = self._train_order.steps_per_epoch
        self.typical = self._train_order.typical

    def pair(self, index: int, pad_token: int) -> tuple[Batch, Batch]:
        """The batches of D_tr and D_val of a step.

        For CUDA graphs both are padded to the same length: pairs of different lengths would give many shapes to record.
        """
        length = 0
        if self._problem.runtime.graphs:
            length = max(self._train_order.length(index), self._valid_order.length(index))
        parts = ((self._train, self._train_order), (self._valid, self._valid_order))
        train_batch, valid_batch = (
            gather(self._problem, part, order.batch(index), length=length, pad_token=pad_token) for part, order in parts
        )
        return train_batch, valid_batch


def begin(problem: Problem, config: SearchConfig, steps: int) -> RankSearch:
    """A seeded search of the given number of steps over a fresh model. Raises: as `RankSearch`."""
    return RankSearch(
        fresh_model(problem),
        config,
        steps=steps,
        loss=problem.loss,
        head=problem.head,
        targets=problem.targets,
        runtime=problem.runtime,
        loss_denominator=problem.loss_denominator,
    )


def split(problem: Problem, valid_share: float) -> tuple[list[Example], list[Example]]:
    """D_tr and D_val of a problem's training set, stratified and seeded (section 5.2).

    Raises:
        ValueError: D_tr or D_val would be empty, or one of them would lack a stratum that the other has.
    """
    strata = problem.all_strata
    train, valid = stratified_split(strata, valid_share, seed=problem.seed, groups=problem.groups)
    on_one_side = {strata[index] for index in train} ^ {strata[index] for index in valid}
    if on_one_side:
        stratum = min(on_one_side)
        raise ValueError(
            f"the split into D_tr and D_val leaves class {stratum} on one side only: the search needs examples "
            f"of every class on both; got {sum(each == stratum for each in strata)} of that class"
        )
    return problem.examples(train), problem.examples(valid)
