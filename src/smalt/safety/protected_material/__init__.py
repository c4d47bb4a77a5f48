"""Finds copies of what the operator added in answers."""

from smalt.safety.protected_material.fingerprints import prepared
from smalt.safety.protected_material.search import Match, ProtectedMaterial

__all__ = ["Match", "ProtectedMaterial", "prepared"]
