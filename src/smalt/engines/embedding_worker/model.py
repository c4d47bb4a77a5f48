"""The ONNX model: a batch of token lists in, one pooled vector for each out."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from smalt.core.errors import EngineFailed
from smalt.engines.embedding_worker.request import Vectors

# onnxruntime's own type hints leave its classes unknown.
ort: Any = onnxruntime

Pooling = Literal["mean", "cls"]


class EmbeddingModel:
    """An encoder with `input_ids` and `attention_mask`; safe to call from several threads at once."""

    def __init__(self, model_path: str, pooling: Pooling) -> None:
        self._session = _open(model_path)
        self._pooling = pooling
        self._names: set[str] = {one.name for one in self._session.get_inputs()}
        output = next((one for one in self._session.get_outputs() if len(one.shape) in (2, 3)), None)
        if output is None or "input_ids" not in self._names:
            raise EngineFailed(f"{model_path} is not a text encoder: it needs input_ids and gives no token vectors.")
        self._output: str = output.name

    def vectors(self, batch: Sequence[list[int]]) -> Vectors:
        """One vector for each token list, not normalised."""
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros((len(batch), longest), np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden: NDArray[Any] = self._session.run([self._output], {name: feeds[name] for name in self._names})[0]
        return hidden.astype(np.float32, copy=False) if hidden.ndim == 2 else self._pool(hidden, mask)  # noqa: PLR2004 rows of vectors

    def _pool(self, hidden: NDArray[Any], mask: NDArray[np.int64]) -> Vectors:
        if self._pooling == "cls":
            return np.asarray(hidden[:, 0], np.float32)
        shares = mask.astype(np.float32)
        shares /= shares.sum(axis=1, keepdims=True)
        return np.matmul(shares[:, None, :], hidden)[:, 0].astype(np.float32, copy=False)


def _open(model_path: str) -> Any:
    options = ort.SessionOptions()
    # Several batches run at once, each in its caller's thread: that beats one batch spread over threads.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(model_path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineFailed(f"onnxruntime cannot load {model_path}: {error}") from error
