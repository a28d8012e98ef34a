"""Errors in the training of cells by two processes: in both, the next cell follows; in one alone, both end."""

import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import distributed

from autolora.compute.process_group import Team
from benchmarks.core.spec import InputError
from benchmarks.run import distributed as launched
from tests.support.together import together

pytestmark = pytest.mark.xdist_group("team")  # the two processes are started once


class Trained:
    """A method that takes one collective step; raises a ValueError before it in the processes of the given ranks."""

    def __init__(self, failing: tuple[int, ...]) -> None:
        self.failing = failing

    def train(self, team: Team) -> None:
        if team.rank in self.failing:
            raise ValueError("a batch has no labels")
        team.all_reduce([torch.ones(1)])


def ended(failing: tuple[int, ...]) -> tuple[str, float]:
    """How this process's work on one cell ended, and after how many seconds."""
    launched.FAILURE_TIMEOUT = timedelta(seconds=2)
    team, began = Team.of_this_process(), time.monotonic()
    cell: Any = SimpleNamespace(identity="a" * 64, name="Coin, Steady, seed 0")
    setup: Any = SimpleNamespace(cell=cell, method=Trained(failing), problem=team)
    try:
        launched._train(setup, team)
        said = team.broadcast("the next cell" if team.leads else "")
    except (InputError, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}"
        distributed.destroy_process_group()
        distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    return said, time.monotonic() - began


def test_an_error_in_all_processes_lets_them_go_on_with_the_next_cell(tmp_path: Path) -> None:
    assert [said for said, _ in together(ended, (0, 1), folder=tmp_path)] == ["the next cell", "the next cell"]


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_one_process_ends_all_of_them(failing: int, tmp_path: Path) -> None:
    found = together(ended, (failing,), folder=tmp_path)
    said, _ = found[failing]
    assert said.startswith(f"InputError: Coin, Steady, seed 0 failed in process {failing} of 2 but not in all")
    assert said.endswith("a batch has no labels")
    other, _ = found[1 - failing]
    assert other.startswith("RuntimeError")  # the connection is closed
    assert all(seconds < 30 for _, seconds in found)
