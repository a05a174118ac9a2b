"""Things that a question asks about and that the documents do not mention, in any words.

"How many weeks of paid sabbatical are there?" resembles pages about leave, which do not mention sabbaticals. A noun of
the question counts as missing if neither the documents of the best passages nor the other chunks have it or a word with
similar spelling, and no word of the passages is close to it in meaning. If the question names somebody or something
("Which pension provider does Larkfield use?"), the noun must be near the best passages: another document about pensions
says nothing about Larkfield's. Questions about the asker's own affairs use everyday words, which documents write
differently: they are exempt.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.rag.answer.evidence.exact_names import ExactName, named
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms

# "How do I" and "can I" ask for rules that apply to everybody.
_FOR_ALL = re.compile(r"\b(?:do|can|should|must|may|could|would) i\b", re.IGNORECASE)
_PERSONAL = re.compile(r"\b(?:i|i['’]\w+|me|my|mine|we|us|our|ours|you|you['’]\w+|your|yours)\b", re.IGNORECASE)
# Tasks ("Explain the rules in simple terms") have words of their own, which need not be in the documents.
_ASKS = re.compile(
    r"\W*(?:[a-z]+ ){0,2}?(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|should"
    r"|must|may|might|will|would|has|have|had)\b",
    re.IGNORECASE,
)
# Computed quantities, and parts of statements named by their role, are in no document in these words.
_COMPUTED = re.compile(
    r"\b(?:increases?|decreases?|changes?|ratio|difference|average|mean|total|sum|percentage|growth|proportion|net)\b"
    r"|\bhow (?:much|many) (?:more|fewer|less|longer|larger|smaller|higher|lower|older|younger)\b.{0,300}\bthan\b",
    re.IGNORECASE,
)
# Words that precede a noun, or the word in front of a noun.
_BEFORE_NOUNS = frozenset("a an the of for on with in about by any no".split())
# Words that precede a noun for the kind of answer: if the question names nothing else, documents may give the answer
# without that noun.
_ASKED_FOR = frozenset("what which how many".split())
# They follow a verb, as in "What explains the rise", and never follow the noun of "What salary".
_DETERMINERS = frozenset("the a an this that these those its their his her my your our".split())
# Properties of things rather than things; documents write money as a sign.
_SAYS_NOTHING = frozenset(
    "terms words word sentence sentences detail details example examples list summary document documents page pages "
    "person people thing things kind kinds sort sorts type types way ways case cases figure figures amount number "
    "value moment purpose reason result pounds pound dollars dollar euros euro percent percentage beginning "
    "middle year month week date time hour minute part side item unit kilo rate size".split()
)
# Nouns that documents give as a value without naming them: "Bread: £3" has a price.
_VALUES = frozenset(
    "price cost costs charge charges length height width weight depth distance dimensions volume capacity duration "
    "period deadline start opening closing hours times address email phone telephone contact location place colour "
    "color title author owner manager director leader speed temperature rate total maximum minimum limit range average "
    "difference default answer answers number count share level order version format language method name names "
    "formula definition meaning summary purpose age ages dates years months weeks currency".split()
)
# Set on development questions: of SQuAD's answerable ones 1 in 153 has a noun below it, of other documents' 0 in 173.
_CLOSE = 0.42
_LETTERS, _SPELLING = 5, 0.8
# Beside a name, shorter nouns count as well.
_SHORT_LETTERS = 4
_PASSAGES, _DOCUMENTS, _WORDS = 12, 3, 160
# More nouns are a text that was pasted; each is compared with each word of the passages.
_MOST_NOUNS = 64
# If the question names something, this many chunks with the best passages are checked.
_NEAR = 5


def impersonal(question: str) -> bool:
    """Whether ``question`` asks for something that documents state for everybody: it is no task, asks for nothing
    computed, and is not about the asker's own affairs."""
    asks = _ASKS.match(question) is not None and _COMPUTED.search(question) is None
    return asks and not personal(question)


def personal(question: str) -> bool:
    """Whether ``question`` is about things of the asker or of the one who answers; "How do I" and "can I" are not."""
    return _PERSONAL.search(_FOR_ALL.sub("", question)) is not None


async def absent(
    question: str,
    passages: Sequence[Passage],
    candidates: Sequence[Hit],
    texts: Mapping[str, str],
    embedder: Embedder,
) -> tuple[ExactName, ...]:
    """The nouns of ``question`` that the search results lack."""
    last = question.rpartition("\n")[2]
    if not passages or not impersonal(last):
        return ()
    documents = list(dict.fromkeys(passage.hit.document_id for passage in passages))[:_DOCUMENTS]
    best = [f"{passage.hit.source} {passage.heading} {passage.text}" for passage in passages[:_PASSAGES]]
    everywhere = [*best, *(f"{hit.heading} {hit.text}" for hit in candidates), *(texts[name] for name in documents)]
    found = await _unspoken(_nouns(last, _BEFORE_NOUNS), everywhere, best, embedder)
    if found or not any(each.kind == "name" for each in named(last)):
        return found
    chunks: dict[tuple[str, int], str] = {}
    for passage in passages:
        place = f"{passage.hit.source} {passage.heading} {passage.hit.text}"
        chunks.setdefault((passage.hit.document_id, passage.hit.start), place)
    near = list(chunks.values())[:_NEAR]
    return await _unspoken(_nouns(last, _BEFORE_NOUNS | _ASKED_FOR, _SHORT_LETTERS), near, near, embedder)


async def _unspoken(
    nouns: Sequence[str], found: Sequence[str], near: Sequence[str], embedder: Embedder
) -> tuple[ExactName, ...]:
    """The ``nouns`` that no text of ``found`` contains and that are close to no word of ``near``, in spelling or in
    meaning."""
    missing = {terms.stem(noun.lower()): noun for noun in nouns[:_MOST_NOUNS]}
    for text in found:
        for stem in terms.among(missing.keys(), text):
            del missing[stem]
    if not missing:
        return ()
    said = list(dict.fromkeys(word for text in near for word in terms.plain(text) if len(word) > 2))
    said = [word for word in said if not terms.stops(word)][:_WORDS]
    left = [noun for noun in missing.values() if not difflib.get_close_matches(noun.lower(), said, 1, _SPELLING)]
    if not left or not said:
        return ()
    vectors = np.asarray((await embedder.embed([*(noun.lower() for noun in left), *said])).vectors)
    closest = (vectors[: len(left)] @ vectors[len(left) :].T).max(axis=1)
    return tuple(ExactName(noun, "name") for noun, close in zip(left, closest.tolist(), strict=True) if close < _CLOSE)


def _nouns(question: str, openers: frozenset[str], letters: int = _LETTERS) -> list[str]:
    """Words of ``question`` in noun positions, as written: after ``openers`` or an adjective after those; names, empty
    words and those of less than ``letters`` letters are left out."""
    found: list[str] = []
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", question)
    for number, word in enumerate(words):
        before = [each.lower() for each in words[max(0, number - 2) : number]]
        plain = word.islower() and len(word) >= letters and word.isalpha() and not terms.stops(word)
        # "In Polish zloty" has an adjective, "the Mongols bring" a verb.
        people = words[number - 1].istitle() and words[number - 1].endswith("s")
        adjective = len(before) == 2 and before[0] in openers and before[1] not in openers and not people
        verb = (
            before[-1:] in (["what"], ["which"])
            and words[number + 1 : number + 2]
            and words[number + 1] in _DETERMINERS
        )
        if (
            plain
            and before
            and not verb
            and (before[-1] in openers or adjective)
            and word not in _SAYS_NOTHING | _VALUES
        ):
            found.append(word)
    return found
