"""Operations of search_service."""

from smalt.http.routing import Router

router = Router(tags=["search_service"])
