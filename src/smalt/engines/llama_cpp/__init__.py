"""The engine that runs GGUF models with llama.cpp, in a worker process of its own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smalt.engines.llama_cpp.engine import LlamaCppEngine

__all__ = ["LlamaCppEngine"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is asked for: the worker process, which is in a hurry, needs nothing of it."""
    if name != "LlamaCppEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from smalt.engines.llama_cpp.engine import LlamaCppEngine

    return LlamaCppEngine
