"""Audio: transcriptions, translations and speech."""

from smalt.api.audio import speech_routes, transcription_routes
from smalt.http.routing import Router

router = Router()
router.routes.extend([*transcription_routes.router.routes, *speech_routes.router.routes])
