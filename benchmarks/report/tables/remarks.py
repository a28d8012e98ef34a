"""The sentences below a table of scores: comparability, failures, missing columns, environments."""

from collections.abc import Mapping, Sequence

from benchmarks.analysis.stats import Summary
from benchmarks.store.comparability import incomparable
from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result


def remarks(
    shown: Sequence[Result],
    failed: Sequence[Result],
    summaries: Mapping[tuple[str, str], Summary],
    published: PublishedTable,
) -> list[str]:
    """All remarks on the results of a table, the most important first."""
    return [
        comparability(shown, published),
        *_failures(failed),
        *_partial_data(shown),
        *_absent(shown, published),
        *_older(summaries),
        *sorted({f"{result.task_title}: {note}" for result in shown for note in result.notes}),
        *_environments(shown),
    ]


def comparability(shown: Sequence[Result], published: PublishedTable) -> str:
    """Whether the scores are comparable with the published ones, and the reasons if not."""
    reasons = incomparable(shown, published)
    if reasons:
        return (
            f"Not comparable with the published numbers: {', and '.join(reasons)}. "
            "Orderings and costs can be compared, scores cannot."
        )
    return f"The backbone and the data set are those of the published numbers ({published.source})."


def _failures(failed: Sequence[Result]) -> list[str]:
    return [
        f"Failed: {result.task_title}, {result.method_title}, seed {result.seed}: {result.reason}" for result in failed
    ]


def _partial_data(shown: Sequence[Result]) -> list[str]:
    splits = {result.task_title: result.partial for result in shown if result.partial}
    return [f"{title}: only a sample of {', '.join(names)}." for title, names in splits.items()]


def _absent(shown: Sequence[Result], published: PublishedTable) -> list[str]:
    """Columns without a result although their task was run."""
    tasks = {published.measures[column][0] for column in {result.task for result in shown} & set(published.measures)}
    measured = {result.task for result in shown}
    absent = [
        title
        for column, title in published.columns.items()
        if column not in measured and published.measures.get(column, ("",))[0] in tasks
    ]
    if not absent:
        return []
    return [
        f'Not measured: {", ".join(absent)}. Java and pip install "autolora-bench[nlg]" are needed where cells run.'
    ]


def _older(summaries: Mapping[tuple[str, str], Summary]) -> list[str]:
    pairs = sorted(f"{task}/{method}" for (task, method), summary in summaries.items() if summary.older)
    if not pairs:
        return []
    return [
        f"Measured with several settings or environments, which are never averaged; the newest: {', '.join(pairs)}."
    ]


def _environments(shown: Sequence[Result]) -> list[str]:
    """One sentence per environment and kind of data, with all commits of its results."""
    states = {True: "", False: " (changed since)", None: " (state unknown)"}
    commits: dict[str, dict[str, None]] = {}
    for result in shown:
        where = result.environment
        line = (
            f"Data: {result.data_source.split()[0]}. Computed on {where.machine}, threads per cell: {where.threads}, "
            f"{where.precision}, torch {where.packages['torch']}"
        )
        commits.setdefault(line, {})[f"{(where.commit or 'unknown')[:12]}{states[where.clean]}"] = None
    return [f"{line}, commit{'s' if len(shas) > 1 else ''} {', '.join(shas)}." for line, shas in commits.items()]
