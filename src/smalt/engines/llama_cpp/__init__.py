"""The engine that runs GGUF models with llama.cpp, in a worker process of its own."""

from smalt.engines.llama_cpp.engine import LlamaCppEngine

__all__ = ["LlamaCppEngine"]
