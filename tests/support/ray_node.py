"""What a Ray worker does before its first cell in tests: it gets the fakes, and tells what it opens and trains."""

import os
from pathlib import Path
from typing import Any

import benchmarks
from benchmarks.data.models import backbones
from tests.support import fakes
from tests.support.faults import fate, misbehave

FOLDER = "RAY_TEST_FOLDER"
FAULTS = "RAY_TEST_FAULTS"
"""Set where one cell in twenty is to fail."""


def install() -> None:
    fakes.install()
    backbones.open_backbone = _told("opened", backbones.open_backbone)  # type: ignore[assignment]
    fakes.Steady.train = _told("trained", fakes.Steady.train)  # type: ignore[method-assign]
    if os.environ.get(FAULTS):
        fakes.Steady.train = _faulty(fakes.Steady.train)  # type: ignore[method-assign]


def _faulty(function: Any) -> Any:
    """Training to which happens what the cell's seed says."""

    def train(method: Any, problem: Any) -> Any:
        misbehave(fate(problem.seed, may_be_killed=True), Path(os.environ[FOLDER], f"killed-{problem.seed}"))
        return function(method, problem)

    return train


def _told(name: str, function: Any) -> Any:
    """The function, which writes at each call by which process, and from which code."""

    def call(*arguments: Any) -> Any:
        with Path(os.environ[FOLDER], name).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {Path(benchmarks.__file__).parent}\n")
        return function(*arguments)

    return call
