"""What the command line takes."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.core.registry import canonical
from benchmarks.report.tables.grid import FORMATS
from benchmarks.store.published import RESULTS, PublishedTable, published_figure, published_table
from benchmarks.store.shards import Shard

RANK_METHODS = ("lora_learned_ranks", "lora_shuffled_ranks", "lora_random_ranks", "lora_uniform_matched")
"""Methods beside AutoLoRA in the analysis of learned ranks: those that were learned, then the controls."""


INSTALLED = "autolora-bench"
"""The command of an installed package."""
WORDS = ("text", "markdown", "json")
"""Formats of what is more than a table."""
COST_TASKS = ("sst2", "mnli", "qqp")
"""Tasks of Table 5."""
CELLS = ("plan", "run", "ranks", "tune")
"""Commands whose cells may run anywhere, since nothing is measured but what they score."""


def parser() -> argparse.ArgumentParser:
    """Everything that can be asked for; `command` is the name of what to do."""
    prog = INSTALLED if Path(sys.argv[0]).stem == INSTALLED else "python -m benchmarks"
    known = argparse.ArgumentParser(prog=prog, description="The benchmark of AutoLoRA.")
    commands = known.add_subparsers(required=True, metavar="command", dest="command")
    commands.add_parser("list", help="names of tasks, methods and presets")
    for name, text in (
        ("audit", "what follows from the paper's own numbers, without any training"),
        ("protocols", "what paper, released code and clean procedure differ in"),
    ):
        _add_format(commands.add_parser(name, help=text), WORDS)
    _add_judging(commands)
    _add_computing(commands)
    _add_speed(commands.add_parser("speed", help="how fast training and search are against other implementations"))
    _add_report(commands.add_parser("report", help="print the table of the results at hand"))
    merging = commands.add_parser("merge", help="join the stores of `run --shard I/N`")
    merging.add_argument("shards", type=Path, nargs="+", metavar="DIR", help="folders of the shards")
    _add_runs(merging)
    drawing = commands.add_parser("figures", help="all figures of results, as files")
    page = commands.add_parser("page", help="one HTML file of all results, to be opened from disk")
    for showing in (drawing, page):
        showing.add_argument(
            "--runs", type=Path, default=RESULTS / "reference", metavar="DIR", help="results (results/reference)"
        )
    drawing.add_argument("--to", type=Path, default=Path("figures"), metavar="DIR", help="where to (figures)")
    drawing.add_argument(
        "--as", type=_endings, default=["pdf"], dest="endings", metavar="A,B", help="pdf, svg, png (pdf)"
    )
    page.add_argument("--to", type=Path, default=Path("report.html"), metavar="FILE", help="where to (report.html)")
    _add_cell(commands.add_parser("show", help="everything that is known of one finished cell"))
    repeating = commands.add_parser("repeat", help="run a finished cell again, with all its settings, and compare")
    _add_cell(repeating)
    _add_runs(repeating)
    repeating.add_argument("--data", help="where the data set is, if the cell read it from a folder")
    repeating.add_argument("--device", help="cpu, cuda, cuda:1 or auto, if the cell ran on another one")
    promoting = commands.add_parser("promote", help="copy finished results to results/reference")
    _add_scope(promoting)
    promoting.add_argument("--preset", help="only results that started from this preset")
    promoting.add_argument("--costs", action="store_true", help="cost runs instead of results")
    promoting.add_argument("--speed", action="store_true", help="speed runs instead of results")
    promoting.add_argument("--to", type=Path, default=RESULTS / "reference", metavar="DIR", help="where to")
    return known


def _add_judging(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Commands that judge results."""
    verdicts = commands.add_parser("verdicts", help="what results say of each published number")
    verdicts.add_argument("--table", type=int, metavar="N", help="one table of the paper (all)")
    claims = commands.add_parser("claims", help="what results say of the paper's claims")
    comparing = commands.add_parser("compare", help="two methods on the same seeds and examples: paired tests")
    comparing.add_argument("--methods", type=_names, metavar="A,B", required=True, help="the two methods")
    comparing.add_argument("--tasks", type=_names, metavar="A,B", help="some of the tasks")
    reference = RESULTS / "reference"
    for judging in (verdicts, claims, comparing):
        judging.add_argument(
            "--runs", type=Path, default=reference, metavar="DIR", help="folder of results (results/reference)"
        )
        judging.add_argument("--preset", help="only results that started from this preset")
        _add_format(judging)
    checking = commands.add_parser("check", help="results at hand against the reference: what moved?")
    _add_scope(checking)
    _add_settings(checking)
    _add_format(checking)
    _add_ray(checking)
    checking.add_argument("--costs", action="store_true", help="the newest cost run instead of results")
    checking.add_argument(
        "--reference", type=Path, metavar="DIR", help="folder of the reference (results/reference/PRESET)"
    )


def _add_computing(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Commands that take a scope and settings, and compute."""
    for name, text in (
        ("plan", "the cells, which are done, and how long the others will take"),
        ("run", "run what is not done, then print the table"),
        ("ranks", "learned ranks (Figure 3): searches, and controls that show what the ranks are worth"),
        ("tune", "try learning rates on a held-out part of the training sets"),
        ("determinism", "cells run twice, and with other batches and threads: what differs?"),
        ("cost", "what methods cost in time (Table 5), measured in turns"),
        ("engines", "how exact and how fast the hypergradient's engines are"),
        ("worth", "how far one gets without fine-tuning: is a task worth learning?"),
    ):
        computing = commands.add_parser(name, help=text)
        _add_scope(computing)
        _add_settings(computing)
        _add_format(computing)
        if name in CELLS:
            _add_ray(computing)
        if name == "plan":
            _add_plan(computing)
        if name == "ranks":
            _add_figures(computing)
        if name == "cost":
            _add_cost(computing)


def layout(arguments: argparse.Namespace) -> PublishedTable:
    """The table or the figure that is asked for. Raises InputError: it is not among the paper's."""
    return published_table(arguments.table) if arguments.figure is None else published_figure(arguments.figure)


def _add_cell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cell", metavar="CELL", help="its folder, first digits of its identity, or TASK/METHOD/SEED")
    parser.add_argument(
        "--results", type=Path, default=RESULTS / "reference", metavar="DIR", help="where it is (results/reference)"
    )
    _add_format(parser, WORDS)


def _add_scope(parser: argparse.ArgumentParser) -> None:
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--table", type=int, default=1, help="table of the paper: its tasks, methods and layout")
    shown.add_argument("--figure", type=int, metavar="N", help="figure of the paper, likewise: 2")
    parser.add_argument("--tasks", type=_names, metavar="A,B", help="tasks instead of the table's")
    parser.add_argument("--methods", type=_names, metavar="A,B", help="methods instead of the table's")
    _add_runs(parser)


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of results")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", default="quick", help="settings to start from, a name or a .toml file")
    parser.add_argument("--protocol", help="paper, released or clean; the preset's own, else clean")
    parser.add_argument("--seeds", type=_seeds, metavar="N|A,B", help="how many seeds, from 0, or which ones")
    parser.add_argument("--model", help="minilm, a Hub id, a local folder, or random:ARCHITECTURE")
    parser.add_argument("--data", help="embedded, hub, or a folder in the official layout")
    parser.add_argument(
        "--partial",
        action="store_const",
        const=True,
        help="allow samples of splits, and rows that are not the official ones",
    )
    parser.add_argument("--precision", help="fp32, bf16 or auto")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 or auto")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="cells at a time, sharing the cores (one per core; on a GPU one)"
    )
    parser.add_argument("--shard", type=_shard, metavar="I/N", help="only the I-th of N parts, in a store of its own")
    parser.add_argument("--quiet", action="store_true", help="tell nothing but failures while cells run")
    parser.add_argument("--track", metavar="TRACKER", help="tell a tracker: tensorboard, wandb, mlflow or trackio")
    parser.add_argument("--max-length", type=int, metavar="N", help="tokens per example")
    parser.add_argument("--max-steps", type=int, metavar="N", help="at most so many steps per stage, for trials")
    parser.add_argument("--batch-size", type=int, metavar="N", help="examples per step")
    parser.add_argument("--grid", type=_ranks, metavar="A,B", help="ranks of the grid search (1 to 16)")
    parser.add_argument("--stack", type=int, metavar="N", help="ranks of the grid trained at once (16); 1: in turn")
    parser.add_argument(
        "--set", type=str, action="append", default=[], metavar="KEY=VALUE", help="any setting, by its dotted name"
    )


def _add_ray(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="run the cells on a Ray cluster: auto, its head's HOST:PORT, or local"
    )


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--places", type=_counts, metavar="A,B", help="also how long it takes on A devices, and on B, one cell on each"
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="FLOPS",
        help="for a device whose training steps reach so many operations a second, as in 1e13",
    )
    parser.add_argument(
        "--published-rows", action="store_true", help="count the paper's rows (Table 6), not those at hand"
    )


def _add_speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", type=_names, metavar="A,B", help="some of the comparisons")
    parser.add_argument("--model", default="minilm", help="as for run; random:ARCHITECTURE does as well")
    parser.add_argument("--device", default="auto", help="as for run")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="as for run")
    parser.add_argument("--steps", type=_at_least(1), default=20, metavar="N", help="steps per turn (20)")
    parser.add_argument("--rounds", type=_at_least(1), default=3, metavar="N", help="turns of each (3)")
    parser.add_argument(
        "--growth", type=Path, metavar="FILE.json", help="how cost grows instead; a picture is drawn beside the file"
    )
    _add_runs(parser)
    _add_format(parser)


def _add_report(parser: argparse.ArgumentParser) -> None:
    _add_scope(parser)
    _add_format(parser)
    parser.add_argument("--preset", help="only results that started from this preset")
    parser.add_argument("--ranks", action="store_true", help="the learned ranks (Figure 3) instead of a table")
    parser.add_argument("--costs", action="store_true", help="what methods cost (Table 5) instead of a table")
    parser.add_argument("--speed", action="store_true", help="speed against other implementations, instead")
    parser.add_argument("--protocols", action="store_true", help="how much of the scores is the protocol, instead")
    parser.add_argument("--reach", type=float, metavar="SCORE", help="training time until that score, instead")
    _add_figures(parser)


def _add_cost(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=_at_least(1), default=3, metavar="N", help="turns of each method (3)")
    parser.add_argument("--steps", type=_at_least(1), default=10, metavar="N", help="steps timed per stage (10)")
    parser.add_argument("--warmup", type=_at_least(0), default=2, metavar="N", help="steps before them (2)")
    parser.add_argument("--measured", action="store_true", help="run all steps instead of projecting them")


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"takes a whole number from {least} on; got {text!r}")
        return int(text)

    return number


def _endings(text: str) -> list[str]:
    endings = [ending.strip() for ending in text.split(",") if ending.strip()]
    if not endings or not {*endings} <= {"pdf", "svg", "png"}:
        raise argparse.ArgumentTypeError(f"figures are pdf, svg or png; got {text!r}")
    return endings


def _shard(text: str) -> Shard:
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"a shard is I/N with I from 1 to N, as in 2/8; got {text!r}")
    return Shard(number=int(number), of=int(of))


def _ranks(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"a grid is ranks, as in 1,2,4; got {text!r}")
    return [int(part) for part in parts]


def _counts(text: str) -> list[int]:
    """Numbers of at least 1, as in 1,8,64."""
    parts = text.split(",")
    if not all(part.isdigit() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"places are numbers from 1 on, as in 1,8,64; got {text!r}")
    return [int(part) for part in parts]


def _add_format(parser: argparse.ArgumentParser, forms: Sequence[str] = FORMATS) -> None:
    parser.add_argument("--format", choices=forms, default="text", help="of what is printed")
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="the same as --format json")


def _add_figures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw the learned ranks and the searches there")


def _names(text: str) -> list[str]:
    return [canonical(name) for name in text.split(",") if name.strip()]


def _seeds(text: str) -> list[int]:
    """Seeds 0, 1, 2 from "3"; 3 alone from "3,"; 5 and 7 from "5,7"."""
    if text.isdigit() and int(text) > 0:
        return list(range(int(text)))
    seeds = [int(part) for part in text.split(",") if part.strip()]
    if "," not in text or not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"seeds are a number of seeds, or different seeds as in 0,1; got {text!r}")
    return seeds
