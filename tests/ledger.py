"""Clients that upload, attach, detach, delete and list, and remember what the server acknowledged."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import openai

State = Literal["yes", "no", "maybe"]
"""Whether something is there; maybe, when the server died before it answered."""

WORDS = ["alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan", "spruce"]


@dataclass
class Kept:
    """A file as its owner knows it."""

    content: bytes
    word: str
    state: State = "yes"
    stores: dict[str, State] = field(default_factory=dict[str, State])


class Owner:
    """One client with files of its own; what it knows outlives the server's process."""

    def __init__(self, seed: int, stores: list[str]) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self._stores = stores
        self._made = 0
        self.files: dict[str, Kept] = {}
        self.operations = 0

    def work(self, client: openai.OpenAI, stop: threading.Event) -> None:
        """Do one thing after the other until the server is gone."""
        chances = {self._upload: 5, self._attach: 5, self._batch: 1, self._detach: 2, self._delete: 2, self._list: 2}
        while not stop.is_set():
            (operation,) = self._random.choices(list(chances), list(chances.values()))
            try:
                operation(client)
            except (openai.APIConnectionError, openai.InternalServerError) as error:
                if isinstance(error, openai.InternalServerError) and not stop.is_set():
                    raise
                return
            self.operations += 1

    def _upload(self, client: openai.OpenAI) -> None:
        self._made += 1
        word = f"token{self._seed}x{self._made}"
        body = " ".join(self._random.choices(WORDS, k=self._random.choice([5, 300, 5000])))
        content = f"{word} {body}".encode()
        made = client.files.create(file=(f"{word}.txt", content), purpose="assistants")
        self.files[made.id] = Kept(content, word)

    def _attach(self, client: openai.OpenAI) -> None:
        if (chosen := self._choose(lambda kept: not kept.stores)) is None:
            return
        store = self._random.choice(self._stores)
        kept = self.files[chosen]
        kept.stores[store] = "maybe"
        client.vector_stores.files.create(store, file_id=chosen)
        kept.stores[store] = "yes"

    def _batch(self, client: openai.OpenAI) -> None:
        free = [file_id for file_id, kept in self.files.items() if kept.state == "yes" and not kept.stores][:3]
        if not free:
            return
        store = self._random.choice(self._stores)
        for file_id in free:
            self.files[file_id].stores[store] = "maybe"
        client.vector_stores.file_batches.create(store, file_ids=free)
        for file_id in free:
            self.files[file_id].stores[store] = "yes"

    def _detach(self, client: openai.OpenAI) -> None:
        if (chosen := self._choose(lambda kept: "yes" in kept.stores.values())) is None:
            return
        (store,) = self.files[chosen].stores
        self.files[chosen].stores[store] = "maybe"
        client.vector_stores.files.delete(chosen, vector_store_id=store)
        self.files[chosen].stores[store] = "no"

    def _delete(self, client: openai.OpenAI) -> None:
        if (chosen := self._choose(lambda _: True)) is None:
            return
        kept = self.files[chosen]
        kept.state = "maybe"
        kept.stores = dict.fromkeys(kept.stores, "maybe")
        client.files.delete(chosen)
        kept.state = "no"
        kept.stores = dict.fromkeys(kept.stores, "no")

    def _list(self, client: openai.OpenAI) -> None:
        listed = {file.id for file in client.files.list(limit=100)}
        missing = {file_id for file_id, kept in self.files.items() if kept.state == "yes"} - listed
        assert not missing, f"acknowledged files are not listed: {missing}"

    def _choose(self, is_wanted: Callable[[Kept], bool]) -> str | None:
        wanted = [file_id for file_id, kept in self.files.items() if kept.state == "yes" and is_wanted(kept)]
        return self._random.choice(wanted) if wanted else None


def verify(client: openai.OpenAI, files: dict[str, Kept]) -> None:
    """Every acknowledged write is there, whole, and nothing that was acknowledged as gone."""
    for file_id, kept in files.items():
        found = _or_none(lambda file_id=file_id: client.files.content(file_id).read())
        assert found == kept.content if kept.state == "yes" else found in {None, kept.content}
        assert kept.state != "no" or found is None, f"{file_id} was deleted and is there"
        for store, state in kept.stores.items():
            _verify_attachment(client, file_id, kept, store, state)


def _verify_attachment(client: openai.OpenAI, file_id: str, kept: Kept, store: str, state: State) -> None:
    attached = _or_none(lambda: client.vector_stores.files.retrieve(file_id, vector_store_id=store))
    assert state != "yes" or attached is not None, f"{file_id} was attached and is not"
    assert state != "no" or attached is None, f"{file_id} was detached and is attached"
    hits = client.vector_stores.search(store, query=kept.word, max_num_results=10).data
    is_found = any(hit.file_id == file_id for hit in hits)
    if attached is None:
        assert not is_found, f"{file_id} is not attached, and the search finds it"
    else:
        assert attached.status == "completed", attached.last_error
        assert is_found, f"{file_id} is attached, and the search does not find it"


def _or_none(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except openai.NotFoundError:
        return None
