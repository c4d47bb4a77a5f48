"""The wire vocabulary: pydantic models that mirror the reference, one module per group."""
