"""Tables of the outcomes of the paper's claims, with a sentence per claim."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from benchmarks.analysis.claims.claim import Standing
from benchmarks.analysis.claims.run import ExaminedClaims
from benchmarks.report.tables.grid import Grid, write

STANDINGS: tuple[Standing, ...] = ("supported", "contradicted", "cannot be decided", "not tested")


def render_claims(examined: Iterable[ExaminedClaims], form: str, width: int) -> str:
    """Render examined claims in one of `grid.FORMATS`."""
    if form == "json":
        return json.dumps([asdict(each) for each in examined], indent=1)
    return write(map(claim_grid, examined), form, width)


def claim_grid(examined: ExaminedClaims) -> Grid:
    """Table with one row per claim; the notes give the outcome of each tested claim and why the others are untested."""
    rows = [
        {
            "Claim": each.claim.name,
            "Where": each.claim.source,
            "Standing": each.standing,
            "p": _probability(each.p),
            "p, Holm": _probability(each.corrected),
        }
        for each in examined.claims
    ]
    standings = [each.standing for each in examined.claims]
    summary = ", ".join(f"{count} {standing}" for standing in STANDINGS if (count := standings.count(standing)))
    tested = [each for each in examined.claims if each.standing != "not tested"]
    untested: dict[str, list[str]] = {}
    for each in examined.claims:
        if each.standing == "not tested":
            untested.setdefault(each.sentence, []).append(each.claim.name)
    scope = ", on this backbone and data" if examined.on_this_backbone else ""
    return Grid.of(
        f"Claims{scope}: {examined.title}",
        rows,
        [
            f"Of {len(rows)} claims: {summary}.",
            *(f"{each.claim.name}: {each.claim.says} {each.sentence}" for each in tested),
            *(f"{', '.join(names)}: {sentence}" for sentence, names in untested.items()),
        ],
    )


def _probability(p: float | None) -> str:
    return "-" if p is None else f"{p:.3f}"
