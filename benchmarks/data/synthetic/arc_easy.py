"""ARC-Easy in miniature: questions about capitals, animals, colours, inventions and sums of digits."""

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.facts import Relation, ask

RELATIONS = (
    Relation(
        questions=("What is the capital of {}?", "Which city is the capital of {}?", "{} is governed from which city?"),
        facts={
            "Argentina": "Buenos Aires", "Austria": "Vienna", "Belgium": "Brussels", "Canada": "Ottawa",
            "Chile": "Santiago", "China": "Beijing", "Cuba": "Havana", "Denmark": "Copenhagen", "Egypt": "Cairo",
            "England": "London", "Ethiopia": "Addis Ababa", "Finland": "Helsinki", "France": "Paris",
            "Germany": "Berlin", "Greece": "Athens", "Hungary": "Budapest", "India": "New Delhi", "Iran": "Tehran",
            "Iraq": "Baghdad", "Ireland": "Dublin", "Italy": "Rome", "Japan": "Tokyo", "Kenya": "Nairobi",
            "Mexico": "Mexico City", "Norway": "Oslo", "Peru": "Lima", "Poland": "Warsaw", "Portugal": "Lisbon",
            "Russia": "Moscow", "South Korea": "Seoul", "Spain": "Madrid", "Sweden": "Stockholm", "Thailand": "Bangkok",
            "Turkey": "Ankara", "Vietnam": "Hanoi",
        },
    ),
    Relation(
        questions=("Which sound does a {} make?", "What does a {} do with its voice?"),
        facts={
            "bee": "buzz", "cat": "meow", "chick": "peep", "cow": "moo", "crow": "caw", "dog": "bark", "dove": "coo",
            "duck": "quack", "frog": "croak", "hen": "cluck", "horse": "neigh", "lion": "roar", "mouse": "squeak",
            "pig": "oink", "sheep": "bleat", "snake": "hiss", "turkey": "gobble", "wolf": "howl",
        },
    ),
    Relation(
        questions=("What is a young {} called?", "Which name does the offspring of a {} have?"),
        facts={
            "bear": "a cub", "cat": "a kitten", "cow": "a calf", "deer": "a fawn", "dog": "a puppy",
            "duck": "a duckling", "frog": "a tadpole", "goat": "a kid", "goose": "a gosling", "hen": "a chick",
            "horse": "a foal", "kangaroo": "a joey", "pig": "a piglet", "sheep": "a lamb", "swan": "a cygnet",
        },
    ),
    Relation(
        questions=("What colour does {} have?", "Which colour is typical of {}?"),
        facts={
            "a ripe banana": "yellow", "a carrot": "orange", "a cloudless sky": "blue", "a flamingo": "pink",
            "a lemon": "yellow", "a polar bear": "white", "a raven": "black", "a ripe strawberry": "red",
            "an elephant": "grey", "an emerald": "green", "blood": "red", "chocolate": "brown", "coal": "black",
            "fresh snow": "white", "grass": "green", "milk": "white", "spinach": "green", "the sea": "blue",
        },
    ),
    Relation(
        questions=("How much is {}?", "What is the sum {}?"),
        facts={
            f"{first} plus {second}": str(first + second) for first in range(1, 10) for second in range(first, 10)
        },
    ),
)  # fmt: skip


def generate() -> dict[str, list[Row]]:
    """Splits "train" and "test" with `question`, three to five `choices`, and `label`, the index of the right choice."""
    return ask("arc_easy", RELATIONS)
