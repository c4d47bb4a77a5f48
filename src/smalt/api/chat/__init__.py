"""Chat completions, and those that were kept."""
