"""Which model name is served by which engine: catalog, packs, leases."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smalt.models.serving import Models

__all__ = ["Models"]


def __getattr__(name: str) -> Any:
    """Import `Models` when it is asked for: the packs alone need no engine protocols."""
    if name == "Models":
        from smalt.models.serving import Models

        return Models
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
