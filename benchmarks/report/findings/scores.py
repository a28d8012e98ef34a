"""Statements on scores: AutoLoRA against LoRA and against its ablation eta = 0, and what the rank is worth."""

from collections.abc import Callable, Sequence

from benchmarks.analysis.audit.finding import Finding
from benchmarks.analysis.claims.claim import Untested
from benchmarks.analysis.claims.evidence import common_seeds
from benchmarks.analysis.claims.pair_tests import Pair, difference_of_means
from benchmarks.analysis.claims.rank_tests import ranks_of
from benchmarks.analysis.difference import Difference, paired
from benchmarks.analysis.stats import Summary
from benchmarks.report.findings.statement import (
    Clause,
    Side,
    Statement,
    common,
    first_part,
    interval,
    listed,
    plural,
    side,
    spread,
)
from benchmarks.report.part import Part
from benchmarks.report.rank_report import LEARNED, second_order_share

FIRST_ORDER, GRID, FIXED = "autolora_first_order", "lora_grid", "lora"
FEW = 3
"""Number of undecided tasks up to which each is named with its interval."""
Comparison = tuple[Summary, Difference]
"""Summary of a task, which has its title and scale, and a difference of scores on it."""


def over_lora(parts: Sequence[Part]) -> Statement | None:
    """AutoLoRA's mean over the tasks of Table 1, less LoRA's."""
    clauses, found = _means(parts, Pair(table=1, method=LEARNED, against=FIXED))
    if not clauses:
        return None
    answers: dict[Side | None, str] = {
        "above": "AutoLoRA is above LoRA on average",
        "below": "AutoLoRA is below LoRA on average",
        "undecided": "AutoLoRA's average difference from LoRA is undecided",
        None: "AutoLoRA's average difference from LoRA depends on the results",
    }
    return Statement(
        answer=answers[found],
        measure="AutoLoRA's mean score less LoRA's, paired by seed",
        clauses=clauses,
        docs="docs/judging.md#a-claim",
    )


def second_order(parts: Sequence[Part], audit: Sequence[Finding]) -> Statement | None:
    """The mean gain from the second-order term on the tasks of Table 4, its weight, and equal predictions without it."""
    means, found = _means(parts, Pair(table=4, method=LEARNED, against=FIRST_ORDER), _equal_predictions)
    if not means:
        return None
    answers: dict[Side | None, str] = {
        "above": "The second-order term makes AutoLoRA better",
        "below": "The second-order term makes AutoLoRA worse",
        "undecided": "The second-order term makes no difference that the results can show",
        None: "What the second-order term is worth depends on the results",
    }
    printed = [
        Clause(
            says=f"{first_part(each.printed)} are printed, {first_part(each.follows)} follow",
            where=each.where,
            anchor="audit",
        )
        for each in audit
        if "second-order term" in each.where
    ]
    return Statement(
        answer=answers[found],
        measure="AutoLoRA's mean score less that of eta = 0, paired by seed",
        clauses=[*means, *_weight(parts), *printed],
        docs="docs/search.md#the-ablations-on-real-data",
    )


def grid(parts: Sequence[Part]) -> Statement | None:
    """What the rank is worth: held-out scores of a grid's ranks, the rank that it chooses, and its gain over LoRA."""
    clauses, decided, total = [], 0, 0
    for part in parts:
        chosen = [
            (summary, fixed)
            for summary in part.evidence.summaries_of(GRID)
            if (fixed := part.evidence.summaries.get((summary.results[0].task, FIXED)))
        ]
        scores = [(one, gain) for one, fixed in chosen if (gain := _gain(one, fixed))]
        held_out = [(one, gain) for one, fixed in chosen if (gain := _gain_of_largest_rank(one, fixed))]
        if not scores or not held_out:
            continue
        decided += sum(side(difference) == "above" for _, difference in held_out)
        total += len(held_out)
        says = (
            f"the largest rank, held out: {_by_side(held_out)}; the chosen ranks, {_range_of_ranks(chosen)}: "
            f"{_by_side(scores)}; {spread([len(one.results) for one, _ in chosen], 0)} seeds"
        )
        clauses.append(Clause(says=says, where=part.label, anchor=f"{part.name}-tables"))
    if not clauses:
        return None
    return Statement(
        answer=f"A rank above LoRA's improves held-out scores on {decided or 'none'} of {plural(total, 'task')}",
        measure="LoRA with ranks of a grid search less LoRA, paired by seed, the intervals not corrected for the number of tasks",
        clauses=clauses,
        docs="docs/embedded.md#what-the-methods-reach",
    )


def _means(
    parts: Sequence[Part], pair: Pair, more: Callable[[Part], str] = lambda _: ""
) -> tuple[list[Clause], Side | None]:
    """A clause for each part with both methods, `more` at its end; and the side of all differences, None for several."""
    clauses: list[Clause] = []
    sides: list[Side] = []
    for part in parts:
        compared = difference_of_means(pair, part.evidence)
        if not isinstance(compared, Untested):
            difference, basis, _ = compared
            sides.append(side(difference))
            says = f"{sides[-1]}, {interval(difference)}, {basis}{more(part)}"
            clauses.append(Clause(says=says, where=part.label, anchor=f"{part.name}-claims"))
    return clauses, common(sides)


def _equal_predictions(part: Part) -> str:
    """The number of cells in which AutoLoRA and its ablation eta = 0 make the same predictions, bit for bit."""
    equal = []
    for ablation in part.evidence.summaries_of(FIRST_ORDER):
        full = part.evidence.summaries.get((ablation.results[0].task, LEARNED))
        if full:
            first, second = (
                {result.seed: result.fingerprints.get("predictions") for result in each.results}
                for each in (ablation, full)
            )
            equal += [first[seed] == second[seed] for seed in common_seeds([ablation, full])]
    return f"; the same predictions, bit for bit, in {sum(equal)} of {plural(len(equal), 'cell')}"


def _weight(parts: Sequence[Part]) -> list[Clause]:
    """The largest share of the second-order term over all tasks whose eta is the learning rate; empty without any."""
    shares = [
        (share, summary.results[0].task_title, part)
        for part in parts
        for summary in part.evidence.summaries_of(LEARNED)
        if summary.results[0].config["method"]["search"].get("eta") is None
        and (share := second_order_share(summary.results)) is not None
    ]
    if not shares:
        return []
    share, task, part = max(shares, key=lambda each: each[0])
    says = f"the term is at most {100 * share:.2g}% of the direct one where eta is the learning rate (median over the steps, {task})"
    return [Clause(says=says, where=part.label, anchor=f"{part.name}-grids")]


def _gain(chosen: Summary, fixed: Summary) -> Difference | None:
    """Score of the grid's rank less LoRA's, paired by seed; None for fewer than two common seeds."""
    seeds = common_seeds([chosen, fixed])
    return paired(*([each.of_seed(seed) for seed in seeds] for each in (chosen, fixed)), least_sd=chosen.resolution)


def _gain_of_largest_rank(chosen: Summary, fixed: Summary) -> Difference | None:
    """Held-out score of the grid's largest rank less that of LoRA's rank, in the same searches; None without both."""
    rank = str(fixed.results[0].config["method"]["rank"])
    grids = [result.details["grid"] for result in chosen.results]
    if any(rank not in scores for scores in grids):
        return None
    largest = max(grids[0], key=int)
    return paired([scores[largest] for scores in grids], [scores[rank] for scores in grids], least_sd=chosen.resolution)


def _by_side(comparisons: Sequence[Comparison]) -> str:
    """Where differences lie, with their intervals; more than FEW undecided ones with their range."""
    texts = []
    for wanted in ("above", "below", "undecided"):
        found = [(summary, difference) for summary, difference in comparisons if side(difference) == wanted]
        if wanted == "undecided" and len(found) > FEW:
            values = [difference.value for _, difference in found]
            texts.append(f"undecided on {len(found)} tasks ({min(values):+.1f} to {max(values):+.1f})")
        elif found:
            named = [f"{each.results[0].task_title}, {interval(difference, each.scale)}" for each, difference in found]
            texts.append(f"{wanted} on {listed(named)}")
    return ", ".join(texts)


def _range_of_ranks(chosen: Sequence[tuple[Summary, Summary]]) -> str:
    """The least and the greatest rank that the grid chooses on any task at any seed."""
    return spread([rank for summary, _ in chosen for ranks in ranks_of(summary) for rank in ranks], 0)
