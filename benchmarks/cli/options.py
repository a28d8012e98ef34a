"""The options of the command line, each said once; `index` has which command takes which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.cli import values
from benchmarks.report.tables.grid import FORMATS

REFERENCES = "all"
"""Value of a bare `--reference`."""
WORDS = ("text", "markdown", "json")
"""Formats of output that is more than a table."""


@dataclass(frozen=True)
class Option:
    """One option, or, where its name has no dashes, one argument."""

    name: str
    help: str
    settings: Mapping[str, Any]
    """Further keywords of `argparse.ArgumentParser.add_argument`."""

    def meaning(self, text: str, **settings: Any) -> "Option":
        """The same option with another help text, and with these settings changed."""
        return replace(self, help=text, settings={**self.settings, **settings})


def option(name: str, help: str, **settings: Any) -> Option:  # noqa: A002  argparse's name for it
    """An option, in the order of argparse's own call."""
    return Option(name, help, settings)


def path(name: str, help: str, **settings: Any) -> Option:  # noqa: A002
    """An option whose value is a path."""
    return option(name, help, **{"type": Path, "metavar": "DIR"} | settings)


TABLE = option("--table", "table of the paper, or llm: tasks, methods, layout (1)", type=values.table, metavar="N")
FIGURE = option("--figure", "figure of the paper instead: 2, or 3 (learned ranks)", type=int, metavar="N")
TASKS = option("--tasks", "these tasks instead", type=values.names, metavar="A,B")
METHODS = option("--methods", "these methods instead", type=values.names, metavar="A,B")

PRESET = option("--preset", "settings to start from, by name or .toml file (quick)", default="quick", metavar="NAME")
PROTOCOL = option("--protocol", "paper, released or clean (the preset's, else clean)", metavar="NAME")
SEEDS = option("--seeds", "how many seeds, as in 3, or which, as in 0,4,7", type=values.seeds, metavar="N|A,B")
MODEL = option("--model", "minilm, decoder, smollm2, a Hub id, a folder, or random:NAME", metavar="NAME")
DATA = option("--data", "embedded, hub, or a folder in the official layout", metavar="FROM")
PARTIAL = option("--partial", "accept samples of splits and unofficial rows", action="store_const", const=True)
PRECISION = option("--precision", "fp32, bf16 or auto", metavar="TYPE")
DEVICE = option("--device", "cpu, cuda, cuda:1 or auto", metavar="NAME")
MAX_STEPS = option("--max-steps", "upper limit of training steps per stage, for trials", type=int, metavar="N")
SET = option("--set", "any setting; `config` lists the keys", action="append", default=[], metavar="KEY=VALUE")

WORKERS = option("--workers", "cells at a time (one per core; on a GPU one)", type=int, metavar="N")
SHARD = option("--shard", "only the I-th of N parts, in a store of its own", type=values.shard, metavar="I/N")
RAY = option("--ray", "a Ray cluster: auto, its head's HOST:PORT, or local", metavar="ADDRESS")
QUIET = option("--quiet", "report nothing but failures while cells run", action="store_true")
CHECK = option("--check", "then compare with the reference, as `check` does", action="store_true")

PLACES = option(
    "--places", "also the time on A devices and on B, a cell on each", type=values.positive_numbers, metavar="A,B"
)
RATE = option("--rate", "estimate for a device of this many FLOP/s, as in 1e13", type=float, metavar="FLOPS")
PUBLISHED_ROWS = option("--published-rows", "count the rows of the paper's Table 6", action="store_true")
WRITE = option(
    "--write", "write the best rates into this preset", type=values.toml_file, metavar="FILE.toml", default=None
)

ROUNDS = option("--rounds", "turns of each (3)", type=values.at_least(1), default=3, metavar="N")
STEPS = option("--steps", "steps timed per turn", type=values.at_least(1), metavar="N")
WARMUP = option("--warmup", "steps before them (2)", type=values.at_least(0), default=2, metavar="N")
MEASURED = option("--measured", "run all steps instead of extrapolating", action="store_true")
ONLY = option("--only", "some of the comparisons", type=values.names, metavar="A,B")
GROWTH = path("--growth", "measure how cost grows instead, and draw it", metavar="FILE.json")

RUNS = path("--runs", "folder of results (runs)", default=Path("runs"))
READ_RUNS = path("--runs", "folder of results (runs; without any, the reference)", default=None)
REFERENCE = option(
    "--reference",
    "the project's own results instead, or those of a PRESET",
    nargs="?",
    const=REFERENCES,
    metavar="PRESET",
)
CHECKED_AGAINST = option("--reference", "a preset's reference, or a folder (PRESET's)", metavar="PRESET|DIR")
OF_PRESET = option("--preset", "only results of this preset", metavar="PRESET")
FOLDER = path("runs", "folder of results (runs; without any, the reference)", nargs="?", default=None)
TO = path("--to", "folder to write to")
CELL = option("cell", "its folder, the start of its identity, or TASK/METHOD/SEED", metavar="CELL")
SHARDS = path("shards", "folders of the shards", nargs="+")
PAIR = option("cell", "such as cola/autolora", metavar="TASK/METHOD")
LISTED = option("kind", "tasks, methods, presets or protocols", nargs="?", metavar="KIND")
SCORE = option("score", "in the task's metric, such as 80", type=float, metavar="SCORE")
STUDENT = option("student", "llama, minilm or decoder (llama)", nargs="?", default="llama", metavar="STUDENT")
PLANTED = option(
    "seeds", "number of seeds; 0 prints what is there (2)", nargs="?", type=values.at_least(0), default=2, metavar="N"
)
COSTS = option("--costs", "the newest cost run instead of scores", action="store_true")
ENDINGS = option("--as", "pdf, svg, png (pdf)", type=values.endings, default=["pdf"], dest="endings", metavar="A,B")
KIND = option("--kind", "scores, costs or speed (scores)", choices=("scores", "costs", "speed"), default="scores")


def formats(known: Sequence[str] = FORMATS) -> Option:
    """The option that chooses the form of the output."""
    return option("--format", f"{', '.join(known)} (text)", choices=known, default="text", metavar="FORM")
