"""Runs of actions: a step is one action with its values, a run does it once or for each row of a table."""
