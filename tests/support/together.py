"""Runs a function in several processes that form a team, and hands back what each of them returns."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from tests.support.processes import HANG_SECONDS


def together(work: Callable[..., Any], *arguments: Any, size: int = 2, folder: Path) -> list[Any]:
    """What `work` returns, by rank; it has to be importable. `folder` is where the processes meet."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(size, mp_context=spawn) as pool:
        meeting = folder / "meeting"
        found = [pool.submit(_member, rank, size, meeting, work, arguments) for rank in range(size)]
        return [each.result(timeout=HANG_SECONDS) for each in found]


def _member(rank: int, size: int, meeting: Path, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # whatever the machine's name means
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    try:
        return work(*arguments)
    finally:
        distributed.destroy_process_group()
