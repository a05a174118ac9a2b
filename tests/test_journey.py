"""The one journey through everything that exists; each capability lengthens it.

ask -> cite -> open what was cited -> follow up -> thumbs-down with an edit -> event of the first answer, under its
trace id -> a row of a data set with that trace, and its score -> a reviewer's label and correction, which become
another row with that trace -> what a request costs, in the ledger and in its key's budget -> a canary serves a request,
and its events say so -> the same follow-up in a session, forked and forgotten -> the same question in a batch -> an
agent that looks the answer up, whose steps are kept and replayed -> a customer who returns things of an order, which a
person approves, and then speaks to a person -> edited answers of another collection become a candidate that is trained,
compared, tried on half of the people and promoted, and an answer of it leads back to the edit.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import openai

from tests.conftest import HANDBOOK, Server

QUESTION = "I have to stay overnight in Leeds for work, how much can my room cost?"
FOLLOW_UP = "And in London?"
SMALL = "smollm2-135m-instruct"
EDIT = "Up to £104 a night in Leeds."
HUTS = (
    "Harrow",
    "Birkdale",
    "Corrie",
    "Dunmore",
    "Eskholm",
    "Fellside",
    "Garth",
    "Howgill",
    "Inver",
    "Kinder",
    "Rona",
    "Skene",
    "Tarvie",
    "Ulpha",
    "Wharram",
    "Yarrow",
)
"""What people say of answers about the first ones is learned; the others are held out."""
TAUGHT = 6
_PLACES = (
    "at the dairy",
    "under a slate",
    "with the warden",
    "in the post office",
    "in the boat house",
    "behind the barn",
    "in the church",
    "with the ferryman",
    "at the pump",
    "in the old forge",
    "at the pier",
    "behind the kiln",
    "at the school",
    "under the bench",
    "at the bakery",
    "in the tower",
)


def test_journey(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key)

    asked = client.chat.completions.with_raw_response.create(
        model="handbook", messages=[{"role": "user", "content": QUESTION}]
    )
    answer = asked.parse()
    trace_id, answer_id = asked.headers["x-trace-id"], asked.headers["x-answer-id"]
    assert answer.id == answer_id
    assert "£104" in (answer.choices[0].message.content or "")

    citations: list[dict[str, Any]] = (answer.choices[0].message.model_extra or {})["citations"]
    assert citations[0]["source"] == "travel-and-expenses.pdf"
    assert (HANDBOOK / citations[0]["source"]).exists()

    cited = citations[0]
    at = f"/v1/vector_stores/{cited['vector_store_id']}/files/{cited['file_id'] or cited['document_id']}/content"
    status, opened = server.call("GET", f"{at}?start={cited['start']}&end={cited['end']}")
    assert status == 200
    assert opened["filename"] == cited["source"]
    assert opened["data"][0]["text"] == cited["quote"]

    followed = client.chat.completions.create(
        model="handbook",
        messages=[
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": answer.choices[0].message.content or ""},
            {"role": "user", "content": FOLLOW_UP},
        ],
    )
    assert "£" in (followed.choices[0].message.content or "")
    assert (followed.choices[0].message.model_extra or {})["citations"][0]["source"] == cited["source"]

    status, feedback = server.call(
        "POST", "/v1/feedback", {"answer_id": answer_id, "rating": "down", "edit": EDIT, "consent": True}
    )
    assert status == 201
    assert feedback["trace_id"] == trace_id

    status, page = server.call("GET", f"/v1/events?trace_id={trace_id}")
    events = {event["kind"]: event for event in page["data"]}
    assert {"answer", "retrieval", "feedback"} <= events.keys()
    assert events["feedback"]["parent_id"] == events["answer"]["id"]
    assert events["feedback"]["content"] == EDIT
    assert events["feedback"]["facts"]["rating"] == "down"
    assert QUESTION in events["answer"]["content"]

    _becomes_an_example(server, trace_id, {answer_id, feedback["id"]})
    _is_reviewed(server, trace_id, answer_id)
    _costs_what_the_ledger_says(server, client, events["answer"]["facts"]["key_id"])
    canary = _from_the_canary(client)
    status, page = server.call("GET", f"/v1/events?trace_id={canary}")
    facts = {event["kind"]: event["facts"] for event in page["data"]}
    assert facts["answer"]["arm"] == "canary"
    assert facts["call"]["arms"] == {"helper": "canary"}
    _in_a_session(client, server)
    _in_a_batch(client)
    _by_an_agent(client, server)
    _by_support(client, server)
    _gets_better(client, server)


def _becomes_an_example(server: Server, trace_id: str, events: set[str]) -> None:
    """The answer that was edited becomes a row of a data set, with its trace, and what was answered is scored."""
    status, made = server.call("POST", "/v1/datasets/edits/versions", {"traces": {"thumb": "down", "edited": True}})
    # Others have edited answers of this server, too.
    assert (status, made["version"]) == (201, 1)
    assert made["examples"] >= 1
    status, rows = server.call("GET", f"/v1/datasets/edits/examples?trace_id={trace_id}")
    (row,) = rows["data"]
    assert (row["messages"][-1]["content"], row["references"]) == (QUESTION, [EDIT])
    assert events <= set(row["sources"])
    status, begun = server.call("POST", "/v1/experiments", {"dataset": "edits", "scorers": [{"name": "f1"}]})
    assert status == 201
    while server.call("GET", f"/v1/experiments/{begun['id']}")[1]["status"] in ("queued", "running"):
        time.sleep(0.2)
    status, report = server.call("GET", f"/v1/experiments/{begun['id']}/report")
    assert 0 < report["responders"][0]["scores"]["f1"]["mean"] < 1


def _is_reviewed(server: Server, trace_id: str, answer_id: str) -> None:
    """The same answer goes to a reviewer, whose correction becomes a row of a data set with the answer's trace."""
    definition = {"rule": {"certain": [], "share": 0}, "labelling": {"double": 0}, "dataset": "reviewed"}
    status, _ = server.call("POST", "/v1/review/queues", {"name": "journey", "definition": definition})
    assert status == 201
    server.call("POST", "/v1/review/queues/journey/items", {"answer_ids": [answer_id]})
    task = server.call("POST", "/v1/review/queues/journey/next")[1]["task"]
    assert task["question"] == QUESTION
    label = {"labels": {"correct": 1}, "approved": False, "errors": ["incomplete"], "edit": f"{EDIT} Ask first."}
    status, _ = server.call("POST", f"/v1/review/queues/journey/items/{task['item_id']}/label", label)
    assert status == 201
    until = time.monotonic() + 60
    rows: list[dict[str, Any]] = []
    while not rows and time.monotonic() < until:
        server.call("POST", "/v1/review/run")
        status, found = server.call("GET", f"/v1/datasets/reviewed/examples?trace_id={trace_id}")
        rows = found["data"] if status == 200 else []
    (row,) = rows
    assert row["references"] == [f"{EDIT} Ask first."]
    assert row["tags"]["verdict"] == "rejected"
    label_events = [
        each
        for each in server.call("GET", f"/v1/events?trace_id={trace_id}")[1]["data"]
        if each["kind"] == "label" and each["id"] in row["sources"]
    ]
    assert [each["facts"]["edited"] for each in label_events] == [True]


def _costs_what_the_ledger_says(server: Server, client: openai.OpenAI, key_id: str) -> None:
    """A request's cost stands in the ledger under its trace id, and its key's budget has moved by exactly that."""
    _, made = server.call("POST", "/v1/budgets", {"scope": "key", "subject": key_id, "limit_usd": 100})
    asked = client.chat.completions.with_raw_response.create(
        model="handbook", messages=[{"role": "user", "content": "How many days of holiday do I have?"}]
    )
    _, moved = server.call("GET", f"/v1/budgets/{made['id']}")
    _, page = server.call("GET", f"/v1/costs?by=application&by=key&trace_id={asked.headers['x-trace-id']}")
    (line,) = page["data"]
    assert (line["application"], line["key"]) == ("handbook", key_id)
    assert line["cost_nanousd"] > 0
    assert moved["spent_nanousd"] - made["spent_nanousd"] == line["cost_nanousd"]
    assert moved["spent_tokens"] - made["spent_tokens"] == line["prompt_tokens"] + line["completion_tokens"]
    assert moved["reserved_nanousd"] == 0
    assert server.call("DELETE", f"/v1/budgets/{made['id']}")[0] == 200


def _from_the_canary(client: openai.OpenAI) -> str:
    """The trace id of a request that the route's canary answered."""
    for user in range(40):
        said = client.chat.completions.with_raw_response.create(
            model="helper", user=str(user), max_tokens=4, messages=[{"role": "user", "content": "Hello"}]
        )
        if said.headers["x-mainspring-arm"] == "canary":
            return said.headers["x-trace-id"]
    raise AssertionError("forty users, and none of them in the canary")


def _in_a_session(client: openai.OpenAI, server: Server) -> None:
    """The server remembers what the follow-up leans on, until it is told to forget it."""
    for text in (QUESTION, FOLLOW_UP):
        said = client.chat.completions.create(
            model="handbook",
            messages=[{"role": "user", "content": text}],
            extra_body={"session_id": "journey", "options": {"session": {"strategy": "hierarchical"}}},
        )
        assert "£" in (said.choices[0].message.content or "")
    status, page = server.call("GET", "/v1/sessions/journey/messages?order=asc")
    assert [each["content"] for each in page["data"]][::2] == [QUESTION, FOLLOW_UP]
    first = {"session_id": "journey-2", "turn_id": page["data"][0]["turn_id"]}
    status, fork = server.call("POST", "/v1/sessions/journey/fork", first)
    assert (status, fork["turns"]) == (201, 1)
    assert server.call("DELETE", "/v1/sessions/journey")[0] == 200
    status, page = server.call("GET", "/v1/sessions/journey-2/messages")
    assert page["data"][-1]["content"] == QUESTION
    status, page = server.call("GET", f"/v1/events?answer_id={said.id}&kind=answer")
    assert page["data"][0]["content"] is None


def _in_a_batch(client: openai.OpenAI) -> None:
    body = {"model": "handbook", "messages": [{"role": "user", "content": QUESTION}]}
    line = {"custom_id": "q", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file = client.files.create(file=("q.jsonl", json.dumps(line).encode()), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    end = time.monotonic() + 60
    while batch.status != "completed" and time.monotonic() < end:
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    assert batch.output_file_id, batch
    answer = json.loads(client.files.content(batch.output_file_id).text)["response"]["body"]
    assert "£104" in answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["message"]["citations"][0]["source"] == "travel-and-expenses.pdf"


def _by_an_agent(client: openai.OpenAI, server: Server) -> None:
    """An agent searches the handbook for the question: a tool call under the request's trace, and a run to replay."""
    tools = [{"collection": {"collection": "handbook", "passages": 1}}]
    definition = {"name": "desk", "model": SMALL, "instruction": "Answer in one sentence.", "tools": tools}
    status, made = server.call("POST", "/v1/agents", {"definition": definition})
    assert status == 201, made
    asked = client.chat.completions.with_raw_response.create(
        model="desk", max_tokens=16, messages=[{"role": "user", "content": QUESTION}]
    )
    run, trace_id = asked.headers["x-mainspring-run"], asked.headers["x-trace-id"]
    # What was found is told as it is: the small model misreads results.
    assert "(" in (asked.parse().choices[0].message.content or "")
    status, page = server.call("GET", f"/v1/events?trace_id={trace_id}")
    facts = {event["kind"]: event["facts"] for event in page["data"]}
    assert (facts["tool"]["tool"], facts["tool"]["outcome"], facts["tool"]["run_id"]) == ("search_handbook", "ok", run)
    status, steps = server.call("GET", f"/v1/agents/runs/{run}/steps")
    assert {"tool", "value"} <= {step["kind"] for step in steps["data"]}
    status, replayed = server.call("POST", f"/v1/agents/runs/{run}/replay", {})
    assert (status, replayed["identical"]) == (200, True), replayed
    assert server.call("DELETE", "/v1/agents/desk")[0] == 200


def _by_support(client: openai.OpenAI, server: Server) -> None:
    """A customer of the sample shop: identified, refunds of which the last needs a person, and a handover."""

    def say(text: str) -> tuple[str, str]:
        """The answer, and the id of its trace."""
        asked = client.chat.completions.with_raw_response.create(
            model="support",
            messages=[{"role": "user", "content": text}],
            extra_body={"session_id": "care"},
        )
        return asked.parse().choices[0].message.content or "", asked.headers["x-trace-id"]

    def events(trace_id: str) -> list[dict[str, Any]]:
        status, page = server.call("GET", f"/v1/events?trace_id={trace_id}")
        assert status == 200
        return page["data"]  # type: ignore[no-any-return]

    assert "postcode" in say("I want to return the jacket, the rucksack and the stove of order LS-21113.")[0]
    assert "used" in say("hugos@mail.example, KE7 8CA")[0]
    assert "£157.05" in say("they are unused")[0]
    done, trace_id = say("yes")
    assert "RMA" in done
    kinds = {(each["kind"], each["facts"].get("tool", each["facts"].get("outcome"))) for each in events(trace_id)}
    assert {("tool", "start_return"), ("dialogue", "asked")} <= kinds
    say("yes")
    waiting, trace_id = say("yes")
    assert "A colleague must approve" in waiting
    _, page = server.call("GET", "/v1/approvals?status=pending")
    calls = {each["tool_call"]["function"]["name"]: each["id"] for each in page["data"]}
    assert (
        server.call("POST", f"/v1/approvals/{calls['approved_return']}/approve", {"note": "a good customer"})[0] == 200
    )
    end = time.monotonic() + 30
    while "Cinder" not in (told := say("What is the status of my return for LS-21113?")[0]):
        assert time.monotonic() < end, told
        time.sleep(0.2)
    handed, trace_id = say("I want to speak to a person now")
    assert "CS-" in handed
    found = events(trace_id)
    assert {each["facts"]["outcome"] for each in found if each["kind"] == "dialogue"} == {"passed_on"}
    assert "case" in {each["kind"] for each in found}
    assert server.call("GET", "/v1/desk/cases")[1]["data"][0]["kind"] == "escalation"


def _gets_better(client: openai.OpenAI, server: Server) -> None:
    """People cut answers down to one sentence. What is trained on that is compared, tried on half of the people, and
    promoted when they like it; its answers lead back to the edits. Nothing of it stays."""
    huts = _Huts(client, server)
    store = _with_huts(client)
    said = huts.edited()
    campaign = huts.promoted()
    answer, text = huts.ask(HUTS[-1], "walker")
    assert text == _key(HUTS[-1])[1]
    made_of = huts.made_of(answer)
    assert made_of["campaign"] == campaign
    assert {each["answer_id"]: each["feedback"][0]["id"] for each in made_of["sources"]["data"]} == said
    feedback = next(iter(said.values()))
    (served,) = huts.call("GET", f"/v1/improve/lineage/feedback/{feedback}")["made_into"]
    assert served["id"] == made_of["id"]
    assert answer in str(served["answers"]["data"])

    huts.call("POST", "/v1/improve/applications/huts/undo", {})
    assert _key(HUTS[-1])[1] != huts.ask(HUTS[-1], "walker")[1]
    huts.call("DELETE", "/v1/improve/policies/huts")
    client.vector_stores.delete(store)


class _Huts:
    """People who ask the collection ``huts``."""

    def __init__(self, client: openai.OpenAI, server: Server) -> None:
        self.client, self.server = client, server

    def call(self, method: str, path: str, body: object = None) -> Any:
        status, told = self.server.call(method, path, body)
        assert status < 300, told
        return told

    def ask(self, hut: str, user: str) -> tuple[str, str]:
        """The id of the answer, from which may be learnt, and its text without the numbers of sources."""
        asked = self.client.chat.completions.create(
            model="huts",
            user=user,
            messages=[{"role": "user", "content": _key(hut)[0]}],
            extra_headers={"X-Training-Consent": "true"},
        )
        return asked.id, re.sub(r"\s*\[\d+\]|\*", "", asked.choices[0].message.content or "")

    def edited(self) -> dict[str, str]:
        """What people said of answers, by answers; it is a data set, and other examples are held out."""
        said = {}
        for hut in HUTS[:TAUGHT]:
            answer, text = self.ask(hut, "walker")
            right = _key(hut)[1]
            assert right in text
            assert right != text
            told = {"answer_id": answer, "rating": "down", "edit": right, "consent": True}
            said[answer] = self.call("POST", "/v1/feedback", told)["id"]
        traces = {"application": "huts", "edited": True}
        self.call("POST", "/v1/datasets/hut-edits/versions", {"traces": traces})
        self.call("POST", "/v1/datasets/hut-edits/split", {"train": 1, "validation": 0, "test": 0})
        held = [{"id": hut, "question": _key(hut)[0], "references": [_key(hut)[1]]} for hut in HUTS[TAUGHT:]]
        self.call("POST", "/v1/datasets/huts-held-out/versions", {"examples": held})
        return said

    def promoted(self) -> str:
        """The campaign, when it is over."""
        self.call("PUT", "/v1/improve/policies/huts", _HUT_POLICY)
        campaign: str = self.call("POST", "/v1/improve/policies/huts/run")["id"]
        end, number = time.monotonic() + 300, 0
        over = ("promoted", "refused", "rolled back")
        while (now := self.call("GET", f"/v1/improve/campaigns/{campaign}"))["stage"] not in over:
            assert time.monotonic() < end, now
            if now["stage"] != "canary":
                time.sleep(0.2)
                continue
            number += 1
            hut = HUTS[number % TAUGHT]
            answer, text = self.ask(hut, f"walker {number}")
            rating = "up" if text == _key(hut)[1] else "down"
            self.call("POST", "/v1/feedback", {"answer_id": answer, "rating": rating})
        assert now["stage"] == "promoted", [each["reason"] for each in now["steps"]]
        assert [each["stage"] for each in now["steps"]][1:5] == ["training", "comparing", "canary", "promoting"]
        return campaign

    def made_of(self, answer: str) -> Any:
        """What gave an answer. It is counted from time to time."""
        end = time.monotonic() + 60
        while (found := self.call("GET", f"/v1/improve/lineage/answers/{answer}")["given_by"]) is None:
            assert time.monotonic() < end
            time.sleep(0.2)
        return found


_HUT_POLICY = {
    "data": {"dataset": "hut-edits", "least_rows": TAUGHT},
    "rungs": [
        {
            "recipe": "answers-shown",
            "kind": "answering",
            "options": {"collection": "huts", "questions": 5, "tried": {"near": [0.0], "next": [0.0]}},
        }
    ],
    "offline": {"dataset": "huts-held-out", "gain": {"name": "f1", "effect": 0.05}},
    "canary": {"steps": [0.5], "step_s": 0, "metric": {"source": "feedback", "window_s": 5, "effect": 0.5}},
    "after": {"seconds": 0},
}


def _key(hut: str) -> tuple[str, str]:
    """A question, and the sentence that answers it."""
    return f"Where is the key of the {hut} hut kept?", f"The key of the {hut} hut is kept {_PLACES[HUTS.index(hut)]}."


def _with_huts(client: openai.OpenAI) -> str:
    """The collection ``huts``; its id."""
    rest = "This is also the key of its shed. Whoever loses it pays for a lock."
    text = "\n\n".join(f"# {hut}\n\n{_key(hut)[1]} {rest}" for hut in HUTS)
    file = client.files.create(file=("huts.md", text.encode()), purpose="assistants")
    store = client.vector_stores.create(name="huts", file_ids=[file.id]).id
    end = time.monotonic() + 60
    while client.vector_stores.retrieve(store).file_counts.completed < 1:
        assert time.monotonic() < end
        time.sleep(0.1)
    return store
