"""File search: what a call finds over real stores, what the model reads of it, and what may be cited."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kept_documents import Kept, keep_store
from smalt.app.opening import Rooms, open_rooms
from smalt.core.clock import now
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.settings import DeploymentSettings, Settings
from smalt.engines.protocols import EmbeddingEngine
from smalt.store.tables import vector_stores
from smalt.tools.conversation import earlier_sources
from smalt.tools.file_search import FileSearch
from tool_runs import Called, call, user

Json = dict[str, Any]
WHALES = Kept("whales.txt", ["Blue whales eat krill.", "Whales breathe through a blowhole."], {"kingdom": "animals"})
ROCKS = Kept("rocks.txt", ["Granite is made of quartz and feldspar."], {"kingdom": "minerals"})


RUNAWAY = '{"query": "' + "made_of_" * 25 + '"}'


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    settings = Settings(
        data_dir=tmp_path,
        starter=False,
        deployments={"echo": DeploymentSettings(engine="echo")},
        aliases={"text-embedding-3-small": "echo"},
    )
    async with AsyncExitStack() as stack:
        yield await open_rooms(settings, stack, host_socket=None)


async def kept(rooms: Rooms, *documents: Kept) -> str:
    async def embed(texts: Any) -> list[bytes]:
        async with rooms.models.lease("echo", EmbeddingEngine) as engine:
            embedded = await engine.embed(list(texts))
        size = embedded.dimensions * 4
        return [embedded.rows[start : start + size] for start in range(0, len(embedded.rows), size)]

    return await keep_store(rooms.database, list(documents), embed)


@pytest.fixture
async def store(rooms: Rooms) -> str:
    return await kept(rooms, WHALES, ROCKS)


def tool(rooms: Rooms, *stores: str, room_bytes: int = 12_000, **fields: Any) -> FileSearch:
    written = {"type": "file_search", "vector_store_ids": list(stores), **fields}
    return FileSearch(rooms.search, "default", written, room_bytes=room_bytes)


async def searched(made: FileSearch, arguments: Any = None, *items: Json) -> Called:
    return await call(
        made,
        {"query": "what do blue whales eat"} if arguments is None else arguments,
        items,
        schema="FileSearchToolCallItemResource",
    )


async def test_a_call_finds_what_fits_best_and_tells_it_in_events_of_the_right_order(rooms: Rooms, store: str):
    called = await searched(tool(rooms, store))
    assert called.types == [
        "output_item.added",
        "file_search_call.in_progress",
        "file_search_call.searching",
        "file_search_call.completed",
        "output_item.done",
    ]
    assert (called.item["status"], called.item["queries"]) == ("completed", ["what do blue whales eat"])
    best = called.item["results"][0]
    assert (best["filename"], best["text"], best["attributes"]) == (
        "whales.txt",
        "Blue whales eat krill.",
        {"kingdom": "animals"},
    )
    assert 0 < best["score"] <= 1
    assert called.item["id"].startswith("fs_")


async def test_the_model_reads_each_passage_under_the_mark_of_its_source(rooms: Rooms, store: str):
    outcome = (await searched(tool(rooms, store))).outcome
    assert [source.mark for source in outcome.sources] == ["[doc1]", "[doc2]", "[doc3]"]
    for source in outcome.sources:
        assert f"{source.mark} {source.annotation['filename']}\n{source.text}" in outcome.text
    assert outcome.sources[0].annotation["type"] == "file_citation"


async def test_marks_go_on_over_calls_and_over_earlier_responses(rooms: Rooms, store: str):
    first = await searched(tool(rooms, store))
    made = tool(rooms, store, max_num_results=1)
    second = await searched(made, None, user("What do they eat?"), first.item)
    third = await searched(made, None, user("What do they eat?"), first.item)
    assert [source.mark for source in (*second.outcome.sources, *third.outcome.sources)] == ["[doc4]", "[doc5]"]
    assert earlier_sources([first.item, second.item]) == [*first.outcome.sources, *second.outcome.sources]


@pytest.mark.parametrize("arguments", ["", "{", "[]", '{"query": 5}', '{"query": "  "}', RUNAWAY])
async def test_the_user_s_question_stands_in_for_a_query_that_is_none(rooms: Rooms, store: str, arguments: str):
    called = await searched(tool(rooms, store), arguments, user("Hello! Could you tell me what granite is made of?"))
    assert called.item["queries"] == ["what granite is made of?"]
    assert called.item["results"][0]["filename"] == "rocks.txt"


@pytest.mark.parametrize(
    ("question", "queries"),
    [
        ("What is granite made of, quartz or feldspar?", ["rocks", "What is granite made of, quartz or feldspar?"]),
        ("Which rocks are there?", ["rocks"]),
        ("And the second one?", ["rocks"]),
        ("granite " + " ".join(f"word{number}" for number in range(50)), ["rocks"]),
    ],
)
async def test_a_poor_query_is_searched_for_together_with_the_question(
    rooms: Rooms, store: str, question: str, queries: list[str]
):
    called = await searched(tool(rooms, store), {"query": "rocks"}, user(question))
    assert called.item["queries"] == queries


async def test_several_queries_are_all_searched_for(rooms: Rooms, store: str):
    called = await searched(
        tool(rooms, store, max_num_results=2), {"queries": ["granite quartz feldspar", "blue krill"]}
    )
    assert called.item["queries"] == ["granite quartz feldspar", "blue krill"]
    assert {one["filename"] for one in called.item["results"]} == {"rocks.txt", "whales.txt"}


async def test_several_stores_are_searched_together_best_first(rooms: Rooms):
    stores = [await kept(rooms, WHALES), await kept(rooms, ROCKS)]
    results = (await searched(tool(rooms, *stores), {"query": "granite made of quartz"})).item["results"]
    assert [one["filename"] for one in results] == ["rocks.txt", "whales.txt", "whales.txt"]
    assert [one["score"] for one in results] == sorted((one["score"] for one in results), reverse=True)


async def test_filters_ranking_and_number_are_honoured(rooms: Rooms, store: str):
    minerals = {"type": "eq", "key": "kingdom", "value": "minerals"}
    results = (await searched(tool(rooms, store, filters=minerals))).item["results"]
    assert {one["filename"] for one in results} == {"rocks.txt"}
    assert len((await searched(tool(rooms, store, max_num_results=2))).item["results"]) == 2
    strict = tool(rooms, store, ranking_options={"ranker": "auto", "score_threshold": 1.0})
    nothing = await searched(strict, {"query": "volcano"})
    assert nothing.item["results"] == []
    assert "Nothing was found" in nothing.outcome.text
    words = {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}}
    assert [one["text"] for one in (await searched(tool(rooms, store, ranking_options=words))).item["results"]] == [
        "Blue whales eat krill.",
        "Whales breathe through a blowhole.",
    ]


async def test_the_model_is_told_only_what_there_is_room_for(rooms: Rooms):
    long = await kept(rooms, Kept("long.txt", [f"{word} " * 400 for word in ("alpha", "beta", "gamma")]))
    called = await searched(tool(rooms, long, room_bytes=3000), {"query": "alpha beta"})
    assert len(called.item["results"]) == 3
    assert 1 <= len(called.outcome.sources) < 3
    assert len(called.outcome.text) < 3500


async def test_an_overlap_of_two_passages_is_told_once(rooms: Rooms):
    words = [f"word{number}" for number in range(300)]
    store = await kept(rooms, Kept("long.txt", [" ".join(words[:200]), " ".join(words[100:])]))
    called = await searched(tool(rooms, store), {"query": "word150 word160"})
    assert called.outcome.text.count("word150") == 1
    assert all(called.outcome.text.split().count(word) == 1 for word in words)
    assert sum(len(one["text"].split()) for one in called.item["results"]) == 400


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"vector_store_ids": []}, "vector_store_ids"),
        ({"max_num_results": 51}, "max_num_results"),
        ({"filters": {"type": "like", "key": "a", "value": 1}}, "filters"),
        ({"ranking_options": {"score_threshold": 2}}, "ranking_options"),
    ],
)
async def test_a_field_that_makes_no_search_is_refused_by_name(rooms: Rooms, fields: Json, named: str):
    written = {"type": "file_search", "vector_store_ids": ["vs_1"], **fields}
    with pytest.raises(InvalidRequest, match=f"'{named}'"):
        FileSearch(rooms.search, "default", written)


async def test_a_store_that_is_not_there_is_told_before_the_first_turn(rooms: Rooms, store: str):
    with pytest.raises(NotFound, match="vs_none"):
        await searched(tool(rooms, store, "vs_none"))
    with pytest.raises(NotFound):
        await searched(FileSearch(rooms.search, "other", {"type": "file_search", "vector_store_ids": [store]}))


async def test_a_store_that_goes_away_meanwhile_is_a_failed_call(rooms: Rooms, store: str):
    class Gone(FileSearch):
        async def prepare(self, output: Any, items: Any) -> None:
            await super().prepare(output, items)
            gone = sa.update(vector_stores).where(vector_stores.c.id == store).values(deleted_at=now())
            await rooms.database.write(lambda connection: connection.execute(gone))

    called = await searched(Gone(rooms.search, "default", {"type": "file_search", "vector_store_ids": [store]}))
    assert (called.item["status"], called.item["results"]) == ("failed", [])
    assert called.outcome.text.startswith("The search failed: ")
    assert "file_search_call.completed" not in called.types
