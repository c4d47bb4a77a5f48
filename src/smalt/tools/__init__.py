"""Tools that run here when a model calls them: they search, compute, ask other servers."""
