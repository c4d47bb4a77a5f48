"""A bare onnxruntime loop: reads texts as a line of JSON, embeds them batch by batch, answers with the seconds."""

import json
import sys
from importlib import import_module
from time import perf_counter
from typing import Any

LONGEST = 256


def embed(session: Any, tokenizer: Any, texts: list[str]) -> Any:
    """Vectors of unit length for one batch."""
    import numpy as np

    encoded = tokenizer.encode_batch(texts)
    mask = np.array([each.attention_mask for each in encoded], dtype=np.int64)
    ids = np.array([each.ids for each in encoded], dtype=np.int64)
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    wanted = {each.name for each in session.get_inputs()}
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
    tokenizer.enable_padding()
    return session, tokenizer


def main() -> None:
    """Read the options from the command line, then work until standard input ends."""
    options = json.loads(sys.argv[1])
    session, tokenizer = open_model(options)
    batch = options["batch"]
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - read by our parent
    for line in sys.stdin:
        texts = json.loads(line)["texts"]
        started_at = perf_counter()
        for start in range(0, len(texts), batch):
            embed(session, tokenizer, texts[start : start + batch])
        print(json.dumps({"seconds": perf_counter() - started_at}), flush=True)  # noqa: T201 - read by our parent


if __name__ == "__main__":
    main()
