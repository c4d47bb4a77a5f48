"""Runs foreign code without a network and without the host's files, in bounded time and memory."""
