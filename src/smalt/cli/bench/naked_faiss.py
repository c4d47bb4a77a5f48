"""Bare faiss: a flat index of 8-bit codes in one thread; reads queries as lines of JSON, answers with seconds."""

import json
import sys
from importlib import import_module
from time import perf_counter
from typing import Any

ROWS_AT_ONCE = 50_000
TRAINED_ON = 50_000


def main() -> None:
    """Build from the file that the command line names, then work until standard input ends."""
    options = json.loads(sys.argv[1])
    np: Any = import_module("numpy")
    faiss: Any = import_module("faiss")
    rows = np.load(options["vectors"], mmap_mode="r")
    began = perf_counter()
    index = faiss.IndexScalarQuantizer(rows.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    index.train(rows[:TRAINED_ON].astype(np.float32))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        index.add(rows[start : start + ROWS_AT_ONCE].astype(np.float32))
    faiss.omp_set_num_threads(1)
    print(json.dumps({"ready": True, "build_seconds": perf_counter() - began}), flush=True)  # noqa: T201 - read by our parent
    for line in sys.stdin:
        seconds: list[float] = []
        for query in json.loads(line)["queries"]:
            vector = np.array([query], np.float32)
            began = perf_counter()
            index.search(vector, options["limit"])
            seconds.append(perf_counter() - began)
        print(json.dumps({"seconds": seconds}), flush=True)  # noqa: T201 - read by our parent


if __name__ == "__main__":
    main()
