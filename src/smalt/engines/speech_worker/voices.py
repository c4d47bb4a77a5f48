"""The voices of a Kokoro: their files, their languages, and the names that OpenAI's clients ask for."""

from pathlib import Path
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from smalt.core.errors import EngineFailed, UnsupportedValue

Voice = NDArray[np.float32]

NAMES: tuple[str, ...] = (
    *(
        "af_alloy",
        "af_aoede",
        "af_bella",
        "af_heart",
        "af_jessica",
        "af_kore",
        "af_nicole",
        "af_nova",
        "af_river",
        "af_sarah",
        "af_sky",
        "am_adam",
        "am_echo",
        "am_eric",
        "am_fenrir",
        "am_liam",
        "am_michael",
        "am_onyx",
        "am_puck",
        "am_santa",
    ),
    *("bf_alice", "bf_emma", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_george", "bm_lewis"),
    *("ef_dora", "em_alex", "em_santa"),
    "ff_siwis",
    *("hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
    *("if_sara", "im_nicola"),
    *("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"),
    *("pf_dora", "pm_alex", "pm_santa"),
    *("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang"),
)
"""The voices of a `.bin`, joined in this order."""

ROWS, NUMBERS = 510, 256
"""A voice has a row of so many numbers for every number of phonemes."""

ALIASES = {
    "alloy": "af_alloy",
    "ash": "am_michael",
    "ballad": "bm_george",
    "coral": "af_heart",
    "echo": "am_echo",
    "fable": "bm_fable",
    "onyx": "am_onyx",
    "nova": "af_nova",
    "sage": "af_sarah",
    "shimmer": "af_bella",
    "verse": "am_fenrir",
    "marin": "bf_emma",
    "cedar": "am_puck",
}

LANGUAGES = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr-fr",
    "h": "hi",
    "i": "it",
    "p": "pt-br",
}
"""What espeak-ng calls the language of a voice, by the first letter of its name."""

UNREAD = {"j": "Japanese", "z": "Chinese"}
"""Languages that have voices, but nothing here that turns their writing into Kokoro's phonemes."""


def read_voices(path: str) -> dict[str, Voice]:
    """The voices of a `.bin` with the 54 of Kokoro 1.0, or of an archive of arrays (`.npz`)."""
    if is_zipfile(path):
        with np.load(path) as archive:
            return {name: archive[name].astype(np.float32).reshape(-1, NUMBERS) for name in archive.files}
    size = Path(path).stat().st_size
    if size != len(NAMES) * ROWS * NUMBERS * 4:
        raise EngineFailed(
            f"{path} holds no voices of Kokoro 1.0: it is no .npz, and {size} bytes are not those of "
            f"{len(NAMES)} voices."
        )
    rows = np.fromfile(path, "<f4").reshape(len(NAMES), ROWS, NUMBERS).astype(np.float32, copy=False)
    return dict(zip(NAMES, rows, strict=True))


def named_voice(name: str, voices: dict[str, Voice]) -> str:
    """The voice behind a name; refuses, by the param voice, one that nobody has or that cannot be spoken."""
    voice = name if name in voices else ALIASES.get(name.lower(), name.lower())
    if voice not in voices:
        raise UnsupportedValue(
            f"Unknown voice '{name}'. Choose one of: {', '.join(spoken_names(voices))}.", param="voice"
        )
    if language := UNREAD.get(voice[:1]):
        raise UnsupportedValue(
            f"The voice '{name}' speaks {language}, which this engine cannot read. "
            f"Choose one of: {', '.join(spoken_names(voices))}.",
            param="voice",
        )
    return voice


def spoken_names(voices: dict[str, Voice]) -> list[str]:
    """OpenAI's names first, then the engine's own."""
    aliases = [alias for alias, voice in ALIASES.items() if voice in voices]
    return [*aliases, *(voice for voice in voices if voice[:1] not in UNREAD)]


def language_of(voice: str) -> str:
    """What espeak-ng calls the language that a voice speaks; American English for a voice of other making."""
    return LANGUAGES.get(voice[:1], "en-us") if voice[1:3] in {"f_", "m_"} else "en-us"
