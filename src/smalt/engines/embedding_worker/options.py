"""What a deployment with the engine `onnx_embedding` may choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from smalt.engines.cores import available_cores


@dataclass(frozen=True)
class EmbeddingOptions:
    """The options with their defaults; `model` and `tokenizer` are files."""

    model: str
    tokenizer: str
    max_tokens: int = 256
    """Tokens that the model sees at once, special ones included; a longer input is cut in windows of this size."""
    max_input_tokens: int = 8192
    pooling: Literal["mean", "cls"] = "mean"
    normalize: bool = True
    threads: int = 0
    """Batches that run at once, each in a thread; 0 is one for each core."""
    max_batch: int = 32

    @property
    def runners(self) -> int:
        """Batches that run at once."""
        return self.threads or available_cores()


def read_options(options: Mapping[str, Any]) -> EmbeddingOptions:
    """Read the options of a worker's spec; `env` was for the process."""
    return EmbeddingOptions(**{name: value for name, value in options.items() if name != "env"})
