"""Moderations: what is harmful in texts and pictures."""
