"""Vocabulary shared by embedded tasks; all words have regular inflections, which the functions here form."""

PEOPLE = (
    "actor", "baker", "banker", "dancer", "doctor", "driver", "farmer", "guard", "hunter", "judge", "king", "lawyer",
    "minister", "nurse", "painter", "pilot", "priest", "sailor", "singer", "soldier", "student", "teacher", "writer",
)  # fmt: skip
NAMES = (
    "adam", "alice", "anna", "ben", "carla", "clara", "david", "elena", "emma", "felix", "george", "helen", "ivan",
    "jack", "julia", "laura", "leo", "lisa", "lucas", "maria", "martin", "nina", "oliver", "oscar", "paul", "peter",
    "rosa", "sara", "simon", "sofia", "thomas", "victor",
)  # fmt: skip
KINDS = {
    "animal": ("dog", "cat", "horse", "cow", "goat", "rabbit"),
    "bird": ("eagle", "crow", "duck", "hawk", "owl", "parrot"),
    "flower": ("rose", "tulip", "lily", "orchid", "violet"),
    "fruit": ("apple", "lemon", "orange", "banana", "plum"),
    "instrument": ("piano", "violin", "guitar", "drum", "flute"),
    "tool": ("hammer", "saw", "drill", "axe", "shovel"),
    "vehicle": ("car", "truck", "bus", "van", "tractor"),
}
"""Hypernym -> its hyponyms."""
SEPARATE_KINDS = {wide: narrow for wide, narrow in KINDS.items() if wide != "bird"}
"""KINDS without birds, which are animals: no hypernym is a hyponym of another."""

SYNONYMOUS_VERBS = (
    ("help", "assist"), ("attack", "assault"), ("phone", "call"), ("praise", "applaud"), ("fire", "dismiss"),
    ("rescue", "save"), ("scare", "frighten"),
)  # fmt: skip
AFFIRMING = ("always", "often", "surely")
DENYING = ("hardly", "never", "rarely")


def plural(noun: str) -> str:
    """The plural of a regular noun: dog -> dogs, bus -> buses, lily -> lilies."""
    if noun.endswith("s"):
        return noun + "es"
    if noun.endswith("y"):
        return noun[:-1] + "ies"
    return noun + "s"


def past(verb: str) -> str:
    """The past tense and participle of a regular verb: help -> helped, save -> saved."""
    return verb.removesuffix("e") + "ed"


def progressive(verb: str) -> str:
    """The present participle of a regular verb: help -> helping, save -> saving."""
    return verb.removesuffix("e") + "ing"


def with_article(noun: str) -> str:
    """The noun after its indefinite article: a dog, an eagle."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun
