"""`smalt serve` as a person starts, uses and stops it, with the echo engine."""

import fcntl
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.error import HTTPError

import openai
import psutil
import pytest

SMALT = (sys.executable, "-m", "smalt")
READY = "Ctrl-C stops the server."
LATE = 20
"""Seconds within which a server does what it does after a second, on however slow a machine."""
SETTINGS = 'starter = false\n[deployments.parrot]\nengine = "echo"\n'


class Place:
    """A data folder with its settings, and the commands run in it."""

    def __init__(self, folder, settings=SETTINGS):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "smalt.toml").write_text(settings)
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SMALT_")}
        self.environment["SMALT_DATA_DIR"] = str(folder / "data")

    def run(self, *arguments, **environment):
        return subprocess.run(
            [*SMALT, *arguments], cwd=self.folder, env=self.environment | environment, capture_output=True,
            text=True, check=False, timeout=60,
        )  # fmt: skip

    @contextmanager
    def serving(self, *arguments):
        server = Server(self, "--port", "0", *arguments)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.end()


class Server:
    """A running `smalt serve`, what it printed, and the processes that belong to it."""

    def __init__(self, place, *arguments):
        self.place = place
        self.errors = (place.folder / "errors.txt").open("w+")
        self.process = subprocess.Popen(
            [*SMALT, "serve", *arguments], cwd=place.folder, env=place.environment, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, start_new_session=True,
        )  # fmt: skip
        self.lines = queue.SimpleQueue()
        self.said = ""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        with self.process.stdout as output:
            for line in output:
                self.said += line
                self.lines.put(line)
        self.lines.put(None)

    def wait_until_ready(self, seconds=90):
        until = time.monotonic() + seconds
        while (line := self.lines.get(timeout=max(0.1, until - time.monotonic()))) is not None:
            if READY in line:
                return
        raise AssertionError(f"it never got ready:\n{self.said}\n{self.log()}")

    def log(self):
        self.errors.flush()
        return (self.place.folder / "errors.txt").read_text()

    @property
    def url(self):
        return re.search(r"(http://\S+)/openai/v1", self.said).group(1)

    @property
    def key(self):
        found = re.search(r"sk-smalt-\S{43}", self.said)
        return found.group(0) if found else None

    def client(self, key=None):
        return openai.OpenAI(base_url=f"{self.url}/openai/v1", api_key=key or self.key, max_retries=0)

    def family(self):
        """The server and all processes below it."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def stop(self, number=signal.SIGINT, seconds=20):
        """Send a signal; returns the exit code once it has ended, and all that belonged to it."""
        family = self.family()
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        psutil.wait_procs(family, timeout=seconds)
        assert [process for process in family if is_running(process)] == []
        return code

    def end(self):
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)
        self.reader.join()
        self.errors.close()


def is_running(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ask(server, text="Good morning", **options):
    with server.client(options.pop("key", None)) as client:
        answer = client.chat.completions.create(model="parrot", messages=[{"role": "user", "content": text}], **options)
    return answer.choices[0].message.content


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Place(tmp_path_factory.mktemp("serve")).serving() as server:
        yield server


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_the_first_key_works_and_is_shown_with_the_addresses(shared):
    assert ask(shared) == "Good morning"
    for path in ("/openai/v1", "/v1", "/docs"):
        assert f"{shared.url}{path}" in shared.said


def test_the_printed_line_answers_when_it_is_pasted(shared):
    line = next(line for line in shared.said.splitlines() if line.strip().startswith("curl"))
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_a_key_made_while_the_server_runs_works_until_it_is_revoked(shared):
    secret = shared.place.run("keys", "create", "visitor").stdout.strip()
    within(LATE, lambda: ask(shared, key=secret) == "Good morning")
    assert shared.place.run("keys", "revoke", "visitor").returncode == 0
    within(LATE, lambda: is_refused(shared, secret))


def within(seconds, is_true):
    until = time.monotonic() + seconds
    while True:
        # The commands' own time is not counted, only the server's delay.
        try:
            if is_true():
                return
        except openai.AuthenticationError:
            pass
        assert time.monotonic() < until
        time.sleep(0.1)


def is_refused(server, secret):
    try:
        ask(server, key=secret)
    except openai.AuthenticationError:
        return True
    return False


def test_usage_shows_the_tokens_of_key_model_day_and_user(shared):
    shared.place.run("keys", "create", "counted")
    secret = shared.place.run("keys", "create", "counter").stdout.strip()
    within(LATE, lambda: ask(shared, key=secret, user="ada") == "Good morning")

    def rows(by):
        return {row[by]: row for row in json.loads(shared.place.run("usage", "--by", by, "--json").stdout)}

    # It is written every second.
    within(LATE, lambda: "counter" in rows("key"))
    counted = rows("key")["counter"]
    assert (counted["requests"], counted["prompt_tokens"], counted["completion_tokens"]) == (1, 2, 2)
    assert rows("model")["parrot"]["requests"] >= 1
    assert rows("user")["ada"]["prompt_tokens"] == 2
    assert len(rows("day")) in {1, 2}
    assert "counter" in shared.place.run("usage").stdout


def test_chat_answers_in_the_terminal(shared):
    done = shared.place.run(
        "chat", "Good day to you", "--model", "parrot", "--url", f"{shared.url}/openai/v1", SMALT_API_KEY=shared.key
    )
    assert (done.stdout, done.stderr) == ("Good day to you\n", "")


def test_chat_without_a_key_says_how_to_get_one(shared):
    done = shared.place.run("chat", "Hi", "--model", "parrot", "--url", f"{shared.url}/openai/v1")
    assert done.returncode == 1
    assert "smalt keys create" in done.stderr


def test_chat_with_nobody_there_says_how_to_start(place):
    done = place.run("chat", "Hi", "--url", "http://127.0.0.1:9/openai/v1", "--key", "k")
    assert done.returncode == 1
    assert "smalt serve" in done.stderr


def test_a_conversation_goes_on_until_the_input_ends(shared):
    done = subprocess.run(
        [*SMALT, "chat", "--model", "parrot", "--url", f"{shared.url}/openai/v1", "--key", shared.key],
        input="One\n\nTwo\n", capture_output=True, text=True, check=True, env=shared.place.environment,
    )  # fmt: skip
    assert [line.removeprefix("> ").removeprefix("> ") for line in done.stdout.splitlines()][:2] == ["One", "Two"]


def test_a_second_server_on_the_same_folder_is_refused(shared):
    done = shared.place.run("serve", "--port", "0")
    assert done.returncode == 2
    assert shared.url in done.stderr
    assert "data_dir" in done.stderr


def test_a_port_in_use_is_told_and_nothing_is_started(place):
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = place.run("serve", "--port", str(other.getsockname()[1]))
    assert done.returncode == 2
    assert "is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_does_not_exist_is_told_before_anything_starts(tmp_path):
    done = Place(tmp_path, 'starter = false\n[deployments.a]\nengine = "nonsense"').run("serve", "--port", "0")
    assert done.returncode == 2
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_auth_is_refused_off_loopback(place):
    done = place.run("serve", "--no-auth", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    assert "loopback" in done.stderr


def test_no_auth_asks_for_no_key_on_loopback(place):
    with place.serving("--no-auth") as server:
        assert server.key is None
        assert ask(server, key="anything") == "Good morning"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(place, number):
    with place.serving() as server:
        ask(server)
        assert server.stop(number) == 0
        assert "Traceback" not in server.log()
    rows = json.loads(place.run("usage", "--json").stdout)
    assert rows[0]["requests"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_it_is_ready_ends_it_with_a_word(place, number):
    (place.folder / "data").mkdir()
    with (place.folder / "data" / "smalt.db.migrating").open("w") as lock:
        # It waits for this lock, as for another process that migrates.
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = Server(place, "--port", "0")
        until = time.monotonic() + 30
        while not (place.folder / "data" / "run" / "serve.lock").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(1)
        assert server.stop(number) == 130
        assert server.log().startswith("Stopped before it was ready.")
        server.end()


def test_the_key_is_shown_at_the_first_start_only(place):
    with place.serving() as server:
        key = server.key
    with place.serving() as server:
        assert server.key is None
        assert "smalt keys create" in server.said
        assert ask(server, key=key) == "Good morning"


def test_an_open_stream_does_not_keep_a_server_from_stopping(tmp_path):
    settings = SETTINGS + "[deployments.parrot.options]\ndelay_seconds = 0.2\n"
    with Place(tmp_path, settings).serving() as server, server.client() as client:
        stream = client.chat.completions.create(
            model="parrot", messages=[{"role": "user", "content": "word " * 400}], stream=True
        )
        next(stream)
        # The stream would take 80 seconds.
        assert server.stop() == 0


def test_several_processes_serve_one_address_and_end_together(place):
    with place.serving("--workers", "2") as server:
        workers = api_processes(server)
        assert len(workers) == 2
        assert {ask(server) for _ in range(10)} == {"Good morning"}
        workers[0].kill()
        until = time.monotonic() + 30
        while len(set(api_processes(server)) - {workers[0]}) < 2:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert ask(server) == "Good morning"
        assert server.stop(signal.SIGTERM) == 0


def test_files_that_come_to_several_processes_are_each_brought_in_once(tmp_path):
    place = Place(tmp_path / "place", SETTINGS + '[retrieval]\nembedding_model = "parrot"\n')
    with place.serving("--workers", "2") as server:
        client = server.client()
        store = client.vector_stores.create()

        def bring_in(number):
            return client.vector_stores.files.upload_and_poll(
                vector_store_id=store.id, file=(f"{number}.txt", b"Smalt is blue."), poll_interval_ms=200
            )

        with ThreadPoolExecutor(4) as pool:
            assert {file.status for file in pool.map(bring_in, range(8))} == {"completed"}
        assert client.vector_stores.retrieve(store.id).file_counts.completed == 8
        jobs = place.run("jobs", "list").stdout
        assert jobs.count("succeeded") == 8
        found = client.vector_stores.search(store.id, query="Smalt is blue.", max_num_results=20)
        assert len({one.file_id for one in found}) == len(list(found)) == 8


def api_processes(server):
    return [process for process in server.family() if is_running(process) and "spawn_main" in command_of(process)]


def command_of(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_outlives_a_server_that_is_killed(place, workers):
    with place.serving("--workers", workers) as server:
        family = server.family()
        server.process.kill()
        server.process.wait()
        psutil.wait_procs(family, timeout=20)
        assert [process for process in family if is_running(process)] == []
    with place.serving() as server:
        assert server.process.poll() is None


def test_a_dead_engine_host_is_replaced(shared):
    host = next(process for process in shared.family() if "smalt.engines.host" in command_of(process))
    host.kill()
    until = time.monotonic() + 20
    while not (is_ready(shared) and host not in shared.family()):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert ask(shared) == "Good morning"


def is_ready(server):
    try:
        with urllib.request.urlopen(f"{server.url}/ready") as answer:
            return answer.status == 200
    except HTTPError as error:
        error.close()
        return False
