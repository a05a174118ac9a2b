"""Numbers and letters are found in what models write."""

import pytest

from mainspring.features.evaluate.capabilities import extract
from mainspring.features.evaluate.capabilities.benchmark import LETTERS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She makes 9 * 2 = $18 every day.\n#### 18", "18"),
        ("So the answer is **$1,234.50**.", "1234.5"),
        ("The answer is: 3 + 4 = 7 apples.", "7"),
        ("The answer is 7. Check: 7 is more than 2.", "7"),
        (r"Thus \[ \boxed{42} \] as 6 times 7.", "42"),
        ("First 12, then 15 eggs.", "15"),
        ("The answer is -5.", "-5"),
        ("It is 3/4 of it. The answer is 3/4.", "3/4"),
        ("The final answer is 010", "10"),
        ("nothing is left", None),
        ("Answer: 20 %", "20"),
        ("The answer is\n\n12", "12"),
    ],
)
def test_a_number_is_found(text: str, number: str | None) -> None:
    assert extract.number(text) == number


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("(C) because it is red", "C"),
        ("**D.** red", "D"),
        ("The answer is (b).", "B"),
        ("A is wrong, so the correct answer is C.", "C"),
        ("A man would say so, hence D", "D"),
        ("I think of it as blue", "B"),
        (r"\boxed{A}", "A"),
        ("no idea", None),
        ("Answer: Option B", "B"),
        ("E", None),
    ],
)
def test_a_letter_is_found(text: str, letter: str | None) -> None:
    assert extract.letter(text, ("green", "blue", "red", "none of these"), LETTERS) == letter


def test_a_box_has_matching_braces() -> None:
    assert extract.boxed(r"so \boxed{\frac{1}{2}} and \boxed{x^{2}}") == "x^{2}"
    assert extract.boxed(r"\boxed 7") == "7"
    assert extract.boxed(r"\boxed{never closed") is None
