"""Files into vector stores: durable jobs that read, cut and embed them."""

from smalt.retrieval.ingestion.handler import IngestHandler

__all__ = ["IngestHandler"]
