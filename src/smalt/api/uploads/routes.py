"""Operations of uploads."""

from smalt.http.routing import Router

router = Router(tags=["uploads"])
