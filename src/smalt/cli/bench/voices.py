"""Measures how well each voice is understood: what it says over HTTP is heard again by the transcription model."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from smalt.cli.bench.audio_requests import Request, timed
from smalt.cli.bench.pairs import spread
from smalt.cli.bench.report import Report, at_most
from smalt.cli.bench.servers import Server, as_settings, smalt_server
from smalt.cli.bench.words import sentences
from smalt.cli.forms import Field, form
from smalt.engines.protocols import Deployment
from smalt.engines.speech_worker.voices import ALIASES

WORD = re.compile(r"[a-z]+")
MOST_MISHEARD_PERCENT = 5.0


@dataclass(frozen=True)
class Plan:
    """How many texts each voice reads, and how long one is at least."""

    texts: int = 2
    words: int = 30


QUICK = Plan(texts=1, words=6)


def measure(speech: Deployment, transcription: Deployment, plan: Plan, command: str) -> Report:
    """Let every voice of OpenAI's names read the same texts, and count the words that were misheard."""
    texts = list(islice(sentences(plan.words), plan.texts))
    words = sum(len(_words(text)) for text in texts)
    report = Report("Voices: what is misheard of them", command)
    report.add("words that each voice reads", spread([words]))
    served = {"mouth": as_settings(speech), "ears": as_settings(transcription)}
    with smalt_server(served) as server:
        for voice in ALIASES:
            heard = [_heard_again(server, voice, text) for text in texts]
            wrong = sum(edits(_words(text), _words(said)) for text, said in zip(texts, heard, strict=True))
            misheard = spread([100 * wrong / words])
            report.add(f"misheard of {voice}", misheard, "%", budget=at_most(MOST_MISHEARD_PERCENT))
            report.details[voice] = {"texts": texts, "heard": heard}
    return report


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """How many words must be put in, left out or replaced to make one of the other."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(heard, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1]


def _heard_again(server: Server, voice: str, text: str) -> str:
    body = {"model": "mouth", "voice": voice, "input": text, "response_format": "wav"}
    spoken = timed(server, Request("/audio/speech", json.dumps(body).encode()))
    fields = (Field("model", "ears"), Field("language", "en"), Field("file", spoken.content, "said.wav"))
    heard = timed(server, Request("/audio/transcriptions", *form(fields)))
    return str(heard.json["text"])


def _words(text: str) -> list[str]:
    """The words without case and marks; the texts have neither numbers nor abbreviations."""
    return WORD.findall(text.lower())
