"""Report of one cell: scores, settings, environment, times, and the command that repeats it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.core.nested import flat
from benchmarks.report.tables.markdown import escaped
from benchmarks.store.result import Result, Scores


@dataclass(frozen=True, kw_only=True)
class CellReport:
    """One result as texts for a reader."""

    title: str
    score: str
    facts: Mapping[str, str]
    """Name -> text, in the order of the report."""
    metrics: Mapping[str, Scores]
    """Evaluation split -> metrics."""
    curve: Mapping[str, Scores]
    """Number of epochs -> metrics on the headline split."""
    ranks: Mapping[str, int]
    """Projection -> rank."""
    seconds: Mapping[str, float]
    """Stage -> seconds."""
    settings: Mapping[str, str]
    """Dotted name -> value."""
    repeat: str
    """The command that runs the cell again and compares."""


def cell_report(result: Result, folder: Path) -> CellReport:
    """Report a result; `folder` is the folder of the result, which the command to repeat the cell names."""
    score = "not defined" if result.score is None else f"{result.score:.2f}"
    return CellReport(
        title=f"{result.task_title}, {result.method_title}, seed {result.seed}",
        score=f"failed: {result.reason}" if result.status == "failed" else f"{result.metric} {score} on {result.split}",
        facts=_facts(result),
        metrics=result.metrics,
        curve={epoch: splits[result.split] for epoch, splits in result.curve.items() if result.split in splits},
        ranks=result.ranks or {},
        seconds=result.seconds,
        settings={name: _setting_text(value) for name, value in flat(result.config).items()},
        repeat=repeat_command(result, folder),
    )


def repeat_command(result: Result, folder: Path) -> str:
    """The command that runs a cell again with all its settings, and compares the results."""
    here = Path.cwd()
    shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
    needs_no_folder = result.data_source.startswith(("embedded", "hub"))
    return f"python -m benchmarks results repeat {shown}" + ("" if needs_no_folder else " --data DIR")


def render_cell(report: CellReport, form: str) -> str:
    """Render a report as text, Markdown or JSON."""
    if form == "json":
        return json.dumps(asdict(report), indent=1, ensure_ascii=False)
    style = "pipe" if form == "markdown" else "plain"
    written = escaped if form == "markdown" else str

    def heading(text: str) -> str:
        return f"**{written(text)}**\n\n" if form == "markdown" else f"{text}\n"

    blocks = [heading(report.title) + written(report.score), _pairs(report.facts, style)]
    if report.metrics:
        blocks.append(heading("Scores") + _grid(report.metrics, "split", style))
    if report.curve:
        blocks.append(heading("After each epoch") + _grid(report.curve, "epoch", style))
    if report.ranks:
        blocks.append(heading("Ranks") + _pairs({name: str(rank) for name, rank in report.ranks.items()}, style))
    blocks.append(heading("Seconds") + _pairs({name: f"{value:.1f}" for name, value in report.seconds.items()}, style))
    blocks.append(heading("Settings") + _pairs(report.settings, style))
    blocks.append(heading("Again") + written(report.repeat))
    return "\n\n".join(blocks)


def _facts(result: Result) -> dict[str, str]:
    where = result.environment
    code = {True: "", False: ", changed since", None: ", state unknown"}[where.clean]
    counts = {
        "trained": result.trainable_parameters,
        "head": result.head_parameters,
        "backbone": result.model_parameters,
    }
    return {
        "preset": f"{result.preset}, protocol {result.protocol}",
        "model": result.model_title,
        "data": f"{result.data_source}; " + ", ".join(f"{split} {rows:,}" for split, rows in result.rows.items()),
        **({} if result.collapsed is None else {"collapsed": "yes" if result.collapsed else "no"}),
        "parameters": ", ".join(f"{name} {count:,}" for name, count in counts.items() if count is not None),
        "memory": "-" if result.peak_memory_bytes is None else f"{result.peak_memory_bytes / 1e9:.2f} GB at most",
        "machine": f"{where.machine}, threads: {where.threads}, {where.precision}",
        "software": ", ".join(f"{name} {version}" for name, version in where.packages.items()),
        "code": f"commit {(where.commit or 'unknown')[:12]}{code}",
        "finished": result.finished + (", went on from a checkpoint" if result.resumed else ""),
        "identity": result.identity,
        **{f"fingerprint of {name}": digest for name, digest in result.fingerprints.items()},
        **({"notes": " ".join(result.notes)} if result.notes else {}),
        **({"samples": ", ".join(result.partial)} if result.partial else {}),
    }


def _setting_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _pairs(pairs: Mapping[str, str], style: str) -> str:
    if style == "plain":
        return tabulate(list(pairs.items()), tablefmt=style, disable_numparse=True)
    rows = [[escaped(name), escaped(text)] for name, text in pairs.items()]
    return tabulate(rows, headers=("", ""), tablefmt=style, disable_numparse=True)


def _grid(rows: Mapping[str, Scores], first: str, style: str) -> str:
    names = list(dict.fromkeys(name for scores in rows.values() for name in scores))
    lines = [
        [
            escaped(title) if style == "pipe" else title,
            *("-" if (value := scores.get(name)) is None else f"{value:.2f}" for name in names),
        ]
        for title, scores in rows.items()
    ]
    headers = [first, *(map(escaped, names) if style == "pipe" else names)]
    return tabulate(lines, headers=headers, tablefmt=style, disable_numparse=True)
