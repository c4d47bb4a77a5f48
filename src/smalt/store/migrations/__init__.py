"""The database's history: one Alembic revision a file in `versions`, numbered in order."""
