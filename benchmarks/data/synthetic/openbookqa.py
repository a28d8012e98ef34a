"""OpenBookQA in miniature: sentences about opposites, kinds, tools, parts of the body and places, to be completed."""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.facts import Relation, ask

RELATIONS = (
    Relation(
        questions=("The opposite of {} is", "If something is not {} at all, but the contrary, it is"),
        facts={
            "big": "small", "bright": "dark", "cheap": "expensive", "clean": "dirty", "deep": "shallow", "dry": "wet",
            "early": "late", "easy": "difficult", "empty": "full", "fast": "slow", "good": "bad", "happy": "sad",
            "hard": "soft", "heavy": "light", "high": "low", "hot": "cold", "old": "young",
            "open": "closed", "poor": "rich", "rough": "smooth", "sharp": "blunt", "strong": "weak", "thick": "thin",
            "tight": "loose", "true": "false", "wide": "narrow",
        },
    ),
    Relation(
        questions=("Everyone knows that a {} is a kind of", "A {} belongs to the class of things that are called a"),
        facts={
            "beetle": "insect", "bus": "vehicle", "butterfly": "insect", "car": "vehicle", "chair": "furniture",
            "daisy": "flower", "drill": "tool", "flute": "musical instrument", "guitar": "musical instrument",
            "hammer": "tool", "hawk": "bird", "mosquito": "insect", "parrot": "bird", "piano": "musical instrument",
            "rose": "flower", "salmon": "fish", "saw": "tool", "shark": "fish", "sofa": "furniture", "sparrow": "bird",
            "table": "furniture", "trout": "fish", "truck": "vehicle", "tulip": "flower",
        },
    ),
    Relation(
        questions=("People use {} in order to", "The main purpose of {} is to"),
        facts={
            "a broom": "sweep the floor", "a camera": "take photographs", "a clock": "tell the time",
            "a fridge": "keep food cold", "a hammer": "drive in nails", "a key": "open a lock",
            "a kettle": "boil water", "a lamp": "light a room", "a microscope": "see tiny things",
            "a needle": "sew clothes", "a pen": "write words", "a shovel": "dig a hole",
            "a telescope": "look at distant stars", "a thermometer": "measure temperature", "a towel": "dry the skin",
            "a tractor": "pull a plough", "an oven": "bake bread", "an umbrella": "stay dry in the rain",
            "scales": "measure weight", "scissors": "cut paper",
        },
    ),
    Relation(
        questions=("To {} a human uses the", "The part of the body that lets us {} is the"),
        facts={
            "breathe": "lungs", "chew": "teeth", "digest food": "stomach", "hear": "ears", "pump blood": "heart",
            "see": "eyes", "smell": "nose", "taste": "tongue", "think": "brain", "touch": "fingers", "walk": "legs",
        },
    ),
    Relation(
        questions=("A good place to find {} is", "If you look for {}, you should go to"),
        facts={
            "a camel": "a desert", "a doctor": "a hospital", "a judge": "a court", "a pilot": "an airport",
            "a polar bear": "the Arctic", "a teacher": "a school", "actors": "a theatre", "banknotes": "a bank",
            "bread": "a bakery", "many books": "a library", "old paintings": "a museum", "prisoners": "a prison",
            "trains": "a railway station", "whales": "the ocean",
        },
    ),
)  # fmt: skip


def generate() -> dict[str, list[Row]]:
    """Splits "train" and "test" with `question`, three to five `choices`, and `label`, the index of the right choice."""
    return ask("openbookqa", RELATIONS)
