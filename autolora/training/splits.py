"""Splits a training set into D_tr and D_val (section 5.2: "with a ratio of 1:1"), stratified and seeded."""

import random
from collections import defaultdict
from collections.abc import Sequence


def stratified_split(
    strata: Sequence[int], valid_share: float, *, seed: int, groups: Sequence[int] | None = None
) -> tuple[list[int], list[int]]:
    """Draw the given share of every stratum for validation.

    Args:
        strata: one stratum per example: its label or the bin of its score.
        valid_share: share of the examples for D_val, in (0, 1).
        seed: the random seed of the draw.
        groups: one group per example; all examples of a group go to the same side, and valid_share is a share of the
            groups. A group has the stratum of its first example. None: every example is a group.

    Returns:
        Indices of D_tr and of D_val, each in ascending order; disjoint, and together all examples.

    Raises:
        ValueError: the share is out of its range, or one side would be empty.
    """
    if not 0 < valid_share < 1:
        raise ValueError(f"valid_share must lie in (0, 1); got {valid_share}")
    if groups is not None:
        return _split_groups(strata, groups, valid_share, seed)
    train, valid = _draw(strata, valid_share, seed)
    if not train or not valid:
        raise ValueError(f"{len(strata)} examples are too few to hold out {valid_share:.0%} of them")
    return sorted(train), sorted(valid)


def _draw(strata: Sequence[int], valid_share: float, seed: int) -> tuple[list[int], list[int]]:
    """Training and validation indices, stratum by stratum.

    The fractional remainder of a stratum's share is carried to the next stratum, so that the size of D_val is right to
    within one example.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, stratum in enumerate(strata):
        members[stratum].append(index)
    rng = random.Random(f"split/{seed}")
    train: list[int] = []
    valid: list[int] = []
    quota = 0.0
    for stratum in sorted(members):
        indices = members[stratum]
        rng.shuffle(indices)
        quota += valid_share * len(indices)
        drawn = min(round(quota), len(indices))
        quota -= drawn
        valid += indices[:drawn]
        train += indices[drawn:]
    return train, valid


def _split_groups(
    strata: Sequence[int], groups: Sequence[int], valid_share: float, seed: int
) -> tuple[list[int], list[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    indices = list(members.values())
    sides = stratified_split([strata[group[0]] for group in indices], valid_share, seed=seed)
    train, valid = (sorted(index for number in side for index in indices[number]) for side in sides)
    return train, valid
