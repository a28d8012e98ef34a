"""Writes the page as one self-contained HTML file with style, script, data and pictures."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.report.page.content import Page
from benchmarks.report.tables.score_grid import parameters_text, published_text, score_text
from benchmarks.store.store import write_atomically

HERE = Path(__file__).parent


def write_page(page: Page, path: Path) -> None:
    """Write a page with all texts escaped. Raises InputError: the file cannot be written."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "score_text": score_text,
        "published_text": published_text,
        "parameters_text": parameters_text,
        "style": (HERE / "page.css").read_text("utf-8"),
        "script": (HERE / "page.js").read_text("utf-8"),
    }
    write_atomically(path, environment.get_template("page.html").render(page=page).encode())
