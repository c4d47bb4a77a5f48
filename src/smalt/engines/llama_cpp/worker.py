"""The worker process: llama.cpp's own HTTP server on a Unix socket, and what must be known about its model."""

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from smalt.core.errors import EngineFailed
from smalt.engines.llama_cpp.binding import xllamacpp

HTTP_THREADS = 128
"""Every request holds one of these threads as long as it waits or streams."""

ERRORS_ONLY = 1
LOADING_STATUS = 503
OK = 200
SAMPLE_BYTES = 2**20
UNLIKELY = "@"
"""A character that no JSON value and no tool's name begins with."""


def serve(options: Mapping[str, Any], socket_path: str, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Load the model, listen on the socket, say what the model is like, and serve until the process is ended."""
    # libgomp reads it when it is loaded, and it comes with xllamacpp.
    os.environ.setdefault("GOMP_SPINCOUNT", str(options["spin_count"]))
    binding = xllamacpp()
    try:
        server = binding.Server(parameters_for(binding, options, socket_path))
    except (RuntimeError, ValueError) as error:
        raise EngineFailed(
            f"llama.cpp cannot load {options['model']}: {error} Its log has more; check the file and the options."
        ) from None
    # No way to check its health is named: the server listens on threads of its own, which answer whatever hangs, and
    # when many clients wait they do not answer though all is well.
    ready({**_facts(socket_path), "fingerprint": _fingerprint(options)})
    threading.Event().wait()
    del server


def parameters_for(binding: Any, options: Mapping[str, Any], address: str) -> Any:
    """What llama.cpp is told; `address` is a Unix socket's path or a host's name."""
    parameters = binding.CommonParams()
    parameters.model.path = options["model"]
    parameters.hostnames = [address]
    parameters.n_parallel = options["parallel"]
    # Room for every slot's whole context: llama.cpp ends all running requests when a shared cache overflows.
    parameters.n_ctx = options["parallel"] * options["context"]
    parameters.kv_unified = True
    parameters.kv_unified_per_slot = options["context"]
    parameters.cache_idle_slots = False
    # The cache in main memory does not tell adapters apart.
    parameters.cache_ram_mib = 0 if options["lora"] else options["prompt_cache_bytes"] // 2**20
    parameters.n_batch = parameters.n_ubatch = options["batch"]
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = options["threads"]
    parameters.n_threads_http = HTTP_THREADS
    parameters.use_jinja = True
    parameters.endpoint_metrics = True
    parameters.ui = False
    parameters.warmup = False
    parameters.verbosity = ERRORS_ONLY
    if options["chat_template"]:
        parameters.chat_template = Path(options["chat_template"]).read_text("utf-8")
    if options["lora"]:
        parameters.lora_adapters = [binding.CommonAdapterLoraInfo(path, 1.0) for path in options["lora"]]
    return parameters


def _facts(socket_path: str) -> dict[str, Any]:
    """What the server tells about its model, and what can only be found out by trying."""
    ask = _Asking(socket_path)
    properties = ask("/props")
    described = ask("/v1/models")["data"][0]["meta"]
    beginning = properties["bos_token"] or properties["eos_token"]
    return {
        "context": properties["default_generation_settings"]["n_ctx"],
        "slots": properties["total_slots"],
        "vocabulary": described["n_vocab"],
        "template": properties["chat_template"],
        "template_abilities": properties["chat_template_caps"],
        "thinking": _thinking(ask, properties),
        "fills_in": "error" not in ask("/infill", {"input_prefix": "a", "input_suffix": "b", "n_predict": 0}),
        "beginning_token": ask("/tokenize", {"content": beginning, "parse_special": True})["tokens"][:1],
        "ending_token": ask("/tokenize", {"content": properties["eos_token"], "parse_special": True})["tokens"][-1:],
        "unlikely_token": ask("/tokenize", {"content": UNLIKELY})["tokens"][-1],
    }


def _thinking(ask: "_Asking", properties: Mapping[str, Any]) -> str:
    """How the model's thinking is governed: by an effort, by a switch, not at all though it thinks, or it does not."""
    if properties["chat_template_caps"].get("supports_reasoning_effort"):
        return "effort"
    messages = [{"role": "user", "content": "Hello"}]
    on, off = (
        ask("/apply-template", {"messages": messages, "chat_template_kwargs": {"enable_thinking": wanted}}).get(
            "prompt"
        )
        for wanted in (True, False)
    )
    if on != off:
        return "switch"
    return "always" if on and on.rstrip().endswith("<think>") else "none"


def _fingerprint(options: Mapping[str, Any]) -> str:
    """A short name for everything that decides which answer a seed gives."""
    digest = hashlib.sha256(version("xllamacpp").encode())
    for path in (options["model"], *options["lora"], *filter(None, [options["chat_template"]])):
        with Path(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(str(size).encode())
            for position in (0, max(0, size - SAMPLE_BYTES)):
                file.seek(position)
                digest.update(file.read(SAMPLE_BYTES))
    digest.update(json.dumps([options["context"], options["threads"], options["batch"]]).encode())
    return f"fp_{digest.hexdigest()[:10]}"


class _Asking:
    """Calls the server that runs in this very process, as soon as it has loaded its model."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path

    def __call__(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        while True:
            status, answer = self._answer(path, body)
            if status != LOADING_STATUS:
                return answer if status == OK else {"error": answer}
            time.sleep(0.02)

    def _answer(self, path: str, body: Mapping[str, Any] | None) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("worker", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(self._socket_path)
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()
