"""The connectors as other products import them."""
