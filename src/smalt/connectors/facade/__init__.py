"""The connectors as this server answers them itself, in their own flattened shapes."""
