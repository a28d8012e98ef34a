"""The one training loop: repeats an optimisation step, measures its time, writes checkpoints and resumes from them."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from autolora.compute.process_group import Team
from autolora.compute.random_state import RandomState
from autolora.compute.runtime import Interrupted, NonFiniteLossError, Progress, Runtime, never
from autolora.training.checkpoint import DamagedCheckpointError, load_checkpoint, save_checkpoint
from autolora.training.identity import differences

LOG = logging.getLogger(__name__)
_ACCELERATOR_SYNC_EVERY = 20
"""On an accelerator, steps between two fetches of the loss (and between two exchanges of flags among processes): each
one waits for all queued kernels."""


class Stateful(Protocol):
    """Anything whose state belongs into a checkpoint."""

    def state_dict(self) -> Any:
        """Tensors and JSON scalars, nested in dicts and lists."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Restore what `state_dict` returned."""
        ...


def nothing(done: int) -> None:
    """Do nothing after a step."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a run: an optimisation step, how often it is repeated, and the state that it changes."""

    name: str
    """Name of the checkpoint file and of the stage in progress reports: "train" or "search"."""
    step: Callable[[int], Tensor]
    """Does optimisation step 0, 1, ... and returns its training loss, a scalar."""
    steps: int
    """Number of steps of the whole stage."""
    state: Mapping[str, Stateful]
    """Everything that later steps depend on, for checkpoints; torch's random states are added by the loop."""
    after_step: Callable[[int], None] = nothing
    """Called with the number of steps done; its time is not counted (evaluation at an epoch's end)."""
    finished: Callable[[], bool] = never
    """Checked after every step; True ends the stage before its last step."""
    keep_last: bool = False
    """Whether to write a checkpoint after the last step too, for a stage that is followed by others."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What the result depends on, JSON values by name; a checkpoint of another identity is refused."""
    typical: Callable[[int], Sequence[int]] = range
    """n -> indices of n representative steps, for a timing run; by default the first n."""


def run_steps(stage: Stage, runtime: Runtime) -> float:
    """Run the steps of a stage, from its last checkpoint if there is one; a timing run only estimates their time.

    Returns:
        Wall-clock seconds spent in `stage.step`, those before an interruption included; an estimate in a timing run.

    Raises:
        Interrupted: the runtime's `stop` returned True.
        ValueError: the checkpoint is of a stage with another identity, or of another number of processes.
        NonFiniteLossError: a loss became NaN or infinite.
    """
    if runtime.timing_run:
        return _extrapolate(stage, runtime)
    team = runtime.team
    checkpoint = _StageCheckpoint(stage, runtime)
    done, seconds = checkpoint.resume()
    while done < stage.steps and not stage.finished():
        started = time.perf_counter()
        loss = stage.step(done)
        done += 1
        last = done == stage.steps or stage.finished()
        fetch = runtime.device == "cpu" or last or done % _ACCELERATOR_SYNC_EVERY == 0
        may_write = fetch or team.size == 1
        due = may_write and checkpoint.is_due()
        value = loss.item() if fetch or due else None
        seconds += time.perf_counter() - started
        if value is not None and not math.isfinite(value):
            raise NonFiniteLossError(
                f"{stage.name}: the loss is {value} at step {done} of {stage.steps}; {_advice(done)}"
            )
        stage.after_step(done)
        runtime.progress(Progress(stage=stage.name, step=done, steps=stage.steps, loss=value))
        due, stop = team.any(due, runtime.stop()) if may_write else (False, False)
        if stop or (due and not last) or (last and stage.keep_last):
            checkpoint.write(done, seconds)
        if stop:
            raise Interrupted(f"stopped in {stage.name} after step {done} of {stage.steps}")
    return seconds


def _advice(done: int) -> str:
    """What to look for if the loss is not finite after so many steps."""
    other = "a batch in which no label counts (all are -100), and for float16, which overflows: use float32 or bf16"
    if done == 1:
        return f"no weight has changed before it, so that lr is not the cause: look for {other}"
    return f"try a lower lr; if that does not help, look for {other}"


def _extrapolate(stage: Stage, runtime: Runtime) -> float:
    """The mean time of representative steps times the number of steps; the device is synchronised before and after."""
    assert runtime.timing_run
    timed = list(stage.typical(min(runtime.timing_run.steps, stage.steps)))
    done, loss = 0, torch.zeros(())

    def run(indices: Iterable[int]) -> float:
        nonlocal done, loss
        loss.item()
        started = time.perf_counter()
        for index in indices:
            loss = stage.step(index)
            done += 1
            runtime.progress(Progress(stage=stage.name, step=done, steps=stage.steps, loss=None))
            if runtime.stop():
                raise Interrupted(f"stopped during the timing run of {stage.name}")
        loss.item()
        return time.perf_counter() - started

    run(islice(cycle(timed), runtime.warmup))
    return stage.steps * run(timed) / len(timed)


class _StageCheckpoint:
    """The checkpoint file of one stage, written by process 0 and broadcast to all processes when it is read."""

    def __init__(self, stage: Stage, runtime: Runtime) -> None:
        self._runtime = runtime
        self._identity = dict(stage.identity)
        self._state = {**stage.state, "random": _RandomState(runtime.device, runtime.team)}
        self._path = runtime.checkpoints / f"{stage.name}.safetensors" if runtime.checkpoints else None
        self._last_write = time.monotonic()

    def resume(self) -> tuple[int, float]:
        """Restore the state from the checkpoint; returns its steps done and its seconds, 0 and 0.0 without one."""
        done, seconds = self._load(self._path) if self._path else (0, 0.0)
        self._last_write = time.monotonic()
        return done, seconds

    def is_due(self) -> bool:
        """Whether `checkpoint_seconds` have passed since the last checkpoint."""
        return time.monotonic() - self._last_write >= self._runtime.checkpoint_seconds

    def write(self, done: int, seconds: float) -> None:
        """Write the checkpoint after `done` steps, if the runtime keeps any."""
        if self._path:
            with self._runtime.clocks.measure("checkpoint"):
                states = {name: item.state_dict() for name, item in self._state.items()}
                if self._runtime.team.leads:
                    content = {"done": done, "seconds": seconds, "states": states, "identity": self._identity}
                    save_checkpoint(self._path, content)
        self._last_write = time.monotonic()

    def _load(self, path: Path) -> tuple[int, float]:
        team = self._runtime.team
        saved = team.broadcast(_read(path) if team.leads else None)
        if saved is None:
            return 0, 0.0
        if different := differences(saved["identity"], self._identity):
            raise ValueError(
                f"the checkpoint {path} is of another problem: {'; '.join(different)}: choose another folder for "
                "checkpoints, or remove this one"
            )
        for name, item in self._state.items():
            item.load_state_dict(saved["states"][name])
        return saved["done"], saved["seconds"]


def _read(path: Path) -> Any:
    """The content of the checkpoint; None if there is no file.

    Also None if it is damaged, or so old that it does not say what it is of; it is then renamed.
    """
    if not path.exists():
        return None
    try:
        return _identified(path)
    except DamagedCheckpointError as error:
        renamed = path.replace(path.with_suffix(".damaged"))
        LOG.warning("%s; it is kept as %s, and the stage starts from its first step", error, renamed.name)
        return None


def _identified(path: Path) -> Any:
    content = load_checkpoint(path)
    if "identity" not in content:
        raise DamagedCheckpointError(f"the checkpoint {path} is of an older version, without the problem's identity")
    return content


class _RandomState:
    """Torch's random states of every process, on the CPU and on the device."""

    def __init__(self, device: str, team: Team) -> None:
        self._device = torch.device(device)
        self._team = team

    def state_dict(self) -> list[dict[str, Tensor]]:
        now = RandomState.now(self._device)
        return self._team.gather({"cpu": now.cpu} | ({} if now.cuda is None else {"cuda": now.cuda}))

    def load_state_dict(self, state: Sequence[Mapping[str, Tensor]] | Mapping[str, Tensor]) -> None:
        members = (
            [state] if isinstance(state, Mapping) else state
        )  # older checkpoints hold one process's state, no list
        if len(members) != self._team.size:
            raise ValueError(
                f"the checkpoint is of {len(members)} processes, and now there are {self._team.size}: start "
                f"{len(members)} processes, or choose another folder for checkpoints"
            )
        own = members[self._team.rank]
        RandomState(self._device, own["cpu"], own.get("cuda")).restore()
