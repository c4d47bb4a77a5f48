"""Responses outlive a killed server: those in the background go on, the others are known to have failed.

`SMALT_TEST_KILLS` says how often the server is killed.
"""

import os
import random
import sqlite3
import time
from contextlib import closing

import httpx
import openai
import pytest

from doomed import Doomed, kill

KILLS = min(12, int(os.environ.get("SMALT_TEST_KILLS", "2")))
SETTINGS = """
starter = false
[deployments.echo]
engine = "echo"
[deployments.slow]
engine = "echo"
options = { delay_seconds = 0.05, tokens = 100 }
[jobs]
poll_seconds = 0.2
[log]
level = "warning"
"""
LOST = (openai.APIConnectionError, httpx.HTTPError)
TEXT = "Smalt is ground cobalt glass "


def begin(client):
    """The first events of a new response, as far as they arrive before a kill."""
    return iter(client.responses.create(model="slow", input=TEXT, background=True, stream=True))


def seen_until(events, count):
    return [event for event, _ in zip(events, range(count), strict=False)]


def followed(client, seen):
    """The events after those that were seen, until there are no more."""
    events = client.responses.retrieve(seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number)
    return [*seen, *events]


@pytest.mark.timeout(120 + 40 * KILLS)
def test_a_response_in_the_background_goes_on_after_every_kill(tmp_path):
    doomed = Doomed(tmp_path, SETTINGS)
    chance = random.Random(KILLS)
    with doomed.living() as (client, process):
        told = [seen_until(begin(client), chance.randrange(3, 12)) for _ in range(2)]
        quiet = client.responses.create(model="slow", input=TEXT, background=True)
        kill(process)
    for _ in range(KILLS):
        with doomed.living() as (client, process):
            told = [told_until_kill(client, seen, chance.uniform(0.0, 3.0)) for seen in told]
            kill(process)
    with doomed.living() as (client, _):
        ended = [check(client, followed(client, seen)) for seen in told]
        assert any(len(response.output) > 1 for response in ended), "no kill came in the middle of a message"
        until(lambda: client.responses.retrieve(quiet.id).status == "completed")
        assert client.responses.retrieve(quiet.id).output[-1].content[0].text.startswith(TEXT)
        until(lambda: not doomed.rows("SELECT id FROM jobs WHERE finished_at IS NULL"))


def told_until_kill(client, seen, seconds):
    """Listen on for so long; what was heard before a kill is what is heard again after it."""
    end = time.monotonic() + seconds
    stream = client.responses.retrieve(seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number)
    heard = list(seen)
    with stream:
        for event in stream:
            heard.append(event)
            if time.monotonic() > end:
                break
    return heard


def check(client, events):
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed", events[-2:]
    ended = client.responses.retrieve(events[0].response.id)
    assert ended == events[-1].response
    assert ended.output[-1].status == "completed"
    assert ended.output[-1].content[0].text.startswith(TEXT)
    assert {item.status for item in ended.output[:-1]} <= {"incomplete"}
    assert [event.item.id for event in events if event.type == "response.output_item.done"] == [
        item.id for item in ended.output
    ]
    again = client.responses.retrieve(ended.id, stream=True)
    assert [(event.type, event.sequence_number) for event in again] == [
        (event.type, event.sequence_number) for event in events
    ]
    return ended


def test_a_response_whose_server_was_killed_is_known_to_have_failed(tmp_path):
    doomed = Doomed(tmp_path, SETTINGS)
    with doomed.living() as (client, process):
        events = iter(client.responses.create(model="slow", input=TEXT, stream=True))
        first = next(events)
        until(lambda: doomed.rows("SELECT id FROM responses"))
        kill(process)
        with pytest.raises(LOST):
            list(events)
    # A minute of silence.
    with closing(sqlite3.connect(doomed.data_dir / "smalt.db")) as database, database:
        database.execute("UPDATE responses SET heard_at = heard_at - 100")
    with doomed.living() as (client, _):
        until(lambda: client.responses.retrieve(first.response.id).status == "failed")
        failed = client.responses.retrieve(first.response.id)
        assert failed.error.code == "server_error"
        assert "Send the request again" in failed.error.message
        with pytest.raises(openai.BadRequestError, match="synchronous"):
            client.responses.cancel(failed.id)


def until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)
