"""One cell's training and evaluation: what it has come to, and which errors make it a failed cell."""

import re
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import torch

from autolora.compute.clocks import Clocks
from autolora.compute.runtime import NonFiniteLossError
from autolora.problem import Outcome
from benchmarks.core.nested import digest, finite
from benchmarks.core.spec import InputError, Prediction
from benchmarks.run.cell import CellSetup
from benchmarks.store.result import Result
from benchmarks.store.store import plain_predictions


@dataclass(kw_only=True)
class Attempt:
    """The training and evaluation of one cell, as far as they got."""

    set_up: Callable[..., CellSetup]
    """Opens what the cell needs; with halved=True, for batches in twice as many parts."""
    clocks: Clocks
    began: float = field(init=False)
    """On the process's clock, seconds."""
    setup: CellSetup = field(init=False)
    halved: bool = False
    outcome: Outcome | None = None
    """None until the training has finished."""
    predictions: dict[str, Prediction] = field(default_factory=dict)
    """Evaluation split -> predictions; empty until the model was evaluated."""
    fields: dict[str, Any] = field(default_factory=lambda: {"status": "failed"})
    """Fields of the result that training and evaluation decide."""

    def __post_init__(self) -> None:
        self.began = time.perf_counter()
        with self.clocks.measure("load"):
            self.setup = self.set_up()

    @property
    def trained(self) -> bool:
        """Whether the training has finished."""
        return self.outcome is not None

    @contextmanager
    def failure_recorded(self) -> Iterator[None]:
        """An error inside that concerns this cell alone makes it a failed one; others are raised.

        Raises:
            InputError: an optional package is missing.
        """
        try:
            yield
        except ImportError as error:  # its message says how to install the package
            raise InputError(str(error)) from error
        except (NonFiniteLossError, ValueError, RuntimeError, MemoryError) as error:
            if not _concerns_this_cell_alone(error):
                raise
            self.fields |= {"reason": _reason(error), "details": {"traceback": traceback.format_exc()}}

    @contextmanager
    def halving_batches(self) -> Iterator[None]:
        """Where memory runs out inside, set up the cell anew, once, with every batch in twice as many parts.

        Raises:
            InputError: memory ran out in one of several processes.
        """
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if self.halved or not _is_out_of_memory(error):
                raise
            if (processes := self.setup.problem.runtime.team.size) > 1:
                raise InputError(
                    f"one of {processes} processes ran out of memory: add --set training.micro_batches=2, or launch "
                    "more processes"
                ) from error
            self.halved = True
        if self.halved and self.outcome is None:
            torch.cuda.empty_cache()  # not in the except block, where the error still references the tensors
            with self.clocks.measure("load"):
                self.setup = self.set_up(halved=True)

    def evaluate(self, outcome: Outcome) -> None:
        """Predict and score all evaluation splits; completes the attempt."""
        setup = self.setup
        self.clocks.seconds.update(outcome.seconds)
        with self.clocks.measure("evaluate"):
            self.predictions = setup.predict(outcome.model)
            details = {**outcome.details, "evaluation_repeats": setup.evaluation_repeats(outcome.model)}
            # Last, as other processes would wait forever after an error in it.
            metrics, collapsed = setup.score(self.predictions), setup.has_collapsed(self.predictions)
        self.fields = {
            "status": "done",
            "ranks": outcome.ranks,
            "trainable_parameters": outcome.trainable_parameters,
            "head_parameters": outcome.head_parameters,
            "metrics": metrics,
            "collapsed": collapsed,
            "details": finite(details),
        }

    def result(self, **more: Any) -> Result:
        """The result of the cell; `more` are fields that neither its settings nor this attempt decide."""
        setup = self.setup
        return Result(
            **self.fields,
            **more,
            **setup.description(),
            notes=tuple(setup.notes),
            fingerprints={**setup.cell.fingerprints, **_fingerprint(self.predictions)},
            seconds=self.clocks.seconds | {"total": time.perf_counter() - self.began},
            finished=_now(),
        )


def _fingerprint(predictions: Mapping[str, Prediction]) -> dict[str, str]:
    return {"predictions": digest(plain_predictions(predictions))} if predictions else {}


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or bool(
        re.search("out of memory|can't allocate memory", str(error), re.IGNORECASE)
    )


def _concerns_this_cell_alone(error: BaseException) -> bool:
    """Whether an error comes from the cell's numbers, settings or size; other errors would hit all cells.

    An illegal memory access is none of them: the device cannot be used any more after it.
    """
    return not isinstance(error, RuntimeError) or _is_out_of_memory(error)


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
