"""Cited sources that disagree: sentences of two documents that say the same thing with one different value.

The rules are strict: a false alarm costs more trust than a missed conflict. Two sentences disagree where, apart from
one value of one kind and unit (or apart from a "not"), they have the same content words and the same other values, and
their headings do not name different things. Statements that are only implied, or use quite different words, are not
found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.rag.answer.evidence.values import POLAR, Value, negative, values
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import terms

# The number of best sentences that are compared with the cited ones.
CONSIDERED = 12
_LEAST_SHARED = 2
# Words that may be in one sentence only: they carry no subject.
_GLUE = terms.content(
    "get gets give given gives have entitle entitled receive take pay paid cost costs price amount total sum up "
    "maximum need must allow allowed currently now new usually normally generally always each every per "
    "within until limit set run last lasts remain stay make made come offer provide provided please note only about "
    "around approximately roughly exactly later than least most own full whole standard use used apply applies staff "
    "employee employees everybody everyone customer customers you people company"
)
# Words of headings that name a kind of text or its age, and no thing.
_TEXTUAL = terms.content(
    "policy policies old new version draft final handbook guide guidelines update updated current archive archived "
    "edition copy faq rules terms notice page information overview general introduction summary document manual "
    "questions answers frequently asked previous next annual year part section chapter appendix january february march "
    "april may june july august september october november december revised revision effective issue"
)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two passages that disagree, the value of each as written, and the subject."""

    one: Passage
    other: Passage
    values: tuple[str, str]
    about: str


@dataclass(frozen=True, slots=True)
class _Said:
    passage: Passage
    subject: frozenset[str]
    heading: frozenset[str]
    values: tuple[Value, ...]
    negative: bool

    @property
    def everything(self) -> frozenset[str]:
        return self.subject | self.heading


def disagreements(question: str, cited: Sequence[Passage], considered: Sequence[Passage]) -> list[Disagreement]:
    """Where a cited passage disagrees with another document's, one finding for each cited passage at most.

    ``considered`` are the passages of the question, best first; only the first ``CONSIDERED`` are compared. The
    disagreement must concern the question: both sentences share a content word with it.
    """
    asked = terms.content(question)
    others = [_said(passage) for passage in considered[:CONSIDERED]]
    found: list[Disagreement] = []
    for one in map(_said, cited):
        if any(one.passage in (each.one, each.other) for each in found):
            continue
        for other in others:
            pair = _differ(one, other) if one.passage.hit.document_id != other.passage.hit.document_id else None
            shared = one.everything & other.everything
            if pair and shared & asked:
                about = " ".join(_written(one.passage.text, shared))
                found.append(Disagreement(one.passage, other.passage, pair, about))
                break
    return found


def _differ(one: _Said, other: _Said) -> tuple[str, str] | None:
    """The two values, if two sentences differ only in them."""
    if len(one.everything & other.everything) < _LEAST_SHARED or not one.subject & other.subject:
        return None
    if (one.subject - other.everything - _GLUE) or (other.subject - one.everything - _GLUE):
        return None
    if (one.heading - other.everything) and (other.heading - one.everything):
        return None
    ours, theirs = _by_key(one.values), _by_key(other.values)
    if ours.keys() != theirs.keys():
        return None
    different = [key for key in ours if {each.amount for each in ours[key]} != {each.amount for each in theirs[key]}]
    if not different and one.negative != other.negative:
        return ("no", "yes") if one.negative else ("yes", "no")
    if len(different) != 1 or one.negative != other.negative:
        return None
    (key,) = different
    if len(ours[key]) != 1 or len(theirs[key]) != 1 or key == ("count", ""):
        return None
    return ours[key][0].text, theirs[key][0].text


def _said(passage: Passage) -> _Said:
    found = values(passage.text)
    plain = passage.text
    for value in reversed(found):
        plain = f"{plain[: value.start]} {plain[value.end :]}"
    heading = frozenset(word for word in terms.content(passage.heading) - _TEXTUAL if not word[0].isdigit())
    return _Said(passage, terms.content(plain) - POLAR, heading, tuple(found), negative(passage.text))


def _by_key(found: Sequence[Value]) -> dict[tuple[str, str], list[Value]]:
    keyed: dict[tuple[str, str], list[Value]] = {}
    for value in found:
        keyed.setdefault(value.key, []).append(value)
    return keyed


def _written(text: str, stems: frozenset[str]) -> list[str]:
    """The words of ``text`` that have these stems, as they are written."""
    return list(dict.fromkeys(text[start:end] for stem, start, end in terms.located(text) if stem in stems))
