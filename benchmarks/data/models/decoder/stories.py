"""Short generated stories for pretraining the decoder; their names are repeated across sentences."""

from benchmarks.data.models.decoder.attributes import COUNTRIES
from benchmarks.data.synthetic.language.drawing import Dice
from benchmarks.data.synthetic.language.names import QUALITIES, place, word, year
from benchmarks.data.synthetic.language.vocabulary import KINDS, PEOPLE, with_article


def story(dice: Dice) -> str:
    """Four to seven sentences about two people and a thing, whose names are repeated."""
    one, other = word(dice), word(dice)
    thing = f"{dice.pick(QUALITIES)} {dice.pick(dice.pick(tuple(KINDS.values())))}"
    town, job = place(dice), dice.pick(PEOPLE)
    values = {
        "one": one,
        "other": other,
        "thing": thing,
        "a_thing": with_article(thing),
        "town": town,
        "a_job": with_article(job),
        "year": year(dice),
        "country": dice.pick(COUNTRIES),
    }
    sentences = dice.shuffled(STORY)[: 3 + dice.pick(range(4))]
    return " ".join(sentence.format_map(values) for sentence in [dice.pick(OPENINGS), *sentences])


OPENINGS = (
    "In {year} {one} met {other} in {town}.",
    "{one} was {a_job} in {town} and had {a_thing}.",
    "Once there was {a_job} called {one}, who lived in {town} with {other}.",
    "When {one} came to {town}, nobody but {other} was at home.",
)
STORY = (
    "{one} gave the {thing} to {other}.",
    '"Where is the {thing}?" {other} asked {one}.',
    "{other} did not want to leave {town} without {one}.",
    "The people of {town} thought that {one} was {a_job}.",
    "After that, {other} and {one} went back to {town} together.",
    "{one} had never seen {a_thing} before, but {other} had.",
    "It was the best day that {other} could remember.",
    '"I have been {a_job} since {year}," said {one}.',
    "There are many people who know {other} in {town}.",
    "They bought another {thing}, which was cheaper than the first one.",
    "However, {one} told {other} that the {thing} was not for sale.",
    "They drank coffee by the river, in the centre of the city.",
    "There was no food left in the house, and the children were hungry.",
    "Everybody liked the food of {country}, which is neither cheap nor bad.",
    "A good meal can be had at a moderate price, {other} thought.",
    "The customers were low in number, but high in spirits.",
    "Families with children are always welcome in {town}.",
    "Could it be that {one} spent five minutes at the university and ten in the restaurant?",
    "The staff of the airport had not seen {other} since {year}.",
    "Fast or slow, near or far, they would serve whoever came.",
    '"Is there a pub next to the church?" {one} wanted to know.',
    "If you go to {town}, ask for {other}, who is also {a_job}.",
)  # fmt: skip
"""Sentences that are meaningful in any order."""
