"""Operations of vector_stores."""

from smalt.http.routing import Router

router = Router(tags=["vector_stores"])
