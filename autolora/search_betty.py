"""The search with betty-ml's Engine and its `darts` hypergradient, as the authors ran it.

betty takes the second-order term by central finite differences, each pass with dropout masks of its own, at the
weights after the optimizer's step, and adds it to the direct term with weight 1 whatever the learning rate. With
roll-back (order "selection-first") the weights' step is then undone and done again with the new selection.
"""

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW

from autolora.checkpoint import TensorState
from autolora.loop import Stateful
from autolora.problem import Batch, TrainingLoss, model_loss
from autolora.runtime import Runtime
from autolora.search_config import SearchConfig
from autolora.search_history import converged_at
from autolora.search_model import SearchModel
from autolora.search_result import Recorder, SearchResult
from autolora.training import Optimization

try:
    from betty.configs import Config, EngineConfig
    from betty.engine import Engine
    from betty.problems import ImplicitProblem
except ImportError as error:
    raise ImportError(
        "the engine 'betty' needs betty-ml, which declares an older Python and runs on this one: "
        "pip install --no-deps --ignore-requires-python betty-ml==0.2.1"
    ) from error


class BettySearch:
    """A search in progress; the same steps and the same result as `RankSearch`."""

    def __init__(
        self,
        model: nn.Module,
        config: SearchConfig,
        *,
        steps: int,
        loss: TrainingLoss = model_loss,
        head: tuple[str, ...] = ("classifier", "score"),
        targets: tuple[str, str] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Args, Raises: as `RankSearch`."""
        self.config = config
        self.steps = steps
        self.model = SearchModel(model, config, loss=loss, head=head, targets=targets, runtime=runtime or Runtime())
        self._optimization = Optimization(self.model.weights, config.training, steps)
        self._selection_optimizer = AdamW(
            self.model.logits, lr=config.selection_lr, betas=config.selection_betas, weight_decay=0.0
        )
        self._weights = _Level("lower", self.model, self.model.weights, self._optimization)
        self._selection = _Level("upper", self.model, self.model.logits, self._selection_optimizer)
        with contextlib.redirect_stdout(io.StringIO()):  # betty reports every problem that it sets up
            self._engine = Engine(
                problems=[self._selection, self._weights],
                config=EngineConfig(roll_back=config.order == "selection-first", strategy="none"),
                dependencies={
                    "u2l": {self._selection: [self._weights]},
                    "l2u": {self._weights: [self._selection]},
                },
            )
        self._engine.train()
        self._recorder = Recorder(self.model)

    @property
    def state(self) -> dict[str, Stateful]:
        """All that changes from step to step, for checkpoints."""
        return {
            "optimization": self._optimization,
            "logits": TensorState(self.model.logits),
            "selection_optimizer": self._selection_optimizer,
            "recorder": self._recorder,
        }

    @property
    def converged(self) -> bool:
        """Whether the configured rule says that nothing moves any more."""
        rule = self.config.convergence
        return rule is not None and converged_at(self._recorder.records, rule) is not None

    def step(self, index: int, train_batch: Batch, valid_batch: Batch) -> Tensor:
        """Do one iteration; returns the train loss. Args, Raises: as `RankSearch.step`."""
        self._weights.batch, self._selection.batch = train_batch, valid_batch
        for level in (self._weights, self._selection):
            level.losses.clear()
        self._engine.global_step += 1
        self._engine.train_step()
        train_loss = self._weights.losses[0]
        if (index + 1) % self.config.record_every == 0 or index + 1 == self.steps:
            self._recorder.record(index + 1, train_loss, self._selection.losses[-1])
        return train_loss

    def result(self, seconds: float = 0.0) -> SearchResult:
        """What has been found so far."""
        return self._recorder.result(self.config, seconds)


class _Level(ImplicitProblem):  # type: ignore[misc]  # betty has no types
    """One level of the bilevel problem. betty computes its gradients; the step itself is that of `RankSearch`."""

    def __init__(
        self, name: str, model: SearchModel, tensors: Sequence[Tensor], optimizer: Optimization | AdamW
    ) -> None:
        darts = Config(type="darts", unroll_steps=1, first_order=True, retain_graph=True)
        super().__init__(name=name, config=darts, module=nn.ParameterList(tensors), optimizer=optimizer)
        self.batch: Batch = {}
        self.losses: list[Tensor] = []
        """Of the passes over `batch` so far."""
        self._model = model
        self._tensors = list(tensors)
        self._before: Any = None

    def training_step(self, batch: Batch) -> Tensor:
        loss: Tensor = self._model(batch)
        self.losses.append(loss.detach())
        return loss

    def get_batch(self) -> Batch:
        return self.batch

    def trainable_parameters(self) -> list[Tensor]:
        return self._tensors

    def optimizer_step(self, *_: Any, **__: Any) -> None:
        self.optimizer.step()

    def cache_states(self) -> None:
        self._before = copy.deepcopy(self.optimizer.state_dict())  # which holds the weights too

    def recover_states(self, *_: Any, **__: Any) -> None:
        self.optimizer.load_state_dict(self._before)

    def patch_everything(self) -> None:
        """Model and optimizer stand already where they belong; betty would make an optimizer of its own."""
