"""Statements on the paper: its scores, the contradictions among its numbers, and its claims."""

from collections.abc import Mapping, Sequence

from benchmarks.analysis.audit.finding import Finding
from benchmarks.analysis.claims.claim import Standing
from benchmarks.analysis.claims.run import LEVEL
from benchmarks.analysis.verdicts import VERDICTS
from benchmarks.report.findings.statement import Clause, Statement, first_part, listed, plural
from benchmarks.report.part import Part
from benchmarks.report.verdict_report import best_verdicts
from benchmarks.store.published import published_table, score_tables

CHECKED = VERDICTS[:3]
"""Verdicts on scores that can be compared with the published ones."""


def published_scores(parts: Sequence[Part]) -> Statement:
    """How many of the published scores were checked, and with what outcome."""
    counts = best_verdicts(part.judged for part in parts)
    total, checked = sum(counts.values()), sum(counts[verdict] for verdict in CHECKED)
    tables = [published_table(number) for number in score_tables()]
    needed = [*dict.fromkeys(table.model_title for table in tables), "the paper's data"]
    outcome = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return Statement(
        answer=f"{checked} of {total} published scores have been checked"
        if checked
        else "No published score has been checked yet",
        measure=f"Checking takes {listed(needed)}",
        clauses=[
            Clause(
                says=f"{outcome}, of {plural(total, 'score')}",
                where=f"Tables {listed([str(table.table) for table in tables])}",
                anchor="verdict",
            )
        ],
        docs="docs/judging.md#a-published-number",
    )


def contradictions(audit: Sequence[Finding]) -> Statement:
    """Where the paper's own numbers contradict each other."""
    wrong = [finding for finding in audit if finding.weight == "wrong"]
    still_open = sum(finding.weight == "open" for finding in audit)
    return Statement(
        answer=f"The paper's numbers contradict each other in {plural(len(wrong), 'place')}, and {plural(still_open, 'more point')} "
        f"{'stays' if still_open == 1 else 'stay'} open",
        measure="By its other numbers",
        clauses=[
            Clause(
                says=f"{each.printed} is printed, {first_part(each.follows)} follows", where=each.where, anchor="audit"
            )
            for each in wrong
        ],
        docs="docs/judging.md#terms",
    )


def claims(parts: Sequence[Part]) -> Statement | None:
    """How many of the paper's claims are supported or contradicted by some results; None where none can be tested."""
    standings: dict[str, set[Standing]] = {}
    decided: dict[Standing, list[Clause]] = {"supported": [], "contradicted": []}
    for part in parts:
        for each in part.claims.claims:
            standings.setdefault(each.claim.name, set()).add(each.standing)
            if each.standing in decided:
                says = f'{each.standing} is "{each.claim.says}"'
                decided[each.standing].append(Clause(says=says, where=part.label, anchor=f"{part.name}-claims"))
    counts = _counts(standings)
    if counts["not tested"] == len(standings):
        return None
    supported, contradicted = counts["supported"], counts["contradicted"]
    tested = [part for part in parts if any(each.standing != "not tested" for each in part.claims.claims)]
    undecided = Clause(
        says=f"{counts['cannot be decided']} cannot be decided, {counts['not tested']} cannot be tested",
        where=f"All {plural(len(tested), 'set')} of results",
        anchor=f"{tested[0].name}-claims",
    )
    return Statement(
        answer=f"{contradicted or 'None'} of {len(standings)} claims {'is' if contradicted < 2 else 'are'} contradicted, "
        f"{supported or 'none'} {'is' if supported < 2 else 'are'} supported",
        measure=f"At {LEVEL:.0%}, corrected over the claims that one set of results can test (Holm)",
        clauses=[*decided["supported"], *decided["contradicted"], undecided],
        docs="docs/judging.md#a-claim",
    )


def _counts(standings: Mapping[str, set[Standing]]) -> dict[Standing, int]:
    """Standing -> number of claims with it on some results; undecided and untested ones have no better standing."""
    found: dict[Standing, int] = {
        standing: sum(standing in each for each in standings.values()) for standing in ("supported", "contradicted")
    }
    rest = [each for each in standings.values() if not each & {"supported", "contradicted"}]
    found["cannot be decided"] = sum("cannot be decided" in each for each in rest)
    found["not tested"] = len(rest) - found["cannot be decided"]
    return found
