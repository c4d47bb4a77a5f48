"""Smalt is the Azure OpenAI API on your own machine."""

__version__ = "0.1.0"
