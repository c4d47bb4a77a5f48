"""Writes logs for machines or people: fields beside a short message, never a secret, a header or a body."""

import logging
import sys
import time
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import orjson

from smalt.core.settings import LogSettings
from smalt.http.call import Call

access = logging.getLogger("smalt.access")

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
UNPRINTED = ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks")
LOUD_LIBRARIES = ("aiohttp", "asyncio", "sqlalchemy", "alembic")


def configure(settings: LogSettings) -> None:
    """Send all logs of this process to standard error in the chosen form."""
    # Nobody prints these, and finding them out costs as much as a line's text.
    for name in UNPRINTED:
        setattr(logging, name, False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # One line a request is ours; the server's own would be a second, and hold query strings.
    logging.getLogger("uvicorn.access").disabled = True
    for name in LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the record's caller added with `extra`, or has put together already."""
    ready: dict[str, Any] | None = vars(record).get("fields")
    if ready is not None:
        return ready
    return {name: value for name, value in vars(record).items() if name not in STANDARD and value is not None}


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class TextLines(logging.Formatter):
    """A line for people; what a client may have written is quoted, so that it cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, and its exception below."""
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        words = [f"{name}={_word(value)}" for name, value in fields(record).items()]
        line = " ".join([at, record.levelname.lower(), record.getMessage(), *words])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _word(value: Any) -> str:
    if type(value) is float:
        return f"{value:.1f}"
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)


def log_request(call: Call, status: int) -> None:
    """Write the one line of a request."""
    level = logging.DEBUG if call.mount == "outside" else logging.INFO
    if not access.isEnabledFor(level):
        return
    # Made by hand: looking for the calling line, which is always this one, would take as long as all the rest.
    record = logging.LogRecord(access.name, level, __file__, 0, "request", None, None)
    record.fields = _account(call, status)
    access.handle(record)


def _account(call: Call, status: int) -> dict[str, Any]:
    """What is told of a request: no header, no query, no body."""
    account: dict[str, Any] = {
        "request_id": call.request_id,
        "key": call.caller.key_id,
        "method": call.method,
        "path": call.path,
        "status": status,
        "ms": (perf_counter() - call.started_at) * 1000,
    }
    if call.operation:
        account["operation"] = call.operation
    if call.model is not None:
        account["model"] = call.model
    if call.first_chunk_at is not None:
        account["first_ms"] = (call.first_chunk_at - call.started_at) * 1000
    if call.failed_with is not None:
        account["failed_with"] = type(call.failed_with).__name__
    return account
