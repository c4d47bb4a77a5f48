"""Answers `embed` calls: checks and tokenises the inputs, waits for their batches, writes the vectors."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from smalt.core.errors import InvalidRequest
from smalt.engines.channel import Header, Message
from smalt.engines.embedding_worker.batching import Batcher
from smalt.engines.embedding_worker.model import EmbeddingModel
from smalt.engines.embedding_worker.options import EmbeddingOptions
from smalt.engines.embedding_worker.request import EmbeddingRequest
from smalt.engines.embedding_worker.windows import Input, Window, WindowCutter

INLINE_ITEMS = 4000
"""Tokenising fewer characters (or checking fewer ids) than this is quicker than handing them to a thread."""


class Embedder:
    """The model with its tokenizer and its batches."""

    def __init__(self, options: EmbeddingOptions) -> None:
        model = EmbeddingModel(options.model, options.pooling)
        self._cutter = WindowCutter(options.tokenizer, options.max_tokens, options.max_input_tokens)
        self._batcher = Batcher(model.vectors, options.runners, options.max_batch)
        self._tokenizing = ThreadPoolExecutor(1, thread_name_prefix="tokenize")
        self._normalize = options.normalize
        first = self._cutter.cut(self._cutter.tokenize(["What is the size of a vector?"]))
        self.dimensions = model.vectors([window.ids for window in first]).shape[1]

    async def embed(self, header: Header, _payload: bytes) -> Message:
        """Answer one call: rows of float32 in the payload, their length and the tokens in the header."""
        inputs: Sequence[Input] = header["inputs"]
        if not inputs:
            raise InvalidRequest("'$.input' is invalid: it holds nothing to embed.", param="input")
        dimensions = self._checked_dimensions(header.get("dimensions"))
        prompt_tokens, windows = await self._prepare(inputs)
        request = EmbeddingRequest(len(inputs), len(windows), self.dimensions)
        self._batcher.add(request, windows)
        vectors = await request.vectors(dimensions, normalize=self._normalize)
        return {"dimensions": dimensions, "prompt_tokens": prompt_tokens}, vectors.astype("<f4", copy=False).tobytes()

    async def token_starts(self, header: Header, _payload: bytes) -> Message:
        """Answer one call: the starts of all texts as the payload (see `WindowCutter.starts`)."""
        texts: Sequence[str] = header["texts"]
        # In the thread of the long inputs, so that other requests are answered meanwhile.
        starts = await asyncio.get_running_loop().run_in_executor(self._tokenizing, self._cutter.starts, texts)
        return {"bytes": list(map(len, starts))}, b"".join(starts)

    async def _prepare(self, inputs: Sequence[Input]) -> tuple[int, list[Window]]:
        if sum(map(len, inputs)) < INLINE_ITEMS:
            return self._tokens_and_windows(inputs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._tokenizing, self._tokens_and_windows, inputs)

    def _tokens_and_windows(self, inputs: Sequence[Input]) -> tuple[int, list[Window]]:
        tokens = self._cutter.tokenize(inputs)
        return sum(map(len, tokens)), self._cutter.cut(tokens)

    def _checked_dimensions(self, dimensions: int | None) -> int:
        if dimensions is None:
            return self.dimensions
        if not 1 <= dimensions <= self.dimensions:
            raise InvalidRequest(
                f"Invalid value for 'dimensions': {dimensions}. The vectors of this model have {self.dimensions} "
                f"numbers; ask for 1 to {self.dimensions}.",
                param="dimensions",
            )
        return dimensions
