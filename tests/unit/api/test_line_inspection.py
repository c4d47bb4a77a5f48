"""JSONL files are looked through line by line, whatever is in them."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smalt.api.line_inspection import faults

USER = {"role": "user", "content": "Hi"}
ASSISTANT = {"role": "assistant", "content": "Hello"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
GOOD: dict[str, list[Any]] = {
    "fine-tune": [
        {"messages": [{"role": "system", "content": "Be kind."}, USER, ASSISTANT]},
        {"messages": [USER, CALL], "tools": []},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, ASSISTANT]},
        {"messages": [USER], "reference_answer": {"n": 5}},
    ],
    "batch": [
        {"custom_id": str(n), "method": "POST", "url": "/v1/embeddings", "body": {"input": "x"}} for n in range(3)
    ],
    "evals": [{"item": {"question": "?"}}, {"item": {}, "sample": {"output_text": "!"}}],
}
REQUEST = GOOD["batch"][0]


async def told(folder: Path, purpose: str, content: bytes, longest: int = 1000) -> list[str]:
    path = folder / "lines"
    path.write_bytes(content)
    found = await faults(path, purpose, longest_line=longest)
    return found.splitlines() if found else []


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


@pytest.mark.parametrize("purpose", GOOD)
async def test_good_files_have_no_faults_however_their_lines_end(tmp_path: Path, purpose: str) -> None:
    content = lines(*GOOD[purpose])
    variants = [
        content,
        content.rstrip(b"\n"),
        content.replace(b"\n", b"\r\n"),
        codecs.BOM_UTF8 + content,
        content + b"\n\r\n  \n" * 20,
    ]
    for variant in variants:
        assert await told(tmp_path, purpose, variant) == []


@pytest.mark.parametrize("purpose", ["assistants", "vision", "user_data"])
async def test_files_for_other_purposes_may_hold_anything(tmp_path: Path, purpose: str) -> None:
    assert await told(tmp_path, purpose, b"\xff\x00 not JSON") == []


PREFERENCE = {"input": {"messages": [USER]}, "preferred_output": [ASSISTANT], "non_preferred_output": [ASSISTANT]}


@pytest.mark.parametrize("example", [{"prompt": "a", "completion": "b"}, PREFERENCE])
async def test_other_kinds_of_examples_are_known(tmp_path: Path, example: Any) -> None:
    assert await told(tmp_path, "fine-tune", lines(example, example)) == []


@pytest.mark.parametrize(
    ("purpose", "line", "word"),
    [
        ("fine-tune", {"message": []}, "an example has messages"),
        ("fine-tune", {"messages": []}, "messages must be an array"),
        ("fine-tune", {"messages": "Hi"}, "messages must be an array"),
        ("fine-tune", {"messages": [USER, "Hi"]}, r"messages[1] must be an object"),
        ("fine-tune", {"messages": [USER, {"role": "robot", "content": ""}]}, "messages[1].role"),
        ("fine-tune", {"messages": [{"role": ["user"], "content": ""}]}, "messages[0].role"),
        ("fine-tune", {"messages": [USER, {"role": "user"}]}, "messages[1].content is missing"),
        ("fine-tune", {"messages": [{"role": "user", "content": 5}]}, "messages[0].content must be"),
        ("fine-tune", {"prompt": "a"}, "completion must be a string"),
        ("fine-tune", {"prompt": ["a"], "completion": "b"}, "prompt must be a string"),
        ("fine-tune", {**PREFERENCE, "input": []}, "input must be an object"),
        ("fine-tune", {**PREFERENCE, "input": {}}, "input.messages must be"),
        ("fine-tune", {**PREFERENCE, "preferred_output": []}, "preferred_output must be"),
        ("fine-tune", {"preferred_output": [ASSISTANT]}, "input must be"),
        ("batch", {**REQUEST, "custom_id": 5}, "custom_id"),
        ("batch", {**REQUEST, "custom_id": ""}, "custom_id"),
        ("batch", {**REQUEST, "custom_id": "x" * 513}, "custom_id"),
        ("batch", {**REQUEST, "method": "GET"}, "method"),
        ("batch", {**REQUEST, "url": "http://x"}, "url"),
        ("batch", {**REQUEST, "body": []}, "body"),
        ("evals", {"input": 1}, "item"),
        ("evals", {"item": [1]}, "item"),
        ("evals", {"item": {}, "sample": 1}, "sample"),
        *((purpose, value, "JSON object") for purpose in GOOD for value in ([], "a", 5, None)),
    ],
)
async def test_a_fault_is_told_with_its_line(tmp_path: Path, purpose: str, line: Any, word: str) -> None:
    good = {"fine-tune": PREFERENCE if "output" in str(line) else {"prompt": "a", "completion": "b"}}
    first = good.get(purpose, GOOD[purpose][-1])
    if "message" in str(line) and purpose == "fine-tune" and "output" not in str(line):
        first = GOOD[purpose][0]
    found = await told(tmp_path, purpose, lines(first, line))
    assert len(found) == 1
    assert found[0].startswith("Line 2: ")
    assert word in found[0]


async def test_examples_of_two_kinds_do_not_mix(tmp_path: Path) -> None:
    found = await told(tmp_path, "fine-tune", lines(PREFERENCE, GOOD["fine-tune"][0]))
    assert found == ["Line 2: this is a chat example, the lines before are preference examples."]


async def test_the_ids_of_a_batch_are_its_requests_own(tmp_path: Path) -> None:
    found = await told(tmp_path, "batch", lines(REQUEST, {**REQUEST, "custom_id": "b"}, REQUEST))
    assert found == ["Line 3: custom_id '0' was used by an earlier line."]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"{oops", "not JSON"),
        (b'{"item": {}, "a": NaN}', "not JSON"),
        (b'{"item": {"a": "\xff"}}', "byte 17 is not UTF-8"),
        (b'{"item": {"a": "' + b"x" * 990 + b'"}}', "more than 1000 bytes"),
        (b"[" * 900, "not JSON"),
        (b"   ", "empty"),
        (b"", "empty"),
    ],
)
async def test_a_line_that_cannot_be_read_is_told(tmp_path: Path, line: bytes, word: str) -> None:
    good = lines({"item": {}})
    found = await told(tmp_path, "evals", good + line + b"\n" + good)
    assert len(found) == 1
    assert found[0].startswith("Line 2: ")
    assert word in found[0]


@pytest.mark.parametrize("content", [b"", b"\n\n", codecs.BOM_UTF8, b"  \r\n"])
async def test_a_file_without_lines_is_at_fault(tmp_path: Path, content: bytes) -> None:
    assert await told(tmp_path, "evals", content) == [
        "The file has no lines: it must have one JSON object on each line."
    ]


async def test_only_the_first_faults_are_told(tmp_path: Path) -> None:
    for content in (b"{}\n" * 500, b"\n" * 500 + lines({"item": {}})):
        found = await told(tmp_path, "evals", content)
        assert len(found) == 11
        assert found[9].startswith("Line 10:")
        assert found[10] == "There are more faults after these."


async def test_a_very_long_line_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with path.open("wb") as file:
        file.truncate(2**30)
    assert str(await faults(path, "evals", longest_line=2**16)).startswith("Line 1: the line has more than 65536")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40).filter(lambda one: b"\n" not in one),
            st.recursive(
                st.none() | st.integers() | st.text(max_size=4),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(["item", "sample", "messages", "custom_id", "url", "role", "input", "body"]),
                        inner,
                    )
                ),
                max_leaves=6,
            ).map(lambda value: json.dumps(value).encode()),
        ),
        max_size=15,
    ),
    st.sampled_from(sorted(GOOD)),
)
async def test_whatever_a_file_holds_it_is_told_line_by_line(tmp_path: Path, parts: list[bytes], purpose: str) -> None:
    found = await told(tmp_path, purpose, b"\n".join(parts), longest=30)
    assert len(found) <= 11
    numbers = [int(line.split(":")[0].removeprefix("Line ")) for line in found if line.startswith("Line ")]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= len(parts) for number in numbers)
