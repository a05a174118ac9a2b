from mainspring.core.types import Message
from mainspring.evaluation.examples import Example


def test_the_question_is_what_the_user_said_last() -> None:
    said = (Message("user", "first"), Message("user", "second"), Message("assistant", "no"))
    assert Example("1", said).question == "second"


def test_without_a_user_there_is_no_question() -> None:
    assert Example("1", (Message("system", "be kind"),)).question == ""
