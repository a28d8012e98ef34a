"""How the text of an option becomes its value; argparse shows the message of the error as it is."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from benchmarks.core.registry import canonical
from benchmarks.store.published import LLM
from benchmarks.store.shards import Shard

ENDINGS = ("pdf", "svg", "png")


def parts(text: str) -> list[str]:
    """The elements of "a,b". Raises ArgumentTypeError: one of them is empty, as after a trailing comma."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise ArgumentTypeError(f"a list is separated by commas, with none at its end, as in a,b; got {text!r}")
    return found


def names(text: str) -> list[str]:
    """Names of tasks or methods, as their files have them. Raises ArgumentTypeError: an empty name."""
    return [canonical(name) for name in parts(text)]


def seeds(text: str) -> list[int]:
    """Seeds 0, 1, 2 from "3"; seeds 5 and 7 from "5,7". Raises ArgumentTypeError: no such thing."""
    found = parts(text)
    if not all(part.isdecimal() for part in found) or len(set(found)) < len(found) or found == ["0"]:
        raise ArgumentTypeError(
            f"takes how many seeds, as in 3, or a list of different ones, as in 0,4,7; got {text!r} "
            "(seed 7 alone is --set run.seeds=[7])"
        )
    return [int(part) for part in found] if len(found) > 1 else list(range(int(text)))


def table(text: str) -> int | str:
    """A table's number, or the listing of LLM benchmarks. Raises ArgumentTypeError: no such thing."""
    if text.lower() == LLM:
        return LLM
    if not text.isdecimal():
        raise ArgumentTypeError(f"takes the number of a table of the paper, or {LLM}; got {text!r}")
    return int(text)


def positive_numbers(text: str) -> list[int]:
    """Numbers of at least 1, as in "1,8,64". Raises ArgumentTypeError: no such thing."""
    found = parts(text)
    if not all(part.isdecimal() and int(part) for part in found):
        raise ArgumentTypeError(f"takes numbers of at least 1, as in 1,8,64; got {text!r}")
    return [int(part) for part in found]


def at_least(least: int) -> Callable[[str], int]:
    """The reader of whole numbers that are not smaller."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"takes a whole number of at least {least}; got {text!r}")
        return int(text)

    return number


def endings(text: str) -> list[str]:
    """Formats of figures. Raises ArgumentTypeError: an unknown one."""
    found = parts(text)
    if not {*found} <= {*ENDINGS}:
        raise ArgumentTypeError(f"figures are {', '.join(ENDINGS)}; got {text!r}")
    return found


def shard(text: str) -> Shard:
    """The second of eight parts from "2/8". Raises ArgumentTypeError: no such thing."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise ArgumentTypeError(f"a shard is I/N with I from 1 to N, as in 2/8; got {text!r}")
    return Shard(number=int(number), of=int(of))


def toml_file(text: str) -> Path:
    """The path of a preset of the user's own. Raises ArgumentTypeError: another ending."""
    if not text.endswith(".toml"):
        raise ArgumentTypeError(f"takes the path of a .toml file; got {text!r}")
    return Path(text)
