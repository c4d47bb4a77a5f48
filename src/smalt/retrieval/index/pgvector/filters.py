"""Filters over attributes as conditions in SQL; they mean what `index.worker.attributes` makes of them."""

from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from smalt.retrieval.index.pgvector.tables import index_files
from smalt.retrieval.protocols import Filter
from smalt.schemas.vector_stores import ComparisonFilter


def condition(filter_: Filter) -> sa.ColumnElement[bool]:
    """Whether a row of `index_files` passes."""
    if isinstance(filter_, ComparisonFilter):
        return _comparison(filter_)
    join = sa.and_ if filter_.type == "and" else sa.or_
    return join(*(condition(one) for one in filter_.filters))


def _comparison(filter_: ComparisonFilter) -> sa.ColumnElement[bool]:
    attribute = index_files.c.attributes.op("->", return_type=JSONB())(sa.cast(filter_.key, sa.Text))
    values: list[Any] = filter_.value if isinstance(filter_.value, list) else [filter_.value]
    if filter_.type in {"gt", "gte", "lt", "lte"}:
        return _ordered(attribute, filter_.type, filter_.value)
    # A missing attribute is NULL here; coalesced, it equals nothing and differs from everything.
    equal = sa.func.coalesce(sa.or_(sa.false(), *(attribute == _json(value) for value in values)), sa.false())
    return sa.not_(equal) if filter_.type in {"ne", "nin"} else equal


def _ordered(attribute: sa.ColumnElement[Any], comparison: str, value: Any) -> sa.ColumnElement[bool]:
    operator = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[comparison]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return sa.false()
    if isinstance(value, str):
        # By code points, whatever the database's language.
        text = sa.collate(attribute.op("#>>", return_type=sa.Text())(sa.text("'{}'")), "C")
        compared: sa.ColumnElement[bool] = text.op(operator, return_type=sa.Boolean())(value)
        kind = "string"
    else:
        compared = attribute.op(operator, return_type=sa.Boolean())(_json(value))
        kind = "number"
    is_kind = sa.func.jsonb_typeof(attribute) == kind
    return sa.func.coalesce(sa.and_(is_kind, compared), sa.false())


def _json(value: Any) -> sa.ColumnElement[Any]:
    return sa.cast(sa.literal(orjson.dumps(value).decode(), sa.Text), JSONB)
