"""JSON with something in it changed, so that it stays JSON: what a reader of tables hardly ever gets from random bytes."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

ODD = (
    None,
    True,
    False,
    0,
    -1,
    2**64,
    0.5,
    float("nan"),
    1e308,
    "",
    "..",
    "../../x",
    "/x",
    "\x1b[2J",
    "\ud800",
    [],
    {},
)
"""What takes the place of a value."""


def mutate_json(content: bytes, random: Random) -> bytes | None:
    """One value of it changed, taken out, or put into another's place; None where it is no JSON that holds anything."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return None
    places = list(_places(whole))
    if not places:
        return None
    holder, key = random.choice(places)
    match random.randrange(4):
        case 0:
            del holder[key]
        case 1:
            other, its = random.choice(places)
            holder[key] = json.loads(json.dumps(other[its]))
        case 2:
            holder[key] = [holder[key]]
        case _:
            holder[key] = random.choice(ODD)
    return json.dumps(whole).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All values inside, each as its holder and its key there."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
