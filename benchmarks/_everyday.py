"""Everyday questions with what a right answer contains, written for this benchmark; nothing was chosen on them."""

from __future__ import annotations

FACTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What is the capital of France?", ("paris",)),
    ("Which planet is known as the red planet?", ("mars",)),
    ("How many days are there in a leap year?", ("366",)),
    ("Who wrote the play Romeo and Juliet?", ("shakespeare",)),
    ("What is the chemical symbol of gold?", ("au",)),
    ("Which ocean is the largest on earth?", ("pacific",)),
    ("What is the boiling point of water in degrees Celsius at sea level?", ("100",)),
    ("In which country are the pyramids of Giza?", ("egypt",)),
    ("How many players of one football team are on the field?", ("11", "eleven")),
    ("What language is mostly spoken in Brazil?", ("portuguese",)),
    ("Which organ pumps blood through the human body?", ("heart",)),
    ("What gas do plants take in for photosynthesis?", ("carbon dioxide", "co2")),
    ("Who painted the famous picture Mona Lisa?", ("leonardo", "da vinci")),
    ("What is the largest animal living today?", ("blue whale",)),
    ("Which metal is liquid at normal room temperature?", ("mercury",)),
    ("How many continents are there usually said to be?", ("7", "seven")),
    ("What is the currency that people use in Japan?", ("yen",)),
    ("Which month comes directly after September?", ("october",)),
    ("What instrument measures the temperature of something?", ("thermometer",)),
    ("Who was the first person that walked on the moon?", ("armstrong",)),
    ("What is the hardest natural material on earth?", ("diamond",)),
    ("How many minutes are there in two hours?", ("120",)),
    ("Which country has the shape of a boot?", ("italy",)),
    ("What do bees produce that people like to eat?", ("honey",)),
)
SUMS: tuple[tuple[str, str], ...] = (
    ("What is 347 * 89?", "30883"),
    ("How much is 17% of 1,340?", "227.8"),
    ("What is 98765 + 43219?", "141984"),
    ("Calculate 1001 - 378", "623"),
    ("What is 144 divided by 12?", "12"),
    ("What is 2 to the power of 20?", "1048576"),
    ("What is 0.1 + 0.2?", "0.3"),
    ("what is the square root of 1764?", "42"),
    ("(23 + 19) * 7", "294"),
    ("What is 15 times 16?", "240"),
)
