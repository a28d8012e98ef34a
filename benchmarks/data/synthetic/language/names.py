"""Made-up names of people, places and things, numbers and dates."""

from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.vocabulary import PEOPLE, plural

ONSETS = ("b", "br", "c", "ch", "d", "dr", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pr", "r", "s", "sh", "st",
          "t", "th", "tr", "v", "w", "z", "")  # fmt: skip
VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ie", "oo", "ou", "y")
CODAS = ("", "", "", "ck", "d", "l", "ll", "m", "n", "nd", "ng", "nt", "r", "rd", "rt", "s", "ss", "st", "t", "th", "x")
COLOURS = ("amber", "black", "blue", "brown", "golden", "green", "grey", "purple", "red", "scarlet", "silver", "white")
PLACES = ("bridge", "castle", "forest", "garden", "gate", "harbour", "hill", "house", "island", "lake", "market", "mill",
          "mountain", "river", "road", "square", "station", "street", "tower", "valley", "village", "wood")  # fmt: skip
QUALITIES = ("bright", "calm", "clever", "cold", "curious", "deep", "early", "famous", "gentle", "happy", "honest",
             "lonely", "loud", "modern", "narrow", "old", "patient", "proud", "quick", "quiet", "rare", "rough",
             "serious", "sharp", "simple", "slow", "small", "strange", "strong", "sweet", "tall", "warm", "wide",
             "young")  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip


def word(dice: Dice) -> str:
    """A made-up word of one to three syllables, capitalised."""
    syllables = 1 + dice.chance(0.75) + dice.chance(0.25)
    parts = [dice.pick(ONSETS) + dice.pick(VOWELS) + dice.pick(CODAS) for _ in range(syllables)]
    return "".join(parts).capitalize()


def person(dice: Dice) -> str:
    """A person's name of two or three words."""
    middle = [f"{word(dice)[0]}."] if dice.chance(0.2) else []
    return " ".join([word(dice), *middle, word(dice)])


def place(dice: Dice) -> str:
    """The name of a town: a made-up word, or one followed by an English noun."""
    return word(dice) if dice.chance(0.6) else f"{word(dice)} {dice.pick(PLACES).capitalize()}"


def name(dice: Dice) -> str:
    """The name of a work or a product."""
    return dice.pick((word, _words, _coloured, _personal, _plural, _local))(dice)


def number(dice: Dice) -> str:
    """A number of one to five digits, in 20% of cases with one decimal."""
    digits = 1 + dice.pick(range(5))
    whole = str(1 + dice.pick(range(9))) + "".join(dice.pick("0123456789") for _ in range(digits - 1))
    return whole + (f".{dice.pick('0123456789')}" if dice.chance(0.2) else "")


def year(dice: Dice) -> str:
    """A year from 1850 to 2029."""
    return str(1850 + dice.pick(range(180)))


def date(dice: Dice) -> str:
    """A date, as "1931-04-25" or "25 April 1931"."""
    day, month = 1 + dice.pick(range(28)), dice.pick(range(12))
    if dice.chance(0.5):
        return f"{year(dice)}-{month + 1:02d}-{day:02d}"
    return f"{day} {MONTHS[month]} {year(dice)}"


def _words(dice: Dice) -> str:
    return f"{word(dice)} {word(dice)}"


def _coloured(dice: Dice) -> str:
    return f"The {dice.pick(COLOURS).capitalize()} {dice.pick(PLACES).capitalize()}"


def _personal(dice: Dice) -> str:
    return f"The {dice.pick(QUALITIES).capitalize()} {dice.pick(PEOPLE).capitalize()}"


def _plural(dice: Dice) -> str:
    return f"{dice.pick(QUALITIES).capitalize()} {plural(dice.pick(PLACES)).capitalize()}"


def _local(dice: Dice) -> str:
    return f"{word(dice)} {dice.pick(PLACES).capitalize()}"
