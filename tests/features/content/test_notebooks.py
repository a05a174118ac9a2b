"""Notebooks over HTTP: chosen documents, and nothing else."""

from __future__ import annotations

import io
import shutil
import wave
from pathlib import Path
from typing import Any

import pytest

from tests.features.content.world import FRAMES, attached, bicycles
from tests.world import Key, World

pytestmark = pytest.mark.slow
NOTEBOOKS = "/v1/content/notebooks"


async def notebook(world: World, key: Key, *names: str) -> tuple[str, dict[str, str]]:
    """A notebook of documents by name; its id, and the file id of each document of the collection."""
    files: dict[str, str] = {}
    for each in (await world.call(key, "GET", "/v1/vector_stores/bikes/files?limit=100")).json()["data"]:
        name = (await world.call(key, "GET", f"/v1/files/{each['id']}")).json()["filename"]
        files[name] = each["id"]
    body = {"name": "Mine", "collection": "bikes", "documents": [files[name] for name in names]}
    answer = await world.call(key, "POST", NOTEBOOKS, body)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"], files


async def studied(world: World, key: Key, name: str, kind: str, **more: Any) -> dict[str, Any]:
    answer = await world.call(key, "POST", f"{NOTEBOOKS}/{name}/studies", {"kind": kind, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def test_questions_are_answered_from_the_chosen_documents_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        name, files = await notebook(world, red, "tyres.md")
        ask = {"question": "How long does the warranty of bicycle frames last?"}
        found = (await world.call(red, "POST", f"{NOTEBOOKS}/{name}/ask", ask)).json()
        assert {each["file_id"] for each in found["citations"]} <= {files["tyres.md"]}
        assert "ten years" not in found["text"]
        whole, _ = await notebook(world, red)
        found = (await world.call(red, "POST", f"{NOTEBOOKS}/{whole}/ask", ask)).json()
        assert "ten years" in found["text"]
        for other in ("blue", "stranger"):
            assert (await world.call(world.keys[other], "GET", f"{NOTEBOOKS}/{name}")).status_code == 404
            assert (await world.call(world.keys[other], "POST", f"{NOTEBOOKS}/{name}/ask", ask)).status_code == 404


async def test_documents_are_studied_with_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        name, files = await notebook(world, red)
        summary = await studied(world, red, name, "summary")
        assert summary["parts"][0]["heading"] == "All documents"
        assert {each["heading"] for each in summary["parts"][1:]} == {"frames.md", "tyres.md"}
        timeline = await studied(world, red, name, "timeline")
        assert [line["label"] for line in timeline["parts"][0]["lines"]] == ["1888", "May 1891"]
        points = await studied(world, red, name, "key_points", documents=[files["frames.md"]])
        assert [each["heading"] for each in points["parts"]] == ["frames.md"]
        questions = await studied(world, red, name, "faq")
        assert all(line["label"].endswith("?") for line in questions["parts"][0]["lines"])
        for study in (summary, timeline, points, questions):
            for each in study["evidence"]:
                source = study["sources"][each["source"] - 1]
                path = f"/v1/vector_stores/{source['collection_id']}/files/{source['file_id']}/content"
                text = (await world.call(red, "GET", path)).json()["data"][0]["text"]
                assert text[each["start"] : each["end"]] == each["quote"]


async def test_two_documents_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        store = (await world.call(red, "GET", "/v1/vector_stores")).json()["data"][0]["id"]
        changed = FRAMES.replace("ten years", "five years").replace("900 grams", "900 grams or a little more")
        await attached(world, red, store, "frames-old.md", changed)
        name, files = await notebook(world, red, "frames.md", "frames-old.md", "tyres.md")
        refused = await world.call(red, "POST", f"{NOTEBOOKS}/{name}/studies", {"kind": "comparison"})
        assert refused.status_code == 400
        pair = [files["frames.md"], files["frames-old.md"]]
        found = await studied(world, red, name, "comparison", documents=pair)
        parts = {each["heading"]: [line["text"] for line in each["lines"]] for each in found["parts"]}
        assert sum("ten years" in text or "five years" in text for text in parts["Different values"]) == 2
        assert not any("ten years" in text for text in parts.get("Both speak of", []))


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="apt-get install espeak-ng")
async def test_a_summary_is_spoken_by_two_voices_and_goes_with_its_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bicycles(tmp_path, monkeypatch) as (world, red):
        name, files = await notebook(world, red, "tyres.md")
        made = (await world.call(red, "POST", f"{NOTEBOOKS}/{name}/recordings", {"kind": "timeline"})).json()
        assert len({each["voice"] for each in made["script"]}) == 2
        path = f"{NOTEBOOKS}/{name}/recordings/{made['id']}"
        sound = await world.call(red, "GET", path)
        with wave.open(io.BytesIO(sound.content)) as found:
            assert found.getnframes() / found.getframerate() > 2
        assert (await world.call(world.keys["blue"], "GET", path)).status_code == 404
        await world.call(red, "DELETE", f"/v1/vector_stores/bikes/files/{files['tyres.md']}")
        assert (await world.call(red, "GET", path)).status_code == 404
        assert (await world.call(red, "GET", f"{NOTEBOOKS}/{name}")).json()["recordings"] == []
        assert (await world.call(red, "POST", f"{NOTEBOOKS}/{name}/studies", {"kind": "summary"})).status_code == 404
