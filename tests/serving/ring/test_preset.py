import pytest

from mainspring.core.errors import InvalidRequest, SettingsError
from mainspring.core.settings import Preset, ServingSettings
from mainspring.core.types import Grammar, Sampling
from mainspring.serving.ring.preset import HEADER, Presets, applied, builtin
from tests.serving.house import Build

# Section D.8 of the design guide: (lowest, highest) temperature and top-p of each task.
GUIDE = {"code": (0.0, 0.2, 0.95), "chat": (0.7, 1.0, 0.9), "creative": (1.0, 1.5, 0.95), "factual": (0.0, 0.3, None)}


def test_builtin_presets_lie_within_the_guide() -> None:
    presets = builtin()
    assert set(presets) == {*GUIDE, "translation"}
    for name, (lowest, highest, top_p) in GUIDE.items():
        temperature = presets[name].temperature
        assert temperature is not None
        assert lowest <= temperature <= highest
        assert presets[name].top_p == top_p
    assert presets["translation"].parameters() == {"beams": 5}
    assert all(preset.source.startswith("D.8") for preset in presets.values())


async def test_a_preset_is_asked_for_by_name(house: Build) -> None:
    built = house()
    answer = await built.ask("hello", options={"preset": "chat"})
    sampling = built.engine.seen[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.beams) == (0.7, 0.9, 1)
    assert answer.head.headers[HEADER] == "chat"


async def test_what_the_request_sets_wins(house: Build) -> None:
    built = house()
    await built.ask("hello", sampling=Sampling(temperature=0.1), options={"preset": "chat"})
    sampling = built.engine.seen[0].sampling
    assert (sampling.temperature, sampling.top_p) == (0.1, 0.9)


async def test_models_and_users_have_their_own(house: Build) -> None:
    mine = {"presets": {"dull": {"temperature": 0.3, "top_k": 4}}, "default_presets": {"chat": "dull"}}
    built = house(**mine)
    await built.ask("hello")
    await built.ask("hello again", options={"preset": "creative"})
    assert [each.sampling.temperature for each in built.engine.seen] == [0.3, 1.2]
    assert built.engine.seen[0].sampling.top_k == 4


async def test_without_a_preset_nothing_changes(house: Build) -> None:
    built = house()
    answer = await built.ask("hello")
    assert built.engine.seen[0].sampling.temperature is None
    assert HEADER not in answer.head.headers


async def test_a_greedy_preset_makes_an_answer_cacheable(house: Build) -> None:
    built = house()
    answers = [await built.ask("hello", options={"preset": "factual"}) for _ in range(2)]
    assert len(built.engine.seen) == 1
    assert answers[1].head.cache == "hit"


@pytest.mark.parametrize("name", ["chatt", 3, ["chat"], None])
async def test_an_unknown_preset_is_refused(house: Build, name: object) -> None:
    built = house()
    with pytest.raises(InvalidRequest) as caught:
        await built.ask("hello", options={"preset": name} if name is not None else {"preset": {}})
    assert caught.value.param == "options.preset"
    assert not built.engine.seen


def test_a_default_that_is_no_preset_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="Did you mean creative"):
        Presets(ServingSettings(default_presets={"chat": "creativ"}))


def test_beams_and_drawing_exclude_each_other() -> None:
    translation, chat = Preset(beams=5), Preset(temperature=0.7, top_p=0.9, presence_penalty=0.5)
    assert applied(translation, Sampling()).beams == 5
    assert applied(translation, Sampling(temperature=0.4)).beams == 1
    assert applied(translation, Sampling(grammar=Grammar("regex", "a"))).beams == 1
    searched = applied(chat, Sampling(beams=3))
    assert (searched.beams, searched.temperature, searched.presence_penalty) == (3, None, 0.5)
