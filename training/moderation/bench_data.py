"""Writes what `smalt bench safety` and the tests judge the heads by: `python training/moderation/bench_data.py`."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import samples

FOLDER = Path(samples.__file__).parents[2] / "src" / "smalt" / "cli" / "bench" / "data"


def main() -> None:
    """Write the held-out samples, with the labels that people gave them, and the benign prompts."""
    held_out = [{"text": one.text, "labels": people_said(one)} for one in samples.held_out()]
    write("moderation.jsonl.gz", held_out)
    write("benign.jsonl.gz", [{"text": text} for text in samples.benign_held_out()])


def people_said(sample: samples.Sample) -> dict[str, int]:
    """OpenAI's own labels, without those that are guessed from them."""
    return {name: int(label) for name, label in sample.labels.items() if name in samples.OPENAI_NAMES.values()}


def write(name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as lines of JSON, packed the same every time."""
    FOLDER.mkdir(exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (FOLDER / name).write_bytes(gzip.compress(lines.encode(), mtime=0))


if __name__ == "__main__":
    main()
