"""Metrics of generated texts, checked against the official scripts' scores and hand-computed cases."""

import json
import math
import shutil
from typing import Any

import pytest

from benchmarks.core.spec import InputError
from benchmarks.tasks.metrics import java, mteval
from benchmarks.tasks.metrics.generation import e2e_scores, webnlg_scores, webnlg_text
from tests.support.paths import SHARED

REFERENCE = SHARED / "metrics_reference"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no folder shared/metrics_reference")
needs_java = pytest.mark.skipif(java.missing() is not None, reason=str(java.missing()))


def reference(name: str) -> Any:
    return json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))


@needs_reference
@pytest.mark.parametrize("short", [True, False])
def test_e2e_s_bleu_and_nist_are_the_official_script_s(*, short: bool) -> None:
    official = reference("e2e")
    left_out = official["expected_without_very_short"]["ids_left_out"] if not short else []
    expected = official["expected"] if short else official["expected_without_very_short"]["scores"]
    items = [item for item in official["items"] if item["id"] not in left_out]
    sides = [item["hypothesis"] for item in items], [item["references"] for item in items]
    assert mteval.bleu(*sides) == pytest.approx(expected["BLEU"], abs=1e-9)
    assert mteval.nist(*sides) == pytest.approx(expected["NIST"], abs=1e-9)


@needs_reference
@needs_java
def test_e2e_s_five_metrics_are_the_official_script_s() -> None:
    official = reference("e2e")
    items, expected = official["items"], official["expected"]
    found = e2e_scores([item["hypothesis"] for item in items], [item["references"] for item in items])
    assert found["meteor"] == pytest.approx(100 * expected["METEOR"], abs=1e-7)
    assert found["rouge_l"] == pytest.approx(100 * expected["ROUGE_L"], abs=1e-7)
    assert found["cider"] == pytest.approx(expected["CIDEr"], abs=1e-9)


@needs_reference
@needs_java
def test_the_tokeniser_is_the_official_one() -> None:
    items = reference("e2e")["items"]
    assert java.ptb_tokenize([item["hypothesis"] for item in items]) == [item["ptb_hypothesis"] for item in items]


@needs_reference
def test_webnlg_s_bleu_and_ter_are_the_official_script_s() -> None:
    official = reference("webnlg")
    items = official["items"]
    assert [webnlg_text(item["hypothesis_raw"]) for item in items] == [item["hypothesis"] for item in items]
    sides = [item["hypothesis_raw"] for item in items], [item["references_raw"] for item in items]
    found = webnlg_scores(*sides)
    assert found["bleu"] == pytest.approx(official["BLEU_full_precision"], abs=1e-9)
    assert found["ter"] == pytest.approx(official["expected"]["TER"], abs=1e-9)
    if not java.missing():
        assert found["meteor"] == pytest.approx(100 * official["expected"]["METEOR"], abs=1e-7)


def test_a_perfect_text_has_all_of_bleu() -> None:
    text = "the pub is near the river"
    assert mteval.bleu([text], [[text, "a pub"]]) == pytest.approx(1)
    assert mteval.bleu([text, text], [["something else entirely here", text], [text]]) == pytest.approx(1)


def test_bleu_of_a_text_counted_by_hand() -> None:
    # 5 tokens, of which 5, 3, 1 of 5, 4, 3, 2 match; of 4-grams none; the reference is one token longer
    found = mteval.bleu(["a b c x d"], [["a b c d x x"]])
    expected = math.exp(1 - 6 / 5) * (5 / 5 * 2 / 4 * 1 / 3 * 1e-15 / 2) ** 0.25
    assert found == pytest.approx(expected)


def test_a_short_hypothesis_reduces_the_total_of_n_grams_as_in_the_script() -> None:
    # 5 + 1 tokens, 4 + 0 pairs, 3 - 1 triples, 2 - 2 quadruples: the short one makes the precision larger
    with_short = mteval.bleu(["a b c d e f", "a"], [["a b c d x f"], ["a"]])
    expected = (6 / 7 * 3 / 5 * 2 / 3 * 1 / 1) ** 0.25
    assert with_short == pytest.approx(expected)


def test_an_empty_hypothesis_is_one_empty_token() -> None:
    assert mteval.tokenize("") == [""]
    text = "a b c d e f g h i"
    assert mteval.bleu(["", text], [["a b"], [text]]) < mteval.bleu(["", text], [[""], [text]])


def test_all_kinds_of_quotes_and_twenty_references_are_handled() -> None:
    texts = ["the “Mill” is not far"]
    many = [[f"the “Mill” is not far {number}" for number in range(20)]]
    assert 0 < mteval.bleu(texts, many) <= 1
    assert webnlg_text("The “Mill” is_far.") == "the “ mill ” is_far ."


def test_without_java_the_other_metrics_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "install a runtime" in (java.missing() or "")
    assert set(e2e_scores(["a pub"], [["a pub", "the pub"]])) == {"bleu", "nist"}
    with pytest.raises(InputError, match="need Java"):
        java.ptb_tokenize(["a"])


def test_hypotheses_and_references_must_line_up() -> None:
    with pytest.raises(ValueError, match="zip"):
        mteval.bleu(["a", "b"], [["a"]])


@needs_java
def test_meteor_s_process_is_reused_and_always_ended() -> None:
    with java.meteor() as process:
        first, items = process.score(["a small pub"], [["a small pub", "the pub"]])
        again, _ = process.score(["a small pub"], [["a small pub", "the pub"]])
        handle = process._process
    assert first == again == items[0] == pytest.approx(1, abs=0.05)
    assert handle.returncode is not None
