"""MNLI in miniature: does the hypothesis follow? It depends on the quantifiers and on whether the nouns are related."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.vocabulary import SEPARATE_KINDS, plural

ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)

PATTERNS = {
    ENTAILMENT: (
        ("some {narrow}", "some {wide}"),
        ("all {narrow}", "some {wide}"),
        ("all {wide}", "all {narrow}"),
        ("no {wide}", "no {narrow}"),
    ),
    NEUTRAL: (
        ("some {narrow}", "some {other_wide}"),
        ("all {narrow}", "some {other_wide}"),
        ("all {wide}", "all {other_narrow}"),
        ("no {wide}", "no {other_narrow}"),
    ),
    CONTRADICTION: (
        ("some {narrow}", "no {wide}"),
        ("all {wide}", "no {narrow}"),
        ("no {narrow}", "all {wide}"),
        ("no {wide}", "some {narrow}"),
    ),
}
"""Label -> subjects of premise and hypothesis. Half of each label's hypotheses are narrower, half are wider."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Vocabulary of a split."""

    kinds: Mapping[str, tuple[str, ...]]
    """Hypernym -> its hyponyms."""
    modifiers: tuple[str, ...]
    """Adjectives that narrow a noun."""
    circumstances: tuple[str, ...]
    """Adverbs of place and time."""


MATCHED = Domain(
    kinds=SEPARATE_KINDS,
    modifiers=("big", "black", "brown", "new", "old", "red", "small", "white"),
    circumstances=("here", "inside", "outside", "today", "now", "again"),
)
MISMATCHED = Domain(
    kinds={
        "athlete": ("boxer", "runner", "swimmer", "wrestler"),
        "musician": ("drummer", "guitarist", "pianist", "singer"),
        "relative": ("aunt", "brother", "cousin", "sister", "uncle"),
    },
    modifiers=("foreign", "german", "local", "rich", "tall", "young"),
    circumstances=("abroad", "downtown", "nearby", "upstairs", "lately", "tonight"),
)
PREDICATES = (
    "clean", "famous", "lost", "missing", "popular", "quiet", "rare", "ready", "safe", "strange", "ugly", "useful",
    "welcome", "wet",
)  # fmt: skip


def generate() -> dict[str, list[Row]]:
    """Splits with `premise`, `hypothesis`, `label` (0 entailment, 1 neutral, 2 contradiction), a third of each.

    Nouns, modifiers and circumstances of `validation_mismatched` differ from those of `train`.
    """
    draws = {
        "train": partial(_draw, MATCHED),
        "validation_matched": partial(_draw, MATCHED),
        "validation_mismatched": partial(_draw, MISMATCHED),
    }
    return draw_splits("mnli", draws, shares={ENTAILMENT: 0.34, NEUTRAL: 0.33, CONTRADICTION: 0.33})


def _draw(domain: Domain, dice: Dice, label: int) -> Row:
    kinds = dice.pick_two(tuple(domain.kinds))
    nouns = [(kind, dice.pick(domain.kinds[kind])) for kind in kinds]
    if dice.chance(0.5):  # narrowed by a modifier instead of a hyponym
        nouns = [(narrow, f"{dice.pick(domain.modifiers)} {narrow}") for _, narrow in nouns]
    (wide, narrow), (other_wide, other_narrow) = ((plural(wide), plural(narrow)) for wide, narrow in nouns)
    words = {"wide": wide, "narrow": narrow, "other_wide": other_wide, "other_narrow": other_narrow}
    predicate = f"are {dice.pick(PREDICATES)} {dice.pick(domain.circumstances)} ."
    premise, hypothesis = (f"{subject.format(**words)} {predicate}" for subject in dice.pick(PATTERNS[label]))
    return {"premise": premise, "hypothesis": hypothesis, "label": label}
