"""The moderation worker's own functions without a server: reads texts as a line of JSON, answers with their scores."""

import json
import sys
from time import perf_counter, process_time

from smalt.engines.moderation_worker.features import TextFeatures
from smalt.engines.moderation_worker.heads import FOLDER, Heads


def main() -> None:
    """Read the options from the command line, then work until standard input ends."""
    options = json.loads(sys.argv[1])
    features = TextFeatures(options["model"], options["tokenizer"])
    heads = [Heads.load(path) for path in sorted(FOLDER.glob("*.npz"))]
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - read by our parent
    for line in sys.stdin:
        texts = json.loads(line)["texts"]
        started_at, spent_before = perf_counter(), process_time()
        scores = [
            {name: score for head in heads for name, score in head.text_scores(rows, text).items()}
            for text, rows in zip(texts, features.of(texts), strict=True)
        ]
        seconds = {"seconds": perf_counter() - started_at, "cpu_seconds": process_time() - spent_before}
        print(json.dumps({**seconds, "scores": scores}), flush=True)  # noqa: T201 - read by our parent


if __name__ == "__main__":
    main()
