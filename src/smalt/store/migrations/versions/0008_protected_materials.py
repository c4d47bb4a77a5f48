"""Texts and code that answers must not copy."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "protected_materials",
        sa.Column("sequence", Sequence, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.Column("url", sa.String(2048)),
        sa.Column("license", sa.String(256)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_protected_materials"),
        sa.UniqueConstraint("id", name="uq_protected_materials_id"),
        sa.UniqueConstraint("kind", "digest", name="uq_protected_materials_kind"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "protected_fingerprints",
        sa.Column("fingerprint", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("material", Sequence, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "material", "position", name="pk_protected_fingerprints"),
        sa.ForeignKeyConstraint(
            ["material"],
            ["protected_materials.sequence"],
            name="fk_protected_fingerprints_material_protected_materials",
            ondelete="CASCADE",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_protected_fingerprints_material", "protected_fingerprints", ["material"])
