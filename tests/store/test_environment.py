"""Environments in which results can differ have different keys; an unknown processor is like no known one."""

import json
from pathlib import Path

import pytest

from benchmarks.analysis.stats import summarise
from benchmarks.core.nested import plain
from benchmarks.report.tables.remarks import remarks
from benchmarks.store.published import published_table
from benchmarks.store.store import read_result
from tests.support.fakes import AVX2, AVX512, make_environment, make_result, scored

PACKAGES = {"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2", "tokenizers": "0.23.3", "datasets": "4.0"}
KNOWN = make_environment(processor=AVX2, packages=PACKAGES)


@pytest.mark.parametrize("processor", [AVX512, None])
def test_results_of_another_or_an_unknown_processor_are_never_averaged(processor: object) -> None:
    other = make_environment(processor=processor, packages=PACKAGES)
    assert other.key != KNOWN.key
    new, old = scored(60.0, environment=KNOWN, finished="2026-02"), scored(50.0, seed=1, environment=other)
    (summary,) = summarise([old, new]).values()
    assert (summary.scores, summary.older) == ([60.0], 1)


@pytest.mark.parametrize("package", ["torch", "transformers", "peft", "tokenizers"])
def test_another_version_of_a_package_that_computes_is_another_environment(package: str) -> None:
    assert make_environment(processor=AVX2, packages=PACKAGES | {package: "0"}).key != KNOWN.key


def test_linear_layers_by_onednn_are_another_environment() -> None:
    assert make_environment(processor=AVX512, onednn=True).key != make_environment(processor=AVX512).key


def test_the_minor_version_of_python_counts_and_its_patch_and_the_commit_do_not() -> None:
    def key(**changes: object) -> str:
        return make_environment(**{"processor": AVX2, "packages": PACKAGES, "python": "3.11.0"} | changes).key

    assert key(python="3.12.0") != key()
    assert key(python="3.11.9", commit="d" * 40, packages=PACKAGES | {"datasets": "5.0"}) == key()


def test_the_folders_of_results_without_a_processor_keep_their_names() -> None:
    assert make_environment().key.startswith("2395252c")
    assert make_environment(python="3.12.0").key == make_environment().key


def test_a_result_of_schema_3_has_an_unknown_processor(tmp_path: Path) -> None:
    old = plain(make_result()) | {"schema": 3}
    del old["environment"]["processor"]
    (tmp_path / "result.json").write_text(json.dumps(old), encoding="utf-8")
    assert read_result(tmp_path / "result.json") == make_result()


def test_a_table_names_what_the_processor_can_do() -> None:
    sentences = remarks([scored(60.0, environment=KNOWN)], [], {}, published_table(1))
    assert any("Computed on Some CPU (AVX2), threads per cell: 2" in sentence for sentence in sentences)
