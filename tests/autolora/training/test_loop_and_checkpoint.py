from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autolora.compute.runtime import Interrupted, NonFiniteLossError, Progress, Runtime, TimingRun
from autolora.training.checkpoint import load_checkpoint, save_checkpoint
from autolora.training.loop import Stage, run_steps
from tests.support.fakes import Clock
from tests.support.tiny import stop_after


class Walk:
    """A random walk: its end depends on every step and on the random state."""

    def __init__(self) -> None:
        self.position = torch.zeros(3)

    def step(self, index: int) -> Tensor:
        self.position = self.position + index + torch.randn(3)
        return self.position.sum()

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position = state["position"]


def walk(runtime: Runtime, steps: int = 20, **options: Any) -> Tensor:
    torch.manual_seed(0)
    walker = Walk()
    run_steps(Stage(name="walk", step=walker.step, steps=steps, state={"walker": walker}, **options), runtime)
    return walker.position


def stage(step: Callable[[int], Tensor], steps: int, **options: Any) -> Stage:
    return Stage(**{"name": "walk", "step": step, "steps": steps, "state": {}, **options})


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    state = {"a": torch.arange(3), 7: [torch.eye(2, dtype=torch.float64), None, True, 0.1], "nested": {"x": "text"}}
    save_checkpoint(tmp_path / "folder" / "state.safetensors", state)
    found = load_checkpoint(tmp_path / "folder" / "state.safetensors")
    assert torch.equal(found["a"], state["a"])
    assert torch.equal(found[7][0], state[7][0])
    assert found[7][1:] == [None, True, 0.1]
    assert found["nested"] == {"x": "text"}


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, {"step": 1})

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("autolora.files.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit_of_a_tensor(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def change_the_outline(content: bytes) -> bytes:
    assert b"done" in content
    return content.replace(b"done", b"gone")


DAMAGES = [cut, flip_a_bit_of_a_tensor, change_the_outline, lambda _: b"", lambda _: bytes(64)]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_set_aside_and_the_stage_begins_anew(
    damage: Callable[[bytes], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Interrupted):
        walk(stop_after(7, checkpoints=tmp_path))
    path = tmp_path / "walk.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    steps: list[Progress] = []
    end = walk(Runtime(checkpoints=tmp_path, progress=steps.append))
    assert steps[0].step == 1
    assert torch.equal(end, walk(Runtime()))
    assert f"{path} is damaged" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["walk.damaged"]


def test_a_checkpoint_keeps_every_kind_of_number(tmp_path: Path) -> None:
    kinds = [torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.uint8]
    state = {str(kind): torch.ones(3, 2).to(kind) for kind in kinds} | {
        "none": torch.zeros(0),
        "one": torch.tensor(2.0),
    }
    save_checkpoint(tmp_path / "state.safetensors", state)
    found = load_checkpoint(tmp_path / "state.safetensors")
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in state.items())


@pytest.mark.parametrize("interruption", [1, 7, 19])
def test_an_interrupted_loop_goes_on_to_the_same_end(tmp_path: Path, interruption: int) -> None:
    with pytest.raises(Interrupted):
        walk(stop_after(interruption, checkpoints=tmp_path))
    torch.rand(5)
    assert torch.equal(walk(Runtime(checkpoints=tmp_path)), walk(Runtime()))


def test_a_loop_that_dies_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    def die(done: int) -> None:
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk(Runtime(checkpoints=tmp_path, checkpoint_seconds=0), after_step=die)
    steps: list[Progress] = []
    end = walk(Runtime(checkpoints=tmp_path, progress=steps.append))
    assert steps[0].step == 12  # the step whose checkpoint was not yet written is repeated
    assert torch.equal(end, walk(Runtime()))


def test_the_clock_goes_on_after_an_interruption_and_leaves_out_what_is_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch.setattr)

    def step(_: int) -> Tensor:
        clock.sleep(0.25)
        return torch.zeros(())

    def run(runtime: Runtime) -> float:
        return run_steps(stage(step, 10, after_step=lambda _: clock.sleep(7.0)), runtime)

    with pytest.raises(Interrupted):
        run(stop_after(5, checkpoints=tmp_path))
    assert run(Runtime(checkpoints=tmp_path)) == 10 * 0.25


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_loop(loss: float) -> None:
    def step(index: int) -> Tensor:
        return torch.tensor(loss if index == 4 else 1.0)

    with pytest.raises(NonFiniteLossError, match="step 5 of 9"):
        run_steps(stage(step, 9), Runtime())


def test_progress_is_reported_after_every_step() -> None:
    seen: list[Progress] = []
    walk(Runtime(progress=seen.append), steps=3)
    assert [(progress.stage, progress.step, progress.steps) for progress in seen] == [("walk", i, 3) for i in (1, 2, 3)]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="fp32 or bf16"):
        Runtime(precision="fp8")  # type: ignore[arg-type]


def test_a_timing_run_times_typical_steps_after_a_warm_up_and_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("autolora.training.loop.time.perf_counter", lambda: clock[0])
    ran: list[int] = []

    def step(index: int) -> Tensor:
        clock[0] += 100.0 if len(ran) < 2 else float(index)  # the first two are slow
        ran.append(index)
        return torch.zeros(())

    runtime = Runtime(timing_run=TimingRun(steps=3, warmup=2))
    seconds = run_steps(stage(step, 50, typical=lambda number: [4, 10, 40][:number]), runtime)
    assert ran == [4, 10, 4, 10, 40]
    assert seconds == pytest.approx(50 * (4 + 10 + 40) / 3)


@pytest.mark.parametrize(("graphs", "warmup"), [(False, 2), (True, 6)])
def test_a_timing_run_does_not_time_recordings(graphs: bool, warmup: int) -> None:  # noqa: FBT001
    """A step is recorded when its shapes occur for the second time."""
    order: list[int] = []
    runtime = Runtime(timing_run=TimingRun(steps=3, warmup=2), graphs=graphs)

    def step(index: int) -> Tensor:
        order.append(index)
        return torch.zeros(())

    run_steps(stage(step, 100), runtime)
    assert order == [*islice(cycle(range(3)), warmup), *range(3)]


def test_a_timing_run_of_a_short_stage_times_all_of_it(tmp_path: Path) -> None:
    ran: list[int] = []

    def step(index: int) -> Tensor:
        ran.append(index)
        return torch.zeros(())

    runtime = Runtime(timing_run=TimingRun(steps=20, warmup=5), checkpoints=tmp_path)
    run_steps(stage(step, 2, keep_last=True), runtime)
    assert ran == [0, 1, 0, 1, 0, 0, 1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fields", [{"steps": 0}, {"warmup": -1}])
def test_a_timing_run_times_something(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        TimingRun(**fields)


def test_checkpoints_have_a_clock_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch.setattr)
    monkeypatch.setattr("autolora.training.loop.save_checkpoint", lambda *_: clock.sleep(2.0))
    runtime = Runtime(checkpoints=tmp_path, checkpoint_seconds=0.0)
    walker = Walk()
    seconds = run_steps(stage(clock.slower(walker.step, 0.25), 6, state={"walker": walker}), runtime)
    assert runtime.clocks.seconds == {"checkpoint": 5 * 2.0}
    assert seconds == 6 * 0.25
