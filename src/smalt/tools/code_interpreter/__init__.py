"""Runs Python that a model writes, in the sandbox of a container."""

from smalt.tools.code_interpreter.containers import CodeContainers
from smalt.tools.code_interpreter.tool import CodeInterpreter

__all__ = ["CodeContainers", "CodeInterpreter"]
