"""The findings: their words follow from the numbers, and the page, the command and the README have the same."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from benchmarks.analysis.audit.run import audit
from benchmarks.cli.main import main
from benchmarks.report.findings import costs, paper, ranks, scores
from benchmarks.report.findings.collect import findings
from benchmarks.report.findings.statement import Statement
from benchmarks.report.page import content
from benchmarks.report.part import Part
from benchmarks.store.cost_record import write_cost_run
from benchmarks.store.published import RESULTS
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.measure.test_cost import cost, run, turn
from tests.report.test_rank_report import SEARCHES, control, searched
from tests.support.evidence import runs
from tests.support.fakes import scored
from tests.support.paths import ROOT

LORA = [50.0, 52.0, 51.0, 53.0]


def part(folder: Path, results: Sequence[Result]) -> Part:
    return Part(name="s0", results=results, store=Store(folder=folder), resampling=False)


def said(statement: Statement | None) -> str:
    """The answer and its numbers as one text."""
    assert statement
    return "\n".join([statement.answer, *(clause.says for clause in statement.clauses)])


@pytest.mark.parametrize(
    ("autolora", "answer"),
    [
        ([60.0, 62.5, 61.0, 63.0], "AutoLoRA is above LoRA on average"),
        ([40.0, 42.5, 41.0, 43.0], "AutoLoRA is below LoRA on average"),
        ([60.0, 42.0, 41.0, 63.0], "AutoLoRA's average difference from LoRA is undecided"),
    ],
)
def test_the_word_for_a_difference_is_where_its_interval_lies(
    autolora: list[float], answer: str, tmp_path: Path
) -> None:
    statement = scores.over_lora([part(tmp_path, runs("rte", {"lora": LORA, "autolora": autolora}))])
    test = stats.ttest_rel(autolora, LORA)
    low, high = test.confidence_interval(0.95)
    value = sum(autolora) / 4 - sum(LORA) / 4
    assert answer in said(statement)
    assert f"{value:+.1f} points (95%: {low:.1f} to {high:.1f}), 1 of 8 tasks (RTE), 4 seeds" in said(statement)


def test_parts_with_other_sides_have_no_common_word(tmp_path: Path) -> None:
    above, below = (
        part(tmp_path, runs("rte", {"lora": LORA, "autolora": [score + gain for score in LORA]})) for gain in (9, -9)
    )
    assert said(scores.over_lora([above, below])).startswith(
        "AutoLoRA's average difference from LoRA depends on the results\nabove, +9.0"
    )


def test_what_the_results_cannot_say_is_left_out(tmp_path: Path) -> None:
    found = findings([part(tmp_path, [scored(50.0)])], tmp_path)
    assert [statement.answer for statement in found] == [
        "No published score has been checked yet",
        "The paper's numbers contradict each other in 3 places, and 14 more points stay open",
    ]


def test_scores_on_the_papers_backbone_are_checked(tmp_path: Path) -> None:
    compared = {"config": {"model": "FacebookAI/roberta-base"}, "model_title": "RoBERTa-base", "data_source": "tsv"}
    results = [scored(59.0 + seed / 100, seed=seed, identity=f"{seed}" * 64, **compared) for seed in range(3)]
    assert said(paper.published_scores([part(tmp_path, results)])).startswith("1 of 131 published scores")


def test_a_contradiction_is_said_with_what_is_printed_and_what_follows() -> None:
    assert "85.0 is printed, 84.83 follows" in said(paper.contradictions(audit()))


def test_claims_are_counted_over_all_parts(tmp_path: Path) -> None:
    worse = part(
        tmp_path, runs("rte", {"lora": LORA, "autolora": [score - 9 for score in LORA]}, ranks={"a": 1, "b": 1})
    )
    text = said(paper.claims([worse, part(tmp_path, [scored(50.0)])]))
    assert text.startswith("1 of 18 claims is contradicted, none is supported")
    assert 'contradicted is "On average over GLUE, AutoLoRA is better than LoRA."' in text


def test_ranks_are_said_to_be_noise_unless_searches_agree(tmp_path: Path) -> None:
    agreeing = said(ranks.learned([part(tmp_path, SEARCHES)]))
    assert agreeing.startswith("The learned ranks differ from noise in 1 of 1 set of results\nW 0.9")
    assert "by chance 0.33" in agreeing
    assert "3 searches" in agreeing
    orders = [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [3, 1, 6, 2, 5, 4]]
    other = [searched(seed, order) for seed, order in enumerate(orders)]
    assert said(ranks.learned([part(tmp_path, other)])).startswith(
        "The learned ranks cannot be distinguished from noise"
    )
    assert ranks.learned([part(tmp_path, SEARCHES[:1])]) is None


@pytest.mark.parametrize(
    ("shuffled", "answer"),
    [
        ([39.0, 40.5, 40.0], "The learned ranks are better than others in 1 comparison and worse in 0"),
        ([50.0, 48.0, 53.0], "The learned ranks bring no measurable gain"),
    ],
)
def test_controls_decide_whether_the_ranks_bring_a_gain(shuffled: list[float], answer: str, tmp_path: Path) -> None:
    learned = [searched(seed, [1, 2, 3, 4, 5, 6], rows={"validation": 9000}) for seed in range(3)]
    others = [control("lora_shuffled_ranks", seed, score) for seed, score in enumerate(shuffled)]
    assert said(ranks.controls([part(tmp_path, [*learned, *others])])).startswith(answer)


def test_equal_predictions_without_the_second_order_term_are_counted(tmp_path: Path) -> None:
    pairs = {"autolora": LORA, "autolora_first_order": LORA}
    search: dict[str, Any] = {"config": SEARCHES[0].config, "details": SEARCHES[0].details}
    equal = runs("rte", pairs, fingerprints={"predictions": "p"}, **search)
    changed = [
        replace(result, fingerprints={"predictions": f"{result.method}{result.seed}"}) if result.seed else result
        for result in runs("sst2", pairs, fingerprints={"predictions": "p"}, **search)
    ]
    text = said(scores.second_order([part(tmp_path, [*equal, *changed])], audit()))
    assert "undecided, +0.0 points" in text
    assert "the same predictions, bit for bit, in 5 of 8 cells" in text
    assert "at most 0.02% of the direct one" in text  # 2e-4, the median of 1e-4, 2e-4 and 3e-4
    assert "0.3 points are printed, 0.06 ± 0.1 points follow" in text


def test_a_grid_is_compared_with_lora_by_held_out_scores_and_by_scores(tmp_path: Path) -> None:
    fixed = runs("rte", {"lora": LORA}, config={"model": "minilm", "method": {"rank": 4}})
    held_out = {"grid": {"1": 30.0, "4": 40.0, "16": 60.0}}
    gained = [score + 5 for score in LORA]
    chosen = runs("rte", {"lora_grid": gained}, details=held_out, ranks={"query": 16, "value": 16})
    text = said(scores.grid([part(tmp_path, [*fixed, *chosen])]))
    assert text.startswith("A rank above LoRA's improves held-out scores on 1 of 1 task\n")
    assert "held out: above on RTE, +20.0 points" in text
    assert "the chosen ranks, 16: above on RTE, +5.0 points" in text
    assert text.endswith("4 seeds")


@pytest.mark.parametrize(("multiple", "word"), [(1.91, "as printed"), (2.5, "more than"), (1.5, "less than")])
def test_training_time_is_beside_the_printed_one_by_the_range_over_rounds(
    multiple: float, word: str, tmp_path: Path
) -> None:
    rounds = [turn(10 * multiple * factor - 1, 1.0) for factor in (0.99, 1.0, 1.01)]
    write_cost_run(tmp_path, run(cost("adalora", *[turn(10.0)] * 3), cost("autolora", *rounds)))
    text = said(costs.training_time([], tmp_path))
    assert f"AutoLoRA's training time is {word}" in text
    assert f"AutoLoRA {multiple:.2f} [{0.99 * multiple:.2f}, {1.01 * multiple:.2f}] (printed 1.91)" in text


class Anchors(HTMLParser):
    """Collects identifiers, links inside the page, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {values["id"] or ""} if "id" in values else set()
        link = values.get("href") or ""
        self.links |= {link[1:]} if tag == "a" and link.startswith("#") else set()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_begins_with_the_findings_of_the_command_and_links_each_to_its_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    for method in ("lora", "autolora"):
        (folder / "rte").mkdir(parents=True, exist_ok=True)
        (folder / "rte" / method).symlink_to(RESULTS / "reference" / "small" / "rte" / method)
    assert main(["report", "findings", str(folder)]) == 0
    answers = re.findall(r"^- \*\*(.*)\.\*\*", capsys.readouterr().out, re.MULTILINE)
    assert len(answers) >= 5
    monkeypatch.setattr(content, "drawings_of", lambda _: {})  # drawing takes long
    to = tmp_path / "page.html"
    assert main(["report", "page", "--runs", str(folder), "--to", str(to)]) == 0
    page = Anchors()
    page.feed(to.read_text("utf-8"))
    text = "".join(page.texts).partition("<script")[0]
    places = [text.index(f"{answer}.") for answer in answers]
    assert places == sorted(places)
    assert places[-1] < text.index("published numbers")
    assert {"s0-claims", "s0-grids", "audit"} <= page.links <= page.ids


def test_report_alone_lists_the_reports_and_ends_with_the_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(folder=tmp_path / "runs").folder_of(scored(50.0)).write_result(scored(50.0), {})
    monkeypatch.chdir(tmp_path)
    assert main(["report", "findings"]) == 0
    sentences = capsys.readouterr().out
    assert sentences.count("\n- **") == 1
    assert main(["report"]) == 0
    out = capsys.readouterr().out
    assert "report tables" in out
    assert out.endswith(f"\n\n{sentences}")


def test_only_the_word_report_alone_is_that_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "tabels"]) == 2
    assert main(["report", "--help"]) == 0
    assert "**" not in capsys.readouterr().out


def test_every_page_of_the_documentation_that_a_finding_names_has_the_heading() -> None:
    modules = "\n".join(path.read_text("utf-8") for path in (ROOT / "benchmarks" / "report" / "findings").glob("*.py"))
    links = set(re.findall(r'docs="(.*?)#(.*?)"', modules))
    assert len(links) > 4
    for path, anchor in links:
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
