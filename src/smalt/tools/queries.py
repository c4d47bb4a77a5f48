"""Makes queries of what a model wrote and what the user asked: small models write poor ones."""

from collections.abc import Sequence
from typing import Any, cast

from smalt.retrieval.data_sources.words import content_words, coverage
from smalt.retrieval.rewriting import unpadded
from smalt.tools.arguments import words_of
from smalt.tools.protocols import Json

LONGEST_QUERY = 1000
"""Characters; a small model may write without end, and no good query is longer."""
QUERY: Json = {"type": "string", "description": "What to look for, in a few words.", "maxLength": 100}
"""A query as functions ask for it. Its length keeps a small model from spending the answer's tokens on it; a function
with it is not `strict`, since there Azure takes no `maxLength`."""
MOST_QUERIES = 5
LEAST_ASKED, MOST_ASKED = 3, 40
"""Words that say something, of a question that is a query itself: not of `and the second one?`, nor of a letter."""
LEAST_KEPT = 0.5
"""The share of such a question's words that the model's own queries must have to stand alone."""


def queries_of(arguments: Json, question: str) -> list[str]:
    """What a call asks for, and behind it the user's question, where the model's words leave most of that out."""
    written = arguments.get("queries")
    several = cast("list[Any]", written) if isinstance(written, list) else []
    queries = [query[:LONGEST_QUERY] for one in (arguments.get("query"), *several) if (query := words_of(one))]
    if question.strip():
        queries = [query for query in queries if not _is_cut(query)]
    if not queries or kept_share(queries, question) < LEAST_KEPT:
        queries.append(unpadded(question)[:LONGEST_QUERY])
    return list(dict.fromkeys(queries))[-MOST_QUERIES:]


def query_of(arguments: Json, question: str) -> str:
    """What a call asks for; the user's question instead, when the model's words have nothing of it."""
    query = words_of(arguments.get("query"))[:LONGEST_QUERY]
    is_good = query and not _is_cut(query) and kept_share([query], question) > 0
    return query if is_good else unpadded(question)[:LONGEST_QUERY] or query


def _is_cut(query: str) -> bool:
    """Whether it ends where the room for it ended: a small model that gets so far was repeating itself."""
    return len(query) >= QUERY["maxLength"]


def kept_share(queries: Sequence[str], question: str) -> float:
    """The share of a question's words that queries have; 1 for a question that is no query itself."""
    asked = content_words(unpadded(question))
    is_query = LEAST_ASKED <= len(asked) <= MOST_ASKED
    return coverage(asked, content_words(" ".join(queries))) if is_query else 1.0
