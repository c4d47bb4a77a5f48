"""Edits, the way before chat."""
