"""Writes a whole transcript in the format that was asked for."""

from math import ceil
from typing import Any

from fastapi import Response
from fastapi.responses import PlainTextResponse

from smalt.api.audio.asking import Asked
from smalt.api.audio.subtitles import srt, vtt
from smalt.api.audio.transcript import Piece, Transcript
from smalt.engines.audio import SpokenWord, speakers_unknown
from smalt.engines.protocols import TokenLogprob
from smalt.http.answers import Json
from smalt.http.call import Call

JsonObject = dict[str, Any]

# What Whisper writes with a word although it is not of it.
MARKS = '"“”¿¡([{-.。,，!！?？:：;)]}、… '  # noqa: RUF001 - Chinese marks are meant


def answer(asked: Asked, transcript: Transcript, call: Call) -> Response:
    """The answer to a request that asked for no stream."""
    segments = [piece.segment for piece in transcript.pieces]
    match asked.format:
        case "text":
            return PlainTextResponse(f"{transcript.text}\n")
        case "srt":
            return PlainTextResponse(srt(segments))
        case "vtt":
            return PlainTextResponse(vtt(segments))
        case "verbose_json":
            told = _verbose(asked, transcript)
        case "diarized_json":
            told = _diarized(asked, transcript)
        case _:
            told = _plain(asked, transcript)
    if not call.is_azure and asked.recording.task == "transcribe":
        told["usage"] = _usage(asked, transcript)
    return Json(told)


def usage_in_tokens(transcript: Transcript) -> JsonObject:
    """The usage of models that count tokens."""
    end = transcript.end
    heard = end.audio_tokens + end.prompt_tokens
    return {
        "type": "tokens",
        "total_tokens": heard + end.completion_tokens,
        "input_tokens": heard,
        "input_token_details": {"text_tokens": end.prompt_tokens, "audio_tokens": end.audio_tokens},
        "output_tokens": end.completion_tokens,
    }


def logprobs_json(entries: list[TokenLogprob] | tuple[TokenLogprob, ...]) -> list[JsonObject]:
    """Tokens with their log-probabilities."""
    return [
        {"token": one.token, "logprob": one.logprob, "bytes": None if one.bytes is None else list(one.bytes)}
        for one in entries
    ]


def diarized_json(piece: Piece, *, model: str) -> JsonObject:
    """What one speaker said; raises `UnsupportedValue` where the engine does not tell who spoke."""
    segment = piece.segment
    if segment.speaker is None:
        raise speakers_unknown(model)
    return {
        "type": "transcript.text.segment",
        "id": segment_id(piece),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text.strip(),
        "speaker": segment.speaker,
    }


def segment_id(piece: Piece) -> str:
    """The name of a segment among those of different speakers."""
    return f"seg_{piece.number}"


def _usage(asked: Asked, transcript: Transcript) -> JsonObject:
    """Seconds for Whisper by its own name and with all details, else tokens, as the service counts."""
    if asked.format == "verbose_json" or asked.model.startswith("whisper") or not transcript.has_tokens:
        return {"type": "duration", "seconds": ceil(transcript.end.duration)}
    return usage_in_tokens(transcript)


def _plain(asked: Asked, transcript: Transcript) -> JsonObject:
    told: JsonObject = {"text": transcript.text}
    if asked.recording.with_logprobs:
        told["logprobs"] = logprobs_json(transcript.logprobs)
    return told


def _verbose(asked: Asked, transcript: Transcript) -> JsonObject:
    is_translation = asked.recording.task == "translate"
    told: JsonObject = {
        "task": asked.recording.task,
        "language": "english" if is_translation else transcript.end.language,
        "duration": transcript.end.duration,
        "text": transcript.text,
    }
    if asked.with_segments:
        told["segments"] = [_segment(piece) for piece in transcript.pieces]
    if asked.recording.with_words:
        told["words"] = [_word(word) for piece in transcript.pieces for word in piece.segment.words]
    return told


def _diarized(asked: Asked, transcript: Transcript) -> JsonObject:
    return {
        "task": "transcribe",
        "duration": transcript.end.duration,
        "text": transcript.text,
        "segments": [diarized_json(piece, model=asked.model) for piece in transcript.pieces],
    }


def _segment(piece: Piece) -> JsonObject:
    segment = piece.segment
    return {
        "id": piece.number,
        "seek": segment.seek,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _word(word: SpokenWord) -> JsonObject:
    return {"word": word.word.strip(MARKS) or word.word.strip(), "start": word.start, "end": word.end}
