"""On Your Data through the SDK, on every mount: an index is searched, and the model answers from what was found."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest

import mongo_service
import search_services
from search_services import KEY, SearchService
from serving import Served, serving
from smalt.core.content_filter_settings import ContentFilterSettings
from smalt.core.settings import DeploymentSettings, RetrievalSettings, Settings
from smalt.schemas.vocabulary import check_answer
from told_model import ToldModel, told_model

Json = dict[str, Any]
NOT_FOUND = "The requested information is not available in the retrieved data. Please try another query or topic."
BIKES = {"role": "user", "content": "Where is the key of the company bicycles?"}
MAPPING: Json = {
    "content_fields": ["content"],
    "title_field": "title",
    "url_field": "url",
    "filepath_field": "filepath",
    "vector_fields": ["content_vector"],
}


@dataclass(frozen=True)
class House:
    """The server, the model behind it, and the index."""

    served: Served
    model: ToldModel
    index: SearchService


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with told_model() as model, search_services.azure_search() as index:
        deployments = {
            "told": DeploymentSettings(
                engine="upstream", base_url=model.url, options={"retries": 0}, content_filter="none"
            ),
            "filtered": DeploymentSettings(
                engine="upstream", base_url=model.url, options={"retries": 0}, content_filter="default"
            ),
            "echo": DeploymentSettings(engine="echo"),
            "short": DeploymentSettings(engine="echo", options={"context": 120}),
        }
        folder = tmp_path_factory.mktemp("house")
        content_filter = ContentFilterSettings(moderation_model="echo")
        settings = Settings(data_dir=folder, starter=False, deployments=deployments, content_filter=content_filter)
        with serving(settings) as served:
            yield House(served, model, index)


@pytest.fixture(params=["openai_v1", "azure_v1", "azure_classic"])
def mount(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(house: House, mount: str) -> Iterator[openai.OpenAI]:
    with sdk(house, mount) as made:
        yield made


@pytest.fixture(autouse=True)
def untold(house: House) -> None:
    house.model.says("The key hangs at the reception. Ask nobody.")
    house.model.most_bytes = None
    house.index.asked.clear()
    house.index.fail_on = lambda _body: None


def sdk(house: House, mount: str) -> openai.OpenAI:
    url, key = house.served.url, house.served.key
    if mount == "azure_classic":
        return openai.AzureOpenAI(azure_endpoint=url, api_version="2024-10-21", api_key=key, max_retries=0)
    path = "/v1" if mount == "openai_v1" else "/openai/v1"
    return openai.OpenAI(base_url=url + path, api_key=key, max_retries=0)


def azure(house: House, **fields: Any) -> Json:
    key = {"type": "api_key", "key": KEY}
    parameters = {"endpoint": house.index.url, "index_name": "handbook", "authentication": key, **fields}
    return {"type": "azure_search", "parameters": parameters}


def ask(client: openai.OpenAI, source: Json, *messages: Any, model: str = "told", **fields: Any) -> Any:
    body = {"data_sources": [source], **fields.pop("extra_body", {})}
    asked = list(messages) or [BIKES]
    return client.chat.completions.create(model=model, messages=asked, extra_body=body, **fields)


def test_an_answer_carries_what_it_rests_on(client: openai.OpenAI, house: House, mount: str):
    answer = ask(client, azure(house))
    message = answer.choices[0].message
    assert message.content == "The key hangs at the reception [doc1]. Ask nobody."
    assert message.context["citations"] == [
        {
            "content": search_services.PAGES[2]["content"],
            "title": "Company bicycles",
            "url": "https://intranet.example/bicycles",
            "filepath": "bicycles.md",
            "chunk_id": "0",
        }
    ]
    assert json.loads(message.context["intent"]) == [BIKES["content"]]
    assert set(message.context) == {"citations", "intent"}
    assert message.end_turn is True
    assert answer.model == "told"
    assert answer.usage.total_tokens == 110
    is_classic = mount == "azure_classic"
    assert answer.object == ("extensions.chat.completion" if is_classic else "chat.completion")
    if not is_classic:
        check_answer("AzureCreateChatCompletionResponse", answer.model_dump(exclude_unset=True))


def test_the_model_sees_the_documents_and_how_to_use_them(client: openai.OpenAI, house: House):
    ask(client, azure(house, role_information="You are the porter."), temperature=0.5)
    asked = house.model.asked[-1]
    system, user = asked["messages"]
    assert system["role"] == "system"
    assert system["content"].startswith("You are the porter.\n\nAnswer the question from the documents only.")
    assert user["content"].startswith("Documents:\n\n[doc1] Company bicycles\nCompany bicycles stand in the cellar.")
    assert user["content"].endswith("Question: Where is the key of the company bicycles?")
    assert asked["temperature"] == 0.5
    assert "data_sources" not in asked


def test_a_stream_begins_with_the_context_and_spells_out_the_answer(client: openai.OpenAI, house: House, mount: str):
    chunks = list(ask(client, azure(house), stream=True))
    choices = [chunk.choices[0] for chunk in chunks]
    assert choices[0].delta.role == "assistant"
    assert [one["title"] for one in choices[0].delta.context["citations"]] == ["Company bicycles"]
    assert all(getattr(choice.delta, "context", None) is None for choice in choices[1:])
    said = "".join(choice.delta.content or "" for choice in choices)
    assert said == "The key hangs at the reception [doc1]. Ask nobody."
    assert [choice.end_turn for choice in choices] == [False] * (len(choices) - 1) + [True]
    assert choices[-1].finish_reason == "stop"
    suffix = "chat.completion.chunk"
    assert {chunk.object for chunk in chunks} == {f"extensions.{suffix}" if mount == "azure_classic" else suffix}
    assert len({chunk.id for chunk in chunks}) == 1
    if mount != "azure_classic":
        for chunk in chunks:
            check_answer("AzureCreateChatCompletionStreamResponse", chunk.model_dump(exclude_unset=True))


def test_marks_of_the_model_stay_and_invented_ones_go(client: openai.OpenAI, house: House):
    house.model.says("The key hangs at the reception [doc1]. So they say [doc9].")
    said = "The key hangs at the reception [doc1]. So they say."
    assert ask(client, azure(house)).choices[0].message.content == said
    chunks = ask(client, azure(house), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == said


def test_everything_found_is_told_when_it_is_asked_for(client: openai.OpenAI, house: House):
    source = azure(house, include_contexts=["all_retrieved_documents"], strictness=1, top_n_documents=2)
    context = ask(client, source).choices[0].message.context
    assert set(context) == {"all_retrieved_documents"}
    found = context["all_retrieved_documents"]
    assert [one.get("filter_reason") for one in found] == [None, None, *["rerank"] * (len(found) - 2)]
    assert len(found) > 2
    assert found[0]["title"] == "Company bicycles"
    assert found[0]["search_queries"] == [BIKES["content"]]
    assert found[0]["data_source_index"] == 0
    assert found[0]["original_search_score"] >= found[1]["original_search_score"] > 0


def test_when_nothing_is_found_the_model_is_not_asked(client: openai.OpenAI, house: House):
    nothing = {"role": "user", "content": "Tell me about elephants"}
    answer = ask(client, azure(house), nothing)
    assert answer.choices[0].message.content == NOT_FOUND
    assert answer.choices[0].message.context["citations"] == []
    assert answer.usage.total_tokens == 0
    said = [chunk.choices[0].delta.content or "" for chunk in ask(client, azure(house), nothing, stream=True)]
    assert "".join(said) == NOT_FOUND
    assert house.model.asked == []


def test_out_of_scope_the_model_answers_though_nothing_is_found(client: openai.OpenAI, house: House):
    house.model.says("Elephants are large.")
    answer = ask(client, azure(house, in_scope=False), {"role": "user", "content": "Tell me about elephants"})
    assert answer.choices[0].message.content == "Elephants are large."
    assert [message["role"] for message in house.model.asked[-1]["messages"]] == ["user"]


FOLLOW_UP = [BIKES, {"role": "assistant", "content": "At the reception."}, {"role": "user", "content": "And books?"}]


def test_a_conversation_is_searched_by_what_the_model_makes_of_it(client: openai.OpenAI, house: House):
    house.model.says("Books are lent for six weeks.", queries=("how long books are lent", "bicycle key"))
    answer = ask(client, azure(house), *FOLLOW_UP)
    context = answer.choices[0].message.context
    assert json.loads(context["intent"]) == ["how long books are lent", "bicycle key"]
    assert {one["title"] for one in context["citations"]} == {"Library", "Company bicycles"}
    place = [one["title"] for one in context["citations"]].index("Library") + 1
    assert answer.choices[0].message.content == f"Books are lent for six weeks [doc{place}]."
    assert answer.usage.prompt_tokens == 200
    assert answer.usage.completion_tokens == 20
    limited = ask(client, azure(house, max_search_queries=1), *FOLLOW_UP)
    assert json.loads(limited.choices[0].message.context["intent"]) == ["how long books are lent"]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_what_the_model_searches_for_is_looked_at_before_it_is_told(
    client: openai.OpenAI, house: House, *, is_streamed: bool
):
    violent = "books [[moderate violence=1 violence/graphic=1]]"
    house.model.says("Books are lent for six weeks.", queries=(violent, "bicycle key"))
    asked = {"model": "filtered", "stream": is_streamed}
    told = ask(client, azure(house), *FOLLOW_UP, **asked)
    answer = str([chunk.to_dict() for chunk in told] if is_streamed else told.to_dict())
    assert "violence=1" not in answer
    assert "And books?" in answer
    assert "violence=1" not in str(house.index.asked)
    house.model.says("Books are lent for six weeks.", queries=("how long books are lent",))
    told = ask(client, azure(house), *FOLLOW_UP, **asked)
    assert "how long books are lent" in str([chunk.to_dict() for chunk in told] if is_streamed else told.to_dict())


def test_a_query_that_fails_may_be_left_out(client: openai.OpenAI, house: House):
    house.model.says("Yes.", queries=("library books", "bicycle key"))
    house.index.fail_on = lambda body: 400 if body.get("search") == "library books" else None
    with pytest.raises(openai.BadRequestError, match="Azure Search Error: 400"):
        ask(client, azure(house), *FOLLOW_UP)
    context = ask(client, azure(house, allow_partial_result=True), *FOLLOW_UP).choices[0].message.context
    assert [one["title"] for one in context["citations"]] == ["Company bicycles"]
    house.index.fail_on = lambda body: 400 if body else None
    with pytest.raises(openai.BadRequestError, match="Azure Search Error: 400"):
        ask(client, azure(house, allow_partial_result=True), *FOLLOW_UP)


def test_vectors_are_made_by_a_deployment_of_this_server(house: House):
    with sdk(house, "azure_v1") as client:
        texts = [page["content"] for page in search_services.PAGES]
        made = client.embeddings.create(model="echo", input=texts, dimensions=6).data
        vectors = {text: one.embedding for text, one in zip(texts, made, strict=True)}
        dependency = {"type": "deployment_name", "deployment_name": "echo", "dimensions": 6}
        with search_services.azure_search(search_services.handbook_records(vectors.__getitem__)) as index:
            source = azure(house, query_type="vector", embedding_dependency=dependency, endpoint=index.url)
            context = ask(client, source, {"role": "user", "content": texts[3]}).choices[0].message.context
    assert context["citations"][0]["title"] == "Library"


@pytest.mark.parametrize("kind", ["azure_search", "elasticsearch", "pinecone", "mongo_db", "azure_cosmos_db"])
def test_every_kind_of_source_answers(house: House, kind: str):
    dependency = {
        "type": "endpoint",
        "endpoint": f"{house.model.url}/openai/deployments/topics/embeddings",
        "authentication": {"type": "api_key", "key": "key-of-the-model"},
    }
    shared = {"index_name": "handbook", "fields_mapping": MAPPING, "embedding_dependency": dependency}
    question = {"role": "user", "content": "I like to ride a bike. Is there one?"}
    with (
        sdk(house, "azure_v1") as client,
        search_services.elasticsearch() as elastic,
        search_services.pinecone() as pinecone,
        mongo_service.mongo() as mongo,
    ):
        parameters: Json = {
            "azure_search": {**azure(house)["parameters"], "query_type": "vector"},
            "elasticsearch": {
                "endpoint": elastic.url,
                "query_type": "vector",
                "authentication": {"type": "key_and_key_id", "key": KEY, "key_id": "reader"},
            },
            "pinecone": {"environment": pinecone.url, "authentication": {"type": "api_key", "key": KEY}},
            "mongo_db": {
                "endpoint": f"mongodb://{mongo.address}",
                "app_name": "house",
                "database_name": "handbook",
                "collection_name": "pages",
                "index_name": "vectors",
                "authentication": {
                    "type": "username_and_password",
                    "username": mongo_service.USER,
                    "password": mongo_service.PASSWORD,
                },
            },
            "azure_cosmos_db": {
                "database_name": "handbook",
                "container_name": "pages",
                "index_name": "vectors",
                "authentication": {
                    "type": "connection_string",
                    "connection_string": f"mongodb://reader:secret%2Fof%40mongo@{mongo.address}/?tls=false",
                },
            },
        }
        answer = ask(client, {"type": kind, "parameters": {**shared, **parameters[kind]}}, question)
    assert [one["title"] for one in answer.choices[0].message.context["citations"]] == ["Company bicycles"]
    assert answer.choices[0].message.content == "The key hangs at the reception [doc1]. Ask nobody."


def test_a_wrong_key_of_the_embeddings_endpoint_is_told_by_its_place(house: House):
    dependency = {
        "type": "endpoint",
        "endpoint": f"{house.model.url}/openai/deployments/topics/embeddings",
        "authentication": {"type": "api_key", "key": "wrong"},
    }
    with sdk(house, "azure_v1") as client, pytest.raises(openai.BadRequestError) as refused:
        ask(client, azure(house, query_type="vector", embedding_dependency=dependency))
    assert refused.value.param == "data_sources[0].parameters.embedding_dependency.endpoint"
    assert "status 401" in str(refused.value)


def test_documents_are_cut_to_what_the_model_says_it_takes(house: House):
    house.model.most_bytes = 900
    with sdk(house, "azure_v1") as client:
        source = azure(house, strictness=1, include_contexts=["citations", "all_retrieved_documents"])
        context = ask(client, source).choices[0].message.context
    assert len(house.model.asked) > 1
    assert 1 <= len(context["citations"]) < len(context["all_retrieved_documents"])
    assert context["citations"][0]["title"] == "Company bicycles"


def test_a_model_without_room_for_any_document_says_so(house: House):
    long = {"role": "user", "content": "bicycle key " * 50}
    with sdk(house, "azure_v1") as client, pytest.raises(openai.BadRequestError, match="maximum context length") as no:
        ask(client, azure(house), long, model="short")
    assert no.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "look"}}]}, "tools"),
        ({"extra_body": {"data_sources": []}}, "data_sources"),
    ],
)
def test_what_documents_exclude_is_refused_by_name(
    client: openai.OpenAI, house: House, mount: str, fields: Json, param: str
):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, azure(house), **fields)
    if mount == "azure_classic":
        fault = refused.value.response.json()["error"]
        assert set(fault) == {"requestid", "code", "message"}
        assert fault["code"] == 400
        assert fault["message"].startswith(f"Validation error at #/{param}: ")
    else:
        assert refused.value.param == param


@pytest.mark.parametrize("fields", [{"parallel_tool_calls": True}, {"stream": True, "stream_options": {}}])
def test_classic_paths_take_less_beside_data_sources(house: House, fields: Json):
    with sdk(house, "azure_classic") as client, pytest.raises(openai.BadRequestError) as refused:
        ask(client, azure(house), **fields)
    assert "Extra inputs are not permitted" in refused.value.response.json()["error"]["message"]


def test_a_refusal_of_the_service_has_the_form_of_its_mount_and_no_secrets(
    client: openai.OpenAI, house: House, mount: str
):
    source = azure(house, authentication={"type": "api_key", "key": "a-very-wrong-key"})
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, source)
    fault = refused.value.response.json()["error"]
    assert "Azure Search Error: 403, message='Server responded with status 403." in fault["message"]
    assert "a-very-wrong-key" not in refused.value.response.text
    assert fault["code"] == (400 if mount == "azure_classic" else "data_source_refused")


def test_a_missing_parameter_is_named(client: openai.OpenAI, house: House, mount: str):
    source = azure(house)
    del source["parameters"]["endpoint"]
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, source)
    if mount == "azure_classic":
        message = refused.value.response.json()["error"]["message"]
        assert message.startswith("Validation error at #/data_sources/0/parameters/endpoint: ")
    else:
        assert refused.value.param == "data_sources[0].parameters.endpoint"


def test_tools_that_may_not_be_called_do_not_disturb(client: openai.OpenAI, house: House):
    tools = [{"type": "function", "function": {"name": "look"}}]
    assert ask(client, azure(house), tools=tools, tool_choice="none").choices[0].message.context["citations"]
    assert "tools" not in {name for name, value in house.model.asked[-1].items() if value is not None}


def test_a_kept_answer_keeps_its_context_and_no_secret(house: House):
    with sdk(house, "azure_v1") as client:
        answer = ask(client, azure(house), store=True)
        kept = client.chat.completions.retrieve(answer.id)
        messages = client.chat.completions.messages.list(answer.id).data
    assert kept.choices[0].message.context["citations"][0]["title"] == "Company bicycles"
    assert KEY not in kept.model_dump_json()
    assert [message.content for message in messages] == [BIKES["content"]]


def test_only_hosts_of_the_setting_are_searched(tmp_path: Any, house: House):
    settings = Settings(
        data_dir=tmp_path,
        starter=False,
        deployments={"echo": DeploymentSettings(engine="echo")},
        retrieval=RetrievalSettings(data_source_hosts=["search.example"]),
    )
    with serving(settings) as served:
        client = openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=served.key, max_retries=0)
        with client, pytest.raises(openai.PermissionDeniedError, match=r"retrieval\.data_source_hosts") as refused:
            ask(client, azure(house), model="echo")
    assert refused.value.param == "data_sources[0].parameters.endpoint"
    assert house.index.asked == []


def test_several_answers_each_have_the_context(house: House):
    with sdk(house, "azure_v1") as client:
        answer = ask(client, azure(house), model="echo", n=2)
    assert [choice.message.context["citations"][0]["title"] for choice in answer.choices] == ["Company bicycles"] * 2
    assert all("[doc1]" in choice.message.content for choice in answer.choices)
