"""Simulated schedules: checked by hand for a few cells, and against bounds for many."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.core.settings import load_settings
from benchmarks.core.spec import InputError
from benchmarks.run import plan
from benchmarks.run.cache import Materials
from benchmarks.run.forecast import forecast, render_forecasts
from benchmarks.run.plan import Assumptions, PlannedCell, make_plan
from benchmarks.store.store import Store
from tests.support import fakes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(plan, "matmul_rate", lambda *_, **__: 1e6)
    fakes.write_preset(tmp_path)
    return tmp_path


def cells(folder: Path, seconds: Sequence[float], methods: Sequence[str] = ("steady",)) -> list[PlannedCell]:
    """One per entry of `seconds`."""
    settings = load_settings(str(folder / "fake.toml"), {"run": {"seeds": list(range(len(seconds) // len(methods)))}})
    made = make_plan(settings, ["coin"], methods, Store(folder=folder / "runs"), Materials())
    return [replace(cell, seconds=time) for cell, time in zip(made, seconds, strict=True)]


@pytest.mark.parametrize(
    ("places", "seconds", "busy"),
    [(1, 15, 1), (2, 8, 15 / 16), (3, 6, 15 / 18), (9, 5, 15 / 45)],
)
def test_the_longest_cells_begin_first(folder: Path, places: int, seconds: float, busy: float) -> None:
    found = forecast(cells(folder, [3, 4, 5, 3]), places)
    assert found.seconds == seconds
    assert found.busy == pytest.approx(busy)


def test_a_cell_begins_after_the_one_that_it_needs(folder: Path) -> None:
    made = cells(folder, [5, 5, 2, 2], ("steady", "follower"))
    assert [planned.cell.method for planned in made] == ["steady", "steady", "follower", "follower"]
    found = forecast(made, 4)
    assert found.seconds == 7
    assert found.last
    assert found.last.cell.method == "follower"


def test_no_schedule_is_shorter_than_the_work_or_the_longest_cell_nor_twice_as_long(folder: Path) -> None:
    seconds = [1 + (7 * index) % 13 for index in range(40)]
    made = cells(folder, seconds)
    for places in (1, 3, 8, 50):
        least = max(sum(seconds) / places, *seconds)
        assert least <= forecast(made, places).seconds < 2 * least


def test_what_is_done_takes_no_time(folder: Path) -> None:
    main(
        [
            "run",
            "--preset",
            str(folder / "fake.toml"),
            "--tasks=coin",
            "--methods=steady",
            "--runs",
            str(folder / "runs"),
        ]
    )
    (planned,) = cells(folder, [9])
    found = forecast([planned], 4)
    assert (found.seconds, found.busy, found.last) == (0, 1, None)
    assert "-" in render_forecasts([found])


def test_an_assumed_rate_replaces_that_of_this_machine(folder: Path) -> None:
    settings = load_settings(str(folder / "fake.toml"))
    store = Store(folder=folder / "runs")
    one, ten = (
        make_plan(settings, ["coin"], ["steady"], store, Materials(), assumed=Assumptions(rate=rate))[0].seconds
        for rate in (1e6, 1e7)
    )
    assert one == pytest.approx(10 * ten)
    with pytest.raises(InputError, match="above 0; got 0"):
        Assumptions(rate=0)


def test_estimates_can_use_the_paper_s_numbers_of_rows(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--tasks",
        "rte",
        "--methods",
        "lora",
        "--model",
        "random:roberta-base",
        "--rate",
        "1e12",
        "--seeds",
        "1",
    ]
    seconds = []
    for more in ((), ("--published-rows", "--places", "1,8")):
        assert main(["plan", "--preset", "paper", "--data", "embedded", *options, *more]) == 0
        shown = capsys.readouterr().out
        seconds.append(float(next(line for line in shown.splitlines() if line.startswith("rte")).split()[-1]))
    assert seconds[1] > seconds[0]
    assert shown.splitlines()[-1].split()[0] == "8"


def test_places_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--places", "0,8"])
    assert "--places: takes numbers of at least 1, as in 1,8,64; got '0,8'" in capsys.readouterr().err
