"""What an order may reach: models and versions of its tenant, and no folder, other tenant or host outside."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.errors import Forbidden, InvalidRequest, MainspringError, NotFound, QuotaExceeded, UnknownModel
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.engines.catalogue.entries import trained_catalogue
from mainspring.features.train import planning
from mainspring.features.train import service as service_module
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.tables import training_jobs
from mainspring.features.train.versions.serving import Serving
from mainspring.features.translate.engine import card
from mainspring.stores.sql import rows
from mainspring.training.ports import Order
from mainspring.training.recipe import Made
from tests.features.train.world import World, fake_model, world, write

pytestmark = pytest.mark.slow
TALKS = [
    {"messages": [{"role": "user", "content": f"what is {each}"}, {"role": "assistant", "content": f"it is {each}"}]}
    for each in range(12)
]


@pytest.fixture(autouse=True)
def needless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders are taken where torch is not installed, too."""

    async def nothing(*_: Any) -> None:
        pass

    monkeypatch.setattr(service_module, "check_needs", nothing)


async def version(
    home: World, name: str, makes: Any, groups: frozenset[str] = frozenset(), tenant: str = "acme"
) -> str:
    """The label of a version without files, and the job that made it."""
    values = {"id": f"ftjob-{name}", "name": name, "recipe": makes, "groups": rows.names(groups)}
    values |= {"tenant": tenant, "state": "succeeded", "asked": rows.dump({"export": ""}), "owner": "", "key_id": ""}
    values |= {"created_at": 0.0, "updated_at": 0.0}
    await home.stores.database.write(lambda connection: connection.execute(sa.insert(training_jobs).values(values)))
    job = await home.service.jobs.of(tenant, f"ftjob-{name}")
    number = await home.service.kept.number(job, Made(makes))
    await home.service.kept.change(tenant, name, number, state="ready")
    return f"{name}@{number}"


def trained(home: Path, name: str) -> None:
    """A model of another tenant in the catalogue of what was trained, with its merged weights."""
    entry = json.loads((home / "models.yaml").read_text())["models"]["tiny"]
    trained_catalogue(home).parent.mkdir(exist_ok=True)
    trained_catalogue(home).write_text(json.dumps({"models": {name: entry}}))
    folder = home / "models" / name
    folder.mkdir(parents=True)
    manifest = json.loads((home / "models" / "tiny" / "manifest.json").read_text())
    (folder / "model.gguf").write_bytes(b"GGUF")
    (folder / "manifest.json").write_text(json.dumps({**manifest, "name": name}))


def asked(home: World, path: Path, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "training" / "jobs" / job_id / "job.json").read_text())
    return found


async def test_a_reward_model_is_a_version_of_the_tenant(tmp_path: Path) -> None:
    prompts = write(tmp_path / "prompts", TALKS)
    async with world(tmp_path, works=False, models=fake_model(tmp_path)) as home:
        mine = await version(home, "mine", "reward", frozenset({"staff"}))
        theirs = await version(home, "theirs", "reward", tenant="other")
        chat = await version(home, "chat", "chat")
        staff = Principal("acme", "k", frozenset({"train"}), frozenset({"staff"}))

        async def order(value: str, who: Principal) -> str:
            options = {"reward_model": value}
            return (await home.order("grpo", options=options, base="tiny", folder=prompts, who=who)).id

        for value in ("/srv/training/versions/x/other/1", "../other/1", "~/x", "./x"):
            with pytest.raises(InvalidRequest, match="not a folder of the server") as caught:
                await order(value, staff)
            assert caught.value.param == "options.reward_model"
        with pytest.raises(InvalidRequest, match="names a version"):
            await order("tiny", staff)
        with pytest.raises(InvalidRequest, match="is of the kind chat, and not reward"):
            await order(chat, staff)
        with pytest.raises(NotFound):
            await order(theirs, staff)
        with pytest.raises(NotFound):
            await order(mine, home.who)
        job = await order(mine, staff)
        place = home.service.places.version("acme", "mine", 1)
        assert asked(home, tmp_path, job)["given"] == {"reward_model": str(place)}
        # Whoever sees what comes of it sees the reward model.
        assert rows.load((await home.service.jobs.of("acme", job)).groups) == ["staff"]

        home.service.checking.by_hand = True
        assert asked(home, tmp_path, await order("/srv/own", staff))["given"] == {"reward_model": "/srv/own"}


async def test_a_translator_of_the_package_is_a_start(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs", [{"source": "a", "target": "b", "from": "en", "to": "fr"}] * 12)
    async with world(tmp_path, works=False) as home:
        job = await home.order("translate", options={"start": "everyday"}, folder=pairs)
        assert asked(home, tmp_path, job.id)["given"] == {"start": str(card.PACKAGED / "everyday")}
        with pytest.raises(InvalidRequest, match="or everyday, which comes with the package") as caught:
            await home.order("translate", options={"start": "everyday-2"}, folder=pairs)
        assert caught.value.param == "options.start"
        listed = await planning.bases(home.service, home.who, "translate", "start")
        assert [(each["id"], each["kind"], each["source"]) for each in listed["data"]] == [
            ("everyday", "translator", "package")
        ]


async def test_nothing_is_made_from_a_stale_version_that_would_be_withdrawn_at_once(tmp_path: Path) -> None:
    prompts = write(tmp_path / "prompts", TALKS)
    for on_erasure in ("withdraw", "mark"):
        settings = {"models": fake_model(tmp_path / on_erasure), "train": {"on_erasure": on_erasure}}
        async with world(tmp_path / on_erasure, works=False, **settings) as home:
            mine = await version(home, "mine", "reward")
            await home.service.kept.change("acme", "mine", 1, stale="rows of it were erased")
            order = {"options": {"reward_model": mine}, "base": "tiny", "folder": prompts}
            if on_erasure == "mark":
                assert (await home.order("grpo", **order)).state == "queued"
                continue
            with pytest.raises(InvalidRequest, match="mine@1 is stale: rows of it were erased") as caught:
                await home.order("grpo", **order)
            assert caught.value.param == "options.reward_model"


async def test_what_a_run_can_start_from_is_listed(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, models=fake_model(tmp_path)) as home:
        await version(home, "mine", "chat", frozenset({"staff"}))
        await version(home, "apart", "adapter")
        await version(home, "merged", "adapter")
        await version(home, "theirs", "chat", tenant="other")
        await version(home, "points", "reward")
        await home.service.kept.change("acme", "merged", 1, served="merged.v1")
        staff = Principal("acme", "k", frozenset({"train"}), frozenset({"staff"}))

        async def names(who: Principal = home.who, recipe: str = "", option: str = "") -> list[str]:
            return [each["id"] for each in (await planning.bases(home.service, who, recipe, option))["data"]]

        assert await names(recipe="grpo") == ["tiny", "merged@1"]
        assert sorted(await names(staff, "grpo")) == ["merged@1", "mine@1", "tiny"]
        assert await names(recipe="pretrain") == []
        every = await planning.bases(home.service, home.who, "", "")
        tiny = {each["id"]: each for each in every["data"]}["tiny"]
        assert (tiny["kind"], tiny["source"]) == ("chat", "model")
        assert "grpo" in tiny["recipes"]
        assert "pretrain" not in tiny["recipes"]
        # What options name, too.
        assert await names(recipe="grpo", option="reward_model") == ["points@1"]
        assert await names(recipe="distil", option="teacher") == ["tiny", "merged@1"]
        for recipe, option in (("grpo", "teacher"), ("", "teacher"), ("grpo", "batch")):
            with pytest.raises(InvalidRequest, match="names a model or a version") as caught:
                await names(recipe=recipe, option=option)
            assert caught.value.param == "option"
        await home.service.kept.change("acme", "merged", 1, stale="rows of it were erased")
        assert await names(recipe="grpo") == ["tiny", "merged@1"]
    withdrawing = {"models": fake_model(tmp_path / "other"), "train": {"on_erasure": "withdraw"}}
    async with world(tmp_path, works=False, **withdrawing) as home:
        assert [each.name for each in (await home.service.bases.choices(home.who, ("chat",)))[0]] == ["tiny"]


async def test_a_scorer_that_is_not_there_is_named_before_a_run(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, models=fake_model(tmp_path)) as home:
        for option in ("scorers", "rewards"):
            with pytest.raises(InvalidRequest, match="no scorer exat") as caught:
                await home.order("grpo", base="tiny", options={option: [{"name": "exat"}]}, folder=tmp_path)
            assert caught.value.param == f"options.{option}"
            assert "exact" in caught.value.remedy


async def test_no_name_of_what_others_trained_is_a_base_or_told(tmp_path: Path) -> None:
    models = fake_model(tmp_path)
    trained(tmp_path, "merger-project.v1.deadbeef")
    async with world(tmp_path, works=False, models=models) as home:
        for recipe, told in (("based", {}), ("distil", {"teacher": "merger-project.v1.deadbeef"})):
            for name in ("merger-projekt", "merger-project.v1.deadbeef"):
                base = "tiny" if told else name
                options = {"teacher": name} if told else {}
                with pytest.raises(UnknownModel) as caught:
                    await home.order(recipe, options=options, base=base)
                assert "merger-project.v1" not in str(caught.value).replace(f"{name!r}", "")
        assert await home.service.bases.licence("acme", "merger-project.v1.deadbeef") == ""


async def test_teachers_outside_are_the_operator_s(tmp_path: Path) -> None:
    models = fake_model(tmp_path).model_dump()
    models["remote"] = {"large": {"url": "https://api.example.org/v1", "model": "large", "api_key": "k"}}
    prompts = write(tmp_path / "prompts", TALKS)
    outside = ({"teacher": "large"}, {"teacher_url": "https://example.org/v1", "teacher_model": "m"})
    async with world(tmp_path, works=False, models=models, train={"per_tenant": 50}) as home:

        async def order(options: dict[str, Any], who: Principal = home.who) -> dict[str, Any]:
            job = await home.order("distil", options=options, base="tiny", folder=prompts, who=who)
            return asked(home, tmp_path, job.id)

        for options in outside:
            with pytest.raises(Forbidden, match="only the operator") as caught:
                await order(options)
            assert str(caught.value.param).startswith("options.teacher")
        operator = Principal("acme", "o", frozenset({"train", "operate"}))
        for options in outside:
            told = await order(options, operator)
            assert (told["outside"], told["given"]) == (True, {})
        told = await order({"teacher": "tiny"})
        assert (told["outside"], told["given"]) == (False, {"teacher": str(tmp_path / "models" / "tiny")})
        label = await version(home, "own", "chat")
        assert (await order({"teacher": label}))["given"]["teacher"].endswith("/own/1")
        home.service.checking.by_hand = True
        assert (await order(outside[0]))["outside"]


async def test_a_run_has_as_many_processes_and_weights_as_the_operator_says(tmp_path: Path) -> None:
    texts = write(tmp_path / "texts", [{"text": f"a text {each}"} for each in range(12)])
    many = {"data": 4096, "batch": 4096, "tensor": 2, "pipeline": 4}
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        (many, "train.processes"),
        ({"data": 2}, "train.processes"),
        ({"width": 8192, "layers": 128, "heads": 128, "kv_heads": 128}, "train.parameters"),
    )
    async with world(tmp_path / "one", works=False) as home:
        for options, told in cases:
            with pytest.raises(InvalidRequest, match=told):
                await home.order("pretrain", options=options, folder=texts)
        with pytest.raises(InvalidRequest, match=r"train\.parameters"):
            await home.order(
                "translate", options={"width": 1024, "inner": 8192, "encoder_layers": 24, "decoder_layers": 24}
            )
        assert (await home.order("pretrain", folder=texts)).state == "queued"
    async with world(tmp_path / "two", works=False, train={"processes": 2}) as home:
        assert (await home.order("pretrain", options={"data": 2}, folder=texts)).state == "queued"


async def test_a_tenant_has_so_many_versions_served(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"served": 2}) as home:
        registry = SimpleNamespace(attach=lambda _: None)
        settings = Settings.model_validate({"home": tmp_path, "train": {"served": 2}})
        rooms = SimpleNamespace(settings=settings, path=SimpleNamespace(registry=registry), stores=home.stores)
        home.service.serving = Serving(rooms, home.service.kept, home.service.places)  # type: ignore[arg-type]
        labels = [await version(home, name, "reranker") for name in ("a", "b", "c")]
        await version(home, "d", "reranker", tenant="other")
        await home.service.kept.change("other", "d", 1, served="d.v1")
        await home.service.kept.change("acme", "a", 1, served="a.v1")
        with pytest.raises(MainspringError) as caught:
            await home.service.serve_version(home.who, labels[2])
        assert not isinstance(caught.value, QuotaExceeded)
        await home.service.kept.change("acme", "b", 1, served="b.v1")
        with pytest.raises(QuotaExceeded, match=r"2 versions are served.*train\.served"):
            await home.service.serve_version(home.who, labels[2])
        # One that is served already takes no further place, and one that is withdrawn none.
        with pytest.raises(MainspringError) as caught:
            await home.service.serve_version(home.who, labels[1])
        assert not isinstance(caught.value, QuotaExceeded)
        await home.service.kept.change("acme", "a", 1, withdrawn_at=1.0)
        with pytest.raises(MainspringError) as caught:
            await home.service.serve_version(home.who, labels[2])
        assert not isinstance(caught.value, QuotaExceeded)


def test_a_limit_of_memory_holds_by_itself() -> None:
    from mainspring.engines.catalogue.larger_model import memory_bytes
    from mainspring.features.train.jobs import bounds

    assert bounds.memory_mb(TrainSettings()) == pytest.approx(0.75 * memory_bytes() / 2**20)
    assert bounds.memory_mb(TrainSettings(memory_mb=5)) == 5


async def test_a_command_without_a_server_is_the_operator_s(tmp_path: Path) -> None:
    from mainspring.features.train import local_training

    def whole(_: Any) -> Any:
        raise NotImplementedError

    async with local_training._service(Settings(home=tmp_path), Order("line"), whole) as (service, _):
        assert service.checking.by_hand
    async with world(tmp_path / "server", works=False) as home:
        assert not home.service.checking.by_hand
