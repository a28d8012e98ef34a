"""RTE in miniature: does sentence 2 follow? It depends on conjunction, negation, hypernyms and implicative verbs."""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits
from benchmarks.data.synthetic.language.vocabulary import NAMES, SEPARATE_KINDS, past, with_article

VERBS = ("clean", "describe", "follow", "lift", "mention", "notice", "paint", "touch", "want")
ENTAILMENT, NOT_ENTAILMENT = range(2)

PATTERNS = {
    ENTAILMENT: (
        ("{name} and {other} {did} {narrow}", "{one} {did} {narrow}"),
        ("{name} {did} {narrow}", "{name} {did} {wide}"),
        ("{name} did not {do} {wide}", "{name} did not {do} {narrow}"),
        ("{name} managed to {do} {narrow}", "{name} {did} {narrow}"),
        ("{name} failed to {do} {narrow}", "{name} did not {do} {narrow}"),
    ),
    NOT_ENTAILMENT: (
        ("{name} or {other} {did} {narrow}", "{one} {did} {narrow}"),
        ("{name} {did} {narrow}", "{name} {did} {other_wide}"),
        ("{name} did not {do} {wide}", "{name} did not {do} {other_narrow}"),
        ("{name} failed to {do} {narrow}", "{name} {did} {narrow}"),
        ("{name} managed to {do} {narrow}", "{name} did not {do} {narrow}"),
    ),
}
"""Label -> first and second sentence; every pattern has a counterpart of the same length with the other label."""


def generate() -> dict[str, list[Row]]:
    """Splits with `sentence1`, `sentence2`, `label` (0 entailment, 1 not_entailment), half of each."""
    return draw_splits("rte", {"train": _draw, "validation": _draw}, shares={ENTAILMENT: 0.5, NOT_ENTAILMENT: 0.5})


def _draw(dice: Dice, label: int) -> Row:
    name, other = dice.pick_two(NAMES)
    verb = dice.pick(VERBS)
    wide, other_wide = dice.pick_two(tuple(SEPARATE_KINDS))
    words = {
        "name": name,
        "other": other,
        "one": dice.pick((name, other)),
        "do": verb,
        "did": past(verb),
        "wide": with_article(wide),
        "narrow": with_article(dice.pick(SEPARATE_KINDS[wide])),
        "other_wide": with_article(other_wide),
        "other_narrow": with_article(dice.pick(SEPARATE_KINDS[other_wide])),
    }
    sentence1, sentence2 = (f"{pattern} .".format(**words) for pattern in dice.pick(PATTERNS[label]))
    return {"sentence1": sentence1, "sentence2": sentence2, "label": label}
