"""Splits a training set into D_tr and D_val (section 5.2: "with a ratio of 1:1"), stratified and seeded."""

import random
from collections import defaultdict
from collections.abc import Sequence


def stratified_split(strata: Sequence[int], valid_share: float, *, seed: int) -> tuple[list[int], list[int]]:
    """Draw the given share of every stratum for validation.

    Where a stratum's share is no whole number the remainder is carried to the next stratum, so that the whole
    split has the right size to within one example.

    Args:
        strata: one stratum per example, its label or the bin of its score.
        valid_share: share of the examples for D_val, in (0, 1).
        seed: decides which.

    Returns:
        Indices of D_tr and of D_val, each in ascending order; together all of them, none twice.

    Raises:
        ValueError: the share is out of its range, or one side would be empty.
    """
    if not 0 < valid_share < 1:
        raise ValueError(f"valid_share must lie in (0, 1); got {valid_share}")
    members: dict[int, list[int]] = defaultdict(list)
    for index, stratum in enumerate(strata):
        members[stratum].append(index)
    rng = random.Random(f"split/{seed}")
    train: list[int] = []
    valid: list[int] = []
    owed = 0.0
    for stratum in sorted(members):
        indices = members[stratum]
        rng.shuffle(indices)
        owed += valid_share * len(indices)
        taken = min(round(owed), len(indices))
        owed -= taken
        valid += indices[:taken]
        train += indices[taken:]
    if not train or not valid:
        raise ValueError(f"{len(strata)} examples are too few to hold out {valid_share:.0%} of them")
    return sorted(train), sorted(valid)
