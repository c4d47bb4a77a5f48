"""Operations of uploads."""
