"""Tables of results: every row once, in order, whole or not at all."""

import csv
import json
import os
from base64 import b64encode, encodebytes

import orjson
import pytest

from smalt.connectors.runs.writing import flat, write_table
from smalt.core.errors import InvalidRequest
from smalt.store.connector_run_rows import EndedRow

PNG = b"\x89PNG\r\n"


def row(position, result=None, status="succeeded", error=None, **own):
    return EndedRow(position, own, status, None if result is None else orjson.dumps(result), 200, error)


ROWS = [
    row(0, {"id": "x", "usage": {"total": 3}, "choices": [{"text": 'a "b",\nc'}]}, id="7", who="Ada"),
    row(1, None, "failed", "No.", id="8", who="Bo"),
    row(2, {"id": "z", "extra": None, "tags": ["one"], "many": [{"a": 1}, {"a": 2}], "empty": {}}, id="9", who=None),
    row(3, None, "pending", id="10", who=""),
]


def written(path, rows=ROWS, files=None):
    write_table(path, ["id", "who"], lambda: iter(rows), files)
    return path


def test_a_csv_file_has_own_columns_then_fields_then_how_it_went(tmp_path):
    with written(tmp_path / "out.csv").open(newline="") as source:
        lines = list(csv.DictReader(source))
    assert list(lines[0]) == [
        "id", "who", "result.id", "usage.total", "choices.text", "extra", "tags", "many", "empty", "status", "error",
    ]  # fmt: skip
    assert [line["id"] for line in lines] == ["7", "8", "9", "10"]
    assert lines[0]["choices.text"] == 'a "b",\nc'
    assert (lines[2]["tags"], json.loads(lines[2]["many"])) == ('["one"]', [{"a": 1}, {"a": 2}])
    assert (lines[0]["result.id"], lines[0]["usage.total"]) == ("x", "3")
    assert (lines[1]["status"], lines[1]["error"], lines[1]["result.id"]) == ("failed", "No.", "")
    assert lines[3]["status"] == "pending"


def test_lines_of_json_keep_types(tmp_path):
    lines = [json.loads(line) for line in written(tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "id": "7", "who": "Ada", "result.id": "x", "usage.total": 3, "choices.text": 'a "b",\nc',
        "status": "succeeded", "error": None,
    }  # fmt: skip
    assert lines[2]["empty"] == {}


def test_tabs_part_the_cells_of_a_tsv_file(tmp_path):
    assert written(tmp_path / "out.tsv").read_text().startswith("id\twho\tresult.id\t")


def test_a_table_takes_the_place_of_the_last_one_when_it_is_whole(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("before")

    def broken():
        yield ROWS[0]
        if broken_now:
            raise InvalidRequest("No more.")

    broken_now = False
    write_table(path, ["id"], broken)
    kept = path.read_text()
    broken_now = True
    with pytest.raises(InvalidRequest, match="No more"):
        write_table(path, ["id"], broken)
    assert path.read_text() == kept
    assert list(tmp_path.iterdir()) == [path]


def test_files_in_results_become_files_of_the_folder(tmp_path):
    sound = {"$content": b64encode(b"sound").decode(), "$content-type": "audio/mpeg; rate=1"}
    pictures = {"data": [{"b64_json": b64encode(PNG + end).decode()} for end in (b"1", b"2")]}
    rows = [row(0, sound), row(1, pictures), row(2, {"text": "no file"})]
    path = written(tmp_path / "out.jsonl", rows, tmp_path / "files")
    first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    assert first["$content"] == str(tmp_path / "files" / "row-00001.mp3")
    assert (tmp_path / "files" / "row-00001.mp3").read_bytes() == b"sound"
    names = [item["b64_json"] for item in second["data"]]
    assert names == [str(tmp_path / "files" / name) for name in ("row-00002.png", "row-00002-2.png")]
    assert (tmp_path / "files" / "row-00002-2.png").read_bytes() == PNG + b"2"
    assert third["text"] == "no file"


def test_base64_that_is_broken_into_lines_is_a_file_too(tmp_path):
    path = written(tmp_path / "out.jsonl", [row(0, {"b64_json": encodebytes(PNG * 20).decode()})], tmp_path)
    name = json.loads(path.read_text())["b64_json"]
    assert (tmp_path / "row-00001.png").read_bytes() == PNG * 20
    assert name == str(tmp_path / "row-00001.png")


def test_objects_in_objects_become_paths():
    assert flat({"a": {"b": {"c": 1}, "d": []}, "e": {}}) == {"a.b.c": 1, "a.d": [], "e": {}}


def test_a_name_that_says_no_format_is_refused(tmp_path):
    with pytest.raises(InvalidRequest, match="no format"):
        written(tmp_path / "out.txt")


def test_what_is_no_file_is_written_to_and_stays(tmp_path):
    pipe, link, far = tmp_path / "pipe.csv", tmp_path / "link.csv", tmp_path / "far" / "out.csv"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        written(pipe, ROWS[1:2])
        assert os.read(reading, 100) == b"id,who,status,error\r\n8,Bo,failed,No.\r\n"
    finally:
        os.close(reading)
    assert pipe.is_fifo()
    far.parent.mkdir()
    link.symlink_to(far)
    written(link, ROWS[1:2])
    assert link.is_symlink()
    assert far.read_text().startswith("id,who")


def test_what_only_looks_like_a_file_stays_as_it_is(tmp_path):
    path = written(tmp_path / "out.jsonl", [row(0, {"b64_json": "not base64", "$content": "nor th@t"})], tmp_path)
    line = json.loads(path.read_text())
    assert (line["b64_json"], line["$content"]) == ("not base64", "nor th@t")
