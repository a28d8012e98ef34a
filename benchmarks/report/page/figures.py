"""All figures of results, drawn in parallel: embedded in the page, or written as files."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report.cost_report import CostReport
from benchmarks.report.figures import costs as cost_figures
from benchmarks.report.figures import ranks as rank_figures
from benchmarks.report.figures import scores as score_figures
from benchmarks.report.rank_report import RankReport
from benchmarks.report.tables.score_table import ScoreTable
from benchmarks.store.result import Result

Drawings = Mapping[str, Callable[[Path], None]]
"""Caption -> function that draws the figure into a file."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One drawn figure with its caption."""

    caption: str
    svg: str
    """The SVG file in base64."""


def drawings(
    results: Sequence[Result], ranks: RankReport, costs: Sequence[CostReport], bars: Sequence[ScoreTable]
) -> Drawings:
    """All figures of one group of results.

    Args:
        results: results of one preset, protocol, backbone and kind of data.
        ranks: their rank report.
        costs: cost reports of the same preset and backbone.
        bars: tables of scores that are drawn as bars.
    """
    done = [result for result in results if result.status == "done"]
    searches = [result for result in done if result.method == "autolora"]
    wanted: dict[str, Callable[[Path], None]] = {}
    if ranks.tasks:
        wanted["Learned ranks (Figure 3)"] = partial(rank_figures.rank_heatmap, ranks)
        wanted["How far seeds agree in their ranks; dashed: thresholded noise"] = partial(
            rank_figures.rank_stability, ranks
        )
        for task in ranks.tasks:
            of_task = [result for result in searches if result.task == task.task]
            wanted[f"The searches on {task.title}"] = partial(rank_figures.search_course, of_task)
    if any(result.curve for result in done):
        wanted["Scores over the epochs"] = partial(score_figures.learning_curves, done)
    wanted["Scores of every seed"] = partial(score_figures.seed_scores, done)
    wanted["Scores and what they cost"] = partial(score_figures.cost_against_score, done)
    for report in costs:
        wanted[f"Training time in multiples of {report.reference}'s (Table 5)"] = partial(
            cost_figures.cost_bars, report
        )
    for table in bars:
        wanted[table.title] = partial(score_figures.score_bars, table)
    return wanted


def write_figures(parts: Mapping[Path, Drawings], endings: Sequence[str]) -> Iterator[Path]:
    """Draw figures into files named by their captions; fonts are embedded in PDF, and drawn as outlines in SVG.

    Args:
        parts: folder -> the figures to draw into it.
        endings: file endings, such as pdf and svg.

    Yields:
        The path of each file, in order, as soon as the file is written.
    """
    with _pool() as pool:
        submitted = []
        for folder, drawings in parts.items():
            for (caption, draw), ending in product(drawings.items(), endings):
                path = folder / f"{_file_name(caption)}.{ending}"
                submitted.append((path, pool.submit(draw, path)))
        for path, drawing in submitted:
            drawing.result()
            yield path


@contextmanager
def drawn_in_background(drawings: Sequence[Drawings]) -> Iterator[Callable[[], list[list[Picture]]]]:
    """Draw all figures of all parts in background processes, one per processor at a time.

    Yields:
        A function that waits for the pictures and returns them, one list per part.
    """
    with _pool() as pool:
        parts = [{caption: pool.submit(_svg, draw) for caption, draw in part.items()} for part in drawings]
        yield lambda: [[Picture(caption=caption, svg=svg.result()) for caption, svg in part.items()] for part in parts]


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(mp_context=get_context("spawn"))


def _file_name(caption: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", caption.partition(";")[0].lower()).strip("_")


def _svg(draw: Callable[[Path], None]) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder, "picture.svg")
        draw(path)
        return base64.b64encode(path.read_bytes()).decode()
