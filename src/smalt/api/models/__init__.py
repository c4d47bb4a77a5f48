"""The models that a caller may ask for."""
