"""Generated English that the small decoder is pretrained on: records with their descriptions, and short stories.

The domains are none of the tasks': films, hotels, phones, bridges, painters, storms and others, but neither restaurants
nor what the tasks' triples are about. Names are made up anew in every document, so that a model has to learn to copy
them; records come in many notations, none of which is settled; a description leaves nothing out.
"""

from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType

from benchmarks.data.models.decoder.domains import DOMAINS, Attribute, Domain
from benchmarks.data.models.decoder.stories import story
from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.vocabulary import with_article

END = "<|endoftext|>"
"""Ends a document; in some it stands between a record and its description too."""

FIRST = MappingProxyType({"name": 3, "title": 2, "subject": 1, "id": 1})
"""What the thing's own name is called in a record, and how often."""


def documents(seed: str) -> Iterator[str]:
    """Documents without end, the same ones for the same seed."""
    dice = Dice(f"benchmarks.decoder.corpus/{seed}")
    while True:
        yield _record(dice) if dice.chance(0.75) else story(dice) + END


def _record(dice: Dice) -> str:
    domain = dice.pick(DOMAINS)
    own, kind = domain.called(dice), dice.pick(domain.kinds)
    chosen = dice.shuffled(domain.attributes)[: 1 + dice.pick(range(5))]
    facts = [(attribute, attribute.value(dice)) for attribute in chosen]
    first = dice.pick([first for first, times in FIRST.items() for _ in range(times)])
    slots = [("kind" if dice.chance(0.5) else "type", kind), *((attribute.name, value) for attribute, value in facts)]
    separator = dice.pick((END, END, "\n", " => ", "\n\n"))
    return (
        _notation(dice)(first, own, dice.shuffled(slots))
        + separator
        + _description(dice, domain, (own, kind), facts)
        + END
    )


Notation = Callable[[str, str, Sequence[tuple[str, str]]], str]
"""What the first slot is called, its value, and the other slots -> a record."""


def _notation(dice: Dice) -> Notation:
    """A way to write a record down, drawn together with its signs."""
    between, after = dice.pick(
        ((" : ", " | "), (" = ", " ; "), (": ", ", "), (": ", "\n"), (" : ", " | "), ("=", ", "))
    )
    camel, underscores = dice.chance(0.5), dice.chance(0.3)

    def flat(first: str, own: str, slots: Sequence[tuple[str, str]]) -> str:
        return after.join(f"{key}{between}{value}" for key, value in [(first, own), *slots])

    def bracketed(first: str, own: str, slots: Sequence[tuple[str, str]]) -> str:
        return ", ".join(f"{_camel(key)}[{value}]" for key, value in [(first, own), *slots])

    def triples(_: str, own: str, slots: Sequence[tuple[str, str]]) -> str:
        subject = _joined(own) if underscores else own
        return after.join(
            between.join([subject, _camel(key) if camel else key, _joined(value) if underscores else value])
            for key, value in slots
        )

    return dice.pick((flat, flat, bracketed, triples, triples))


def _description(dice: Dice, domain: Domain, thing: tuple[str, str], facts: Sequence[tuple[Attribute, str]]) -> str:
    """One to a few sentences that tell everything, in an order of their own."""
    own, kind = thing
    order = dice.shuffled(facts)
    first = [fact for fact in order if fact[0].modifies][: dice.pick((0, 0, 1, 1, 2))]
    later = [fact for fact in order if fact not in first]
    modifiers = "".join(f" {attribute.told(dice, attribute.modifies, value)}" for attribute, value in first)
    opening = dice.pick((
        f"{own} is {with_article(kind)}{modifiers}",
        f"The {kind} {own}{modifiers} is well known" if modifiers else f"{own} is {with_article(kind)}",
        f"There is {with_article(kind)}{modifiers} called {own}",
        f"{with_article(kind).capitalize()}{modifiers} is {own}",
    ))  # fmt: skip
    sentences = [opening]
    while later:
        taken, later = (later[:2], later[2:]) if dice.chance(0.4) else (later[:1], later[1:])
        subject = dice.pick((*domain.pronouns, dice.pick(domain.pronouns), f"The {kind}", own))
        if len(taken) == 1 and not taken[0][0].words and dice.chance(0.2):
            attribute, value = taken[0]
            whose = dice.pick((own, f"the {kind}"))
            sentences.append(
                dice.pick(
                    (f"The {attribute.name} of {whose} is {value}", f"{value} is the {attribute.name} of {whose}")
                )
            )
            continue
        told = " and ".join(attribute.told(dice, attribute.tells, value) for attribute, value in taken)
        sentences.append(f"{subject} {told}")
    return ". ".join(sentences) + "."


def _camel(text: str) -> str:
    head, *rest = text.split(" ")
    return head + "".join(part.capitalize() for part in rest)


def _joined(text: str) -> str:
    return text.replace(" ", "_")
