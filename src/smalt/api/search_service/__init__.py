"""Operations of search_service."""
