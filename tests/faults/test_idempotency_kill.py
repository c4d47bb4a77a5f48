"""A server that is killed while it works on a request with an idempotency key works on it again, once."""

import threading
import time

import openai

from doomed import Doomed, kill

SETTINGS = """
starter = false
[deployments.slow]
engine = "echo"
options = { delay_seconds = 0.05, tokens = 40 }
[log]
level = "warning"
"""
BODY = {"model": "slow", "messages": [{"role": "user", "content": "once upon a time"}]}
OPTIONS = {"headers": {"Idempotency-Key": "a-paid-call"}}


def ask(client):
    return client.post("/chat/completions", body=BODY, options=OPTIONS, cast_to=openai.HttpxBinaryResponseContent)


def test_a_request_that_a_kill_cut_off_is_worked_on_once_more(tmp_path):
    doomed = Doomed(tmp_path, SETTINGS)
    with doomed.living() as (client, process):
        failures = []

        def work():
            try:
                ask(client)
            except openai.APIConnectionError as error:
                failures.append(error)

        asking = threading.Thread(target=work)
        asking.start()
        wait_for(lambda: doomed.rows("SELECT 1 FROM idempotent_answers WHERE status IS NULL"))
        kill(process)
        asking.join(30)
        assert len(failures) == 1
    with doomed.living() as (client, _):
        answers = []
        asking = [threading.Thread(target=lambda: answers.append(ask(client))) for _ in range(3)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(60)
        assert len({answer.content for answer in answers}) == 1
        told = [answer.response.headers.get("idempotent-replayed") for answer in answers]
        assert sorted(told, key=str) == [None, "true", "true"]
        assert ask(client).content == answers[0].content
        wait_for(lambda: doomed.rows("SELECT 1 FROM usage"))
    assert doomed.rows("SELECT sum(requests) FROM usage") == [(1,)]


def wait_for(is_so, seconds=30):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)
