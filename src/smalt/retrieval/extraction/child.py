"""The process that reads documents: `python -m smalt.retrieval.extraction.child MEMORY_BYTES`.

One line of JSON on standard input asks for a document, one line on standard output answers; the passages go to a file.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from smalt.core.errors import ApiError
from smalt.retrieval.extraction.limits import allow_cpu, confine
from smalt.retrieval.extraction.reading import read_document
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.protocols import Passage


def main(arguments: list[str]) -> int:
    """Answer until standard input ends."""
    answers = _own_output()
    confine(int(arguments[0]))
    for line in sys.stdin:
        question = json.loads(line)
        allow_cpu(question["seconds"])
        answer = _answered(question)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if answer.get("is_last"):
            break
    return 0


def _answered(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return _read(question)
    except DocumentRefused as refusal:
        return {"code": refusal.code, "message": refusal.message}
    except ApiError as error:
        return {"code": "server_error", "message": error.message}
    except (MemoryError, RecursionError) as error:
        # What is left of the memory is nobody's friend: the next document gets a new process.
        return {"exhausted": type(error).__name__, "is_last": True}
    except Exception as error:  # noqa: BLE001 - the edge of the process: libraries fail in many ways over broken documents
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the job process's log
        return {"failed": f"{type(error).__name__}: {error}"[:300], "is_last": True}


def _read(question: dict[str, Any]) -> dict[str, Any]:
    passages = 0
    with Path(question["output"]).open("w", encoding="utf-8") as output:

        def write(passage: Passage) -> None:
            nonlocal passages
            passages += 1
            output.write(json.dumps([passage.text, passage.page, passage.heading], ensure_ascii=False) + "\n")

        kind = read_document(Path(question["path"]), question["filename"], write, ocr=question["ocr"])
    return {"format": kind, "passages": passages}


def _own_output() -> TextIO:
    """Standard output for answers alone: libraries that print must not disturb them."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
