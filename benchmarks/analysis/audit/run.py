"""Runs the whole audit and renders its findings."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.analysis.audit import scores, sizes
from benchmarks.analysis.audit.finding import Finding
from benchmarks.store.published import authors_ranks, lora_report, published_statistics, published_table

TITLES = {"wrong": "What contradicts itself", "open": "What stays open", "note": "What is good to know"}


def audit() -> list[Finding]:
    """All findings about the paper's numbers; reads only `results/paper/`."""
    statistics, loras = published_statistics(), lora_report()
    glue, generation, labelling, ablations, cost = map(published_table, range(1, 6))
    return [
        *scores.averages(glue),
        *scores.averages(ablations),
        *scores.turned_orders(glue),
        *scores.turned_orders(ablations),
        *scores.best_of(glue, statistics),
        *scores.ablations_ahead(ablations),
        *scores.margins(glue, statistics),
        *scores.unattainable((glue, ablations), statistics),
        *scores.below_loras_report(glue, loras),
        *scores.generation_claims(generation, loras),
        *scores.implied_recall(labelling),
        *sizes.base_counts(glue, authors_ranks()),
        *sizes.large_counts(statistics),
        *sizes.gpt2_layers(statistics, generation, loras),
        *sizes.cost_multiples(cost, statistics),
        *sizes.data_counts(statistics),
    ]


def render_audit(findings: Sequence[Finding], form: str, width: int) -> str:
    """Render findings as text, Markdown or JSON, grouped by weight except in JSON."""
    if form == "json":
        return json.dumps([asdict(finding) for finding in findings], indent=1)
    blocks = []
    for weight, title in TITLES.items():
        chosen = [finding for finding in findings if finding.weight == weight]
        heading = f"## {title}" if form == "markdown" else f"{title} ({len(chosen)})\n{'=' * (len(title) + 5)}"
        blocks += [heading, *(_render_one(finding, form, width) for finding in chosen)]
    return "\n\n".join(blocks)


def _render_one(finding: Finding, form: str, width: int) -> str:
    lines = (("printed", finding.printed), ("follows", finding.follows), ("how", finding.how))
    if form == "markdown":
        return "\n".join([f"**{finding.where}**", "", *(f"- {name}: {text}" for name, text in lines)])
    wrapped = [
        textwrap.fill(text, width, initial_indent=f"  {name:8}", subsequent_indent=" " * 10) for name, text in lines
    ]
    return "\n".join([finding.where, *wrapped])
