"""Every action whose operation is served, with real models: what it answers follows from what it was asked."""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import openai
import pytest

from audio_serving import word_error_rate, words_of
from documented_types import at_path, check_types
from handbook import PAGES
from recordings import Clip, prompt, sentence
from smalt.connectors.acting import act
from smalt.connectors.carrier import HttpCarrier
from smalt.connectors.connections.target import connected_target
from smalt.connectors.definitions.registry import action, connector, connectors
from smalt.connectors.definitions.vocabulary import Action
from smalt.connectors.exchange import FileValue
from smalt.core.errors import NotFound, PermissionDenied

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CHAT, TEXT, EMBEDDING = "gpt-4o-mini", "gpt-3.5-turbo-instruct", "text-embedding-3-small"
MAN, MEAL, MARKET = "A man is eating food.", "Somebody has a meal.", "The stock market fell sharply."
THREAT, GREETING = "I will kill you with a knife.", "Good morning, how are you?"
SPOKEN = "The museum opens at nine."
EDIT = {"model": CHAT, "instruction": "Fix the spelling mistakes.", "input": "What day of the wek is it?"}
BLUE, RED = "Repeat after me: the sea is blue.", "Repeat after me: the rose is red."
BICYCLE = "Where do I get the key of a company bicycle?"
NOT_JUDGED = (
    "choices.content_filter_results.custom_blocklists",
    "choices.content_filter_results.error",
    "choices.content_filter_results.profanity",
    "choices.content_filter_results.protected_material_code",
    "choices.content_filter_results.protected_material_text",
    "prompt_filter_results.content_filter_results.custom_blocklists",
    "prompt_filter_results.content_filter_results.error",
    "prompt_filter_results.content_filter_results.profanity",
)
"""What the built-in content filter does not look for, and the error that it does not have."""
NOT_TOLD = (
    "choices.content_filter_results.error",
    "choices.messages.index",
    "choices.messages.recipient",
    "prompt_filter_results",
)
"""What answers of the first form of On Your Data do not have here."""
NOT_HERE = {
    "openai-gpt": {
        "cancel_fine_tuning",
        "create_fine_tuning_job",
        "create_image",
        "create_image_edit",
        "create_image_variation",
        "list_fine_tuning_events",
        "retrieve_fine_tuning_job",
    },
    "fusion-openai": {"edit_image", "generate_image"},
}
"""Actions whose operations no Smalt serves so far; each is tried below as soon as one does."""


@dataclass
class Asking:
    """Does one action over the net, with a connection of the kind that its document describes."""

    server: Any
    name: str
    asked: Action
    store: str
    missing: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.missing = {documented.path for documented in self.asked.returns}

    async def __call__(self, given: dict[str, Any]) -> dict[str, Any]:
        used = connector(self.name)
        kind = used.connections[0 if self.name == "azure-openai" else -1]
        values = {"api_key": self.server.key, "resource_name": "mine", "connection_name": "Mine"}
        values |= {"search_endpoint": self.server.url, "search_api_key": self.server.key}
        values = {one.key: values[one.key] for one in kind.fields if one.key in values}
        target = connected_target(
            used, kind, values, base_url=self.server.url, is_smalt=True, connection_id="connection"
        )
        async with aiohttp.ClientSession() as session:
            result = await act(used, self.asked, given, HttpCarrier(session, target), target.extras)
        check_types(self.asked, result)
        self.missing -= {path for path in self.missing if has(result, path)}
        return result

    def left_out(self) -> set[str]:
        """The documented fields that no answer had; of a field without a value, not those inside it."""
        return {path for path in self.missing if not any(path.startswith(f"{other}.") for other in self.missing)}


def has(result: dict[str, Any], path: str) -> bool:
    return any(value is not None and value not in ("", [], {}) for value in at_path(result, path.split("."), path))


Case = Callable[[Asking], Awaitable[None]]
CASES: dict[tuple[str, str], tuple[Case, set[str]]] = {}


def tries(name: str, asked: str, *left_out: str) -> Callable[[Case], Case]:
    """Register what tries an action; `left_out` are all documented fields for which the service has no value."""

    def register(case: Case) -> Case:
        CASES[name, asked] = case, set(left_out)
        return case

    return register


@pytest.fixture(scope="module")
def sdk(starter_server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key) as made:
        yield made


@pytest.fixture(scope="module")
def store(sdk: openai.OpenAI) -> str:
    """A vector store with a file for each page of the handbook: the index that chats about one's own data search."""
    made = sdk.vector_stores.create(name="connected-handbook")
    files = [(page["filepath"], f"# {page['title']}\n\n{page['content']}\n".encode()) for page in PAGES]
    batch = sdk.vector_stores.file_batches.upload_and_poll(made.id, files=files, poll_interval_ms=200)
    assert (batch.status, batch.file_counts.completed) == ("completed", len(PAGES))
    return made.id


# OpenAI GPT


@tries("openai-gpt", "create_completion")
async def completion(ask: Asking) -> None:
    counting = {"model": TEXT, "max_tokens": "6", "temperature": "0", "logprobs": "1"}
    answer = await ask({**counting, "prompt": "One, two, three, four,"})
    assert "five" in answer["first_completion"]
    assert answer["first_completion"] == answer["result"]["choices"][0]["text"]
    tokens = json.loads(answer["result"]["choices"][0]["logprobs"])["tokens"]
    assert "".join(tokens) == answer["first_completion"]
    assert "Wednesday" in (await ask({**counting, "prompt": "Monday, Tuesday,"}))["first_completion"]


@tries("openai-gpt", "get_chat_completions")
async def chat(ask: Asking) -> None:
    for word, said in (("blue", BLUE), ("red", RED)):
        answer = await ask({"model": CHAT, "role": "user", "content": said, "temperature": "0", "max_tokens": "32"})
        assert word in answer["first_content"].lower()
        assert 0 < answer["usage"]["completion_tokens"] <= 32


@tries("openai-gpt", "create_embedding")
async def embedding(ask: Asking) -> None:
    vectors = [(await ask({"model": EMBEDDING, "input": text}))["data"][0]["embedding"] for text in (MAN, MEAL, MARKET)]
    check_nearness(*vectors)
    packed = await ask({"model": EMBEDDING, "input": MAN, "encoding_format": "base64"})
    assert packed["data"][0]["embedding"] == pytest.approx(vectors[0], abs=1e-5)


@tries("openai-gpt", "create_moderation")
async def moderation(ask: Asking) -> None:
    check_verdicts((await ask({"input": THREAT}))["results"][0], (await ask({"input": GREETING}))["results"][0])


@tries("openai-gpt", "edit_prompt")
async def edit(ask: Asking) -> None:
    check_edit(await ask({**EDIT, "temperature": "0"}))


@tries("openai-gpt", "create_speech")
async def speech(ask: Asking) -> None:
    spoken = await ask({"model": "tts-1", "voice": "nova", "input": SPOKEN})
    assert spoken["$content-type"] == "audio/mpeg"
    sound = FileValue("speech.mp3", base64.b64decode(spoken["$content"], validate=True), spoken["$content-type"])
    hear = Asking(ask.server, ask.name, action(connector(ask.name), "create_transcription"), ask.store)
    assert words_of((await hear({"model": "whisper-1", "file": sound}))["text"]) == words_of(SPOKEN)


@tries("openai-gpt", "create_transcription")
async def transcription(ask: Asking) -> None:
    clip = sentence("0870")
    heard = await ask({"model": "whisper-1", "file": sound_of(clip), "language": "en"})
    assert word_error_rate([clip], [heard["text"]]) <= 0.05


@tries("openai-gpt", "create_translation")
async def translation(ask: Asking) -> None:
    check_english((await ask({"model": "whisper-1", "file": sound_of(prompt("it", "demo-nogo"))}))["text"])


@tries("openai-gpt", "list_models", "data.permission", "data.root", "data.parent")
async def models(ask: Asking) -> None:
    listed = {model["id"]: model for model in (await ask({}))["data"]}
    assert {CHAT, TEXT, EMBEDDING, "smollm2-135m-instruct"} <= listed.keys()


# Azure OpenAI


@tries("azure-openai", "create_chat_completion", *NOT_JUDGED, "choices.message.context.citations.url")
@tries("azure-openai-preview", "create_chat_completion", *NOT_JUDGED, "choices.message.context.citations.url")
async def azure_chat(ask: Asking) -> None:
    asked = {"deployment-id": CHAT, "api-version": "2024-10-21", "role": "user", "temperature": 0, "max_tokens": 48}
    plain = await ask({**asked, "content": BLUE, "logprobs": True, "top_logprobs": 2})
    content = plain["choices"][0]["message"]["content"]
    assert "blue" in content.lower()
    assert content in "".join(token["token"] for token in plain["choices"][0]["logprobs"]["content"])
    source = {"data_sources.type": "azure_search", "index_name": ask.store, "query_type": "vector_simple_hybrid"}
    source |= {"embedding_dependency.type": "deployment_name", "deployment_name": EMBEDDING, "top_n_documents": 2}
    answer = await ask({**asked, **source, "content": BICYCLE})
    message = answer["choices"][0]["message"]
    assert message["content"]
    assert message["context"]["citations"][0]["filepath"] == "bicycles.md"
    assert "The key hangs at the reception." in message["context"]["citations"][0]["content"]
    assert json.loads(message["context"]["intent"]) == [BICYCLE]


@tries("azure-openai", "create_extensions_chat_completion", *NOT_TOLD)
@tries("azure-openai-preview", "create_extensions_chat_completion", *NOT_TOLD)
async def azure_extensions_chat(ask: Asking) -> None:
    answer = await ask(
        {
            "deployment-id": CHAT,
            "deploymentId": CHAT,
            "api-version": "2023-08-01-preview",
            "role": "user",
            "content": "When does the library open?",
            "type": "AzureCognitiveSearch",
            "parameters": {"indexName": ask.store, "topNDocuments": 2},
            "temperature": 0,
            "max_tokens": 60,
        }
    )
    tool, said = answer["choices"][0]["messages"]
    assert (tool["role"], said["role"]) == ("tool", "assistant")
    found = [one["filepath"] for one in json.loads(tool["content"])["citations"]]
    assert found[0] == "library.md"
    assert "Tuesday" in said["content"]


@tries("azure-openai", "get_embedding")
@tries("azure-openai-preview", "get_embedding")
async def azure_embedding(ask: Asking) -> None:
    asked = {"deployment-id": EMBEDDING, "api-version": "2024-10-21"}
    answers = [await ask({**asked, "input": text}) for text in (MAN, MEAL, MARKET)]
    check_nearness(*(answer.get("embedding") or answer["data"][0]["embedding"] for answer in answers))


@tries("azure-openai", "get_multiple_embeddings")
async def azure_embeddings(ask: Asking) -> None:
    asked = {"deployment-id": EMBEDDING, "api-version": "2024-10-21"}
    answer = await ask({**asked, "input": [MAN, MEAL, MARKET]})
    check_nearness(*answer["embeddings"])
    assert answer["usage"]["prompt_tokens"] > 12


# Fusion's modules, whose document names no fields: what they answer is the service's own.


@tries("fusion-openai", "create_completion")
async def module_completion(ask: Asking) -> None:
    answer = await ask({"model": TEXT, "prompt": "One, two, three, four,", "max_tokens": 6, "temperature": 0})
    assert "five" in answer["choices"][0]["text"]
    assert answer["usage"]["completion_tokens"] == 6


@tries("fusion-openai", "create_chat_completion")
async def module_chat(ask: Asking) -> None:
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": BLUE}]
    answer = await ask({"model": CHAT, "messages": messages, "max_tokens": 32, "temperature": 0})
    assert "blue" in answer["choices"][0]["message"]["content"].lower()
    assert answer["choices"][0]["finish_reason"] in {"stop", "length"}
    alone = await ask({"model": CHAT, "role": "user", "content": RED, "max_tokens": 32, "temperature": 0})
    assert "red" in alone["choices"][0]["message"]["content"].lower()


@tries("fusion-openai", "create_edit")
async def module_edit(ask: Asking) -> None:
    check_edit(await ask({**EDIT, "temperature": 0}))


@tries("fusion-openai", "create_embedding")
async def module_embedding(ask: Asking) -> None:
    answers = [await ask({"model": EMBEDDING, "input": text}) for text in (MAN, MEAL, MARKET)]
    check_nearness(*(answer["data"][0]["embedding"] for answer in answers))


@tries("fusion-openai", "create_moderation")
async def module_moderation(ask: Asking) -> None:
    check_verdicts(*(await ask({"input": [THREAT, GREETING]}))["results"])


@tries("fusion-openai", "get_models")
async def module_models(ask: Asking) -> None:
    listed = {model["id"] for model in (await ask({"operation": "list_models"}))["data"]}
    assert {CHAT, TEXT, EMBEDDING, "smollm2-135m-instruct"} <= listed
    one = await ask({"operation": "retrieve_model", "model": "smollm2-135m-instruct"})
    assert (one["id"], one["object"]) == ("smollm2-135m-instruct", "model")
    assert isinstance(one["created"], int)


@tries("fusion-openai", "make_custom_api_call")
async def module_call(ask: Asking) -> None:
    body = {"model": TEXT, "prompt": "Monday, Tuesday,", "max_tokens": 4, "temperature": 0}
    answer = await ask({"url": "/completions", "method": "POST", "body": body})
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"].startswith("application/json")
    assert "Wednesday" in answer["body"]["choices"][0]["text"]


@tries("fusion-openai", "manage_audio")
async def module_audio(ask: Asking) -> None:
    clip, italian = sentence("0870"), prompt("it", "demo-nogo")
    asked = {"operation": "create_transcription", "model": "whisper-1", "response_format": "verbose_json"}
    heard = await ask({**asked, "file": sound_of(clip), "language": "en", "limit": 1})
    assert word_error_rate([clip], [heard["text"]]) <= 0.05
    assert heard["language"] == "english"
    assert len(heard["segments"]) == 1
    told = await ask({"operation": "create_translation", "model": "whisper-1", "file": sound_of(italian)})
    check_english(told["text"])


@tries("fusion-openai", "manage_files")
async def module_files(ask: Asking) -> None:
    content = b'{"colour": "teal"}\n'
    with openai.OpenAI(base_url=f"{ask.server.url}/v1", api_key=ask.server.key) as sdk:
        made = sdk.files.create(file=("colours.jsonl", content), purpose="user_data").id
    given = {"operation": "retrieve_file", "file_id": made}
    found = await ask(given)
    assert (found["id"], found["filename"], found["bytes"]) == (made, "colours.jsonl", len(content))
    assert made in {file["id"] for file in (await ask({"operation": "list_files"}))["data"]}
    kept = await ask({**given, "operation": "retrieve_file_content"})
    assert base64.b64decode(kept["$content"]) == content
    assert (await ask({**given, "operation": "delete_file"}))["deleted"] is True
    assert made not in {file["id"] for file in (await ask({"operation": "list_files"}))["data"]}


@tries("fusion-openai", "manage_fine_tunes")
async def module_fine_tunes(ask: Asking) -> None:
    """Of its operations only the deletion of models is served, and a base model is not a user's to delete."""
    given = {"operation": "delete_model", "model": "smollm2-135m-instruct"}
    with pytest.raises(PermissionDenied, match="smollm2-135m-instruct"):
        await ask(given)
    with pytest.raises(NotFound, match="smollm2-135m-instruct"):
        await ask({**given, "model": "ft:nobody"})


def sound_of(clip: Clip) -> FileValue:
    return FileValue(clip.filename, clip.content, "audio/wav")


def check_nearness(man: list[float], meal: list[float], market: list[float]) -> None:
    def near(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert near(man, man) == pytest.approx(1, abs=1e-4)
    assert near(man, meal) > 2 * abs(near(man, market))


def check_verdicts(threat: dict[str, Any], greeting: dict[str, Any]) -> None:
    assert (threat["flagged"], threat["categories"]["violence"]) == (True, True)
    assert (greeting["flagged"], any(greeting["categories"].values())) == (False, False)
    assert threat["category_scores"]["violence"] > 0.5 > greeting["category_scores"]["violence"]


def check_edit(answer: dict[str, Any]) -> None:
    assert answer["object"] == "edit"
    words = answer["choices"][0]["text"].rstrip("?.").split()
    assert "week" in words
    assert "wek" not in words
    assert answer["usage"]["completion_tokens"] > 4


def check_english(text: str) -> None:
    assert {"server", "information"} <= set(words_of(text).split())


@pytest.mark.parametrize(("name", "asked"), CASES)
async def test_an_action_does_what_it_says(starter_server: Any, store: str, name: str, asked: str):
    case, left_out = CASES[name, asked]
    asking = Asking(starter_server, name, action(connector(name), asked), store)
    await case(asking)
    assert asking.left_out() == left_out


def test_every_action_is_tried():
    known = {(one.name, asked.name) for one in connectors() for asked in one.actions}
    later = {(name, asked) for name, names in NOT_HERE.items() for asked in names}
    assert known == CASES.keys() | later
    assert not CASES.keys() & later
