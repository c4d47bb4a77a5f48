"""`smalt bench`: measures the budgets against the naked engines, in turns, in one run."""

from smalt.cli.bench.commands import app

__all__ = ["app"]
