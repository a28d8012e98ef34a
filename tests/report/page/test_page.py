"""The page as text: its content, without external resources and without markup from result files."""

import json
import re
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.core.spec import Prediction
from benchmarks.store.published import RESULTS
from benchmarks.store.store import Store
from tests.support.fakes import make_result, scored

EVIL = "<script>alert(1)</script>&\"'"


class Reader(HTMLParser):
    """Collects the tags with their attributes, and the text of the scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    tmp_path = tmp_path_factory.mktemp("page")
    store = Store(folder=tmp_path / "runs")
    results = [
        scored(
            50.0 + seed,
            seed=seed,
            identity=f"{seed}" * 64,
            notes=(EVIL,),
            config={**make_result().config, "note": EVIL},
            collapsed=seed == 0,
        )
        for seed in range(2)
    ]
    failed = make_result(task="rte", method="full", identity="f" * 64, task_title="RTE")
    predictions = {"validation": Prediction(labels=[0, 1], predictions=[0, 1], scores=[[0.0, 0.0]] * 2)}
    for result in [*results, replace(failed, status="failed", reason=EVIL, metrics={})]:
        store.folder_of(result).write_result(result, predictions)
    return written(tmp_path / "runs", tmp_path / "page.html")


def written(runs: Path, to: Path) -> str:
    with redirect_stdout(StringIO()) as out:
        assert main(["report", "page", "--runs", str(runs), "--to", str(to)]) == 0
    assert out.getvalue() == f"{to}\n"
    return to.read_text("utf-8")


def test_the_page_loads_no_external_resources(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    sources = [attributes.get("src") for _, attributes in reader.tags if "src" in attributes]
    assert sources
    assert all(source and source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not [
        tag for tag, attributes in reader.tags if tag in ("link", "iframe", "object") or "onclick" in attributes
    ]
    assert not re.search(r"url\(|@import", page)
    policy = next(attributes for tag, attributes in reader.tags if attributes.get("http-equiv"))
    assert policy["content"] == (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    )


def test_texts_of_result_files_are_escaped(page: str) -> None:
    assert "alert(1)" in page
    assert "<script>alert" not in page
    reader = Reader()
    reader.feed(page)
    assert len([tag for tag, _ in reader.tags if tag == "script"]) == 2


def test_the_data_of_every_cell_can_be_unfolded(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    data = json.loads(reader.scripts[0])
    shown = [attributes["data-cell"] for tag, attributes in reader.tags if "data-cell" in attributes]
    assert shown == ["s0/lora/cola"]
    assert [seed["seed"] for seed in data["cells"]["s0/lora/cola"]] == [0, 1]
    assert {seed["configuration"] for seed in data["cells"]["s0/lora/cola"]} <= {*data["settings"]}


def test_collapsed_cells_are_counted_and_named(page: str) -> None:
    assert "50.5 ± 0.7 (n=2, 1 collapsed)</button>" in page
    reader = Reader()
    reader.feed(page)
    cells = json.loads(reader.scripts[0])["cells"]["s0/lora/cola"]
    assert [(cell["seed"], cell["facts"]["collapsed"]) for cell in cells] == [(0, "yes"), (1, "no")]


def test_every_published_number_counts_once(page: str) -> None:
    counts = dict(re.findall(r"<dt>([a-z ]+)</dt><dd>(\d+)</dd>", page))
    total = re.search(r"Of (\d+) published numbers", page)
    assert total
    assert sum(map(int, counts.values())) == int(total[1])
    assert int(counts["not comparable"]) == 1


def test_costs_of_a_backbone_without_scores_are_shown_too(tmp_path: Path) -> None:
    store = Store(folder=tmp_path / "quick")
    predictions = {"validation": Prediction(labels=[0, 1], predictions=[0, 1], scores=[[0.0, 0.0]] * 2)}
    store.folder_of(make_result()).write_result(make_result(), predictions)
    places = tmp_path, tmp_path / "page.html"
    assert "Costs at other sizes" not in written(*places)
    shutil.copytree(RESULTS / "reference" / "paper" / "costs", tmp_path / "paper" / "costs")
    assert "here roberta-base with random weights" in written(*places).partition("Costs at other sizes</h2>")[2]


def test_no_results_are_an_error_that_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "page", "--runs", str(tmp_path), "--to", str(tmp_path / "page.html")]) == 2
    assert "`run` makes them" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_figures_are_files_with_their_fonts_inside(
    some_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "figures"
    assert main(["report", "figures", "--runs", str(some_results), "--to", str(to), "--as", "pdf,svg"]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.split("\n") if line]
    names = {path.name for path in paths}
    assert {
        "learned_ranks_figure_3.pdf",
        "scores_of_every_seed.svg",
        "scores_and_what_they_cost.svg",
        "the_searches_on_cola.svg",
    } <= names
    for path in paths:
        content = path.read_bytes()
        if path.suffix == ".pdf":
            assert b"/FontFile2" in content
        else:
            assert b"<text" not in content
