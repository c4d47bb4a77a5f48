"""Operations of files."""
