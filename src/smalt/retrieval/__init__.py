"""Documents to text, text to chunks, and chunks found again."""
