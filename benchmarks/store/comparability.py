"""Whether results can be compared with the published numbers, judged by the result files alone."""

from collections.abc import Sequence

from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result


def incomparable(results: Sequence[Result], published: PublishedTable) -> list[str]:
    """Reasons why scores cannot be compared with the published ones, as clauses; empty if they can."""
    reasons = []
    for model, title in sorted({(result.config["model"], result.model_title) for result in results}):
        if model.rpartition("/")[2] != published.model:
            size = next(result.model_parameters for result in results if result.model_title == title)
            reasons.append(f"the backbone here is {title} ({size / 1e6:.1f}M parameters), not {published.model_title}")
    if any(result.data_source.startswith("embedded") for result in results):
        reasons.append(f"the tasks here are generated and only resemble {published.data_title}")
    if any(result.partial for result in results):
        reasons.append("some of the data here are samples")
    return reasons
