"""Personal data and credentials: what is found, what is left alone, and how long it takes."""

from __future__ import annotations

import pytest

from mainspring.guards.detect import pii
from tests.guards.linear import assert_linear

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7x\nabc/+Zq==\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

FOUND = [
    ("email", "ana.lopez+news@mail.example.co.uk"),
    ("email", "o_brien%x@host-1.org"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "+1 (415) 555-2671"),
    ("phone", "+4915123456789"),
    ("phone", "(415) 555-2671"),
    ("phone", "415-555-2671"),
    ("credit_card", "4111 1111 1111 1111"),
    ("credit_card", "4111-1111-1111-1111"),
    ("credit_card", "378282246310005"),
    ("credit_card", "5555\u00a05555\u00a05555\u00a04444"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("ssn", "536-90-4399"),
    ("ssn", "536 90 4399"),
    ("ip", "203.0.113.77"),
    ("ip", "2001:db8:85a3::8a2e:370:7334"),
    ("secret", "sk-proj-abcDEF123456ghiJKL7890mnop"),
    ("secret", "ms-Zk3v9QmX2LtR8sWcYb1N7aJdHfGpUe0T"),
    ("secret", "AKIAIOSFODNN7EXAMPLE"),
    ("secret", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("secret", JWT),
    ("secret", PEM),
    ("canary", "canary-0123456789abcdef"),
]

LEFT_ALONE = [
    "Order 4111 1111 1111 1112 shipped",  # fails the Luhn check
    "Invoice 1234567890123456",  # no issuer
    "DE89 3704 0044 0532 0130 01 is mistyped",
    "SSN 000-12-3456, 666-12-3456, 123-00-4567",
    "released on 2024-03-15 at 12:34:56, build 20240315123456",
    "version 10.2.3, section 4.5.6.7.8",
    "listening on 127.0.0.1:8000 and 0.0.0.0",
    "std::vector<int> a::b x::y::z",
    "scikit-learn, sk-learn-contrib-is-a-long-package-name",
    "MS-DOS, ms-office-template-for-everyday-letters",
    "email me @ home, a@b, foo@bar",
    "tolerance +1.5 to +2.5 mm over 1000 000 000 cycles",
    "Preise: 10 20 30 40 50 60 70 80 90",
    "ISBN 978-3-16-148410-0",
]


@pytest.mark.parametrize(("kind", "value"), FOUND)
def test_finds_exactly_the_value(kind: str, value: str) -> None:
    text = f"Please note: {value}, thank you."
    found = pii.find(text)
    assert [finding.kind for finding in found] == [kind]
    if value is PEM:  # up to the first character that no key holds
        assert text[found[0].start : found[0].end].startswith(value)
    else:
        assert text[found[0].start : found[0].end] == value


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_leaves_look_alikes_alone(text: str) -> None:
    assert pii.find(text) == []


def test_redacts_with_named_placeholders() -> None:
    text, findings = pii.redact("Mail ana@example.org or call +44 20 7946 0958; card 4111111111111111.")
    assert text == "Mail [EMAIL] or call [PHONE]; card [CREDIT_CARD]."
    assert [finding.kind for finding in findings] == ["email", "phone", "credit_card"]


def test_gives_back_the_groups_after_a_number() -> None:
    assert pii.redact("card 4111 1111 1111 1111 12/27 cvc")[0] == "card [CREDIT_CARD] 12/27 cvc"
    assert pii.redact("DE89 3704 0044 0532 0130 00 BIC COBADEFF")[0] == "[IBAN] BIC COBADEFF"
    assert pii.redact("ring +44 20 7946 0958 2024")[0] == "ring [PHONE] 2024"


def test_text_after_a_private_key_stays() -> None:
    assert pii.redact(f"a {PEM}\nThen prose goes on.")[0] == "a [SECRET]\nThen prose goes on."


def test_kinds_can_be_chosen() -> None:
    assert pii.redact("a@example.org 203.0.113.7", kinds=["ip"])[0] == "a@example.org [IP]"


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1",
        "1 ",
        "+1 ",
        "a.",
        "a@",
        "a@a.",
        "1.",
        "a:",
        "1-1-",
        "sk-",
        "eyJ",
        "A1 ",
        "DE89 ",
        "-----BEGIN ",
        "ms-a1-aaaaaaaaaaaaaaaaaa-",
        "eyJaaaaaaaaaa.eyJ.",
        "-----BEGIN PRIVATE KEY-----",
        "(1",
        "\u00e9",
    ],
)
def test_time_is_linear(unit: str) -> None:
    assert_linear(pii.find, unit, 4_000)
