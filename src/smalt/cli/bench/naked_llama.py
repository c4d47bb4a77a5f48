"""The engine's own HTTP listener, naked: llama.cpp on a loopback port, with the parameters of Smalt's worker."""

import json
import os
import sys
import urllib.error
import urllib.request
from time import sleep


def wait_until_loaded(address: str) -> None:
    """The listener answers 503 until the model is there."""
    while True:
        try:
            with urllib.request.urlopen(f"{address}/health") as answer:  # noqa: S310 - our own address
                answer.read()
        except urllib.error.HTTPError:
            sleep(0.02)
        else:
            return


def main() -> None:
    """Read a worker's options from the command line, print the address, and listen until standard input ends."""
    options = json.loads(sys.argv[1])
    # The same as in the worker, and as early: it is read when the library is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", str(options["spin_count"]))
    from smalt.engines.llama_cpp.binding import xllamacpp
    from smalt.engines.llama_cpp.worker import parameters_for

    binding = xllamacpp()
    parameters = parameters_for(binding, options, "127.0.0.1")
    parameters.port = 0
    server = binding.Server(parameters)
    address: str = server.listening_address
    wait_until_loaded(address)
    print(json.dumps({"address": address}), flush=True)  # noqa: T201 - read by our parent
    sys.stdin.read()


if __name__ == "__main__":
    main()
