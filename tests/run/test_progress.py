import io
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autolora.compute.runtime import Progress
from benchmarks.measure.turn_progress import turn_progress
from benchmarks.run import progress
from benchmarks.run.plan import PlannedCell
from benchmarks.run.progress import RunProgress
from tests.support.fakes import make_result, scored


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def cells(*seconds: float) -> list[PlannedCell]:
    return [
        PlannedCell(
            cell=cast("Any", SimpleNamespace(name=f"cola lora seed {seed}", identity=f"{seed}")),
            result=None,
            seconds=each,
        )
        for seed, each in enumerate(seconds)
    ]


def step(number: int, stage: str = "train", loss: float | None = 0.5) -> Progress:
    return Progress(stage=stage, step=number, steps=10, loss=loss)


def test_without_a_terminal_each_cell_is_a_line_with_its_score_and_the_time_left() -> None:
    stream = io.StringIO()
    plan = cells(10, 30)
    bar = RunProgress(plan, stream)
    bar.begin(plan[0])
    bar.step(plan[0], step(5))
    bar.end(plan[0], scored(42.0))
    assert stream.getvalue() == "[ 25%, 0:00:00 left] cola lora seed 0: matthews 42.0, 3 s\n"


def test_a_quiet_run_prints_only_failures() -> None:
    stream = io.StringIO()
    plan = cells(10, 30)
    bar = RunProgress(plan, stream, quiet=True)
    for planned, result in zip(plan, (scored(42.0), make_result(status="failed", reason="nan")), strict=True):
        bar.begin(planned)
        bar.step(planned, step(5))
        bar.end(planned, result)
    bar.close()
    (line,) = stream.getvalue().splitlines()
    assert "cola lora seed 1: FAILED: nan" in line


def test_a_terminal_shows_the_running_cells_the_counts_and_the_last_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    plan = cells(10, 30, 10)
    bar = RunProgress(plan, stream)
    bar.begin(plan[0])
    bar.end(plan[0], scored(42.0))
    bar.begin(plan[1])
    bar.step(plan[1], step(5))
    bar.close()
    shown = stream.getvalue()
    assert "1 done · 1 running · 1 to do" in shown
    assert "train step 5/10, loss 0.500" in shown
    assert "last: cola lora seed 0: matthews 42.0, 3 s" in shown


def test_trials_of_one_name_run_beside_each_other() -> None:
    stream = io.StringIO()
    plan = cells(10, 30)
    plan[1].cell.name = plan[0].cell.name
    bar = RunProgress(plan, stream)
    for planned in plan:
        bar.begin(planned)
    for planned in plan:
        bar.end(planned, scored(42.0))
    assert [line.split("]")[0] for line in stream.getvalue().splitlines()] == [
        "[ 25%, 0:00:00 left",
        "[100%, 0:00:00 left",
    ]


def test_a_long_cell_prints_its_step_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    stream = io.StringIO()
    plan = cells(10)
    bar = RunProgress(plan, stream)
    bar.begin(plan[0])
    bar.step(plan[0], step(5, loss=None))
    bar.step(plan[0], step(6))
    first, second = stream.getvalue().splitlines()
    assert first.endswith("cola lora seed 0, train step 5/10")
    assert second.startswith("[ 60%")
    assert second.endswith("train step 6/10, loss 0.500")


def test_a_search_takes_half_of_its_cell_and_the_training_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    stream = io.StringIO()
    plan = cells(10)
    bar = RunProgress(plan, stream)
    bar.begin(plan[0])
    for number, stage in ((5, "search"), (10, "search"), (5, "train"), (10, "train")):
        bar.step(plan[0], step(number, stage))
    assert [line[:5] for line in stream.getvalue().splitlines()] == ["[ 25%", "[ 50%", "[ 75%", "[100%"]


def test_a_failure_is_a_line_in_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    plan = cells(10)
    bar = RunProgress(plan, stream)
    bar.begin(plan[0])
    bar.end(plan[0], make_result(status="failed", reason="NonFiniteLossError: nan"))
    bar.close()
    assert "cola lora seed 0: FAILED: NonFiniteLossError: nan" in stream.getvalue()
    assert "1 failed" in stream.getvalue()


def test_turns_are_counted_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.measure.turn_progress.LINE_SECONDS", 0)
    stream = io.StringIO()
    with turn_progress(2, stream) as announce:
        announce("rte lora: round 1")
        announce("rte lora: round 2")
    assert stream.getvalue() == "[1/2] rte lora: round 1\n[2/2] rte lora: round 2\n"
