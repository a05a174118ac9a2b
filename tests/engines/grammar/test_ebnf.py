import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidSchema
from mainspring.core.types import Grammar
from mainspring.engines.grammar import checks, ebnf

GOOD = {
    "words": 'root ::= answer " because " reason\nanswer ::= "yes" | "no"\nreason ::= [a-z ]{3,80} "." # why\n',
    "arithmetic": 'root ::= term (("+" | "-") term)*\nterm ::= "(" root ")" | [0-9]+',
    "json": (
        'root ::= value\nvalue ::= object | "true" | number\nobject ::= "{" (pair ("," pair)*)? "}"\n'
        'pair ::= "\\"" [a-z]+ "\\":" value\nnumber ::= "-"? [0-9]{1,9} ("." [0-9]+)?'
    ),
    "right recursion": 'root ::= "a" root | "b"',
    "several lines": 'root ::=\n  "a" |\n  "b"\n  "c"\n',
    "escapes": 'root ::= "\\x41\\u00e9\\n" [^\\]\\n]',
    "an empty side": 'root ::= "a" ("b" | "")',
}
BAD = {
    "": "no rule 'root'",
    'start ::= "a"': "no rule 'root'",
    "root ::= missing": "'missing', which is not defined",
    'root ::= "a" root': "never comes to an end",
    'root ::= root "a" | "b"': "begins with itself",
    'root ::= x "a" | "b"\nx ::= y*\ny ::= root | "c"': "begins with itself",
    'root ::= (("a"? root) | "b")': "begins with itself",
    'root ::= "a"?  root | "b"': "begins with itself",
    'root ::= ("a"': "not closed",
    'root ::= "a")': "expected the name of a rule",
    'root ::= "a': "line 1 cannot be read",
    'root ::= "a"\nroot ::= "b"': "defined twice",
    'root ::= "a"{2000}': "at most 1000",
    'root ::= "a"{5,2}': "upwards",
    "root ::= []": "cannot be read",
    'root "a"': "expected ::=",
    'root ::= %regex "a"': "cannot be read",
    "root ::= " + "(" * 60 + '"a"' + ")" * 60: "nested deeper",
    "root ::= " + '"a" ' * 9000: "longer than",
}


@pytest.mark.parametrize("source", GOOD.values(), ids=GOOD.keys())
def test_grammars_pass(source: str) -> None:
    assert checks.check(Grammar("ebnf", source)) == Grammar("ebnf", source)


@pytest.mark.parametrize(("source", "problem"), BAD.items(), ids=range(len(BAD)))
def test_what_is_wrong_is_said(source: str, problem: str) -> None:
    with pytest.raises(InvalidSchema, match=problem) as caught:
        checks.check(Grammar("ebnf", source))
    assert caught.value.param == "response_format"


@given(st.text('root:=" |()*+?{}[]a1,\n#\\^-', max_size=60))
def test_any_text_passes_or_is_refused(source: str) -> None:
    try:
        ebnf.check(source)
    except InvalidSchema:
        return
    assert "root" in source
