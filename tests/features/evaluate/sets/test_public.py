"""Loaders of public collections, on home-made samples of each file format."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

import _labelled as labelled
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.features.evaluate.sets.loading import load

CORPUS_CSV = """doc_id,title,abstract,structured
11,On otters,"['Otters hold ""hands"".'
 ""It's for sleep.""]",False
12,On tides,"['The tide rises.']",False
"""
CLAIMS_CSV = """id,claim,evidence_doc_id,evidence_label,evidence_sentences,cited_doc_ids
1,Otters hold hands.,11,SUPPORT,[0],[11]
1,Otters hold hands.,11,SUPPORT,[1],[11]
2,"Tides, they say, fall.",12,CONTRADICT,[0],[11 12]
3,Nobody knows.,,,[],[12]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Files by path below a folder of data sets."""
    files = {
        "retrieval/med/MED.ALL": ".I 1\n.W\notters sleep\non their backs .\n.I 2\n.W\ntides rise .\n",
        "retrieval/med/MED.QRY": ".I 1\n.W\n how do otters sleep?\n.I 2\n.W\nnobody judged this\n",
        "retrieval/med/MED.REL": "1 0 1 1\n",
        "retrieval/cisi/CISI.ALL": ".I 1\n.T\nOtters\n.A\nDoe, J.\n.W\nThey sleep.\n.X\n1\t5\t1\n.I 2\n.W\nRise.\n",
        "retrieval/cisi/CISI.QRY": ".I 4\n.T\nA title\n.A\nDoe\n.W\nHow do\notters sleep?\n.B\n(JASIS)\n",
        "retrieval/cisi/CISI.REL": "     4      1\t0\t0.000000\n     4      2\t0\t0.000000\n",
        "retrieval/npl/doc-text": "1\notters sleep\nafloat\n   /\n2\ntides rise\n   /\n",
        "retrieval/npl/query-text": "1\nHOW OTTERS SLEEP\n/\n",
        "retrieval/npl/rlv-ass": "1\n   1\n   2\n   /\n",
        "retrieval/scifact/corpus_train.csv": CORPUS_CSV,
        "retrieval/scifact/claims_train.csv": CLAIMS_CSV,
        "retrieval/scifact/claims_validation.csv": CLAIMS_CSV.replace("\n1,", "\n7,").replace("\n2,", "\n8,"),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "first", "query", "gains"),
    [
        ("med", "otters sleep on their backs .", "how do otters sleep?", {"1": 1}),
        ("cisi", "Otters\n\nThey sleep.", "How do otters sleep?", {"1": 1, "2": 1}),
        ("npl", "otters sleep afloat", "how otters sleep", {"1": 1, "2": 1}),
    ],
)
def test_collections_that_are_reported_as_a_whole(
    home: Path, name: str, first: str, query: str, gains: dict[str, int]
) -> None:
    found = load(name, home)
    assert [document.id for document in found.documents] == ["1", "2"]
    assert found.documents[0].read().decode() == first
    (only,) = found.queries
    assert (only.text, only.gains, only.split) == (query, gains, "reported")


def test_scifact_as_a_collection(home: Path) -> None:
    found = load("scifact", home)
    assert found.documents[0].read().decode() == 'On otters\n\nOtters hold "hands". It\'s for sleep.'
    assert [(query.id, query.split, dict(query.gains)) for query in found.queries] == [
        ("1", "development", {"11": 1}),
        ("2", "development", {"11": 1, "12": 1}),
        ("3", "development", {"12": 1}),
        ("7", "reported", {"11": 1}),
        ("8", "reported", {"11": 1, "12": 1}),
        ("3", "reported", {"12": 1}),
    ]
    assert found.queries[1].text == "Tides, they say, fall."


def test_scifact_as_labelled_claims(home: Path) -> None:
    claims = labelled.scifact(home)
    assert [(claim.text, claim.supported, claim.split) for claim in claims] == [
        ("Otters hold hands.", True, "development"),
        ("Tides, they say, fall.", False, "development"),
        ("Otters hold hands.", True, "reported"),
        ("Tides, they say, fall.", False, "reported"),
    ]
    assert claims[1].source == "The tide rises."


def test_scifact_as_it_was_released_reads_the_same(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("released")
    folder = other / "retrieval" / "scifact"
    folder.mkdir(parents=True)
    corpus = [
        {"doc_id": 11, "title": "On otters", "abstract": ['Otters hold "hands".', "It's for sleep."]},
        {"doc_id": 12, "title": "On tides", "abstract": ["The tide rises."]},
    ]
    claims = [
        {
            "id": 1,
            "claim": "Otters hold hands.",
            "evidence": {"11": [{"sentences": [0], "label": "SUPPORT"}]},
            "cited_doc_ids": [11],
        },
        {
            "id": 2,
            "claim": "Tides, they say, fall.",
            "evidence": {"12": [{"sentences": [0], "label": "CONTRADICT"}]},
            "cited_doc_ids": [11, 12],
        },
        {"id": 3, "claim": "Nobody knows.", "evidence": {}, "cited_doc_ids": [12]},
    ]
    for name, rows in (("corpus", corpus), ("claims_train", claims), ("claims_dev", claims)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    one, two = load("scifact", home), load("scifact", other)
    assert [document.read() for document in one.documents] == [document.read() for document in two.documents]
    assert one.part("development").queries == two.part("development").queries
    assert labelled.scifact(home) == labelled.scifact(other)


def test_qags_counts_what_most_people_said(tmp_path: Path) -> None:
    path = tmp_path / "qa" / "qags" / "mturk_xsum.jsonl"
    path.parent.mkdir(parents=True)
    votes = [[{"worker_id": n, "response": word} for n, word in enumerate(row)] for row in (("yes", "no", "yes"), "nn")]
    sentences = [{"sentence": f"Sentence {n}. ", "responses": each} for n, each in enumerate(votes)]
    path.write_text(json.dumps({"article": "An article.", "summary_sentences": sentences}) + "\n\n")
    found = labelled.qags(tmp_path, "xsum")
    assert [(claim.text, claim.supported, claim.source) for claim in found] == [
        ("Sentence 0.", True, "An article."),
        ("Sentence 1.", False, "An article."),
    ]
    with pytest.raises(NotFound, match="mturk_cnndm"):
        labelled.qags(tmp_path, "cnndm")
    path.write_text('{"article": "An article."}')
    with pytest.raises(InvalidRequest, match="line 1 is not of QAGS' form"):
        labelled.qags(tmp_path, "xsum")


def test_what_is_absent_or_broken_is_named(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("scifact", "med", "cisi", "npl"):
        with pytest.raises(NotFound, match=f"retrieval/{name}"):
            load(name, tmp_path_factory.mktemp("empty"))
    folder = home / "retrieval" / "scifact"
    (folder / "corpus_train.csv").write_text("doc_id,title\n1,On otters\n")
    with pytest.raises(InvalidRequest, match="record 1 is not of SciFact's form"):
        load("scifact", home)
    (folder / "claims_validation.csv").unlink()
    (folder / "corpus_train.csv").write_text(CORPUS_CSV)
    with pytest.raises(NotFound, match="claims_dev"):
        load("scifact", home)


@pytest.mark.parametrize(
    ("name", "documents", "reported"),
    [("scifact", 5183, 300), ("med", 1033, 30), ("cisi", 1460, 76), ("npl", 11_426, 93)],
)
def test_the_real_files(data: Path, name: str, documents: int, reported: int) -> None:
    if not (data / "retrieval" / name).exists():
        pytest.skip(f"MAINSPRING_DATA has no retrieval/{name} (docs/reference/benchmarks-data.md)")
    found = load(name, data)
    assert len(found.documents) == documents
    assert len(found.part("reported").queries) == reported
    known = {document.id for document in found.documents}
    assert all(query.gains.keys() <= known for query in found.queries)


def test_tables_of_tat_qa_confine_their_questions(tmp_path: Path) -> None:
    def question(uid: str, kind: str, answer: object, place: str, compares: bool = False) -> dict[str, object]:
        facts = {"answer": answer, "answer_type": kind, "answer_from": place, "req_comparison": compares}
        return {"uid": uid, "question": f"What of {uid}?", **facts}

    asked = [
        question("cell", "span", ["1,496"], "table"),
        question("largest", "span", ["2019"], "table", True),
        question("change", "arithmetic", -12.6, "table"),
        question("types", "multi-span", ["Fixed", "Other"], "table-text"),
        question("why", "span", ["they rose"], "text"),
    ]
    row = {
        "table": {"table": [["", "2019"], ["Total  sales", "$1,496"]]},
        "paragraphs": [{"text": "Sales are fixed."}],
        "questions": asked,
    }
    folder = tmp_path / "qa/grounded/tatqa"
    folder.mkdir(parents=True)
    for part in ("dev", "test_gold"):
        (folder / f"tatqa_dataset_{part}.json.gz").write_bytes(gzip.compress(json.dumps([row]).encode()))
    judged = load("tatqa", tmp_path)
    assert judged.documents[0].read().decode() == "|  | 2019 |\n|---|---|\n| Total sales | $1,496 |\n\nSales are fixed."
    mine = judged.part("development").queries
    assert [each.form for each in mine] == ["cell", "comparison", "arithmetic", "list", "text"]
    assert {each.within for each in mine} == {("dev-000.md",)}
    assert mine[2].answers == ("-12.6",)
    assert mine[3].every == (("Fixed",), ("Other",))
    assert {each.within for each in judged.part("reported").queries} == {("test_gold-000.md",)}


def test_articles_of_squad_are_in_one_half_only(tmp_path: Path) -> None:
    def article(number: int) -> dict[str, object]:
        rows = [
            {"id": f"{number}-yes", "question": f"Who is {number}?", "answers": [{"text": str(number)}]},
            {"id": f"{number}-no", "question": f"Why is {number}?", "answers": [], "is_impossible": True},
        ]
        return {"paragraphs": [{"context": f"This is {number}.", "qas": rows}]}

    (tmp_path / "qa/squad").mkdir(parents=True)
    (tmp_path / "qa/squad/dev-v2.0.json").write_text(json.dumps({"data": [article(n) for n in range(1, 9)]}))
    judged = load("squad-articles", tmp_path)
    assert {each.id for each in judged.part("reported").queries} == {"4-yes", "4-no", "8-yes", "8-no"}
    assert len(judged.part("development").queries) == 12
    assert len(judged.documents) == 8
