"""THE loop: repeats an optimisation step, keeps its time, writes checkpoints, goes on from them."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from autolora.compute.process_group import Team
from autolora.compute.random_state import RandomState
from autolora.compute.runtime import Interrupted, NonFiniteLossError, Progress, Runtime, never
from autolora.training.checkpoint import DamagedCheckpointError, load_checkpoint, save_checkpoint

LOG = logging.getLogger(__name__)
_ACCELERATOR_FETCH_EVERY = 20
"""On an accelerator the loss is fetched this rarely, and a team asked: that waits for everything queued before it."""


class Stateful(Protocol):
    """Anything whose state belongs into a checkpoint."""

    def state_dict(self) -> Any:
        """Tensors and JSON scalars, nested in dicts and lists."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Take over what `state_dict` gave."""
        ...


def run_steps(
    step: Callable[[int], Tensor],
    steps: int,
    *,
    stage: str,
    state: Mapping[str, Stateful],
    runtime: Runtime,
    after_step: Callable[[int], None] | None = None,
    finished: Callable[[], bool] = never,
    keep_last: bool = False,
    typical: Callable[[int], Sequence[int]] | None = None,
) -> float:
    """Run step(0) .. step(steps - 1), from the last checkpoint on where there is one; or project how long it takes.

    Args:
        step: does one optimisation step and returns its training loss, a scalar.
        steps: number of steps of the whole stage.
        stage: names the checkpoint file and the progress.
        state: everything that a later step depends on, but for torch's random states, which are added here.
        runtime: device, checkpoints, progress, stop.
        after_step: called with the number of steps done, outside the clock (evaluation at an epoch's end).
        finished: asked after every step; once it answers True the stage ends before its last step.
        keep_last: write a checkpoint after the last step too, for a stage that others follow.
        typical: n -> indices of n representative steps, for the runtime's timing run; None: the first n.

    Returns:
        Wall-clock seconds spent in `step`, those before an interruption included; projected ones where the runtime
        asks for that.

    Raises:
        Interrupted: the runtime was asked to stop.
        NonFiniteLossError: a loss became NaN or infinite.
    """
    if runtime.timing_run:
        return _project(step, steps, runtime, stage=stage, typical=typical or range)
    team = runtime.team
    state = {**state, "random": _RandomState(runtime.device, team)}
    path = runtime.checkpoints / f"{stage}.safetensors" if runtime.checkpoints else None
    done, seconds = _resume(path, state, team) if path else (0, 0.0)
    last_checkpoint = time.monotonic()

    def checkpoint() -> None:
        if path:
            with runtime.clocks.measure("checkpoint"):
                states = {name: item.state_dict() for name, item in state.items()}
                if team.leads:
                    save_checkpoint(path, {"done": done, "seconds": seconds, "states": states})

    while done < steps and not finished():
        started = time.perf_counter()
        loss = step(done)
        done += 1
        last = done == steps or finished()
        fetch = runtime.device == "cpu" or last or done % _ACCELERATOR_FETCH_EVERY == 0
        asked = fetch or team.size == 1
        due = asked and time.monotonic() - last_checkpoint >= runtime.checkpoint_seconds
        value = loss.item() if fetch or due else None
        seconds += time.perf_counter() - started
        if value is not None and not math.isfinite(value):
            raise NonFiniteLossError(f"{stage}: the loss is {value} at step {done} of {steps}; try a lower lr")
        if after_step:
            after_step(done)
        runtime.progress(Progress(stage=stage, step=done, steps=steps, loss=value))
        due, stop = team.any(due, runtime.stop()) if asked else (False, False)
        if stop or (due and not last) or (last and keep_last):
            checkpoint()
            last_checkpoint = time.monotonic()
        if stop:
            raise Interrupted(f"stopped in {stage} after step {done} of {steps}")
    return seconds


def _project(
    step: Callable[[int], Tensor],
    steps: int,
    runtime: Runtime,
    *,
    stage: str,
    typical: Callable[[int], Sequence[int]],
) -> float:
    """All steps at the mean time of some of them; an accelerator is waited for before the first and after the last."""
    assert runtime.timing_run
    timed = list(typical(min(runtime.timing_run.steps, steps)))
    done, loss = 0, torch.zeros(())

    def run(indices: Iterable[int]) -> float:
        nonlocal done, loss
        loss.item()
        started = time.perf_counter()
        for index in indices:
            loss = step(index)
            done += 1
            runtime.progress(Progress(stage=stage, step=done, steps=steps, loss=None))
            if runtime.stop():
                raise Interrupted(f"stopped while {stage} was projected")
        loss.item()
        return time.perf_counter() - started

    run(islice(cycle(timed), runtime.warmup))
    return steps * run(timed) / len(timed)


def _resume(path: Path, state: Mapping[str, Stateful], team: Team) -> tuple[int, float]:
    """Steps done and seconds spent, as the checkpoint has them; none where there is none."""
    saved = team.broadcast(_read(path) if team.leads else None)
    if saved is None:
        return 0, 0.0
    for name, item in state.items():
        item.load_state_dict(saved["states"][name])
    return saved["done"], saved["seconds"]


def _read(path: Path) -> Any:
    """The checkpoint; None where there is none, or it is damaged and set aside."""
    if not path.exists():
        return None
    try:
        return load_checkpoint(path)
    except DamagedCheckpointError as error:
        aside = path.replace(path.with_suffix(".damaged"))
        LOG.warning("%s; it is kept as %s, and the stage begins anew", error, aside.name)
        return None


class _RandomState:
    """Torch's random states on the CPU and on the device, of every member of the team."""

    def __init__(self, device: str, team: Team) -> None:
        self._device = torch.device(device)
        self._team = team

    def state_dict(self) -> list[dict[str, Tensor]]:
        now = RandomState.now(self._device)
        return self._team.gather({"cpu": now.cpu} | ({} if now.cuda is None else {"cuda": now.cuda}))

    def load_state_dict(self, state: Sequence[Mapping[str, Tensor]] | Mapping[str, Tensor]) -> None:
        members = [state] if isinstance(state, Mapping) else state  # before there were teams, one stood by itself
        if len(members) != self._team.size:
            raise ValueError(
                f"the checkpoint is of {len(members)} processes, and now there are {self._team.size}: begin as many, or "
                "name another folder for checkpoints"
            )
        own = members[self._team.rank]
        RandomState(self._device, own["cpu"], own.get("cuda")).restore()
