"""The library espeak-ng by ctypes: what of its C interface is needed. There is one in a process, for one thread."""

import ctypes
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, byref, c_char, c_char_p, c_int, c_short, c_ubyte, c_uint, c_void_p
from dataclasses import dataclass
from typing import Any

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from smalt.core.errors import EngineFailed

SYNCHRONOUS = 2
"""`espeak_Synth` returns when all sound has gone through the callback."""

PHONEME_EVENTS, DO_NOT_EXIT = 0x0001, 0x8000
RATE = 1
CHARACTER_POSITION = 1
UTF_8 = 1
PHONEME = 7

WITHOUT_DICTIONARY = frozenset({"fo", "kaa", "xex"})
"""Languages that the library lists and espeakng-loader has no words of; they would be silent."""


class Voice(ctypes.Structure):
    """`espeak_VOICE`: what the library tells of a voice, and what it is asked for."""

    _fields_ = (
        ("name", c_char_p),
        ("languages", c_void_p),
        ("identifier", c_char_p),
        ("gender", c_ubyte),
        ("age", c_ubyte),
        ("variant", c_ubyte),
        ("reserved", c_ubyte),
        ("score", c_int),
        ("spare", c_void_p),
    )


class EventId(ctypes.Union):
    """`espeak_EVENT.id`."""

    _fields_ = (("number", c_int), ("name", c_char_p), ("string", c_char * 8))


class Event(ctypes.Structure):
    """`espeak_EVENT`: what is heard where in the sound."""

    _fields_ = (
        ("type", c_int),
        ("unique_identifier", c_uint),
        ("text_position", c_int),
        ("length", c_int),
        ("audio_position", c_int),
        ("sample", c_int),
        ("user_data", c_void_p),
        ("id", EventId),
    )


SynthCallback = CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(Event))


@dataclass(frozen=True, slots=True)
class Spoken:
    """Sound as the library makes it, and how many phonemes are in it."""

    samples: NDArray[np.int16]
    phonemes: int


class EspeakLibrary:
    """Loads the library with its data and speaks with it."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self._declare()
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate: int = self._library.espeak_Initialize(SYNCHRONOUS, 0, data, PHONEME_EVENTS | DO_NOT_EXIT)
        if self.sample_rate <= 0:
            raise EngineFailed(f"espeak-ng cannot read its data in {data.decode()}. Install espeakng-loader again.")
        self._sound = bytearray()
        self._phonemes = 0
        self._is_stopped = False
        # The library calls it as long as it speaks, so it may not be collected.
        self._callback = SynthCallback(self._received)
        self._library.espeak_SetSynthCallback(self._callback)

    def languages(self) -> dict[str, str]:
        """The names that `speak` knows the languages by, by their codes, such as `gmw/en-US` by `en-us`."""
        voices = list(self._voices(None))
        found = [
            (priority, code, voice.identifier.decode()) for voice in voices for priority, code in _languages(voice)
        ]
        # The voice whose own code it is comes first; `en` is spoken by many.
        best = {code: identifier for _, code, identifier in sorted(found, reverse=True)}
        return {code: best[code] for code in sorted(best.keys() - WITHOUT_DICTIONARY)}

    def variants(self) -> list[str]:
        """The names of all variants: other throats for any language."""
        wanted = Voice(languages=ctypes.cast(c_char_p(b"variant"), c_void_p))
        return [voice.identifier.decode().rpartition("/")[2] for voice in self._voices(byref(wanted))]

    def speak(self, text: str, voice: str, words_a_minute: int) -> Spoken:
        """Speak `text`; what looks like markup or phonemes is read out as well."""
        self._is_stopped = False
        self._sound.clear()
        self._phonemes = 0
        self._check(self._library.espeak_SetVoiceByName(voice.encode()), f"has no voice {voice}")
        self._check(self._library.espeak_SetParameter(RATE, words_a_minute, 0), "refuses the rate")
        encoded = text.replace("\0", " ").encode() + b"\0"
        outcome = self._library.espeak_Synth(encoded, len(encoded), 0, CHARACTER_POSITION, 0, UTF_8, None, None)
        self._check(outcome, "cannot speak")
        return Spoken(np.frombuffer(bytes(self._sound), np.int16), self._phonemes)

    def stop(self) -> None:
        """End the `speak` in hand at its next piece of sound; called from another thread."""
        self._is_stopped = True

    def _declare(self) -> None:
        self._library.espeak_ListVoices.restype = POINTER(POINTER(Voice))
        self._library.espeak_SetVoiceByName.argtypes = [c_char_p]
        self._library.espeak_Synth.argtypes = [
            c_char_p,
            ctypes.c_size_t,
            c_uint,
            c_int,
            c_uint,
            c_uint,
            c_void_p,
            c_void_p,
        ]

    def _received(self, samples: Any, count: int, events: Any) -> int:
        """Keep a piece of sound; the library stops when this returns 1."""
        if samples and count:
            self._sound += ctypes.string_at(samples, count * ctypes.sizeof(c_short))
        index = 0
        while events[index].type:
            self._phonemes += events[index].type == PHONEME
            index += 1
        return int(self._is_stopped)

    def _voices(self, wanted: Any) -> Iterator[Voice]:
        listed = self._library.espeak_ListVoices(wanted)
        index = 0
        while listed[index]:
            yield listed[index].contents
            index += 1

    def _check(self, outcome: int, failure: str) -> None:
        if outcome:
            raise EngineFailed(f"espeak-ng {failure} (its error {outcome}).")


def _languages(voice: Voice) -> Iterator[tuple[int, str]]:
    """The pairs of `voice.languages`: a byte with the priority, a code with its end; a zero byte ends the list."""
    address: int = voice.languages
    while priority := ctypes.string_at(address, 1)[0]:
        code = ctypes.string_at(address + 1)
        yield priority, code.decode()
        address += len(code) + 2
