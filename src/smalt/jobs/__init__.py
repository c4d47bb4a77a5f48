"""Durable work: what outlives a request runs here, and goes on where it was after a kill."""
