"""Connections: where a connector's calls go, and with which credentials."""
