"""What was heard: its pieces make the text, its tokens too, and what it cost is told in every end."""

from dataclasses import dataclass, field

import pytest

from smalt.api.audio.transcript import Transcript
from smalt.core.errors import EngineFailed
from smalt.engines.audio import TranscriptEnd, TranscriptSegment
from smalt.engines.protocols import Serving, TokenLogprob
from smalt.http.call import Call
from smalt.store.usage import EndUser, Tokens

END = TranscriptEnd("english", 2.5, audio_tokens=1500, prompt_tokens=4, completion_tokens=6)


def token(text: str) -> TokenLogprob:
    return TokenLogprob(text, -0.5, tuple(text.encode()))


def heard(*events: TranscriptSegment | TranscriptEnd | Serving) -> Transcript:
    transcript = Transcript("ears")
    for event in events:
        transcript.add(event)
    return transcript


@dataclass
class Ledger:
    """Writes down what calls spend."""

    lines: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])

    def spent(self, call: Call, model: str, tokens: Tokens, end_user: EndUser | None) -> None:
        del call, end_user
        self.lines.append((model, tokens.prompt_tokens, tokens.completion_tokens))


def spent_on(transcript: Transcript) -> list[tuple[str, int, int]]:
    ledger = Ledger()
    transcript.spend(Call("openai_v1", "POST", "/", "req_1", meters=(ledger,)))
    return ledger.lines


def test_only_the_space_before_the_first_word_is_left_out() -> None:
    transcript = heard(
        TranscriptSegment(" ", 0, 1), TranscriptSegment(" Call me", 1, 2), TranscriptSegment(" so.", 2, 3)
    )
    assert transcript.text == "Call me so."
    assert [piece.text for piece in transcript.pieces] == ["", "Call me", " so."]
    assert [piece.segment.text for piece in transcript.pieces] == [" ", " Call me", " so."]


def test_the_tokens_are_the_text() -> None:
    first = TranscriptSegment(" Aï so", 0, 1, logprobs=(token(" "), token(" Aï"), token(" so")))
    second = TranscriptSegment(" on.", 1, 2, logprobs=(token(" on"), token(".")))
    transcript = heard(first, second)
    assert "".join(entry.token for entry in transcript.logprobs) == transcript.text
    assert b"".join(bytes(entry.bytes or ()) for entry in transcript.logprobs) == transcript.text.encode()


def test_a_transcript_without_an_end_is_a_failure_of_the_engine() -> None:
    with pytest.raises(EngineFailed):
        _ = heard(TranscriptSegment("So", 0, 1)).end
    assert heard(END).end is END


def test_what_was_heard_to_the_end_costs_what_the_engine_counted() -> None:
    assert spent_on(heard(Serving("whisper-large"), TranscriptSegment(" So", 0, 1), END)) == [
        ("whisper-large", 1504, 6)
    ]


def test_what_was_heard_until_the_client_left_is_estimated() -> None:
    assert spent_on(heard(TranscriptSegment(" So it", 0, 4, tokens=(1, 2, 3)))) == [("ears", 200, 3)]


def test_nothing_heard_costs_nothing() -> None:
    assert spent_on(heard(Serving("whisper-large"))) == []
