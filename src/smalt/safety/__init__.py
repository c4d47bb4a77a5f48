"""Content filters: where prompts and answers are looked at."""
