"""All claims of the paper tested together: their file, the correction for their number, and the report."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from benchmarks.analysis.claims.claim import read_claims
from benchmarks.analysis.claims.kinds import KINDS
from benchmarks.analysis.claims.run import examine_claims
from benchmarks.cli.main import main
from benchmarks.core.spec import InputError
from benchmarks.report.claim_report import render_claims
from tests.support.evidence import evidence, runs


def test_claims_are_corrected_for_their_number_as_by_holm(tmp_path: Path) -> None:
    ahead = {
        "autolora": [60.0, 60.1, 60.3],
        "lora": [58.0, 58.2, 58.0],
        "adalora": [59.9, 59.5, 60.6],
        "autolora_sigmoid": [61.0, 61.2, 61.2],
    }
    examined = examine_claims(read_claims(), evidence(tmp_path, runs("cola", ahead)))
    tested = [each for each in examined.claims if each.p is not None and each.corrected is not None]
    assert [each.corrected for each in tested] == pytest.approx(
        multipletests([each.p for each in tested], method="holm")[1].tolist()
    )
    standings = {each.claim.name: each.standing for each in examined.claims}
    assert standings["average-over-adalora"] == "cannot be decided"
    assert standings["best-on-e2e"] == "not tested"
    assert {"average-over-lora", "softmax-over-sigmoid"} <= {each.claim.name for each in tested}
    assert all(each.standing == "cannot be decided" or each.corrected < 0.05 for each in tested)
    assert examined.on_this_backbone
    assert all(each.sentence.startswith(("On this backbone", "Not tested")) for each in examined.claims)


def test_a_claim_that_rests_on_collapsed_cells_says_so(tmp_path: Path) -> None:
    results = runs("cola", {"autolora": [60.0, 60.1, 60.3], "lora": [0.0, 58.2, 0.0]})
    marked = [replace(result, collapsed=result.score == 0) for result in results]
    examined = examine_claims(read_claims(), evidence(tmp_path, marked))
    (claim,) = [each for each in examined.claims if each.claim.name == "average-over-lora"]
    assert "by 1 of 8 tasks (CoLA), 3 seeds, 2 of 6 cells collapsed; " in claim.sentence
    assert claim.sentence in render_claims([examined], "text", 1000)
    (plain,) = json.loads(render_claims([examined], "json", 120))
    cells = {each["claim"]["name"]: each["cells"] for each in plain["claims"]}
    assert cells["average-over-lora"] == {"number": 6, "collapsed": 2}
    assert cells["average-over-adalora"] is None


def test_an_undecided_claim_says_which_difference_would_have_been_found(tmp_path: Path) -> None:
    """Pairs differ by 0, 1 and 2 points: the standard error of the mean is 1 / sqrt(3), with 2 degrees of freedom."""
    scores = {"autolora": [60.0, 61.0, 62.0], "lora": [60.0, 60.0, 60.0], "adalora": [10.0, 11.0, 12.0]}
    examined = examine_claims(read_claims(), evidence(tmp_path, runs("cola", scores)))
    sentences = {each.claim.name: each.sentence for each in examined.claims}
    tested = sum(each.p is not None for each in examined.claims)
    quantiles = stats.t.ppf(1 - 0.05 / tested / 2, 2) + stats.t.ppf(0.8, 2)
    expected = f"; a difference of {quantiles / math.sqrt(3):.2f} points would be found with 80% power."
    assert sentences["average-over-lora"].endswith(expected)
    assert "would be found" not in sentences["average-over-adalora"]  # decided
    assert "would be found" not in sentences["average-over-adapter"]  # not tested


def test_every_claim_names_a_known_test_and_the_paper_s_methods(tmp_path: Path) -> None:
    claims = read_claims().claim
    assert len({claim.name for claim in claims}) == len(claims) >= 15
    assert {claim.kind for claim in claims} == set(KINDS)
    available = evidence(tmp_path, runs("cola", {"lora": [60.0]}))
    for claim in claims:  # its settings are complete and known
        assert KINDS[claim.kind](claim.settings, available)


def test_a_setting_that_a_claim_s_test_does_not_have_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="against"):
        KINDS["better"](
            {"table": 1, "method": "lora", "agianst": "full"}, evidence(tmp_path, runs("cola", {"lora": [1]}))
        )


def test_claims_are_printed_in_every_form(tmp_path: Path) -> None:
    examined = [examine_claims(read_claims(), evidence(tmp_path, runs("cola", {"lora": [60.0, 61.0]})))]
    text, markdown = (render_claims(examined, form, 120) for form in ("text", "markdown"))
    assert text.startswith("Claims, on this backbone and data: MiniLM-L6, preset quick, protocol clean, data embedded")
    assert "Of 18 claims: 18 not tested." in text
    assert "ranks-by-layer: Not tested: no task has two searches of autolora." in text
    assert "AutoLoRA is better than LoRA" not in text  # an untested claim is listed by its name, without its sentence
    assert "| best-on-six " in markdown
    assert json.loads(render_claims(examined, "json", 120))[0]["claims"][0]["claim"]["name"] == "average-over-lora"


def test_the_reference_results_are_examined(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "claims", "--reference", "small"]) == 0
    printed = capsys.readouterr().out
    assert "Claims, on this backbone and data: MiniLM-L6, preset small, protocol clean" in printed
    assert "3 of 8 tasks (CoLA, RTE, STS-B), 3 seeds" in printed
