"""The OData filters of the search service: read, written back, and applied to what may be missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.api.search_service.fields import Field, fields_of
from smalt.api.search_service.filtering import condition
from smalt.api.search_service.odata import (
    MOST_DEPTH,
    OPERATORS,
    Comparison,
    Constant,
    In,
    InvalidExpression,
    Joined,
    Node,
    Not,
    StartsWith,
    Truth,
    literal,
    parse,
)

NAMES = st.from_regex(r"[a-z]\w{0,8}", fullmatch=True).filter(
    lambda name: name not in {"and", "or", "not", "true", "false", "null", *OPERATORS} and name.isascii()
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=6)
LEAVES = (
    st.builds(Comparison, NAMES, st.sampled_from(OPERATORS), TEXTS | NUMBERS | st.booleans() | st.none())
    | st.builds(Truth, NAMES)
    | st.builds(In, NAMES, st.lists(WORDS, max_size=4).map(tuple))
    | st.builds(StartsWith, NAMES, TEXTS)
    | st.builds(Constant, st.booleans())
)


def written(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    """A filter's text; reading it gives the same tree."""
    match node:
        case Comparison():
            return f"{node.field} {node.operator} {literal(node.value)}"
        case Truth():
            return node.field
        case In():
            separator = ","
            return f"search.in({node.field}, {literal(separator.join(node.values))}, {literal(separator)})"
        case StartsWith():
            return f"startswith({node.field}, {literal(node.prefix)})"
        case Constant():
            return literal(node.value)
        case Not():
            return f"not ({written(node.condition)})"
        case Joined():
            return f" {node.word} ".join(f"({written(condition)})" for condition in node.conditions)


def larger(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=4).map(tuple)
    return st.builds(Not, nodes) | st.builds(Joined, st.sampled_from(["and", "or"]), several)


@given(st.recursive(LEAVES, larger, max_leaves=12))
def test_a_filter_that_is_written_reads_as_the_same_filter(node: Node):
    assert parse(written(node)) == node


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused_with_a_place_in_it(text: str):
    refusal = None
    try:
        parse(text)
    except InvalidExpression as error:
        refusal = error
    assert refusal is None or 0 <= refusal.position <= len(text)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("a eq", 4, "a value was expected"),
        ("a eq 'x", 5, "not closed"),
        ("a is 3", 2, "join conditions"),
        ("(a eq 1", 7, "')' was expected"),
        ("a eq 1 b", 7, "join conditions"),
        ("", 0, "a condition is missing"),
        ("geo.distance(a, b) lt 3", 12, "not supported"),
        ("a eq 1 and", 10, "a condition is missing"),
        ("a eq 1 && b", 7, "'&' cannot be read"),
        ("search.in(a b)", 12, "',' was expected"),
        ("null", 4, "needs a comparison"),
    ],
)
def test_a_filter_that_cannot_be_read_says_where_and_why(text: str, position: int, words: str):
    with pytest.raises(InvalidExpression, match="Invalid expression") as caught:
        parse(text)
    assert caught.value.position == position
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["(" * 5000 + "a" + ")" * 5000, "not " * 5000 + "a"])
def test_a_filter_nested_without_end_is_refused(text: str):
    with pytest.raises(InvalidExpression, match=f"more than {MOST_DEPTH}"):
        parse(text)


def test_a_long_filter_needs_no_deep_stack():
    text = " or ".join(f"size eq {number}" for number in range(20_000))
    fits = condition(text, fields_of([{"size": 1}]))
    assert fits({"size": 19_999})
    assert not fits({"size": 20_000})


def test_and_binds_more_than_or_and_not_more_than_and():
    left, right = Joined("and", (Not(Truth("a")), Truth("b"))), Truth("c")
    assert parse("not a and b or c") == Joined("or", (left, right))


def test_a_value_may_stand_before_its_field():
    assert parse("5 lt size") == parse("size gt 5")
    assert parse("null ne size") == parse("size ne null")


FIELDS: dict[str, Field] = fields_of([{"size": 1, "colour": "red", "new": True}, {"mixed": 1}, {"mixed": "two"}])
RED = {"size": 5, "colour": "red", "new": True}
BARE: dict[str, object] = {}


@pytest.mark.parametrize(
    ("text", "of_red", "of_bare"),
    [
        ("size eq 5", True, False),
        ("size eq 5.0", True, False),
        ("size ne 4", True, True),
        ("size gt 4", True, False),
        ("not (size gt 4)", False, True),
        ("size le 5 and colour ge 'red'", True, False),
        ("colour eq null", False, True),
        ("colour ne null", True, False),
        ("new", True, False),
        ("new eq false", False, False),
        ("not new", False, True),
        ("search.in(colour, 'blue, red')", True, False),
        ("search.in(colour, 'blue|red', '|')", True, False),
        ("startswith(colour, 're')", True, False),
        ("true", True, True),
        ("false or size eq 5", True, False),
    ],
)
def test_what_is_missing_is_unlike_every_value(text: str, of_red: bool, of_bare: bool):
    fits = condition(text, FIELDS)
    assert (fits(RED), fits(BARE)) == (of_red, of_bare)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size eq 'five'", "of the type Edm.Double"),
        ("colour gt 3", "of the type Edm.String"),
        ("new gt true", "knows only eq and ne"),
        ("size gt null", "knows only eq and ne"),
        ("size", "stand alone"),
        ("search.in(size, '1')", "search.in"),
        ("startswith(new, 't')", "startswith"),
        ("weight eq 1", "Could not find a property named 'weight'"),
        ("content eq 'x'", "not filterable"),
        ("mixed eq 1", "of the type Edm.String"),
    ],
)
def test_a_filter_that_does_not_fit_the_fields_is_refused(text: str, words: str):
    with pytest.raises(Exception, match="Invalid expression") as caught:
        condition(text, FIELDS)
    assert words in str(caught.value)


def test_attributes_of_one_type_become_fields_of_it_and_odd_names_none():
    fields = fields_of([{"a": 1, "b": True, "c": "x", "d": 1.5, "odd name": 1, "id": 7}, {"a": 2.5, "b": "maybe"}])
    types = {name: fields[name].type for name in "abcd"}
    assert types == {"a": "Edm.Double", "b": "Edm.String", "c": "Edm.String", "d": "Edm.Double"}
    assert "odd name" not in fields
    assert not fields["id"].is_filterable
