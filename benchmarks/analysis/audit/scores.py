"""Findings about the paper's scores: averages, claims of being best, and scores that no single run can have."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations

from benchmarks.analysis.audit.finding import Finding
from benchmarks.core.protocols import whole_batches
from benchmarks.store.published import LoraReport, PublishedRow, PublishedTable, Statistics

PEERS = ("adapter", "lora", "adalora")


def averages(table: PublishedTable) -> Iterator[Finding]:
    """Printed averages that differ from the mean of their row by more than rounding explains."""
    for row in table.rows:
        if row.average is None:
            continue
        mean = _mean(row)
        slack = 0.05  # each score is rounded to one decimal, and so is their average
        excess = len(row.scores) * (mean - row.average)
        if abs(row.average - mean) > 2 * slack + 1e-9:
            yield Finding(
                where=f"Table {table.table}, average of {row.title}",
                printed=f"{row.average}",
                follows=f"{mean:.2f}, between {mean - slack:.2f} and {mean + slack:.2f} whatever was rounded; or one score is "
                f"printed {abs(excess):.1f} too {'high' if excess > 0 else 'low'}",
                how=f"({' + '.join(str(score) for score in row.scores.values())}) / {len(row.scores)}",
                weight="wrong",
            )


def turned_orders(table: PublishedTable) -> Iterator[Finding]:
    """Pairs of rows whose printed averages have another order than the means of their scores."""
    for pair in combinations([row for row in table.rows if row.average is not None], 2):
        above, below = sorted(pair, key=lambda row: row.average or 0, reverse=True)
        if above.average != below.average and _mean(above) < _mean(below):
            yield Finding(
                where=f"Table {table.table}, order of {above.title} and {below.title}",
                printed=f"{above.title} is above {below.title}, {above.average} to {below.average}",
                follows=f"{above.title} is below {below.title}, {_mean(above):.2f} to {_mean(below):.2f}, by the scores printed",
                how="follows from the average above; rounding of the scores alone allows a difference of 0.1 more or less",
                weight="note",
            )


def best_of(table: PublishedTable, statistics_: Statistics) -> Iterator[Finding]:
    """Number of tasks on which AutoLoRA is the best method apart from full fine-tuning."""
    ours = _row(table, "autolora")
    peers = [_row(table, name) for name in PEERS]
    best = [task for task in table.columns if all(ours.scores[task] > peer.scores[task] for peer in peers)]
    lost = {
        task: max(peers, key=lambda peer: peer.scores[task]).title
        for task in table.columns
        if any(ours.scores[task] < peer.scores[task] for peer in peers)
    }
    ties = [task for task in table.columns if task not in best and task not in lost]
    claimed = statistics_.text["best_of_eight"]
    yield Finding(
        where=f"section {claimed.section}, Table {table.table}",
        printed=f'"{claimed.says}"',
        follows=f"alone at the top on {len(best)} ({_titles(table, best)}), tied on {len(ties)} "
        f"({_titles(table, ties)}), behind on {len(lost)}",
        how="; ".join(f"{table.columns[task]}: {title} is better" for task, title in lost.items()),
        weight="open",
    )


def ablations_ahead(table: PublishedTable) -> Iterator[Finding]:
    """Tasks on which an ablation scores above AutoLoRA, and the mean gain from the second-order term."""
    full = _row(table, "autolora")
    for row in table.rows:
        ahead = [task for task in table.columns if row.scores[task] > full.scores[task]]
        if ahead:
            yield Finding(
                where=f"Table {table.table}, {row.title}",
                printed=f"AutoLoRA is better on average, {full.average} to {row.average}",
                follows=f"the ablation is ahead on {_titles(table, ahead)}",
                how="; ".join(f"{table.columns[task]} {row.scores[task]} > {full.scores[task]}" for task in ahead),
                weight="note",
            )
    other = _row(table, "autolora_first_order")
    differences = [full.scores[task] - other.scores[task] for task in table.columns]
    yield Finding(
        where=f"Table {table.table}, what the second-order term is worth",
        printed=f"{(full.average or 0) - (other.average or 0):.1f} points, by the averages printed",
        follows=f"{statistics.mean(differences):.2f} ± 0.1 points, by the scores printed, each rounded by up to 0.05",
        how=f"mean of {', '.join(f'{value:+.1f}' for value in differences)}; follows from the average above, and "
        f"{(full.average or 0) - (other.average or 0):.1f} is right if a score of that row is misprinted instead",
        weight="note",
    )


def margins(table: PublishedTable, statistics_: Statistics) -> Iterator[Finding]:
    """AutoLoRA's lead over LoRA, compared with the standard error of one run's accuracy on the development set."""
    ours, lora = _row(table, "autolora"), _row(table, "lora")
    lead = {task: ours.scores[task] - lora.scores[task] for task in table.columns}
    lead_without_cola = [value for task, value in lead.items() if task != "cola"]
    errors = {
        task: 100 * math.sqrt(p * (1 - p) / statistics_.rows[task].dev[0])
        for task in lead
        if table.metrics[task] == "accuracy" and (p := ours.scores[task] / 100)
    }
    yield Finding(
        where=f"Table {table.table}, AutoLoRA less LoRA",
        printed=", ".join(f"{table.columns[task]} {value:+.1f}" for task, value in lead.items()),
        follows=f"{statistics.mean(lead.values()):+.2f} on average, {statistics.mean(lead_without_cola):+.2f} without CoLA",
        how="standard error of one run over the development set: "
        + ", ".join(f"{table.columns[task]} {error:.2f}" for task, error in errors.items()),
        weight="open",
    )


def unattainable(tables: Sequence[PublishedTable], statistics_: Statistics) -> Iterator[Finding]:
    """Accuracies that no number of correct predictions on the development set gives, by each rule of shortening."""
    for task in ("rte", "mrpc", "sst2"):
        size = statistics_.rows[task].dev[0]
        printed = sorted({row.scores[task] for table in tables for row in table.rows})
        rules: dict[str, Callable[[float], bool]] = {}
        for rows in (size, whole_batches(size)):
            rules[f"k / {rows} rounded"] = partial(_is_share, size=rows, cut=False)
            rules[f"k / {rows} cut to one decimal"] = partial(_is_share, size=rows, cut=True)
        failing = {rule: [score for score in printed if not fits(score)] for rule, fits in rules.items()}
        impossible = next(iter(failing.values()))
        if impossible:
            fitting = [rule for rule, scores in failing.items() if not scores]
            yield Finding(
                where=f"Tables {' and '.join(str(table.table) for table in tables)}, {statistics_.rows[task].title}",
                printed=_list(impossible),
                follows=f"all scores are those of single runs only by {' or '.join(fitting)}"
                if fitting
                else "no single one of these rules gives all scores as those of single runs; a mean over several runs, "
                "which the paper does not mention, can",
                how="; ".join(f"{rule} never gives {_list(scores)}" for rule, scores in failing.items() if scores),
                weight="open",
            )


def below_loras_report(table: PublishedTable, report: LoraReport) -> Iterator[Finding]:
    """AutoLoRA's scores, compared with those that LoRA's authors report for the same backbone, by the same metrics."""
    ours = _row(table, "autolora")
    below = [task for task in table.columns if ours.scores[task] < report.glue[task]]
    with_pearson = statistics.mean({**report.glue, "stsb": report.stsb_pearson}.values())
    yield Finding(
        where=f"Table {table.table}, beside LoRA's own report",
        printed=f"AutoLoRA {ours.average}; STS-B is Spearman's correlation",
        follows=f"LoRA's authors report {statistics.mean(report.glue.values()):.2f} on average at rank {report.glue_rank}, "
        f"and more on {len(below)} of {len(table.columns)} tasks",
        how="; ".join(f"{table.columns[task]} {ours.scores[task]} < {report.glue[task]}" for task in below)
        + f"; their table has {report.stsb_pearson}, Pearson's correlation, for STS-B, and so {with_pearson:.2f} on average",
        weight="note",
    )


def generation_claims(table: PublishedTable, report: LoraReport) -> Iterator[Finding]:
    """The claims of section 5.3 about E2E and WebNLG, and rows that equal those of other settings in LoRA's report."""
    yield _best_on_e2e(table)
    yield _lead_on_webnlg(table)
    methods = ("full", "adapter", "lora")
    full, adapter, lora = (_row(table, name).scores["webnlg_bleu"] for name in methods)
    loras = [report.gpt2_medium[name] for name in methods]
    yield Finding(
        where=f"Table {table.table}, WebNLG, full fine-tuning and adapter",
        printed=f"BLEU {full} and {adapter}",
        follows=f"{loras[1].webnlg_bleu} is LoRA's adapter of {loras[1].parameters / 1e6:.2f}M parameters, not of 11M; its full "
        f"fine-tuning has {loras[0].webnlg_bleu}, and its own LoRA {loras[2].webnlg_bleu} where this table has {lora}",
        how="compared with the README of LoRA's repository",
        weight="open",
    )


def _best_on_e2e(table: PublishedTable) -> Finding:
    ours, full = _row(table, "autolora"), _row(table, "full")
    peers = [_row(table, name) for name in PEERS]
    e2e = [name for name in table.columns if name.startswith("e2e")]
    best = sum(_better(table, name, ours, peer) for name in e2e for peer in peers) == len(e2e) * len(peers)
    ahead = [name for name in e2e if _better(table, name, full, ours)]
    return Finding(
        where=f"section 5.3, Table {table.table}, E2E",
        printed='"the best performance in terms of all five metrics on the E2E dataset"',
        follows=f"{'true' if best else 'not true'} against adapter, LoRA and AdaLoRA; full fine-tuning is better on "
        f"{len(ahead)} of {len(e2e)}",
        how="; ".join(f"{table.columns[name]} {full.scores[name]} to {ours.scores[name]}" for name in ahead),
        weight="note",
    )


def _lead_on_webnlg(table: PublishedTable) -> Finding:
    ours, peers = _row(table, "autolora"), [_row(table, name) for name in PEERS]
    webnlg = [name for name in table.columns if name.startswith("webnlg")]
    leads = {
        name: min(
            (
                peer.scores[name] - ours.scores[name]
                if name in table.lower_is_better
                else ours.scores[name] - peer.scores[name]
            )
            for peer in peers
        )
        for name in webnlg
    }
    return Finding(
        where=f"section 5.3, Table {table.table}, WebNLG",
        printed='"outperforms or is on par with baseline methods"',
        follows="ahead of the best peer by " + ", ".join(f"{table.columns[n]} {lead:.2f}" for n, lead in leads.items()),
        how="a lead of 0 is a tie; no spread is printed",
        weight="note",
    )


def implied_recall(table: PublishedTable) -> Iterator[Finding]:
    """The recall that follows from the precision and the F1 of Table 3, which prints no recall."""
    recalls = {
        row.title: row.scores["f1"] * row.scores["precision"] / (2 * row.scores["precision"] - row.scores["f1"])
        for row in table.rows
    }
    yield Finding(
        where=f"Table {table.table}",
        printed="precision and F1; section 5.4 names F1 as the metric",
        follows="recall " + ", ".join(f"{title} {recall:.1f}" for title, recall in recalls.items()),
        how="R = F1 * P / (2 P - F1); recall above precision by 8 to 10 points is usual for this data set",
        weight="note",
    )


def _row(table: PublishedTable, method: str) -> PublishedRow:
    row = table.row(method)
    assert row is not None, method
    return row


def _mean(row: PublishedRow) -> float:
    return statistics.mean(row.scores.values())


def _titles(table: PublishedTable, tasks: Sequence[str]) -> str:
    return ", ".join(table.columns[task] for task in tasks) or "none"


def _better(table: PublishedTable, column: str, one: PublishedRow, other: PublishedRow) -> bool:
    if column in table.lower_is_better:
        return one.scores[column] < other.scores[column]
    return one.scores[column] > other.scores[column]


def _list(scores: Sequence[float]) -> str:
    return ", ".join(str(score) for score in scores)


def _is_share(score: float, size: int, *, cut: bool) -> bool:
    """Whether some k / size, in percent, gives the score once rounded (a half either way) or cut to one decimal."""
    tenths = round(10 * score)
    near = round(tenths * size / 1000)
    excess = [1000 * k - tenths * size for k in range(near - 2, near + 3)]  # in units of 0.1 / size
    return any(0 <= each < size if cut else 2 * abs(each) <= size for each in excess)
