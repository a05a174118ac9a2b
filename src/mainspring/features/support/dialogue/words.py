"""The words that a dialogue says by itself. The tools say everything else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """``{...}`` are filled in."""

    hello: str = "Hello! How can I help you?"
    thanks: str = "You are welcome. Is there anything else?"
    bye: str = "Thank you for writing. Goodbye!"
    identify: str = "I need to check who you are first. Please tell me {missing}."
    identify_missing: str = "your e-mail address and your postcode"
    identified: str = "Thank you, I have found you. What can I do for you?"
    not_understood: str = "I am sorry, I did not understand what you need."
    abilities: str = (
        "I can help with orders, returns and questions about our policies, or hand you over to a colleague."
    )
    off_topic: str = "I can only help with our shop."
    offer_person: str = "Shall I hand you over to a colleague?"
    which: str = "Which one do you mean?\n{options}"
    dropped: str = "All right, I have not done it. What would you like instead?"
    confirm_again: str = "Please answer yes or no: {question}"
    approval: str = "A colleague must approve this first. I have asked for it, and it is done once they agree."
    failed: str = "I am sorry, that did not work just now."
    what_about: str = "What can I do about it?"
    nothing_listed: str = "I find nothing that this can be done for."
    sorry: str = "I am sorry about the trouble."
    names: tuple[tuple[str, str], ...] = (
        ("email", "your e-mail address"),
        ("postcode", "your postcode"),
        ("order_number", "your order number"),
    )

    def named(self, slot: str) -> str:
        """How a customer is asked for an entity."""
        return dict(self.names).get(slot, slot.replace("_", " "))
