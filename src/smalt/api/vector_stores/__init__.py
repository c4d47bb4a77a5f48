"""Operations of vector_stores."""
