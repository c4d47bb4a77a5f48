"""What runs inside the sandbox; only the standard library is sure to be there."""
