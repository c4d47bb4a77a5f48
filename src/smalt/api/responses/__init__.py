"""Responses: the API of agents, with tools that run here."""
