"""The engine host: one process per server that starts, shares, watches and stops the worker processes."""
