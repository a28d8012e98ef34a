"""Algorithm 1 one iteration at a time, for custom training loops; `search` runs the whole loop."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from autolora.compute.runtime import Runtime
from autolora.problem import Batch, LossDenominator, Targets, TrainingLoss, model_loss
from autolora.rank_search.bilevel import Bilevel, Hypergradient
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.history import converged_at
from autolora.rank_search.hypergradient import ENGINES
from autolora.rank_search.model import SearchModel
from autolora.rank_search.probe import Probe, probe
from autolora.rank_search.result import Recorder, SearchResult
from autolora.training.checkpoint import TensorState
from autolora.training.cuda_graphs import Pass, replayed
from autolora.training.loop import Stateful
from autolora.training.optimization import Optimization

if TYPE_CHECKING:
    from autolora.rank_search.betty import BettyEngine


class RankSearch:
    """A rank search in progress. It changes its model in place, so the final training needs a fresh model.

    Args:
        model: pretrained; moved to the runtime's device, fused projections split as by `split_fused`.
        config: the paper's settings by default.
        steps: total number of steps, over which the weights' learning rate decays to 0.
        loss: training loss of one batch, a scalar.
        head: as in `Problem`.
        targets: as in `Problem`.
        runtime: device and precision.
        loss_denominator: as in `Problem`.
    """

    _reached = False
    """Whether a gradient is known to reach every projection."""

    def __init__(
        self,
        model: nn.Module,
        config: SearchConfig | None = None,
        *,
        steps: int,
        loss: TrainingLoss = model_loss,
        head: tuple[str, ...] | None = None,
        targets: Targets | None = None,
        runtime: Runtime | None = None,
        loss_denominator: LossDenominator | None = None,
    ) -> None:
        """Attach selection variables to the layers that targets selects.

        Raises:
            ValueError: the model or max_rank is unsuitable (as `SearchModel`), or "betty" has several processes.
            ImportError: the engine is "betty", and betty-ml is not installed.
        """
        self.config = config = config or SearchConfig()
        self.steps = steps
        runtime = runtime or Runtime()
        self.model = SearchModel(
            model, config, loss=loss, head=head, targets=targets, runtime=runtime, loss_denominator=loss_denominator
        )
        self._optimization = Optimization(self.model.weights, config.training, steps)
        self._selection_optimizer = _selection_optimizer(self.model, config)
        self._recorder = Recorder(self.model)
        self._uncleared = _UnclearedGradient()
        self._betty = self._begin_betty() if config.engine == "betty" else None
        self._eta = self.model.weights[0].detach().new_zeros(())  # of the step, for a recorded pass
        self._replay = self._begin_replay()
        self._train_gradient = self._gradient_by(self.model.weights)
        self._train_logits_gradient = self._gradient_by(self.model.logits)

    @property
    def state(self) -> dict[str, Stateful]:
        """Everything that changes from step to step, for checkpoints."""
        return {
            "optimization": self._optimization,
            "logits": TensorState(self.model.logits),
            "selection_optimizer": self._selection_optimizer,
            "recorder": self._recorder,
            "leftover": self._uncleared,
        }

    @property
    def eta(self) -> float:
        """Eta of the next step: the configured one, or else the weights' learning rate of that step."""
        return self._optimization.lr if self.config.eta is None else self.config.eta

    @property
    def converged(self) -> bool:
        """Whether the search has converged by the configured rule."""
        rule = self.config.convergence
        return rule is not None and converged_at(self._recorder.records, rule) is not None

    def step(self, index: int, train_batch: Batch, valid_batch: Batch) -> Tensor:
        """Do one iteration; returns the train loss.

        Args:
            index: steps done before this one.
            train_batch: the whole batch of D_tr, on the runtime's device; each process computes its parts of it.
            valid_batch: the whole batch of D_val, likewise.

        Raises:
            NonFiniteLossError: a selection variable became NaN or infinite.
            ValueError: at the first step, before anything is trained: no gradient reaches a projection.
        """
        if not self._reached and not self.model.runtime.timing_run:
            self.model.refuse_cut_off(train_batch, self.config.training.micro_batches)
            self._reached = True
        if self._betty:
            found = None
            train_loss, valid_loss = self._betty.step(train_batch, valid_batch)
        else:
            found = self._iterate(train_batch, valid_batch)
            train_loss, valid_loss = found.train_loss, found.valid_loss
        if (index + 1) % self.config.record_every == 0 or index + 1 == self.steps:
            self._recorder.record(index + 1, train_loss, valid_loss, found)
        return train_loss

    def probe(self, train_batch: Batch, valid_batch: Batch) -> Probe | None:
        """Check the engine's second-order term at the current weights against finite differences; changes no state.

        Eta is the configured one, or else the weights' peak learning rate. None if the search has no second-order term,
        or the engine is "betty".
        """
        config = self.config
        if config.engine in ("betty", "first-order"):
            return None
        eta = config.training.lr if config.eta is None else config.eta
        found = probe(ENGINES[config.engine], self._bilevel(train_batch, valid_batch), eta)
        self.model.put_back()
        return found

    def result(self, seconds: float = 0.0, probed: Probe | None = None) -> SearchResult:
        """The ranks and selection variables found so far, with their history."""
        return self._recorder.result(self.config, seconds, probed)

    def _iterate(self, train_batch: Batch, valid_batch: Batch) -> Hypergradient:
        order, mixed = self.config.order, self.config.mixed_gradients
        eta = self.eta  # before the weights' step moves the schedule on
        uncleared = self._train_logits_gradient(train_batch) if mixed else []
        if order == "weights-first":
            self._update_weights(self._train_gradient(train_batch))
        found = self._hypergradient(train_batch, valid_batch, eta)
        selection_gradient = _sum(found.total, uncleared) if mixed else found.total
        if order == "simultaneous":
            self._update_weights(found.train_gradient)
        self._update_selection(selection_gradient)
        if order == "selection-first":
            self._update_weights(self._train_gradient(train_batch))
        if mixed:
            # Cloned, since a replayed pass overwrites its results at the next step.
            self._uncleared.gradient = [gradient.clone() for gradient in found.valid_gradient]
        return found

    def _begin_betty(self) -> "BettyEngine":
        from autolora.rank_search.betty import BettyEngine  # noqa: PLC0415  optional

        if self.model.runtime.team.size > 1:
            raise ValueError(
                "the engine 'betty' runs in one process only; 'finite-difference' computes the same in several processes"
            )
        roll_back = self.config.order == "selection-first"
        return BettyEngine(self.model, self._optimization, self._selection_optimizer, roll_back=roll_back)

    def _hypergradient(self, train_batch: Batch, valid_batch: Batch, eta: float) -> Hypergradient:
        if self._replay:
            self._eta.fill_(eta)
            tensors = [tensor for tensor in self._replay(train_batch, valid_batch) if tensor is not None]
            weights, layers = len(self.model.weights), len(self.model.logits)
            found = Hypergradient.of_tensors(tensors, eta, weights=weights, layers=layers)
        else:
            found = ENGINES[self.config.engine](self._bilevel(train_batch, valid_batch), eta)
        self.model.put_back()
        return found

    def _begin_replay(self) -> Pass | None:
        """Batches -> the hypergradient's tensors, from a recorded pass; None if graphs are off or cannot be used.

        Finite differences cannot be recorded, since they read random states; an optimizer's look-ahead cannot either,
        since it steps the optimizer and restores it.
        """
        model, config, runtime = self.model, self.config, self.model.runtime
        recordable = config.engine in ("exact", "first-order") and config.look_ahead == "gradient"
        if not runtime.graphs or not recordable:
            return None
        eta = self._eta if config.eta is None else config.eta

        def compute(train_batch: Batch, valid_batch: Batch) -> list[Tensor]:
            return ENGINES[config.engine](_bilevel(model, config, train_batch, valid_batch), eta).tensors

        return replayed(compute, model.model, runtime, parts=config.training.micro_batches)

    def _gradient_by(self, tensors: Sequence[Tensor]) -> Callable[[Batch], list[Tensor]]:
        """Batch of D_tr -> the gradient of its loss by these tensors at the model's weights; recorded if graphs are on."""
        model, parts = self.model, self.config.training.micro_batches

        def gradient(batch: Batch) -> list[Tensor]:
            losses = (part(model.weights) for part in model.parts(batch, parts))
            gradients = (torch.autograd.grad(loss, tensors, materialize_grads=True) for loss in losses)
            return model.runtime.team.all_reduce(reduce(_sum, gradients))

        compute = replayed(gradient, model.model, model.runtime, parts=parts)
        return lambda batch: [tensor for tensor in compute(batch) if tensor is not None]

    def _bilevel(self, train_batch: Batch, valid_batch: Batch) -> Bilevel:
        problem = _bilevel(self.model, self.config, train_batch, valid_batch)
        by_optimizer = self.config.look_ahead == "optimizer"
        return replace(problem, advance=self._optimization.preview) if by_optimizer else problem

    def _update_weights(self, gradient: Sequence[Tensor]) -> None:
        if self._uncleared.gradient:
            gradient = _sum(gradient, self._uncleared.gradient)
        self._optimization.take(gradient)
        self._optimization.step()
        self._optimization.zero_grad()

    def _update_selection(self, gradient: Sequence[Tensor]) -> None:
        for logits, value in zip(self.model.logits, gradient, strict=True):
            logits.grad = value
        self._selection_optimizer.step()
        self._selection_optimizer.zero_grad()


def _selection_optimizer(model: SearchModel, config: SearchConfig) -> AdamW:
    return AdamW(
        model.logits,
        lr=config.selection_lr,
        betas=config.selection_betas,
        weight_decay=0.0,
        fused=torch.device(model.runtime.device).type == "cuda",
    )


def _bilevel(model: SearchModel, config: SearchConfig, train_batch: Batch, valid_batch: Batch) -> Bilevel:
    """The bilevel problem on these two batches, with the look-ahead of Eq. 4."""
    number, team = config.training.micro_batches, model.runtime.team
    return Bilevel(
        train_loss=model.parts(train_batch, number),
        valid_loss=model.parts(valid_batch, number),
        recompute=number > 1 or team.size > 1 or model.uses_gradient_checkpointing,
        all_reduce=team.all_reduce,
        weights=model.weights,
        logits=model.logits,
    )


def _sum(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    return [one + other for one, other in zip(tensors, others, strict=True)]


class _UnclearedGradient:
    """The validation gradient that the authors' script does not clear: the next update of the weights adds it."""

    def __init__(self) -> None:
        self.gradient: list[Tensor] = []

    def state_dict(self) -> list[Tensor]:
        return self.gradient

    def load_state_dict(self, state: Sequence[Tensor]) -> None:
        self.gradient = list(state)
