"""Marks scores of a table that differ significantly from AutoLoRA's."""

from collections.abc import Mapping

from benchmarks.analysis.stats import Summary

MARK = "†"
LEVEL = 0.05
"""Family-wise level over all tests of a table."""
METHOD = "autolora"
REMARK = f"{MARK} differs from AutoLoRA's at {LEVEL:.0%}: t test paired by seed, Holm's correction over the table."


def marked(summaries: Mapping[tuple[str, str], Summary]) -> set[tuple[str, str]]:
    """(task, method) of the scores that differ significantly from AutoLoRA's, tested from two common seeds on."""
    pairs = {
        (task, method): (summary, summaries[task, METHOD])
        for (task, method), summary in summaries.items()
        if method != METHOD and (task, METHOD) in summaries
    }
    seeds = {key: sorted(set.intersection(*(set(side.seeds) for side in pair))) for key, pair in pairs.items()}
    tested = {key: pair for key, pair in pairs.items() if len(seeds[key]) > 1}
    if not tested:
        return set()
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415  slow to load

    from benchmarks.analysis.difference import paired  # noqa: PLC0415  loads scipy

    p_values = []
    for key, pair in tested.items():
        scores = [[side.of_seed(seed) for seed in seeds[key]] for side in pair]
        difference = paired(*scores, least_sd=pair[0].resolution)
        assert difference is not None
        p_values.append(difference.p_nonzero())
    rejected = multipletests(p_values, alpha=LEVEL, method="holm")[0]
    return {key for key, differs in zip(tested, rejected, strict=True) if differs}
