"""The commands below `smalt bench`; each imports its measurement when it is called."""

import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Measure Smalt against the engines it runs.")

Quick = Annotated[bool, typer.Option("--quick", help="One short pair: shows that it runs, not how fast.")]
PairCount = Annotated[int | None, typer.Option("--pairs", min=1, help="How many pairs of turns.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, ready to paste.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything measured to FILE.")]
Chunks = Annotated[
    str | None, typer.Option("--chunks", metavar="SIZE/OVERLAP", help="Tokens of a chunk and of its overlap.")
]
Model = Annotated[str, typer.Option("--deployment", help="The deployment whose weights are measured.")]
OtherGateway = Annotated[
    str | None,
    typer.Option(
        "--litellm",
        metavar="COMMAND",
        help="Command that starts another gateway, for comparison; {port} and {upstream} are filled in.",
    ),
]


@app.callback()
def before() -> None:
    """Measure Smalt against the engines it runs."""
    # Ended by a signal, a benchmark must still end the servers that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@app.command()
def chat(
    *,
    deployment: Model = "gpt-4o-mini",
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Chat streams against the engine's own HTTP listener."""
    from smalt.cli.bench.chat import QUICK, Plan, measure
    from smalt.cli.bench.deployments import on_disk

    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def embeddings(
    *,
    deployment: Model = "text-embedding-3-small",
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Embeddings over HTTP against a bare onnxruntime loop."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.embeddings import QUICK, Plan, measure

    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def gateway(
    *,
    litellm: OtherGateway = None,
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Pass-through to a stub upstream: requests, paced chunks, many open streams."""
    from smalt.cli.bench.gateway import QUICK, Plan, measure

    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    measure(plan, _command(), litellm).show(as_markdown=markdown, json_file=json)


@app.command()
def responses(
    *,
    deployment: Model = "gpt-4o-mini",
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Responses against chat completions of the same server."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.responses import QUICK, Plan, measure

    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def retrieval(
    *,
    deployment: Model = "text-embedding-3-small",
    quick: Quick = False,
    chunks: Chunks = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """What search finds, by meaning, by words and by both, on two public sets."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.retrieval import QUICK, Plan, chunk_sizes, measure

    plan = QUICK if quick else Plan(chunks=chunk_sizes(chunks))
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def safety(
    *,
    deployment: Model = "omni-moderation-latest",
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """What moderation finds in held-out texts, and the cost of a text."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.safety import QUICK, Plan, measure

    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def search(
    *,
    deployment: Model = "text-embedding-3-small",
    chunks: Annotated[int, typer.Option("--chunks", min=1000, help="How many chunks are searched.")] = 100_000,
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Search in a vector store, through the index's channel and over HTTP, against bare faiss."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.search import QUICK, Plan, measure

    plan = QUICK if quick else Plan(chunks=chunks, pairs=pairs or Plan.pairs)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def speak(
    *,
    deployment: Model = "tts-1",
    voices: Annotated[
        bool, typer.Option("--voices", help="Instead, how many words of each voice are misheard by whisper-1.")
    ] = False,
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Speech over HTTP against bare kokoro-onnx."""
    from smalt.cli.bench import voices as every_voice
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.speak import QUICK, Plan, measure

    if voices:
        texts = every_voice.QUICK if quick else every_voice.Plan(texts=pairs or every_voice.Plan.texts)
        report = every_voice.measure(on_disk(deployment), on_disk("whisper-1"), texts, _command())
        report.show(as_markdown=markdown, json_file=json)
        return
    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def start(
    *,
    deployment: Model = "gpt-4o-mini",
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """CPU and memory until ready, and the first token from cold."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.start import QUICK, Plan, measure

    plan = QUICK if quick else Plan(starts=pairs or Plan.starts)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


@app.command()
def transcribe(
    *,
    deployment: Model = "whisper-1",
    recording: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What is heard; a poem read aloud, 53 seconds long, when absent."),
    ] = None,
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Transcription over HTTP against bare faster-whisper."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.recordings import recorded
    from smalt.cli.bench.transcribe import QUICK, Plan, measure

    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    report = measure(on_disk(deployment), recorded(recording), plan, _command())
    report.show(as_markdown=markdown, json_file=json)


@app.command()
def ingest(
    *,
    deployment: Model = "text-embedding-3-small",
    quick: Quick = False,
    pairs: PairCount = None,
    markdown: AsMarkdown = False,
    json: JsonFile = None,
) -> None:
    """Files into a vector store against a bare onnxruntime loop over their chunks."""
    from smalt.cli.bench.deployments import on_disk
    from smalt.cli.bench.ingest import QUICK, Plan, measure

    plan = QUICK if quick else Plan(pairs=pairs or Plan.pairs)
    measure(on_disk(deployment), plan, _command()).show(as_markdown=markdown, json_file=json)


def _command() -> str:
    """The command as it was typed, without where its report goes."""
    words = iter(sys.argv[1:])
    kept: list[str] = []
    for word in words:
        if word == "--json":
            next(words, None)
        elif word != "--markdown" and not word.startswith("--json="):
            kept.append(word)
    return shlex.join(["smalt", *kept])
