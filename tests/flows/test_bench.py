"""Each benchmark runs from end to end, as small as it can be; what it measures is nobody's business here."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recordings import sentence
from smalt.cli.bench import chat, embeddings, gateway, ingest, responses, search, speak, start, transcribe, voices
from smalt.cli.bench.load import Load
from smalt.cli.bench.report import Report
from smalt.cli.bench.servers import Server, smalt_server
from smalt.core.settings import load_settings
from smalt.engines.protocols import Deployment
from smalt.models.catalog import Catalog
from smalt.models.progress import Silent

ECHO = Deployment("echo", "echo", "echo", frozenset({"chat_completion"}), options={"tokens": 4})
TINY_CHAT = chat.Plan(pairs=1, turns={1: 1, 2: 1}, tokens=4, first_tokens=2)
TINY_RESPONSES = replace(responses.QUICK, streams=4, chunks=16, requests=16, first_events=1)
TINY_GATEWAY = replace(gateway.QUICK, requests=64, streams=16, chunks=5, open_streams=50, open_seconds=1)


@pytest.fixture
def echo_server() -> Iterator[Server]:
    with smalt_server({"bench": {"engine": "echo", "options": {"tokens": 4}}}) as server:
        yield server


def figures(report: Report) -> dict[str, float]:
    found = {line.what: line.figure.median for line in report.lines}
    assert all(math.isfinite(figure) for figure in found.values())
    assert report.command in report.markdown()
    return found


def embedding_model(data_dir: Path) -> Deployment:
    settings = load_settings(data_dir=data_dir)
    return Catalog(settings).find("text-embedding-3-small").fetched(settings, Silent())


def test_chat_runs_on_any_two_servers(echo_server: Server) -> None:
    side = chat.Side(echo_server.target(chat.PATH), echo_server.tree, {"model": "bench"})
    with Load() as load:
        found = figures(chat.Chat(TINY_CHAT, load, side, side).report("smalt bench chat"))
    assert "tokens a second, 2 concurrent" in found
    assert "added time to first token, prompt in the cache" in found


def test_gateway_runs_and_loses_no_stream() -> None:
    found = figures(gateway.measure(TINY_GATEWAY, "smalt bench gateway"))
    assert found["streams lost"] == 0
    assert found["CPU a paced chunk, 16 streams"] > 0


def test_another_gateway_can_be_compared() -> None:
    report = Report("Two of a kind", "smalt bench gateway")
    with smalt_server({"pace-10": {"engine": "echo"}}) as server, Load() as load:
        target = server.target(gateway.PATH)
        gateway.Gateway(TINY_GATEWAY, report, load, server, target).against("itself", target)
    assert set(figures(report)) == {"requests a second against itself, 16 concurrent"}


@pytest.mark.timeout(180)
def test_responses_of_each_kind_run_against_chat() -> None:
    report = responses.measure(ECHO, TINY_RESPONSES, "smalt bench responses")
    found = figures(report)
    kinds = ["not stored", "stored", "background"]
    assert {f"added time to first event, {kind}, stub" for kind in kinds} <= set(found)
    assert all(found[f"CPU a chunk, {kind}, 16 streams"] > 0 for kind in kinds)
    assert "added CPU a request, stored, 16 concurrent" in found
    assert "added time to first event, not stored, model with the prompt in its cache" in found
    assert [line.what for line in report.lines if line.budget] == [
        "added time to first event, not stored, stub",
        *(f"CPU a chunk, {kind}, 16 streams" for kind in kinds),
        "added time to first event, not stored, model with the prompt in its cache",
    ]


def test_a_response_that_is_cut_short_is_not_measured(echo_server: Server) -> None:
    report = Report("Responses", "smalt bench responses")
    with Load() as load:
        bench = responses.Responses(replace(TINY_RESPONSES, chunks=40), report, load)
        with pytest.raises(RuntimeError, match="A stream of 40 chunks ended after"):
            bench.paced_chunks(responses.Sides.of("bench", echo_server))


def test_start_runs() -> None:
    found = figures(start.measure(ECHO, start.QUICK, "smalt bench start"))
    assert found["CPU until ready"] > 0
    assert found["memory when ready, no model loaded"] > 1


@pytest.mark.real
@pytest.mark.timeout(400)
def test_chat_and_embeddings_run_against_the_naked_engines(starter_data_dir) -> None:
    settings = load_settings(data_dir=starter_data_dir)
    catalog = Catalog(settings)
    model = catalog.find("gpt-4o-mini").fetched(settings, Silent())
    small = replace(model, options={"context": 512})
    found = figures(chat.measure(small, TINY_CHAT, "smalt bench chat"))
    assert found["our CPU of the engine's, 1 concurrent"] > 0
    model = embedding_model(starter_data_dir)
    found = figures(embeddings.measure(model, embeddings.Plan(pairs=1, texts=64), "smalt bench embeddings"))
    assert found["texts a second"] > 0


@pytest.mark.real
@pytest.mark.timeout(400)
def test_transcription_runs_against_the_bare_library(starter_data_dir, tmp_path) -> None:
    settings = load_settings(data_dir=starter_data_dir)
    model = Catalog(settings).find("whisper-1").fetched(settings, Silent())
    plan = transcribe.Plan(pairs=1, together=1)
    report = transcribe.measure(model, sentence("0870").content, plan, "smalt bench transcribe")
    report.show(as_markdown=True, json_file=tmp_path / "report.json")
    found = figures(report)
    assert found["words that both heard alike"] > 80
    assert found["seconds of sound a second, 1 at once"] > 0


@pytest.mark.real
@pytest.mark.timeout(400)
def test_speech_runs_against_the_bare_library(starter_data_dir) -> None:
    settings = load_settings(data_dir=starter_data_dir)
    model = Catalog(settings).find("tts-1").fetched(settings, Silent())
    found = figures(speak.measure(model, speak.Plan(pairs=1, words=6), "smalt bench speak"))
    assert 0.7 < found["length of the sound"] < 1.4
    assert found["time to the first sound"]


def test_every_voice_reads_and_is_heard_again() -> None:
    able = frozenset({"audio_speech", "audio_transcription"})
    echo = Deployment("echo", "echo", "echo", able)
    found = figures(voices.measure(echo, echo, voices.QUICK, "smalt bench speak --voices"))
    assert len([what for what in found if what.startswith("misheard of ")]) == 13
    assert found["misheard of alloy"] == 0, "an echo hears every word that an echo spoke"
    assert voices.edits(["a", "b", "c", "d"], ["a", "x", "c"]) == 2


@pytest.mark.real
@pytest.mark.timeout(300)
def test_ingestion_runs_against_the_bare_loop(starter_data_dir) -> None:
    model = embedding_model(starter_data_dir)
    found = figures(ingest.measure(model, ingest.Plan(pairs=1, documents=2, words=60), "smalt bench ingest"))
    assert found["chunks a second"] > 0
    assert found["documents a second"] > 0


@pytest.mark.real
@pytest.mark.timeout(300)
def test_search_runs_through_the_channel_and_over_http(starter_data_dir) -> None:
    model = embedding_model(starter_data_dir)
    found = figures(search.measure(model, search.Plan(chunks=3_000, queries=10, pairs=1), "smalt bench search"))
    assert found["by meaning, filter of a tenth: recall@10"] > 0.9
    assert found["hybrid: p95"] > 0
    assert found["over HTTP, filter of a tenth: p50"] > 0
