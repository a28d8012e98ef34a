"""The workflows call what exists, and follow the rules for workflows that run other people's code."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.cli.index import find
from tests.support.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(path: Path) -> list[dict[str, Any]]:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_every_push_and_one_for_a_gpu() -> None:
    assert [path.stem for path in WORKFLOWS] == ["checks", "gpu"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_hash_and_permissions_are_least(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    uses = [step["uses"] for step in steps(path) if "uses" in step]
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in uses)
    assert "secrets" not in path.read_text(encoding="utf-8")
    assert "pull_request_target" not in path.read_text(encoding="utf-8")
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_session_and_its_arguments_are_known(path: Path) -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    commands = [step["run"] for step in steps(path) if "nox -s" in step.get("run", "")]
    assert commands
    for command in commands:
        sessions, _, arguments = command.partition("|")[0].partition("nox -s")[2].partition(" -- ")
        assert all(f"def {session}(" in noxfile for session in sessions.split())
        if arguments:
            values = arguments.replace('"$PRESET"', "small").replace('"$SEEDS"', "1").split()
            checking, options = find(["run", "--check", *values])
            assert checking
            assert checking.parse(options)
