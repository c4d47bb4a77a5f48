"""Pages neither repeat nor skip, and counts are right, whatever happens meanwhile."""

from collections import Counter
from contextlib import contextmanager
from functools import cache

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from smalt.store.cursors import Collection, Slice, fetch_page
from smalt.store.file_batches import cancel_files
from smalt.store.tables import files, metadata, vector_store_files, vector_stores
from smalt.store.vector_store_files import Attachment, attach, detach, find_file
from smalt.store.vector_store_rows import bump, count_files, find_vector_store

STORE = {"id": "vs_1", "project": "p", "created_at": 1, "is_expired": False, "embedding_model": "m", "version": 1}
FILES = [f"file-{number}" for number in range(6)]
COLUMN = vector_store_files.c


@cache
def scratch():
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    return engine


@contextmanager
def one_store():
    """A connection to a database with an empty store and some files, as it was before after the block."""
    with scratch().connect() as connection:
        connection.execute(sa.insert(vector_stores).values(STORE))
        shared = {"project": "p", "purpose": "assistants", "filename": "f", "bytes": 1, "created_at": 1, "status": "x"}
        connection.execute(sa.insert(files), [{**shared, "id": one} for one in FILES])
        yield connection, find_vector_store(connection, "p", "vs_1")
        connection.rollback()


def put(connection, file_id, created_at):
    row = {"vector_store": 1, "file_id": file_id, "created_at": created_at, "status": "completed", "version": 1}
    sizes = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400, "usage_bytes": 0, "chunks": 0}
    connection.execute(sa.insert(vector_store_files).values({**row, **sizes}))


def bury(connection, file_id):
    connection.execute(sa.update(vector_store_files).where(COLUMN.file_id == file_id).values(deleted_at=9))


@settings(deadline=None, max_examples=80)
@given(
    times=st.lists(st.integers(1, 5), max_size=20),
    meanwhile=st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(1, 6)), max_size=20),
    limit=st.integers(1, 6),
    order=st.sampled_from(["asc", "desc"]),
)
def test_pages_hold_what_stays_exactly_once_and_in_order(times, meanwhile, limit, order):
    with one_store() as (connection, store):
        born = {f"f{number}": (moment, number) for number, moment in enumerate(times)}
        for file_id, (moment, _) in born.items():
            put(connection, file_id, moment)
        stays, seen, after = set(born), [], None
        collection = Collection(vector_store_files, COLUMN.file_id, COLUMN.vector_store == store.sequence, "file")
        changes = iter(meanwhile)
        while True:
            page = fetch_page(connection, collection, Slice(after, None, limit, order))
            seen += [row.file_id for row in page.items]
            if not page.has_more:
                break
            after = seen[-1]
            for is_new, number, moment in [one for one in [next(changes, None)] if one]:
                file_id = f"new{len(born)}" if is_new else f"f{number}"
                if is_new:
                    born[file_id] = (moment, len(born))
                    put(connection, file_id, moment)
                else:
                    bury(connection, file_id)
                    stays.discard(file_id)
        assert max(Counter(seen).values(), default=1) == 1
        assert stays <= set(seen)
        assert seen == sorted(seen, key=born.__getitem__, reverse=order == "desc")


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(0, 15), limit=st.integers(1, 6), order=st.sampled_from(["asc", "desc"]), start=st.integers(0, 14)
)
def test_going_back_is_going_forth_the_other_way(count, limit, order, start):
    with one_store() as (connection, store):
        names = [f"f{number}" for number in range(count)]
        for name in names:
            put(connection, name, 1)
        if start >= count:
            return
        collection = Collection(vector_store_files, COLUMN.file_id, COLUMN.vector_store == store.sequence, "file")
        other = "desc" if order == "asc" else "asc"
        back = fetch_page(connection, collection, Slice(None, names[start], limit, order))
        forth = fetch_page(connection, collection, Slice(names[start], None, limit, other))
        assert [row.file_id for row in back.items] == [row.file_id for row in forth.items][::-1]
        assert back.has_more == forth.has_more


STEPS = st.one_of(
    st.tuples(st.just("attach"), st.lists(st.sampled_from(FILES), min_size=1, max_size=4)),
    st.tuples(st.just("detach"), st.lists(st.sampled_from(FILES), min_size=1, max_size=1)),
    st.tuples(st.sampled_from(["completed", "failed"]), st.lists(st.sampled_from(FILES), min_size=1, max_size=3)),
    st.tuples(st.just("cancel"), st.just([])),
)


def carry_out(connection, store, step, chosen, model):
    """Do a step to the store and to the model of it: file id to status and bytes."""
    if step == "attach":
        attach(connection, store, [Attachment(one, 800, 400) for one in chosen])
        model.update(dict.fromkeys(chosen, ("in_progress", 0)))
    elif step == "detach" and chosen[0] in model:
        detach(connection, store, [find_file(connection, store, chosen[0]).sequence])
        del model[chosen[0]]
    elif step == "cancel":
        cancel_files(connection, store.sequence, sa.true())
        model.update({one: ("cancelled", 0) for one, (status, _) in model.items() if status == "in_progress"})
    elif step in {"completed", "failed"}:
        for one in chosen:
            if model.get(one, ("",))[0] == "in_progress":
                values = {"status": step, "usage_bytes": 10, "version": bump(connection, store.sequence)}
                live = (COLUMN.file_id == one, COLUMN.deleted_at.is_(None))
                connection.execute(sa.update(vector_store_files).where(*live).values(values))
                model[one] = (step, 10)


@settings(deadline=None, max_examples=80)
@given(steps=st.lists(STEPS, max_size=25))
def test_counts_are_right_after_every_step(steps):
    with one_store() as (connection, store):
        model = {}
        for step, chosen in steps:
            carry_out(connection, store, step, chosen, model)
            counts = count_files(connection, [store.sequence])[store.sequence]
            expected = Counter(status for status, _ in model.values())
            statuses = ("in_progress", "completed", "failed", "cancelled")
            assert {one: getattr(counts, one) for one in statuses} == {one: expected[one] for one in statuses}
            assert counts.total == len(model)
            assert counts.usage_bytes == sum(size for _, size in model.values())
