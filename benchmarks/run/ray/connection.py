"""Connects to a Ray cluster, and sends it the code, data and weights that the cells need."""

import logging
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.core.spec import InputError
from benchmarks.run.machine.environment import COMMIT_VARIABLE, code_version, usable_cores
from benchmarks.run.plan import PlannedCell
from benchmarks.run.ray.node import SCRATCH
from benchmarks.run.ray.shipping import pack

LOCAL = "local"
CONNECT_SECONDS = 5.0


@contextmanager
def connect(address: str, plan: Sequence[PlannedCell]) -> Iterator[Any]:
    """Yield the package `ray`, connected to a cluster that has received the code, data and weights of these cells.

    Args:
        address: "local" starts a private Ray cluster on this machine's loopback interface; "auto" is the cluster that
            this machine is part of; else HOST:PORT of the cluster's head.
        plan: the cells that will be run.

    Raises:
        InputError: the package is missing, the cluster is not reachable, or a folder cannot be sent to it.
    """
    if find_spec("ray") is None:
        raise InputError('--ray needs the package ray: pip install "autolora-bench[ray]"')
    cells = [planned.cell for planned in plan if not planned.done]
    if any(cell.config["track"] for cell in cells):
        raise InputError(
            "run.track writes on the machine that runs the cell, with --ray a node: leave out run.track or --ray"
        )
    _set_ray_variables(address)
    if address not in (LOCAL, "auto"):
        _check_reachable(address)
    import ray  # noqa: PLC0415  an optional package, which reads the variables above

    with ExitStack() as stack, TemporaryDirectory(prefix=SCRATCH) as code:
        pack(Path(code), (cell.config[name] for cell in cells for name in ("data", "model")))
        cluster_options = _private_cluster(stack) if address == LOCAL else {}
        stack.callback(ray.shutdown)
        options = {"runtime_env": runtime_env(Path(code)), "log_to_driver": False, "logging_level": logging.ERROR}
        try:
            ray.init(address, **options, **cluster_options)
        except (ConnectionError, ray.exceptions.RayError, RuntimeError) as error:
            raise InputError(
                f"--ray {address}: {error}. `ray start --head` starts a cluster, `ray start --address HOST:PORT` adds "
                "this machine to a cluster; --ray local needs neither"
            ) from error
        connection = stack.pop_all()
    with connection:  # the local copy of the code has been deleted: the cluster has its own
        yield ray


def runtime_env(code: Path) -> dict[str, Any]:
    """Ray's runtime environment of the processes on the nodes: the code, and the commit that it comes from."""
    commit, clean = code_version()
    named = {COMMIT_VARIABLE: commit if clean else f"{commit}-dirty"} if commit else {}
    return {"working_dir": str(code), "env_vars": named}


def _set_ray_variables(address: str) -> None:
    """Set the environment variables that Ray reads when it is imported; a private cluster requires a random token."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address == LOCAL:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # makes Ray use the loopback interface alone
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _private_cluster(stack: ExitStack) -> dict[str, Any]:
    """Options of a private Ray cluster that starts and ends with this run."""
    # Not in TMPDIR, whose path may be long: the path of a socket has at most 104 bytes.
    parent = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108
    temporary = stack.enter_context(TemporaryDirectory(prefix=SCRATCH, dir=parent, ignore_cleanup_errors=True))
    return {"num_cpus": usable_cores(), "include_dashboard": False, "_temp_dir": temporary}


def _check_reachable(address: str) -> None:
    """Raises InputError: no process listens at the address; Ray itself would retry for many minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()) or "/" in host:
        raise InputError(f"--ray takes {LOCAL}, auto or the HOST:PORT of a cluster's head; got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise InputError(
            f"--ray {address}: no process listens there ({error}); `ray status` prints the address"
        ) from error
