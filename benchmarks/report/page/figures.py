"""All that there is to draw of results, for the page and as files."""

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

from benchmarks.report import figures
from benchmarks.report.cost_report import CostReport
from benchmarks.report.rank_report import RankReport
from benchmarks.report.tables.score_table import ScoreTable
from benchmarks.store.result import Result

Drawings = Mapping[str, Callable[[Path], None]]
"""Words -> what draws the picture into a file."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture and its words."""

    says: str
    svg: str
    """In base64, as a page holds it."""


def drawings(
    results: Sequence[Result], ranks: RankReport, costs: Sequence[CostReport], bars: Sequence[ScoreTable]
) -> Drawings:
    """All that there is to draw of results that belong together."""
    done = [result for result in results if result.status == "done"]
    searches = [result for result in done if result.method == "autolora"]
    wanted: dict[str, Callable[[Path], None]] = {}
    if ranks.tasks:
        wanted["Learned ranks (Figure 3)"] = partial(figures.rank_heatmap, ranks)
        wanted["How far seeds agree in their ranks; dashed: thresholded noise"] = partial(figures.rank_stability, ranks)
        for task in ranks.tasks:
            of_task = [result for result in searches if result.task == task.task]
            wanted[f"The searches on {task.title}"] = partial(figures.search_course, of_task)
    if any(result.curve for result in done):
        wanted["Scores over the epochs"] = partial(figures.learning_curves, done)
    wanted["Scores and what they cost"] = partial(figures.cost_against_score, done)
    for report in costs:
        wanted["Training time in multiples of AdaLoRA's (Table 5)"] = partial(figures.cost_bars, report)
    for table in bars:
        wanted[table.title] = partial(figures.score_bars, table)
    return wanted


def write_figures(parts: Mapping[Path, Drawings], endings: Sequence[str]) -> Iterator[Path]:
    """Draw into files that are named by their words; fonts are embedded in PDF, and drawn as outlines in SVG.

    Args:
        parts: folder -> what is drawn into it.
        endings: of the files, such as pdf and svg.

    Yields:
        Every file as soon as it and those before it are there.
    """
    with _pool() as pool:
        begun = []
        for folder, drawings in parts.items():
            for (says, draw), ending in product(drawings.items(), endings):
                path = folder / f"{_file_name(says)}.{ending}"
                begun.append((path, pool.submit(draw, path)))
        for path, drawn in begun:
            drawn.result()
            yield path


@contextmanager
def begun(drawings: Sequence[Drawings]) -> Iterator[Callable[[], list[list[Picture]]]]:
    """Draw all pictures of all parts, as many at a time as there are processors, while the caller works on.

    Yields:
        What waits for the pictures, part by part.
    """
    with _pool() as pool:
        parts = [{says: pool.submit(_svg, draw) for says, draw in part.items()} for part in drawings]
        yield lambda: [[Picture(says=says, svg=svg.result()) for says, svg in part.items()] for part in parts]


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(mp_context=get_context("spawn"))


def _file_name(says: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", says.partition(";")[0].lower()).strip("_")


def _svg(draw: Callable[[Path], None]) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder, "picture.svg")
        draw(path)
        return base64.b64encode(path.read_bytes()).decode()
