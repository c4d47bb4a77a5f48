"""The tool `code_interpreter` of one request."""

import base64
from collections.abc import Sequence
from typing import cast

from smalt.core.errors import ApiError, InvalidRequest, NotFound
from smalt.store.container_files import ContainerFile
from smalt.store.containers import MEMORY_LIMIT, Container, NewContainer, new_container_id, require_unexpired
from smalt.tools.code_interpreter.code_reader import CodeReader
from smalt.tools.code_interpreter.containers import CodeContainers, Figure, Interpreted
from smalt.tools.protocols import Json, Outcome, Output, OutputItem, Source, ToolFunction

NAME = "python"
FOLDER = "/mnt/data"
MOST_TOLD = 8000
"""Characters of the log that the model reads; the client may see more."""
MOST_LISTED = 20


class CodeInterpreter:
    """Runs code in the container that the request names, or in one of its own."""

    def __init__(self, containers: CodeContainers, project: str, tool: Json) -> None:
        self._containers = containers
        self._project = project
        given = tool.get("container")
        self._named = given if isinstance(given, str) else None
        self._auto = cast("Json", given) if isinstance(given, dict) else {}
        self._memory_limit = self._auto.get("memory_limit") or MEMORY_LIMIT
        self._refuse_what_is_not_served()
        self._container: Container | None = None
        self.container_id = ""
        self._files: list[str] = []
        self._packages: Sequence[str] = ()

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """Find the container; without one named, go on with that of the last call, or choose an id for a new one.

        Raises `NotInstalled` where there is no sandbox, 400 or 404 for a container that cannot be used and for files
        that are not there.
        """
        del output
        self._packages = await self._containers.require()
        if self._named is not None:
            self._container = await self._containers.rows.get(self._project, self._named)
            require_unexpired(self._container)
        else:
            self._container = await self._last_used(items)
        if self._container is not None:
            self.container_id = self._container.id
        elif self._auto.get("file_ids"):
            # The files are copied now, so that one that is not there is the request's own fault.
            self._container = await self._made()
        else:
            self.container_id = new_container_id()
        await self._copy_files()

    def functions(self) -> Sequence[ToolFunction]:
        """The one function; its description names the files that are there."""
        return [_function(self._packages, self._files)]

    def begin(self, function: str, output: Output) -> "CodeInterpreterCall":
        """Begin a call and its item."""
        del function
        item: Json = {
            "type": "code_interpreter_call",
            "status": "in_progress",
            "code": "",
            "container_id": self.container_id,
            "outputs": None,
        }
        begun = output.begin("ci_", item)
        begun.emit("response.code_interpreter_call.in_progress")
        return CodeInterpreterCall(self, begun)

    async def close(self) -> None:
        """Nothing to let go of: the container stays."""

    async def interpret(self, code: str) -> Interpreted:
        """Run code; the container is made with the first call."""
        if self._container is None:
            await self._made()
        return await self._containers.run(self._project, self.container_id, code)

    def _refuse_what_is_not_served(self) -> None:
        self._containers.check_memory(self._memory_limit, param="tools")
        policy: Json = self._auto.get("network_policy") or {}
        if policy.get("type") == "allowlist":
            raise InvalidRequest(
                "A container has no network here: 'network_policy' may only be disabled.",
                param="tools",
                code="unsupported_value",
            )

    async def _made(self) -> Container:
        new = NewContainer(
            id=self.container_id or new_container_id(),
            name="Container of a response",
            memory_limit=self._memory_limit,
            file_ids=self._auto.get("file_ids") or (),
            files_bytes=self._containers.settings.files_bytes,
        )
        self._container = await self._containers.create(self._project, new)
        self.container_id = self._container.id
        return self._container

    async def _last_used(self, items: Sequence[Json]) -> Container | None:
        """The container of the last call, while it is there."""
        used = [item["container_id"] for item in items if item.get("type") == "code_interpreter_call"]
        if not used:
            return None
        try:
            container = await self._containers.rows.get(self._project, used[-1])
        except NotFound:
            return None
        return None if container.is_expired or container.memory_limit != self._memory_limit else container

    async def _copy_files(self) -> None:
        if self._container is None:
            return
        files, wanted = self._containers.files, self._auto.get("file_ids") or ()
        most = self._containers.settings.files_bytes
        if wanted:
            await files.copy(self._container.sequence, self._project, wanted, most_bytes=most)
        self._files = [file.path for file in await files.all(self._container.sequence)]


class CodeInterpreterCall:
    """One call."""

    def __init__(self, tool: CodeInterpreter, item: OutputItem) -> None:
        self.item: OutputItem | None = item
        self._begun = item
        self._tool = tool
        self._reader = CodeReader()

    def add(self, arguments: str) -> None:
        """Take more of the arguments; the code in them is shown as it comes."""
        self._show(self._reader.add(arguments))

    async def run(self) -> Outcome:
        """Run the code; whatever goes wrong is an outcome."""
        code, rest = self._reader.finish()
        self._show(rest)
        self._begun.emit("response.code_interpreter_call_code.done", code=code)
        if not code.strip():
            return _failed(code, f'Nothing was run. Call {NAME} with {{"code": "…"}}.')
        self._begun.emit("response.code_interpreter_call.interpreting")
        try:
            done = await self._tool.interpret(code)
        except ApiError as error:
            return _failed(code, f"The code could not be run: {error.message}")
        self._begun.emit("response.code_interpreter_call.completed")
        status = "failed" if done.ran.status == "lost" else "completed"
        sources = _sources(self._tool.container_id, done)
        return Outcome(_told(done), {"status": status, "code": code, "outputs": _outputs(done)}, sources)

    def _show(self, code: str) -> None:
        if code:
            self._begun.emit("response.code_interpreter_call_code.delta", delta=code)


def _failed(code: str, text: str) -> Outcome:
    return Outcome(text, {"status": "failed", "code": code, "outputs": []})


def _function(packages: Sequence[str], files: Sequence[str]) -> ToolFunction:
    listed = ", ".join(files[:MOST_LISTED])
    there = f" These files are there: {listed}." if listed else ""
    libraries = f" {', '.join(packages)} may be imported." if packages else ""
    return ToolFunction(
        NAME,
        "Run Python code and read what it prints. Use it for arithmetic, data and plots. Print what you want to know."
        f" Variables are kept from call to call.{libraries} matplotlib's figures are shown to the user. Files are read"
        f" and written in {FOLDER}, which is the working folder.{there} There is no network.",
        {
            "type": "object",
            "properties": {"code": {"type": "string", "description": "The Python code to run."}},
            "required": ["code"],
            "additionalProperties": False,
        },
        strict=True,
    )


def _outputs(done: Interpreted) -> list[Json]:
    log = _log(done)
    logs: list[Json] = [{"type": "logs", "logs": log}] if log else []
    return logs + [{"type": "image", "url": _url(figure)} for figure in done.figures]


def _url(figure: Figure) -> str:
    return f"data:image/png;base64,{base64.b64encode(figure.png).decode()}"


def _log(done: Interpreted) -> str:
    """What was printed, and what we have to say of how it ended."""
    ran = done.ran
    notes = {
        "timed_out": "[The code took too long and was stopped; variables are kept.]",
        "lost": f"[The interpreter ended: {ran.reason}. Its variables are gone; files of earlier calls are kept.]",
    }
    note = notes.get(ran.status, "")
    return "\n".join(part for part in (ran.log.rstrip("\n"), note, done.trouble) if part)


def _told(done: Interpreted) -> str:
    """What the model reads."""
    parts = [_cut(_log(done))]
    if done.figures:
        parts.append(f"[{len(done.figures)} figure(s) were shown to the user.]")
    if done.files:
        parts.append(f"[Files written: {', '.join(f'{FOLDER}/{file.path}' for file in done.files[:MOST_LISTED])}]")
    return "\n".join(part for part in parts if part) or "[The code ran and printed nothing.]"


def _cut(text: str) -> str:
    """The beginning and the end: an error stands last."""
    if len(text) <= MOST_TOLD:
        return text
    half = MOST_TOLD // 2
    return f"{text[:half]}\n[… {len(text) - MOST_TOLD} characters left out …]\n{text[-half:]}"


def _sources(container_id: str, done: Interpreted) -> list[Source]:
    files = [figure.file for figure in done.figures if figure.file is not None] + list(done.files)
    return [Source(_citation(container_id, file)) for file in files]


def _citation(container_id: str, file: ContainerFile) -> Json:
    return {
        "type": "container_file_citation",
        "container_id": container_id,
        "file_id": file.id,
        "filename": file.filename,
    }
