"""Takes the events of a transcription in their order, and knows in the end all that was heard."""

from dataclasses import dataclass, replace

from smalt.api.accounting import AUDIO_TOKENS_A_SECOND
from smalt.core.errors import EngineFailed
from smalt.engines.audio import TranscriptEnd, TranscriptEvent, TranscriptSegment
from smalt.engines.protocols import Serving, TokenLogprob
from smalt.http.call import Call


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment with its place in the transcript: all texts together are the text of the whole."""

    number: int
    text: str
    logprobs: tuple[TokenLogprob, ...]
    segment: TranscriptSegment


class Transcript:
    """What was heard so far of one recording."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.pieces: list[Piece] = []
        self._has_text = False
        self._end: TranscriptEnd | None = None

    @property
    def text(self) -> str:
        """All the words; the space before the first is left out."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def logprobs(self) -> list[TokenLogprob]:
        """All the tokens; together they are the text."""
        return [entry for piece in self.pieces for entry in piece.logprobs]

    @property
    def end(self) -> TranscriptEnd:
        """What is known in the end; raises `EngineFailed` where there was none."""
        if self._end is None:
            raise EngineFailed("The engine stopped before the end of the recording.")
        return self._end

    @property
    def has_tokens(self) -> bool:
        """Whether the engine has counted tokens; a remote one may know only seconds."""
        return not self.pieces or bool(self.end.audio_tokens or self.end.completion_tokens)

    def add(self, event: TranscriptEvent) -> Piece | None:
        """Take in one event; the piece that it has made, if any."""
        if isinstance(event, Serving):
            self.model = event.model
        elif isinstance(event, TranscriptEnd):
            self._end = event
        elif isinstance(event, TranscriptSegment):
            self.pieces.append(self._piece(event))
            return self.pieces[-1]
        return None

    def spend(self, call: Call) -> None:
        """Report the tokens of all that was heard, to the end or to where the client left."""
        if self._end is not None:
            prompt, completion = self._end.audio_tokens + self._end.prompt_tokens, self._end.completion_tokens
        elif self.pieces:
            prompt = round(self.pieces[-1].segment.end * AUDIO_TOKENS_A_SECOND)
            completion = sum(len(piece.segment.tokens) for piece in self.pieces)
        else:
            return
        call.spend(self.model, prompt_tokens=prompt, completion_tokens=completion)

    def _piece(self, segment: TranscriptSegment) -> Piece:
        text, logprobs = segment.text, segment.logprobs
        if not self._has_text:
            text, logprobs = text.lstrip(), _trimmed(logprobs)
            self._has_text = bool(text)
        return Piece(len(self.pieces), text, logprobs, segment)


def _trimmed(entries: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
    """The tokens without the space before the first word."""
    for place, entry in enumerate(entries):
        token = entry.token.lstrip()
        if token:
            own = None if entry.bytes is None else tuple(bytes(entry.bytes).lstrip())
            return (replace(entry, token=token, bytes=own), *entries[place + 1 :])
    return ()
