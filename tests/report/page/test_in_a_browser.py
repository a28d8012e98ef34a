"""The page in a real browser: sorting, unfolding, filters, keyboard, contrast, and thousands of cells."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.page.content import Page, page_content
from benchmarks.report.page.write import write_page
from benchmarks.report.tables.score_table import ScoreRow, TableScore

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CELLS = 5000
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path; Debian's package is `chromium`"),
    pytest.mark.xdist_group("browser"),  # the pages are made once
]


@pytest.fixture(scope="module")
def content(some_results: Path) -> Page:
    return page_content(some_results)


@pytest.fixture(scope="module")
def path(content: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(content, path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=[*QUIET])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, path: Path) -> Iterator[Any]:
    page = browser.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on(
        "request",
        lambda request: messages.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
    )
    page.goto(path.as_uri())
    yield page
    page.close()
    assert messages == [], "the console must stay empty, and nothing may be fetched"


def column(page: Any, number: int) -> list[str]:
    rows = page.locator("table.scores").first.locator("tbody tr:not(.unfolded)")
    return [row.locator("th, td").nth(number).inner_text().split("\n")[0] for row in rows.all()]


def test_a_click_on_a_heading_sorts_and_another_one_turns_the_order_around(page: Any) -> None:
    head = page.locator("table.scores").first.locator("thead th").nth(2)
    before = column(page, 2)
    head.locator("button").click()
    rising = [float(text.split()[0].strip("†")) for text in column(page, 2)]
    assert rising == sorted(rising)
    assert len(rising) == len(before) > 3
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    falling = [float(text.split()[0].strip("†")) for text in column(page, 2)]
    assert falling == rising[::-1]


def test_a_cell_unfolds_to_its_seeds_by_keyboard_and_folds_again(page: Any) -> None:
    cell = page.locator("button.cell").first
    cell.focus()
    page.keyboard.press("Enter")
    assert cell.get_attribute("aria-expanded") == "true"
    unfolded = page.locator(".unfolded")
    assert "Seed 0" in unfolded.inner_text()
    assert "python -m benchmarks results repeat" in unfolded.inner_text()
    unfolded.get_by_text("Settings").first.click()
    assert "method.training.lr" in unfolded.inner_text()
    page.keyboard.press("Tab")
    cell.press(" ")
    assert cell.get_attribute("aria-expanded") == "false"
    assert page.locator(".unfolded").count() == 0


def test_filters_leave_one_task_and_one_method(page: Any) -> None:
    page.get_by_label("Task").select_option("CoLA")
    page.get_by_label("Method").select_option("LoRA")
    table = page.locator("table.scores").first
    assert [head.inner_text().split()[0] for head in table.locator("thead th:visible").all()] == [
        "Method",
        "Params",
        "CoLA",
    ]
    assert [row.get_attribute("data-method") for row in table.locator("tbody tr:visible").all()] == ["LoRA"]
    assert page.locator("#shown").inner_text() == "only CoLA, LoRA"
    page.get_by_label("Method").select_option("")
    assert table.locator("tbody tr:visible").count() > 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_roles_and_contrast_are_sound(page: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(color_scheme=scheme)
    page.locator("button.cell").first.click()
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_phone_has_no_sideways_scrolling_but_in_tables(browser: Any, path: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(path.as_uri())
    page.locator("button.cell").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_five_thousand_cells_are_laid_out_once_and_unfolded_one_by_one(
    content: Page, browser: Any, tmp_path: Path
) -> None:
    """Counts elements and layout operations instead of time, which depends on the machine."""
    page = browser.new_page()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def counts() -> dict[str, float]:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics} | {
            "elements": page.evaluate("document.querySelectorAll('*').length")
        }

    path = tmp_path / "large.html"
    write_page(with_cells(content, methods=100, tasks=50), path)
    reports = next(iter(content.cells.values()))
    assert path.stat().st_size < CELLS * len(reports) * 2000  # bytes
    page.goto(path.as_uri())
    assert page.locator("button.cell").count() == CELLS
    loaded = counts()
    page.locator("button.cell").last.click()
    assert "Seed" in page.locator(".unfolded").inner_text()
    unfolded = counts()
    page.close()
    assert loaded["elements"] < 4 * CELLS
    assert unfolded["elements"] - loaded["elements"] < 500
    for work in ("LayoutCount", "RecalcStyleCount"):
        assert loaded[work] < CELLS / 50  # a slow machine shows a page in more pieces than a fast one
        assert unfolded[work] - loaded[work] < 10


def with_cells(content: Page, methods: int, tasks: int) -> Page:
    """The page with one table of `methods` x `tasks` cells, all with the same details."""
    section = content.sections[0]
    titles = {f"t{number}": f"Task {number}" for number in range(tasks)}
    cell = TableScore(measured=50.0, sd=None, seeds=(0,), published=None)
    rows = [
        ScoreRow(
            method=f"m{number}",
            title=f"Method {number}",
            parameters=None,
            published_parameters=None,
            cells=dict.fromkeys(titles, cell),
            average=None,
        )
        for number in range(methods)
    ]
    table = replace(section.tables[0], columns=titles, decimals=dict.fromkeys(titles, 1), rows=rows)
    reports = next(iter(content.cells.values()))
    cells = {f"{section.name}/{row.method}/{task}": reports for row in rows for task in titles}
    return replace(content, sections=[replace(section, tables=[table])], cells=cells)
