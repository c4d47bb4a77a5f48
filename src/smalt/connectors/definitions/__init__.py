"""The connectors that Smalt speaks, each a module of data."""
