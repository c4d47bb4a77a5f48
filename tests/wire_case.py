"""What is said of a request that an action makes, and values that many of them share."""

from dataclasses import dataclass, field
from typing import Any

from smalt.connectors.exchange import FileValue

PNG = FileValue("cat.png", b"\x89PNG\r\n", "image/png")
MASK = FileValue("mask.png", b"\x89PNG mask", "image/png")
MP3 = FileValue("talk.mp3", b"ID3\x00", "audio/mpeg")


@dataclass(frozen=True)
class Case:
    """`json` is the body, with its keys in order; `parts` are those of a form: names with text or a file."""

    connector: str
    action: str
    given: dict[str, Any]
    method: str
    target: str
    json: Any = None
    parts: tuple[tuple[str, str | FileValue], ...] = ()
    result: dict[str, Any] = field(default_factory=dict[str, Any])
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        return f"{self.connector} {self.action} {self.given.get('operation', '')}".strip()


HI = [{"role": "user", "content": "Hi"}]
SAID = {"role": "user", "content": "Hi"}
JOB = {"fine_tuning_job_id": "ftjob-1"}
