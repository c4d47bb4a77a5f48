"""The content filter of the settings, over models that score by the marks in a text."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import InvalidRequest, Unavailable
from smalt.core.settings import Settings
from smalt.engines.protocols import ChatDelta, ChatEngine, LateJudgement, Serving
from smalt.models import Models
from smalt.safety.content_filter import Delivery, PromptFiltered
from smalt.safety.policy_filter import PolicyFilter
from smalt.safety.protected_material import prepared
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest
from smalt.store.blocklists import BlocklistItem, Blocklists
from smalt.store.database import Database, database_of
from smalt.store.migrating import migrate
from smalt.store.protected_material import ProtectedMaterials

SAFE = {"filtered": False, "severity": "safe"}
HARMS = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
VIOLENT = "[[moderate violence=1 violence/graphic=1]]"


class Rooms:
    """A filter with its models and its database, as settings describe them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        migrate(database_of(settings))
        self.database = Database.open(database_of(settings))
        self.models = Models(settings)

    @property
    def filter(self) -> PolicyFilter:
        return PolicyFilter(self.settings.content_filter, self.models, self.database)

    def checks(self, *, is_azure: bool = True, delivery: Delivery = "streamed"):
        return self.filter.checks(self.models.find("chat"), is_azure=is_azure, delivery=delivery)

    async def judged(self, *messages: Any, documents: tuple[str, ...] = ()) -> Any:
        (told,) = (await self.checks().judge(chat(*messages), documents)).results
        assert told["prompt_index"] == 0
        return told["content_filter_results"]

    async def answered(
        self, text: str, *, is_azure: bool = True, documents: tuple[str, ...] = (), delivery: Delivery = "streamed"
    ) -> list[Any]:
        """What leaves when the model says the text."""
        body = chat(text)
        checks = self.checks(is_azure=is_azure, delivery=delivery)
        await checks.judge(chat("go on"), documents)
        async with self.models.lease("chat", ChatEngine) as engine:
            return [event async for event in checks.watch(engine.chat(body))]


def chat(*messages: Any, **fields: Any) -> AzureCreateChatCompletionRequest:
    told = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    return AzureCreateChatCompletionRequest.model_validate({"model": "chat", "messages": told, **fields})


@pytest.fixture
async def open_rooms(tmp_path: Path) -> AsyncIterator[Any]:
    opened: list[Rooms] = []

    def open_rooms(
        policy: dict[str, Any] | None = None, chat: dict[str, Any] | None = None, eye: Any = None, **fields: Any
    ) -> Rooms:
        content_filter = {"moderation_model": "judge", "policies": {"mine": policy or {}}, **fields}
        deployments = {
            "chat": {"engine": "echo", "content_filter": "mine", **(chat or {})},
            "judge": {"engine": "echo"},
            **({"eye": eye} if eye else {}),
        }
        settings = {
            "data_dir": tmp_path,
            "starter": False,
            "deployments": deployments,
            "content_filter": content_filter,
        }
        opened.append(Rooms(Settings.model_validate(settings)))
        return opened[-1]

    yield open_rooms
    for rooms in opened:
        await rooms.models.close()
        await rooms.database.close()


def said(events: list[Any]) -> str:
    return "".join(event.content or "" for event in events if isinstance(event, ChatDelta))


async def test_a_safe_prompt_is_told_of_by_name(open_rooms):
    found = await open_rooms().judged("hello")
    assert list(found.items()) == list(
        {"hate": SAFE, "jailbreak": {"filtered": False, "detected": False}, **HARMS}.items()
    )


async def test_a_grave_prompt_is_refused_with_its_results(open_rooms):
    rooms = open_rooms()
    for messages in ([VIOLENT, "hello"], [{"role": "system", "content": VIOLENT}, "hello"]):
        with pytest.raises(PromptFiltered) as refused:
            await rooms.judged(*messages)
        assert refused.value.results["violence"] == {"filtered": True, "severity": "high"}
        assert refused.value.results["hate"] == SAFE


async def test_what_a_policy_only_annotates_passes(open_rooms):
    prompts = {"violence": "annotate", "jailbreak": "annotate", "hate": "off", "profanity": "annotate"}
    found = await open_rooms({"prompts": prompts}).judged(VIOLENT, "[[moderate jailbreak=1]] That is bullshit.")
    assert found["violence"] == {"filtered": False, "severity": "high"}
    assert found["jailbreak"] == found["profanity"] == {"filtered": False, "detected": True}
    assert "hate" not in found


async def test_jailbreaks_are_looked_for_in_what_users_say(open_rooms):
    rooms = open_rooms()
    mark = "[[moderate jailbreak=1]]"
    assert not (await rooms.judged({"role": "system", "content": mark}, "hello"))["jailbreak"]["detected"]
    with pytest.raises(PromptFiltered):
        await rooms.judged(mark)


async def test_indirect_attacks_are_looked_for_in_documents_and_results_of_tools(open_rooms):
    rooms = open_rooms({"prompts": {"indirect_attack": "block"}})
    mark = "[[moderate indirect_attack=1]]"
    assert (await rooms.judged(mark))["indirect_attack"] == {"filtered": False, "detected": False}
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    tool = {"role": "tool", "tool_call_id": "a", "content": mark}
    with pytest.raises(PromptFiltered) as refused:
        await rooms.judged("look", {"role": "assistant", "tool_calls": [call]}, tool)
    assert refused.value.results["indirect_attack"] == {"filtered": True, "detected": True}
    with pytest.raises(PromptFiltered):
        await rooms.judged("hello", documents=("a page", mark))


async def test_every_prompt_of_a_completion_has_its_results(open_rooms):
    body = CreateCompletionRequest.model_validate({"model": "chat", "prompt": ["one", "two"]})
    judged = await open_rooms().checks().judge(body)
    assert [one["prompt_index"] for one in judged.results] == [0, 1]
    tokens = CreateCompletionRequest.model_validate({"model": "chat", "prompt": [1, 2]})
    judged = await open_rooms().checks().judge(tokens)
    assert judged.results[0]["content_filter_results"]["error"]["code"] == 400
    with pytest.raises(InvalidRequest, match="token ids"):
        await open_rooms(on_failure="refuse").checks().judge(tokens)


async def test_pictures_are_judged_and_hide_nothing_that_is_said(open_rooms):
    rooms = open_rooms(image_model="judge")

    def shown(content: bytes, text: str = "What is this?") -> Any:
        url = f"data:image/png;base64,{b64encode(content).decode()}"
        return {
            "role": "user",
            "content": [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}],
        }

    png = b"\x89PNG\r\n\x1a\n"
    assert (await rooms.judged(shown(png)))["sexual"] == SAFE
    with pytest.raises(PromptFiltered) as refused:
        await rooms.judged(shown(png + b"[[moderate sexual=1]]"))
    assert refused.value.results["sexual"]["severity"] == "high"
    found = await rooms.judged(shown(b"no picture"))
    assert (found["error"]["code"], found["violence"]) == (400, SAFE)
    with pytest.raises(PromptFiltered):
        await rooms.judged(shown(b"no picture", VIOLENT))
    assert (await open_rooms().judged(shown(b"no picture")))["sexual"] == SAFE


@pytest.mark.parametrize("url", ["data:image/png;base64,%%%", "DATA:image/png;base64,iVBORw0KGgo", "data:image/png"])
async def test_a_picture_that_cannot_be_decoded_is_named_where_pictures_are_looked_at(open_rooms, url):
    picture = {"type": "image_url", "image_url": {"url": url}}
    shown = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}
    if "iVBOR" in url:
        assert (await open_rooms(image_model="judge").judged("hello", shown))["sexual"] == SAFE
        return
    with pytest.raises(InvalidRequest, match="data:image/png;base64") as refused:
        await open_rooms(image_model="judge").judged("hello", shown)
    assert refused.value.param == "messages[1].content[1].image_url.url"
    missing = {"engine": "image_moderation", "weights": {"model": "/nowhere"}, "abilities": ["image_moderation"]}
    assert (await open_rooms(image_model="eye", eye=missing).judged("hello", shown))["sexual"] == SAFE
    assert (await open_rooms().judged("hello", shown))["sexual"] == SAFE


async def test_a_policy_that_is_named_blocks_on_every_path_and_tells_on_azures(open_rooms):
    rooms = open_rooms()
    assert await rooms.checks(is_azure=False).judge(chat("hello")) is None
    with pytest.raises(PromptFiltered):
        await rooms.checks(is_azure=False).judge(chat(VIOLENT))
    events = await rooms.answered(f"It begins well enough. {VIOLENT}", is_azure=False)
    (end,) = (one for one in events if isinstance(one, ChatDelta) and one.finish_reason)
    assert (end.finish_reason, end.judged["violence"]["filtered"]) == ("content_filter", True)
    assert rooms.models.find("judge").content_filter is None
    assert rooms.filter.checks(rooms.models.find("judge"), is_azure=True) is None


async def test_an_answer_is_judged_stretch_by_stretch(open_rooms):
    rooms = open_rooms()
    text = "It is a quiet day and nothing happens. " * 10
    events = await rooms.answered(text)
    assert said(events) == text
    assert {str(one.judged) for one in events if isinstance(one, ChatDelta) and one.judged} == {str(HARMS)}
    events = await rooms.answered(f"{text} {VIOLENT} {text}")
    assert said(events)
    assert f"{text} ".startswith(said(events))
    end = next(one for one in events if isinstance(one, ChatDelta) and one.finish_reason)
    assert (end.finish_reason, end.judged["violence"]) == ("content_filter", {"filtered": True, "severity": "high"})


async def test_an_answer_that_nobody_reads_along_is_judged_once(open_rooms):
    rooms = open_rooms()
    text = "It is a quiet day and nothing happens. " * 10
    events = await rooms.answered(text, delivery="whole")
    assert said(events) == text
    assert [one.judged for one in events if isinstance(one, ChatDelta) and one.judged] == [HARMS]
    (end, _) = [one for one in await rooms.answered(text + VIOLENT, delivery="whole") if not isinstance(one, Serving)]
    assert (end.finish_reason, end.judged["violence"]) == ("content_filter", {"filtered": True, "severity": "high"})


async def test_an_asynchronous_policy_tells_later(open_rooms):
    rooms = open_rooms({"mode": "asynchronous"})
    events = await rooms.answered(f"It is {VIOLENT}")
    assert said(events) == f"It is {VIOLENT}"
    (late,) = (one for one in events if isinstance(one, LateJudgement))
    assert (late.finish_reason, late.results["violence"]["severity"]) == ("content_filter", "high")


@pytest.mark.parametrize("is_azure", [True, False])
@pytest.mark.parametrize("delivery", ["spoken", "whole"])
async def test_an_asynchronous_policy_shows_nothing_of_what_leaves_at_its_end(open_rooms, delivery, is_azure):
    rooms = open_rooms({"mode": "asynchronous"})
    events = await rooms.answered(f"It is {VIOLENT}", delivery=delivery, is_azure=is_azure)
    (end,) = [one for one in events if isinstance(one, ChatDelta) and one.finish_reason]
    assert (end.finish_reason, end.judged["violence"]["filtered"]) == ("content_filter", True)
    assert "[[" not in said(events)
    assert not any(isinstance(one, LateJudgement) for one in events)
    if is_azure:
        judged = await rooms.checks(delivery=delivery).judge(chat("hello"))
        assert not judged.is_asynchronous


async def test_what_a_model_writes_beside_its_answer_is_looked_at_as_an_answer(open_rooms):
    rooms = open_rooms({"answers": {"hate": "off"}})
    assert (await rooms.checks().look(["books", VIOLENT]))["violence"] == {"filtered": True, "severity": "high"}
    assert await rooms.checks().look(["books"]) == {name: SAFE for name in HARMS if name != "hate"}


async def test_what_the_application_tells_beside_the_conversation_is_looked_at(open_rooms):
    rooms = open_rooms()
    tool = {"type": "function", "function": {"name": "look", "description": VIOLENT}}
    with pytest.raises(PromptFiltered):
        await rooms.checks().judge(chat("hello", tools=[tool]))
    mark = "[[moderate jailbreak=1]]"
    await rooms.checks().judge(chat("hello", prediction={"type": "content", "content": mark}))


async def test_the_prompts_of_a_completion_are_scored_together(open_rooms):
    rooms = open_rooms()
    models, leased = rooms.models, list[str]()

    class Counting:
        find, deployments, close = models.find, models.deployments, models.close

        def lease(self, name: str, ability: Any) -> Any:
            leased.append(name)
            return models.lease(name, ability)

    rooms.models = Counting()
    checks = rooms.checks()
    prompts = [f"word {number}" for number in range(20)]
    body = CreateCompletionRequest.model_validate({"model": "chat", "prompt": prompts})
    assert [one["prompt_index"] for one in (await checks.judge(body)).results] == list(range(20))
    assert leased == ["judge"]
    body = CreateCompletionRequest.model_validate({"model": "chat", "prompt": ["again", VIOLENT]})
    with pytest.raises(PromptFiltered):
        await checks.judge(body)


@pytest.mark.parametrize("mode", ["buffered", "asynchronous"])
async def test_block_lists_count_for_prompts_and_answers(open_rooms, mode):
    rooms = open_rooms({"mode": mode, "blocklists": ["fruit", "rivals"]})
    blocklists = Blocklists(rooms.database)
    with pytest.raises(InvalidRequest, match=r"mine\.blocklists: there is no block list 'fruit'\. There are: none"):
        await rooms.filter.check_blocklists()
    for name, item in (("fruit", BlocklistItem("banana")), ("rivals", BlocklistItem(r"acme\d", is_regex=True))):
        await blocklists.create(name)
        await blocklists.add(name, [item])
    await rooms.filter.check_blocklists()
    assert (await rooms.judged("pear"))["custom_blocklists"] == {"filtered": False}
    with pytest.raises(PromptFiltered) as refused:
        await rooms.judged("A Banana from ACME7")
    details = [{"filtered": True, "id": name} for name in ("fruit", "rivals")]
    assert refused.value.results["custom_blocklists"] == {"details": details, "filtered": True}
    events = await rooms.answered("Here is a banana for you")
    last = next(
        one for one in events if isinstance(one, ChatDelta | LateJudgement) and one.finish_reason == "content_filter"
    )
    found = last.results if isinstance(last, LateJudgement) else last.judged
    assert found["custom_blocklists"] == {"details": details[:1], "filtered": True}


async def test_what_was_added_must_not_be_copied(open_rooms):
    rooms = open_rooms()
    poem = " ".join(f"word{number} of a song" for number in range(40))
    await ProtectedMaterials(rooms.database).add(prepared("text", poem, name="song"))
    events = await rooms.answered(f"Of course, here it is as you know it: {poem}")
    assert "word20" not in said(events)
    end = next(one for one in events if isinstance(one, ChatDelta) and one.finish_reason)
    assert end.judged["protected_material_text"] == {"filtered": True, "detected": True}
    assert "protected_material_code" not in end.judged


async def test_an_answer_from_documents_is_held_against_them(open_rooms):
    rooms = open_rooms({"answers": {"ungrounded_material": "annotate"}})
    document = "The museum opened in 1881 in Dresden. It shows blue glass from Saxony."
    text = "The museum opened in 1881 in Dresden. Its director Napoleon bought forty elephants from Peru in 1999."
    events = await rooms.answered(text, documents=(document,))
    (found,) = (
        one.judged["ungrounded_material"]
        for one in events
        if isinstance(one, ChatDelta) and "ungrounded_material" in (one.judged or {})
    )
    assert (found["detected"], found["filtered"]) == (True, False)
    (span,) = found["details"]
    assert "Napoleon" in text[span["completion_start_offset"] : span["completion_end_offset"]]
    events = await rooms.answered(text)
    assert not any("ungrounded_material" in (one.judged or {}) for one in events if isinstance(one, ChatDelta))


async def test_what_nobody_can_judge_passes_or_is_refused(open_rooms):
    failing = {"judge": {"engine": "upstream", "base_url": "http://127.0.0.1:9", "abilities": ["moderation"]}}

    def broken(**fields: Any) -> Rooms:
        rooms = open_rooms(**fields)
        deployments = {**rooms.settings.model_dump()["deployments"], **failing}
        rooms.models = Models(Settings.model_validate({**rooms.settings.model_dump(), "deployments": deployments}))
        return rooms

    passing = broken(policy={"blocklists": ["rivals"]})
    found = await passing.judged("hello")
    assert (found["error"]["code"], found["custom_blocklists"]) == (502, {"filtered": False})
    assert said(await passing.answered("hello")) == "hello"
    with pytest.raises(Unavailable, match="cannot judge"):
        await broken(on_failure="refuse").judged("hello")


def test_models_that_cannot_be_are_refused_at_the_start(open_rooms):
    for fields, fault in (
        ({"moderation_model": "nothing"}, "content_filter.moderation_model: .*'nothing' does not exist"),
        ({"image_model": "nothing"}, "content_filter.image_model"),
        ({"guard_model": "nothing"}, "content_filter.guard_model"),
    ):
        with pytest.raises(InvalidRequest, match=fault):
            _ = open_rooms(**fields).filter
    with pytest.raises(InvalidRequest, match="has no moderation"):
        _ = open_rooms(chat={"abilities": ["chat_completion"]}, moderation_model="chat").filter
    with pytest.raises(InvalidRequest, match="there is no policy 'lax'"):
        _ = open_rooms(chat={"content_filter": "lax"}).filter


def test_without_a_moderation_model_nothing_is_filtered_unless_asked_for(tmp_path, caplog):
    fields = {"data_dir": tmp_path, "starter": False}
    llama = {"engine": "upstream", "base_url": "http://127.0.0.1:9"}
    rooms = Rooms(Settings.model_validate({**fields, "deployments": {"chat": llama}}))
    content_filter = rooms.filter
    for _ in range(2):
        assert content_filter.checks(rooms.models.find("chat"), is_azure=True) is None
    assert len([record for record in caplog.records if "nothing is filtered" in record.message]) == 1
    rooms.database.close_now()
    named = Rooms(Settings.model_validate({**fields, "deployments": {"chat": {**llama, "content_filter": "default"}}}))
    with pytest.raises(InvalidRequest, match="needs a moderation model"):
        _ = named.filter
    named.database.close_now()


async def test_a_default_policy_of_ones_own_keeps_what_needs_no_moderation_model(tmp_path, caplog):
    settings = {
        "data_dir": tmp_path,
        "starter": False,
        "deployments": {"chat": {"engine": "upstream", "base_url": "http://127.0.0.1:9"}},
        "content_filter": {"policies": {"default": {"blocklists": ["rivals"], "prompts": {"profanity": "annotate"}}}},
    }
    rooms = Rooms(Settings.model_validate(settings))
    await Blocklists(rooms.database).create("rivals")
    await Blocklists(rooms.database).add("rivals", [BlocklistItem("acme")])
    content_filter = rooms.filter
    checks = content_filter.checks(rooms.models.find("chat"), is_azure=True)
    (told,) = (await checks.judge(chat("hello"))).results
    assert told["content_filter_results"] == {
        "custom_blocklists": {"filtered": False},
        "profanity": {"filtered": False, "detected": False},
    }
    with pytest.raises(PromptFiltered):
        await checks.judge(chat("from acme"))
    found = await checks.look(["from acme"])
    assert found == {"custom_blocklists": {"details": [{"filtered": True, "id": "rivals"}], "filtered": True}}
    assert "harms and attacks are not filtered" in caplog.text
    await rooms.database.close()
