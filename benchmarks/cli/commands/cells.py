"""Commands that plan and train cells."""

# ruff: noqa: T201  a command line prints

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tabulate import tabulate

from benchmarks.cli import scope as asked
from benchmarks.cli.commands.judging import compare_with_reference
from benchmarks.cli.commands.printing import print_ranks, print_scores
from benchmarks.core import registry
from benchmarks.core.settings import Settings, load_settings, parse_assignment
from benchmarks.core.spec import InputError
from benchmarks.run import launch, tune
from benchmarks.run.forecast import forecast, render_forecasts
from benchmarks.run.launch import Request, Scope
from benchmarks.run.plan import Assumptions
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from benchmarks.tasks.families.generation import TextGeneration
from benchmarks.tasks.metrics import java

FIGURES = Path("figures")
"""Where Figure 3 is drawn."""


def show_plan(arguments: argparse.Namespace) -> int:
    """Print the cells, which are done, and the time that the others will take."""
    assumed = Assumptions(rate=arguments.rate, published_rows=arguments.published_rows)
    plan, _ = launch.plan(replace(request(arguments, _scopes(arguments)), assumed=assumed))
    rows = [
        (planned.cell.task, planned.cell.method, planned.cell.seed, _state(planned.result), f"{planned.seconds:.0f}")
        for planned in plan.cells
    ]
    left = sum(not planned.done for planned in plan.cells)
    print(tabulate(rows, headers=("task", "method", "seed", "state", "seconds")))
    print(f"\n{left} of {len(plan.cells)} cells to do, about {timedelta(seconds=round(plan.seconds))}, ", end="")
    print(f"{plan.workers} at a time, threads of each: {plan.threads}")
    if arguments.places:
        print("\n" + render_forecasts([forecast(plan.cells, places) for places in arguments.places]))
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Run what is not done, print the table of all that was asked for, and compare it where that is asked for too."""
    scopes = _scopes(arguments)
    if note := java_note([task for scope in scopes for task in scope.tasks]):
        print(note, file=sys.stderr)
    launched = launch.launch(request(arguments, scopes))
    if was_interrupted(launched):
        return launched.exit_status
    if arguments.figure == asked.LEARNED_RANKS:
        print_ranks(launched.results, FIGURES, arguments.format)
    else:
        print_scores(launched.results, asked.layout(arguments), arguments.format)
    if not arguments.check:
        return launched.exit_status
    pairs = [(task, method) for scope in scopes for task in scope.tasks for method in scope.methods]
    return compare_with_reference(arguments, list(dict.fromkeys(pairs)))


def java_note(tasks: Sequence[str]) -> str | None:
    """What the metrics of generated texts lack; None where nothing is missing, or no task generates texts."""
    generates = any(isinstance(registry.task(task), TextGeneration) for task in tasks)
    return f"{java.missing()}. Without them the other metrics are measured" if generates and java.missing() else None


def tune_rates(arguments: argparse.Namespace) -> int:
    """Try the preset's learning rates on a held-out part of train; print which were best, and write them if asked."""
    settings = load_settings(arguments.preset, asked.command_line(arguments))
    tasks, methods = asked.tasks_and_methods(arguments)
    preset = tune.open_preset(arguments.write, arguments.preset) if arguments.write else None
    scopes = [
        Scope(settings=of_trial, tasks=[task], methods=[method])
        for task in tasks
        for method, of_trial in tune.trials(settings, methods)
    ]
    launched = launch.launch(request(arguments, scopes))
    if was_interrupted(launched):
        return launched.exit_status
    found = tune.tried(launched.results, shared=tune.shares_rates(settings))
    print(tune.render(found))
    if preset is not None:
        tune.write_rates(arguments.write, preset, found)
        print(f"\n{arguments.write}")
    return launched.exit_status


def request(arguments: argparse.Namespace, scopes: Sequence[Scope]) -> Request:
    """What is to be run, and how; options that a command does not have are left as they are."""
    return Request(
        scopes=scopes,
        store=Store(folder=arguments.runs),
        workers=getattr(arguments, "workers", None),
        shard=getattr(arguments, "shard", None),
        quiet=getattr(arguments, "quiet", False),
        ray=getattr(arguments, "ray", None),
    )


def was_interrupted(launched: launch.Launched) -> bool:
    """Whether a run stopped before its end; says so on stderr."""
    if launched.interrupted:
        print(f"{launched.interrupted}; the same command goes on from there", file=sys.stderr)
    return launched.interrupted is not None


def _scopes(arguments: argparse.Namespace) -> list[Scope]:
    settings = load_settings(arguments.preset, asked.command_line(arguments))
    if arguments.figure == asked.LEARNED_RANKS:
        return _rank_scopes(arguments, settings)
    tasks, methods = asked.tasks_and_methods(arguments)
    return [Scope(settings=settings, tasks=tasks, methods=methods)]


def _rank_scopes(arguments: argparse.Namespace, settings: Settings) -> list[Scope]:
    """Searches, and LoRA with the learned ranks and with the controls' ranks, at a scaling that ranks do not change."""
    if arguments.methods or arguments.table is not None:
        raise InputError("--figure 3 has methods of its own: leave out --methods and --table")
    tasks = asked.known_tasks(arguments.tasks or asked.RANK_TASKS)
    learned, *controls = asked.RANK_METHODS
    constant = parse_assignment(f"methods.{learned}.retrain.scaling=constant")
    at_constant_scaling = replace(settings, layers=(*settings.layers, constant))
    return [
        Scope(settings=settings, tasks=tasks, methods=["autolora", *controls]),
        Scope(settings=at_constant_scaling, tasks=tasks, methods=[learned, *controls]),
    ]


def _state(result: Result | None) -> str:
    if result is None:
        return "to do"
    return "done" if result.status == "done" else "to do, failed before"
