"""Tables are read as people save them."""

import pytest

from documents import xlsx
from smalt.connectors.runs.rows import read_table
from smalt.core.errors import InvalidRequest


@pytest.fixture
def read(tmp_path):
    def read(name, content, sheet=None):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, sheet)

    return read


def inputs(table):
    return [row.input for row in table.rows]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x\n",
        "a;b\r\n1;x\r\n",
        "a\tb\n1\tx",
        "\ufeffa,b\n\n1,x\n\n",
        " a , b \n1,x\n",
        "a,b,\n1,x,\n",
        "a,b\n1,x\n".encode("utf-16"),
    ],
    ids=["commas", "semicolons", "tabs", "mark", "spaces", "empty column", "utf-16"],
)
def test_separated_values_are_read_however_they_were_saved(read, content):
    table = read("rows.csv", content)
    assert list(table.columns) == ["a", "b"]
    assert inputs(table) == [{"a": "1", "b": "x"}]


def test_cells_keep_their_lines_quotes_and_commas(read):
    table = read("rows.csv", 'a,b\n"one\ntwo, ""three""",x\n"\u2028",y\n')
    assert inputs(table) == [{"a": 'one\ntwo, "three"', "b": "x"}, {"a": "\u2028", "b": "y"}]


def test_missing_cells_are_empty_and_surplus_ones_a_fault(read):
    short, long = read("rows.csv", "a,b\n1\n1,2,3,4\n").rows
    assert short.input == {"a": "1", "b": ""}
    assert short.fault is None
    assert long.fault == "Row 3 has 2 more cells than there are columns."


def test_a_spreadsheet_s_cells_keep_their_types(read):
    content = xlsx("People", ("name", "age", ""), ("Ada", 36, ""), ("", 0, "x"))
    table = read("rows.xlsx", content, "People")
    assert list(table.columns) == ["name", "age"]
    assert inputs(table) == [{"name": "Ada", "age": 36}, {"name": "", "age": 0}]
    assert "1 more cells" in table.rows[1].fault
    with pytest.raises(InvalidRequest, match="There are: People"):
        read("rows.xlsx", content, "Things")


def test_a_number_that_json_has_no_whole_number_for_stays_a_float(read):
    (row,) = read("rows.xlsx", xlsx("Sheet", ("a", "b"), (10**22, 7))).rows
    assert row.input == {"a": 1e22, "b": 7}
    assert type(row.input["a"]) is float


def test_lines_of_json_keep_what_they_hold(read):
    table = read("rows.jsonl", '{"a": {"b": [1]}}\r\n\n{"c": null}\n[1]\nnonsense')
    assert list(table.columns) == ["a", "c"]
    assert inputs(table)[:2] == [{"a": {"b": [1]}}, {"c": None}]
    assert [row.fault for row in table.rows][:3] == [None, None, "Line 4 is not a JSON object."]
    assert table.rows[3].fault.startswith("Line 5 is not JSON: ")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("rows.csv", "", "is empty"),
        ("rows.csv", "a,b\n", "no rows"),
        ("rows.csv", "a,a\n1,2\n", "two columns of the name 'a'"),
        ("rows.csv", b"a\n\xe4\n", "not UTF-8"),
        ("rows.xlsx", b"nonsense", "no spreadsheet"),
        ("rows.doc", "a", "no table"),
    ],
)
def test_what_cannot_be_read_is_refused(read, name, content, fault):
    with pytest.raises(InvalidRequest, match=fault):
        read(name, content)
