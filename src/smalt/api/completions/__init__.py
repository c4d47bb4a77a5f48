"""Text completions, the way before chat."""
