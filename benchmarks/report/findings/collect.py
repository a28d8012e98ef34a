"""All statements that results allow, in the order in which the page and the README have them."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.analysis.audit.run import audit
from benchmarks.report.findings import costs, paper, ranks, scores
from benchmarks.report.findings.statement import Statement
from benchmarks.report.part import Part


def findings(parts: Sequence[Part], folder: Path) -> list[Statement]:
    """What the results say, in at most ten statements; questions that they cannot answer are left out.

    Args:
        parts: all parts of the folder.
        folder: the folder, which also has cost runs of other backbones.
    """
    found = audit()
    statements = (
        paper.published_scores(parts),
        paper.contradictions(found),
        paper.claims(parts),
        scores.over_lora(parts),
        ranks.learned(parts),
        ranks.controls(parts),
        scores.grid(parts),
        scores.second_order(parts, found),
        costs.training_time(parts, folder),
    )
    return [statement for statement in statements if statement]
