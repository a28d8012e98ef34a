"""Generated English for pretraining the small decoder: records with descriptions, and short stories.

The domains differ from those of the tasks: films, hotels, phones, bridges, painters, storms and others, but neither
restaurants nor the categories of WebNLG. Every document has new made-up names, so that a model must learn to copy
them. Records are written in many notations. A description mentions every attribute of its record.
"""

from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType

from benchmarks.data.models.decoder.attributes import Attribute
from benchmarks.data.models.decoder.domains import DOMAINS, Domain
from benchmarks.data.models.decoder.stories import story
from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.vocabulary import with_article

END = "<|endoftext|>"
"""End of a document; in some documents also the separator between a record and its description."""

NAME_KEYS = MappingProxyType({"name": 3, "title": 2, "subject": 1, "id": 1})
"""Key of the entity's name in a record -> relative frequency."""


def documents(seed: str) -> Iterator[str]:
    """Infinite sequence of documents; the same seed gives the same documents."""
    dice = Dice(f"benchmarks.decoder.corpus/{seed}")
    while True:
        yield _record(dice) if dice.chance(0.75) else story(dice) + END


def _record(dice: Dice) -> str:
    domain = dice.pick(DOMAINS)
    entity, kind = domain.entity_name(dice), dice.pick(domain.kinds)
    chosen = dice.shuffled(domain.attributes)[: 1 + dice.pick(range(5))]
    facts = [(attribute, attribute.value(dice)) for attribute in chosen]
    name_key = dice.pick([key for key, frequency in NAME_KEYS.items() for _ in range(frequency)])
    slots = [("kind" if dice.chance(0.5) else "type", kind), *((attribute.name, value) for attribute, value in facts)]
    separator = dice.pick((END, END, "\n", " => ", "\n\n"))
    return (
        _notation(dice)(name_key, entity, dice.shuffled(slots))
        + separator
        + _description(dice, domain, (entity, kind), facts)
        + END
    )


Notation = Callable[[str, str, Sequence[tuple[str, str]]], str]
"""Key of the name, name, and the other slots -> a record as text."""


def _notation(dice: Dice) -> Notation:
    """Draw a notation for a record, with its separators."""
    assign, separate = dice.pick(
        ((" : ", " | "), (" = ", " ; "), (": ", ", "), (": ", "\n"), (" : ", " | "), ("=", ", "))
    )
    camel, underscores = dice.chance(0.5), dice.chance(0.3)

    def flat(name_key: str, entity: str, slots: Sequence[tuple[str, str]]) -> str:
        return separate.join(f"{key}{assign}{value}" for key, value in [(name_key, entity), *slots])

    def bracketed(name_key: str, entity: str, slots: Sequence[tuple[str, str]]) -> str:
        return ", ".join(f"{_camel(key)}[{value}]" for key, value in [(name_key, entity), *slots])

    def triples(_: str, entity: str, slots: Sequence[tuple[str, str]]) -> str:
        subject = _with_underscores(entity) if underscores else entity
        return separate.join(
            assign.join([subject, _camel(key) if camel else key, _with_underscores(value) if underscores else value])
            for key, value in slots
        )

    return dice.pick((flat, flat, bracketed, triples, triples))


def _description(dice: Dice, domain: Domain, thing: tuple[str, str], facts: Sequence[tuple[Attribute, str]]) -> str:
    """One or more sentences about an entity (name and kind) that mention all facts, in random order."""
    entity, kind = thing
    order = dice.shuffled(facts)
    first = [fact for fact in order if fact[0].modifiers][: dice.pick((0, 0, 1, 1, 2))]
    later = [fact for fact in order if fact not in first]
    modifiers = "".join(f" {attribute.phrase(dice, attribute.modifiers, value)}" for attribute, value in first)
    opening = dice.pick((
        f"{entity} is {with_article(kind)}{modifiers}",
        f"The {kind} {entity}{modifiers} is well known" if modifiers else f"{entity} is {with_article(kind)}",
        f"There is {with_article(kind)}{modifiers} called {entity}",
        f"{with_article(kind).capitalize()}{modifiers} is {entity}",
    ))  # fmt: skip
    sentences = [opening]
    while later:
        taken, later = (later[:2], later[2:]) if dice.chance(0.4) else (later[:1], later[1:])
        subject = dice.pick((*domain.pronouns, dice.pick(domain.pronouns), f"The {kind}", entity))
        sentences.append(_sentence(dice, subject, thing, taken))
    return ". ".join(sentences) + "."


def _sentence(dice: Dice, subject: str, thing: tuple[str, str], facts: Sequence[tuple[Attribute, str]]) -> str:
    """A sentence that mentions one or two facts."""
    entity, kind = thing
    if len(facts) == 1 and not facts[0][0].wordings and dice.chance(0.2):
        attribute, value = facts[0]
        owner = dice.pick((entity, f"the {kind}"))
        return dice.pick((f"The {attribute.name} of {owner} is {value}", f"{value} is the {attribute.name} of {owner}"))
    predicates = " and ".join(attribute.phrase(dice, attribute.predicates, value) for attribute, value in facts)
    return f"{subject} {predicates}"


def _camel(text: str) -> str:
    head, *rest = text.split(" ")
    return head + "".join(part.capitalize() for part in rest)


def _with_underscores(text: str) -> str:
    return text.replace(" ", "_")
