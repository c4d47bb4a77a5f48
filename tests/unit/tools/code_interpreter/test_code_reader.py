"""Code is read out of arguments as they arrive, whichever way a model writes them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.tools.code_interpreter.code_reader import CodeReader


def read(*pieces: str) -> tuple[str, str]:
    """What is shown on the way and at the end together, and the whole code."""
    reader = CodeReader()
    shown = "".join(reader.add(piece) for piece in pieces)
    code, rest = reader.finish()
    return shown + rest, code


@given(st.text(), st.data())
def test_what_is_shown_is_the_code_however_it_is_cut(code: str, data: st.DataObject) -> None:
    is_ascii = data.draw(st.booleans())
    arguments = json.dumps({"code": code}, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass").decode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(arguments)), max_size=8)))
    pieces = [arguments[start:end] for start, end in zip([0, *cuts], [*cuts, len(arguments)], strict=True)]
    fenced = code.strip().startswith("```")
    shown, whole = read(*pieces)
    assert fenced or (shown, whole) == (code, code)


def test_code_is_shown_before_its_end_has_come() -> None:
    reader = CodeReader()
    assert [reader.add(piece) for piece in ('{"co', 'de": "pri', "nt(1)\\", "nx\\u00", 'e9"', "}")] == [
        "",
        "pri",
        "nt(1)",
        "\nx",
        "é",
        "",
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('{"code": "print(1)"}', "print(1)"),
        ('{"language": "python", "code": "print(1)"}', "print(1)"),
        ('{"source": "print(1)"}', "print(1)"),
        ("print(1)", "print(1)"),
        ("```python\nprint(1)\n```", "print(1)"),
        ('{"code": "```py\\nprint(1)\\n```"}', "print(1)"),
        ('{"code": "print(1)', "print(1)"),
        ("{}", ""),
        ("", ""),
        ('{"code": 1}', ""),
        ("[1]", "[1]"),
    ],
)
def test_what_a_small_model_means_is_run(arguments: str, code: str) -> None:
    assert read(arguments)[1] == code
