"""A synthetic classification task for the examples: do noun and verb of a sentence agree in number?"""

import random


def sentences(number: int, seed: int = 0) -> list[dict[str, object]]:
    """Rows with "text" and "label": 1 where verb and noun agree."""
    rng = random.Random(seed)
    rows: list[dict[str, object]] = []
    for _ in range(number):
        noun, verb = rng.choice(["dog", "cat", "bird", "child"]), rng.choice(["sleep", "eat", "jump", "sing"])
        plural, label = rng.random() < 0.5, rng.randrange(2)
        subject = f"the {noun}s" if plural else f"the {noun}"
        rows.append({"text": f"{subject} {verb if plural == bool(label) else verb + 's'}", "label": label})
    return rows
