"""The words of one vector store: a tantivy index on disk, mapped into memory as it is read."""

import shutil
from collections.abc import Iterable, Iterator
from math import log
from pathlib import Path

import tantivy
from tantivy import Document, Index, Occur, Query

from smalt.retrieval.index.words import searchable
from smalt.retrieval.index.worker.words import analyzer
from smalt.retrieval.protocols import POSITION_BITS

FORMAT = 1
"""Part of the folder's name; another schema or another way to cut words needs another number."""

WRITER_BYTES = 24_000_000
MOST_WORDS = 32
"""The rarest words of a long query say what it is about."""

COMMON = 0.3
"""Words in a larger share of the chunks of a large store are left out when there are others: they cost most."""

LARGE = 20_000

SELECTIVE = 0.2
MOST_DEEP = 10_000
SATURATION = 2.2
"""What a word that fills a chunk scores, in units of its weight: BM25's k1 + 1."""


class TextIndex:
    """Chunks and, for each file, one document that says that the file is there with all its chunks.

    Both are committed together, so the files that the index names are exactly those that it holds.
    """

    def __init__(self, folder: Path) -> None:
        self._analyzer = analyzer()
        self._schema = _schema()
        self._index = _open(folder, self._schema)
        self._index.register_tokenizer("words", self._analyzer)
        self._writer = self._index.writer(WRITER_BYTES, 1)
        self._searcher = self._index.searcher()

    def contents(self) -> dict[int, int]:
        """The files that are in it, with the numbers of their contents."""
        searcher = self._searcher
        if not searcher.num_docs:
            return {}
        marks = searcher.search(Query.exists_query("content"), searcher.num_docs, count=False).hits
        addresses = [address for _, address in marks]
        files, contents = (searcher.fast_field_values(name, addresses) for name in ("file", "content"))
        return {int(file or 0): int(content or 0) for file, content in zip(files, contents, strict=True)}

    def add(self, chunk: int, text: str) -> None:
        """Add a chunk; it is found after `commit`."""
        document = Document()
        document.add_text("text", searchable(text))
        document.add_unsigned("chunk", chunk)
        document.add_unsigned("file", chunk >> POSITION_BITS)
        self._writer.add_document(document)

    def put(self, file: int, content: int) -> None:
        """Say that all chunks of a file were added."""
        document = Document()
        document.add_unsigned("file", file)
        document.add_unsigned("content", content)
        self._writer.add_document(document)

    def remove(self, file: int) -> None:
        """Remove a file and its chunks."""
        # Deleting by a term of a number finds nothing in tantivy's Python layer 0.27.
        self._writer.delete_documents_by_query(Query.term_query(self._schema, "file", file))

    def commit(self) -> None:
        """Make what was added and removed durable and visible."""
        self._writer.commit()
        self._index.reload()
        self._searcher = self._index.searcher()

    def rollback(self) -> None:
        """Forget what was added and removed since the last commit."""
        self._writer.rollback()

    def close(self) -> None:
        """Let go of the folder; waits for merges."""
        self._writer.wait_merging_threads()

    def search(self, text: str, limit: int, files: "AllowedFiles | None" = None) -> dict[int, float]:
        """The best chunks with their scores: the share of what a chunk full of the query's words would reach."""
        words = self._words(text)
        limit = min(limit, self._searcher.num_docs)
        if not words or not limit or (files is not None and not files):
            return {}
        query = Query.boolean_query([(Occur.Should, self._term(word)) for word in words])
        most = SATURATION * sum(self._weight(word) for word in self._known(text))
        return {chunk: min(1.0, score / most) for chunk, score in self._found(query, limit, files)}

    def _found(self, query: Query, limit: int, files: "AllowedFiles | None") -> Iterator[tuple[int, float]]:
        if files is None:
            return self._hits(query, limit)
        if files.share >= SELECTIVE:
            deep = min(MOST_DEEP, int(1.5 * limit / files.share) + limit)
            hits = list(self._hits(query, deep))
            kept = [one for one in hits if (one[0] >> POSITION_BITS) in files]
            if len(kept) >= limit or len(hits) < deep:
                return iter(kept[:limit])
        allowed = Query.const_score_query(Query.term_set_query(self._schema, "file", list(files)), 0.0)
        return self._hits(Query.boolean_query([(Occur.Must, query), (Occur.Must, allowed)]), limit)

    def _hits(self, query: Query, limit: int) -> Iterator[tuple[int, float]]:
        hits = self._searcher.search(query, limit, count=False).hits
        chunks = self._searcher.fast_field_values("chunk", [address for _, address in hits])
        for (score, _), chunk in zip(hits, chunks, strict=True):
            yield int(chunk or 0), float(score)

    def _known(self, text: str) -> list[str]:
        return list(dict.fromkeys(self._analyzer.analyze(searchable(text))))

    def _words(self, text: str) -> list[str]:
        """The words to look for, the rarest first."""
        counts = {word: self._count(word) for word in self._known(text)}
        words = sorted((word for word, count in counts.items() if count), key=lambda word: counts[word])
        documents = self._searcher.num_docs
        rare = [word for word in words if documents < LARGE or counts[word] <= COMMON * documents]
        return (rare or words)[:MOST_WORDS]

    def _count(self, word: str) -> int:
        return self._searcher.doc_freq("text", word)

    def _weight(self, word: str) -> float:
        count, documents = self._count(word), self._searcher.num_docs
        return log(1 + (max(0, documents - count) + 0.5) / (count + 0.5))

    def _term(self, word: str) -> Query:
        return Query.term_query(self._schema, "text", word, "freq")


class AllowedFiles:
    """The files that a search may find; `share` is about the share of chunks that they have."""

    def __init__(self, files: Iterable[int], share: float) -> None:
        self._files = frozenset(files)
        self.share = share

    def __contains__(self, file: int) -> bool:
        return file in self._files

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="words", index_option="freq")
    builder.add_unsigned_field("chunk", fast=True)
    builder.add_unsigned_field("file", indexed=True, fast=True)
    builder.add_unsigned_field("content", fast=True)
    return builder.build()


def _open(folder: Path, schema: tantivy.Schema) -> Index:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Index(schema, str(folder))
    except ValueError:
        # Broken, or of another schema: it is made again from the store.
        shutil.rmtree(folder)
        folder.mkdir()
        return Index(schema, str(folder))
