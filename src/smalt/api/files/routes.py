"""Operations of files."""

from smalt.http.routing import Router

router = Router(tags=["files"])
