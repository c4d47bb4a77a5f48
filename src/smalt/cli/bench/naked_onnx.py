"""A bare onnxruntime loop: reads texts as a line of JSON, embeds them batch by batch, answers with the seconds."""

import json
import sys
from importlib import import_module
from time import perf_counter
from typing import Any

LONGEST = 256


def embed(session: Any, tokenizer: Any, texts: list[str], batch: int) -> None:
    """Make a vector of unit length of each text; texts of about one length share a batch, so little is padding."""
    encoded = sorted(tokenizer.encode_batch(texts), key=len)
    for start in range(0, len(encoded), batch):
        embed_batch(session, encoded[start : start + batch])


def embed_batch(session: Any, encoded: list[Any]) -> Any:
    """Vectors of one batch; its last text is the longest."""
    import numpy as np

    ids = np.zeros((len(encoded), len(encoded[-1])), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, one in enumerate(encoded):
        ids[row, : len(one)] = one.ids
        mask[row, : len(one)] = 1
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    wanted = {one.name for one in session.get_inputs()}
    hidden = session.run(None, {name: value for name, value in feeds.items() if name in wanted})[0]
    weights = mask[:, :, None].astype(np.float32)
    pooled = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def open_model(options: dict[str, Any]) -> tuple[Any, Any]:
    """The session and the tokenizer."""
    ort: Any = import_module("onnxruntime")
    tokenizers: Any = import_module("tokenizers")
    chosen = ort.SessionOptions()
    chosen.intra_op_num_threads = options["threads"]
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(options["model"], chosen, providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(options["tokenizer"])
    tokenizer.enable_truncation(LONGEST)
    tokenizer.no_padding()
    return session, tokenizer


def main() -> None:
    """Read the options from the command line, then work until standard input ends."""
    options = json.loads(sys.argv[1])
    session, tokenizer = open_model(options)
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - read by our parent
    for line in sys.stdin:
        texts = json.loads(line)["texts"]
        started_at = perf_counter()
        embed(session, tokenizer, texts, options["batch"])
        print(json.dumps({"seconds": perf_counter() - started_at}), flush=True)  # noqa: T201 - read by our parent


if __name__ == "__main__":
    main()
