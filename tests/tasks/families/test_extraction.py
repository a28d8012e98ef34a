"""Answers found in generated texts."""

import pytest

from benchmarks.tasks.families.extraction import concluded_letter, first_name, last_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She makes 9 * 2 = $<<9*2=18>>18.\n#### 18", "18"),
        ("#### 18\nQuestion: how many are 20?\n#### 20", "18"),
        ("####18 dollars, not 20", "18"),
        ("#### $1,250.50", "1250.5"),
        ("#### -3", "-3"),
        ("####\n4 and 5", "5"),  # nothing after the mark: the last number
        ("#### none of 3", "3"),
        ("The answer is 18.", "18"),
        ("The answer is 18.00", "18"),
        ("It costs 1,000,000 dollars", "1000000"),
        ("They are 3, 4,5", "5"),
        ("12,34", "34"),
        ("in total .5", "0.5"),
        ("about -7 degrees", "-7"),
        ("it is - 7", "-7"),
        ("10-5", "5"),  # a difference, not a negative number
        ("(3)-2", "2"),
        ("half of it, 50%", "50"),
        ("007", "7"),
        ("no number", ""),
        ("", ""),
        ("####", ""),
    ],
)
def test_the_number_of_a_solution(text: str, number: str) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A ship passes B.\nThe answer is (C).", "C"),
        ("The answer is D", "D"),
        ("Correct answer - A", "A"),
        ("answer: B", "B"),
        ("The answer is: (E) 10 m", "E"),
        ("The answer is (A). No, the answer is (B).", "B"),
        ("so x = 3, option C", "C"),
        ("C", "C"),
        ("(D) 12", "D"),
        ("BAD ANSWER", ""),  # letters inside words
        ("the answer is 12", ""),
        ("", ""),
    ],
)
def test_the_letter_of_a_solution(text: str, letter: str) -> None:
    assert concluded_letter(text) == letter


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("the correct answer is answer2", "answer2"),
        ("answer3 or answer1", "answer3"),
        ("Answer1: a leg", "answer1"),
        ("answer12", "answer12"),
        ("answers2", ""),
        ("answer 2", ""),
        ("", ""),
    ],
)
def test_the_name_of_a_choice(text: str, name: str) -> None:
    assert first_name(text, pattern=r"answer\d+") == name


def test_the_names_may_be_words() -> None:
    assert first_name("That is untrue, so false.", pattern="true|false") == "false"
