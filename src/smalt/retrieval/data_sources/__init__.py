"""On Your Data: searching in the indexes that a chat request names."""

from smalt.retrieval.data_sources.protocols import Document, Retrieval, Retrieved
from smalt.retrieval.data_sources.searching import DataSources, Searched

__all__ = ["DataSources", "Document", "Retrieval", "Retrieved", "Searched"]
