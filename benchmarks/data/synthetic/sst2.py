"""SST-2 in miniature: is the review positive? Negation, doubt and contrast reverse the sentiment of single words."""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import Dice, draw_splits

POSITIVE = (
    "beautiful", "brilliant", "charming", "clever", "enjoyable", "excellent", "exciting", "fresh", "funny", "great",
    "lovely", "memorable", "moving", "powerful", "smart", "strong", "touching", "warm", "witty", "wonderful",
)  # fmt: skip
NEGATIVE = (
    "awful", "awkward", "bad", "boring", "cheap", "clumsy", "dreadful", "dull", "empty", "flat", "hollow", "messy",
    "pointless", "poor", "silly", "slow", "terrible", "tired", "ugly", "weak",
)  # fmt: skip
ASPECTS = (
    "acting", "camera", "cast", "comedy", "dialogue", "direction", "drama", "ending", "film", "humor", "movie", "music",
    "plot", "romance", "script", "soundtrack", "story", "style", "tone", "writing",
)  # fmt: skip
BELIEF = ("i think", "we agree", "everyone says")
DOUBT = ("i doubt", "we deny", "nobody says")
AFFIRMED = ("", "really ", "very ")
NEGATED = ("hardly ", "never ", "not ")


def generate() -> dict[str, list[Row]]:
    """Splits with `sentence`, `label` (1 positive, 0 negative), half of each."""
    return draw_splits("sst2", {"train": _draw, "validation": _draw}, shares={1: 0.5, 0: 0.5})


def _draw(dice: Dice, label: int) -> Row:
    review = dice.pick((_opinion, _opinion, _opinion, _contrast, _contrast, _comparison))
    return {"sentence": f"{review(dice, positive=label == 1)} .", "label": label}


def _opinion(dice: Dice, *, positive: bool) -> str:
    believed = dice.chance(2 / 3)
    frame = dice.pick(BELIEF if believed else DOUBT)
    return f"{frame} the {dice.pick(ASPECTS)} is {_judgement(dice, positive=positive == believed)}"


def _contrast(dice: Dice, *, positive: bool) -> str:
    subject = f"the {dice.pick(ASPECTS)} is"
    verdict = _judgement(dice, positive=positive)
    concession = _judgement(dice, positive=not positive)
    return dice.pick((
        f"{subject} {concession} but {verdict}",
        f"{subject} {verdict} though {concession}",
        f"though {concession} , {subject} {verdict}",
    ))  # fmt: skip


def _comparison(dice: Dice, *, positive: bool) -> str:
    praise, blame = dice.pick(POSITIVE), dice.pick(NEGATIVE)
    more, less = (praise, blame) if positive else (blame, praise)
    degree = dice.pick((f"more {more} than {less}", f"less {less} than {more}"))
    return f"the {dice.pick(ASPECTS)} is {degree}"


def _judgement(dice: Dice, *, positive: bool) -> str:
    """An adjective with the sentiment, or a negated adjective with the opposite sentiment."""
    affirmed = dice.chance(2 / 3)
    adverb = dice.pick(AFFIRMED if affirmed else NEGATED)
    return adverb + dice.pick(POSITIVE if positive == affirmed else NEGATIVE)
