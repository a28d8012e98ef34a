"""Every command with its options, and how a command is found by its words."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.cli import options as o
from benchmarks.cli.command import Command, program
from benchmarks.core.registry import unknown_name

TASKS, METHODS = o.TASKS.meaning("these tasks"), o.METHODS.meaning("these methods")
SCOPE = (o.TABLE, o.FIGURE, o.TASKS, o.METHODS)
SETTINGS = (o.PRESET, o.PROTOCOL, o.SEEDS, o.MODEL, o.DATA, o.PARTIAL, o.PRECISION, o.DEVICE, o.MAX_STEPS, o.SET)
EITHER = (o.READ_RUNS, o.REFERENCE)
RESULTS = (o.RUNS, o.formats())
WORDS = o.formats(o.WORDS)

CELLS = (
    Command(
        "run",
        "cells:run",
        "Run the cells that are missing, and print their table.",
        (*SCOPE, *SETTINGS, o.WORKERS, o.SHARD, o.RAY, o.QUIET, o.CHECK, *RESULTS),
    ),
    Command(
        "plan",
        "cells:show_plan",
        "List the cells of a run, which are done, and the estimated time of the others.",
        (
            *(*SCOPE, o.PRESET, o.PROTOCOL, o.SEEDS, o.MODEL, o.DATA, o.PARTIAL, o.DEVICE, o.SET, o.WORKERS),
            *(o.PLACES, o.RATE, o.PUBLISHED_ROWS, o.RUNS),
        ),
    ),
    Command(
        "tune",
        "cells:tune_rates",
        "Compare the preset's learning rates on a held-out part of the training sets.",
        (TASKS, METHODS, o.PRESET, o.MODEL, o.DATA, o.SET, o.WORKERS, o.RAY, o.RUNS, o.WRITE),
    ),
    Command(
        "check",
        "judging:show_check",
        "Compare results with the reference; exit status 0: as before, 1: moved, 2: not comparable.",
        (
            *(o.TABLE, TASKS, METHODS, o.SEEDS.meaning("only these seeds"), o.COSTS),
            *(o.PRESET.meaning("preset of the results (quick)"), o.CHECKED_AGAINST, *RESULTS),
        ),
    ),
)
MEASURE = (
    Command(
        "measure cost",
        "measuring:show_cost",
        "Time, memory and operations of the methods (Table 5), measured in turns.",
        (
            *(TASKS, METHODS, o.PRESET, o.MODEL, o.DATA, o.PARTIAL, o.PRECISION, o.DEVICE, o.SET, o.ROUNDS),
            *(o.STEPS.meaning("steps timed per stage (10)", default=10), o.WARMUP, o.MEASURED, *RESULTS),
        ),
    ),
    Command(
        "measure speed",
        "measuring:show_speed",
        "Time of training and search against other implementations, measured in turns.",
        (
            *(o.ONLY, o.MODEL.meaning("as for run (minilm)", default="minilm")),
            o.PRECISION.meaning("fp32, bf16 or auto (auto)", default="auto", choices=("auto", "fp32", "bf16")),
            *(o.DEVICE.meaning("cpu, cuda, cuda:1 or auto (auto)", default="auto"), o.ROUNDS),
            *(o.STEPS.meaning("steps timed per turn (20)", default=20), o.GROWTH, *RESULTS),
        ),
    ),
    Command(
        "measure engines",
        "measuring:show_engines",
        "Accuracy and time of the engines that compute the hypergradient, on one task.",
        (o.TASKS.meaning("the task (cola)"), o.PRESET, o.SET),
    ),
    Command(
        "measure floors",
        "measuring:show_floors",
        "Scores without fine-tuning, beside those of full fine-tuning in --runs.",
        (TASKS, o.PRESET, o.SET, o.RUNS),
    ),
    Command(
        "measure determinism",
        "measuring:show_determinism",
        "Run cells twice, then with other batches and threads, and compare their bits.",
        (TASKS, METHODS, o.PRESET, o.SET, o.RUNS),
    ),
    Command(
        "measure allocation",
        "allocating:show_allocation",
        "Rank allocators at equal budgets, where the best ranks are known; writes tables and figures.",
        (o.STUDENT, o.PLANTED, o.path("folder", "folder of results (runs)", nargs="?", default=Path("runs"))),
    ),
)
REPORT = (
    Command("report", "reporting:show_reports", "List the reports, and print the findings."),
    Command(
        "report findings",
        "reporting:show_findings",
        "Print what the results say, in sentences, as a list in Markdown.",
        (o.FOLDER,),
    ),
    Command(
        "report tables",
        "reporting:show_tables",
        "Print results in the layout of one of the paper's tables.",
        (o.TABLE, o.FIGURE.meaning("figure of the paper instead: 2"), TASKS, METHODS, o.OF_PRESET, *RESULTS),
    ),
    Command(
        "report ranks",
        "reporting:show_ranks",
        "Print the learned ranks (Figure 3) and their controls.",
        (TASKS, *RESULTS),
    ),
    Command("report costs", "reporting:show_costs", "Print what the methods cost (Table 5).", RESULTS),
    Command("report speed", "reporting:show_speed", "Print times against other implementations.", RESULTS),
    Command(
        "report protocols",
        "reporting:show_protocols",
        "Print how scores depend on the protocol.",
        (o.TABLE, *RESULTS),
    ),
    Command(
        "report time-to-score",
        "reporting:show_time_to_score",
        "Print the training time until a score is reached; cells need --set run.curve=true.",
        (o.SCORE, o.TABLE, o.RUNS),
    ),
    Command(
        "report figures",
        "reporting:draw_figures",
        "Draw all figures of the results, as files.",
        (*EITHER, o.TO.meaning("folder to write to (figures)", default=Path("figures")), o.ENDINGS),
    ),
    Command(
        "report page",
        "reporting:write_report_page",
        "Write all results as one HTML page that opens without a network.",
        (*EITHER, o.TO.meaning("file to write (report.html)", default=Path("report.html"), metavar="FILE")),
    ),
)
JUDGE = (
    Command("judge audit", "auditing:show_audit", "What follows from the paper's own numbers alone.", (WORDS,)),
    Command(
        "judge verdicts",
        "judging:show_verdicts",
        "What the results say of each published number.",
        (o.TABLE.meaning("one table of the paper (all)"), *EITHER, o.formats()),
    ),
    Command(
        "judge claims", "judging:show_claims", "What the results say of the paper's claims.", (*EITHER, o.formats())
    ),
    Command(
        "judge compare",
        "judging:show_pairs",
        "Two methods on the same seeds and examples: paired tests.",
        (o.METHODS.meaning("the two methods", required=True), TASKS, *EITHER, o.formats()),
    ),
    Command("judge power", "judging:show_power", "What the check finds, and its false alarms, by simulation.", ()),
)
RESULT_FILES = (
    Command("results show", "results:show_cell", "Print all that is known of one cell.", (o.CELL, *EITHER, WORDS)),
    Command(
        "results repeat",
        "repeating:repeat_cell",
        "Run a finished cell again with all its settings, and compare the two.",
        (
            *(o.CELL, *EITHER, o.TO.meaning("folder of the new result (repeated)", default=Path("repeated"))),
            o.DATA.meaning("folder of the data set, if it was read from another"),
            o.DEVICE.meaning("cpu, cuda, cuda:1 or auto, if not as before"),
        ),
    ),
    Command(
        "results merge",
        "results:merge_shards",
        "Join the stores of `run --shard I/N`.",
        (o.SHARDS, o.TO.meaning("folder of all results (runs)", default=Path("runs"))),
    ),
    Command(
        "results promote",
        "results:promote_results",
        "Copy finished results of a clean commit into the reference.",
        (o.KIND, METHODS, o.OF_PRESET, o.RUNS, o.TO.meaning("where to (results/reference)")),
    ),
)
KNOWN = (
    Command(
        "list",
        "known:show_known",
        "Describe tasks, methods, presets or protocols (else the first three).",
        (o.LISTED, WORDS),
    ),
    Command(
        "config",
        "known:show_config",
        "Print the settings of a cell, the source of each, and the keys of --set.",
        (o.PAIR, o.PRESET, o.PROTOCOL, o.SET),
    ),
)
COMMANDS = (*CELLS, *MEASURE, *REPORT, *JUDGE, *RESULT_FILES, *KNOWN)


def find(arguments: Sequence[str]) -> tuple[Command | None, list[str]]:
    """Returns (command, words after its name); (None, words) where no command is named, or only a group of commands.

    Raises:
        InputError: there is no such command; the nearest ones are named.
    """
    words = list(arguments)
    for command in COMMANDS:
        own = command.name.split()
        if words == own or (words[: len(own)] == own and command.name not in _groups()):
            return command, words[len(own) :]
    named = [word for word in words[:2] if not word.startswith("-")]
    if not named or named in [[group] for group in _groups()]:
        return None, words
    asked = " ".join(named) if named[0] in _groups() else named[0]
    ending = [command.name for command in COMMANDS if command.name.split()[-1] == asked]
    raise unknown_name("command", asked, ending or [command.name for command in COMMANDS])


def overview(words: Sequence[str] = ()) -> str:
    """The commands, each in a line: all, or those of the group that is named."""
    shown = [command for command in COMMANDS if command.name.split()[0] in words] or COMMANDS
    lines = [
        "\n".join(f"  {command.name:22}{command.help}" for command in group) for _, group in groupby(shown, key=_group)
    ]
    head = f"usage: {program()} COMMAND [options]\n"
    return "\n".join([head, *lines, f"\n`{program()} COMMAND --help` lists a command's options."])


def _group(command: Command) -> str:
    """The word that a group's commands begin with; empty for a command of no group."""
    first = command.name.split()[0]
    return first if first in _groups() else ""


def _groups() -> set[str]:
    return {command.name.split()[0] for command in COMMANDS if " " in command.name}
