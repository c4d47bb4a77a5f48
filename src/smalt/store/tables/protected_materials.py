"""Texts and code that answers must not copy, as fingerprints: the words themselves are not kept."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

protected_materials = sa.Table(
    "protected_materials",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", sa.String(1024), nullable=False),
    sa.Column("url", sa.String(2048)),
    sa.Column("license", sa.String(256)),
    # Of the words in the form that they are compared in: the same material twice is one.
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("kind", "digest"),
    sqlite_autoincrement=True,
)

protected_fingerprints = sa.Table(
    "protected_fingerprints",
    metadata,
    sa.Column("fingerprint", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column(
        "material",
        Sequence,
        sa.ForeignKey("protected_materials.sequence", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # Which token of the material the fingerprint begins at.
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    # Small rows that are looked up by all of their columns: in one tree they take half the space.
    sqlite_with_rowid=False,
)

protected_fingerprints_by_material = sa.Index("ix_protected_fingerprints_material", protected_fingerprints.c.material)
