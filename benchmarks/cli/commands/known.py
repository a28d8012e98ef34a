"""Commands that describe what there is to run, and with which settings."""

# ruff: noqa: T201  a command line prints

import json
import textwrap
from argparse import Namespace
from typing import Any

from tabulate import tabulate

from benchmarks.cli.scope import command_line, known
from benchmarks.core import registry
from benchmarks.core.protocols import NO_SWITCH, switch_rows
from benchmarks.core.settings import explain, load_settings, preset_description, preset_names
from benchmarks.core.spec import InputError

KINDS = ("tasks", "methods", "presets")
PROTOCOLS = "protocols"
COLUMNS = 60
"""Of a description in a table on the screen."""
TABLE_FORMATS = {"text": "simple", "markdown": "github"}


def show_known(arguments: Namespace) -> int:
    """Print tasks, methods and presets, each in a line, or the switches of the protocols."""
    kinds = known("kind", [arguments.kind] if arguments.kind else KINDS, (*KINDS, PROTOCOLS))
    if kinds == [PROTOCOLS]:
        return _show_protocols(arguments.format)
    found = {kind: _described(kind) for kind in kinds}
    if arguments.format == "json":
        print(json.dumps(found, indent=1))
        return 0
    tables = [tabulate(rows.items(), (kind, ""), TABLE_FORMATS[arguments.format]) for kind, rows in found.items()]
    print("\n\n".join(tables))
    return 0


def show_config(arguments: Namespace) -> int:
    """Print the settings of a task and a method, and the source of each."""
    task, slash, method = arguments.cell.partition("/")
    if not slash or "/" in method:
        raise InputError(f"config takes TASK/METHOD, as in cola/autolora; got {arguments.cell!r}")
    settings = load_settings(arguments.preset, command_line(arguments))
    found = explain(settings, task, method)
    rows = [(key, json.dumps(value), source) for key, (value, source) in found.items()]
    print(tabulate(rows, headers=("key of --set", "value", "source"), disable_numparse=True))
    print(
        f"\nProtocol: {settings.protocol}. Further keys: training.NAME for every training at once, tasks.{task}.NAME for"
        "\nthis task alone, protocol.NAME for a switch (`list protocols`)."
    )
    return 0


def _described(kind: str) -> dict[str, str]:
    if kind == "presets":
        return {name: preset_description(name) for name in preset_names()}
    one, names = ("task", registry.task_names()) if kind == "tasks" else ("method", registry.method_names())
    return {name: registry.description(one, name) for name in names}


def _show_protocols(form: str) -> int:
    rows: list[dict[str, Any]] = [{**row} for row in switch_rows()]
    if form == "json":
        print(json.dumps(rows, indent=1))
        return 0
    if form == "text":
        rows = [{**row, "about": textwrap.fill(row["about"], COLUMNS)} for row in rows]
    print(tabulate(rows, headers="keys", tablefmt=TABLE_FORMATS[form], disable_numparse=True))
    print("\n" + "\n".join(f"Row {row} is no switch: {why}." for row, why in NO_SWITCH.items()))
    return 0
