"""The search with betty-ml's Engine and its `darts` hypergradient, as the authors ran it.

betty computes the second-order term by central finite differences at the weights after the optimizer's step, with
different dropout masks in each pass, and adds it to the direct term with weight 1 whatever the learning rate. With
roll-back (order "selection-first") the weights' step is then undone and repeated with the new selection.
"""

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from autolora.problem import Batch
from autolora.rank_search.model import SearchModel
from autolora.training.optimization import Optimization

try:
    from betty.configs import Config, EngineConfig
    from betty.engine import Engine
    from betty.problems import ImplicitProblem
except ImportError as error:
    raise ImportError(
        "the engine 'betty' needs betty-ml, which declares an older Python and runs on this one: "
        "pip install --no-deps --ignore-requires-python betty-ml==0.2.1"
    ) from error


class BettyEngine:
    """betty's Engine over two levels, the weights and the selection, on the batches that the caller passes."""

    def __init__(self, model: SearchModel, weights: Optimization, selection: Optimizer, *, roll_back: bool) -> None:
        """Set the engine up.

        Args:
            model: its loss is minimised on both levels.
            weights: optimizer of the inner weights.
            selection: optimizer of the selection logits.
            roll_back: undo the weights' step after the selection has been updated, and repeat it.
        """
        self.lower = _Level("lower", model, model.weights, weights)
        self.upper = _Level("upper", model, model.logits, selection)
        with contextlib.redirect_stdout(io.StringIO()):  # betty prints every problem that it sets up
            self._engine = Engine(
                problems=[self.upper, self.lower],
                config=EngineConfig(roll_back=roll_back, strategy="none"),
                dependencies={"u2l": {self.upper: [self.lower]}, "l2u": {self.lower: [self.upper]}},
            )
        self._engine.train()

    def step(self, train_batch: Batch, valid_batch: Batch) -> tuple[Tensor, Tensor]:
        """Do one iteration of both levels; returns the train loss at w and the validation loss at w'."""
        for level, batch in ((self.lower, train_batch), (self.upper, valid_batch)):
            level.batch = batch
            level.losses.clear()
        self._engine.global_step += 1
        self._engine.train_step()
        return self.lower.losses[0], self.upper.losses[0]


class _Level(ImplicitProblem):  # type: ignore[misc]  # betty has no types
    """One level of the bilevel problem: betty computes its gradients, and the given optimizer updates its tensors."""

    def __init__(
        self, name: str, model: SearchModel, tensors: Sequence[Tensor], optimizer: Optimization | Optimizer
    ) -> None:
        darts = Config(type="darts", unroll_steps=1, first_order=True, retain_graph=True)
        super().__init__(name=name, config=darts, module=nn.ParameterList(tensors), optimizer=optimizer)
        self.batch: Batch = {}
        self.losses: list[Tensor] = []
        """Losses of all passes over `batch` so far."""
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
        """Do nothing: the model and the optimizer are set up already, and betty would create another optimizer."""
