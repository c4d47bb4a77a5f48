"""Operations of containers."""
