"""Continues texts with the tokens that llama.cpp draws."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from smalt.engines.llama_cpp.chat import ALWAYS, Counts, Worker
from smalt.engines.llama_cpp.completion_choice import TextChoice, likeliest
from smalt.engines.llama_cpp.completion_plan import CompletionPlan, Prompt
from smalt.engines.llama_cpp.failures import WorkerLost
from smalt.engines.llama_cpp.prompt_scores import prompt_entries
from smalt.engines.llama_cpp.room import check_room
from smalt.engines.llama_cpp.sampling import seeded
from smalt.engines.protocols import CompletionDelta, Usage

Json = dict[str, Any]


async def answer(worker: Worker, plan: CompletionPlan) -> AsyncGenerator[CompletionDelta | Usage]:
    """Stream every choice of every prompt, and then the usage of all together."""
    for prompt in plan.prompts:
        await check_room(worker.server, worker.facts, prompt, max_tokens=plan.max_tokens, param="prompt")
    made = _Made(plan)
    async with aclosing(_echoes(worker, plan)) as echoes:
        async for delta in echoes:
            yield delta
    async with aclosing(_generated(worker, plan, made)) as deltas:
        async for delta in deltas:
            if not plan.is_choosing:
                yield delta
    for delta in made.chosen() if plan.is_choosing else ():
        yield delta
    yield made.usage()


class _Made:
    """Every text that is made, and what they cost."""

    def __init__(self, plan: CompletionPlan) -> None:
        self._plan = plan
        self.choices = [TextChoice(index, plan) for index in range(len(plan.prompts) * plan.candidates)]
        self._counts = [Counts() for _ in plan.prompts]

    def chosen(self) -> list[CompletionDelta]:
        """The likeliest texts of every prompt, each in one piece."""
        candidates, wanted = self._plan.candidates, self._plan.choices
        return [
            choice.whole(start // candidates * wanted + rank)
            for start in range(0, len(self.choices), candidates)
            for rank, choice in enumerate(likeliest(self.choices[start : start + candidates], wanted))
        ]

    def take(self, position: int, candidate: int, event: Json) -> CompletionDelta | None:
        """Hand an event to its choice."""
        self._counts[position].see(event)
        choice = self.choices[position * self._plan.candidates + candidate]
        return None if choice.is_over else choice.take(event)

    def are_over(self, positions: range, candidates: range) -> bool:
        """Whether all of these texts are complete."""
        return all(
            self.choices[position * self._plan.candidates + candidate].is_over
            for position in positions
            for candidate in candidates
        )

    def usage(self) -> Usage:
        """The tokens of all prompts and all texts, those that were not chosen too."""
        return Usage(
            sum(counts.prompt_tokens for counts in self._counts),
            sum(choice.completion_tokens for choice in self.choices),
            cached_tokens=sum(counts.cached_tokens for counts in self._counts),
        )


async def _generated(worker: Worker, plan: CompletionPlan, made: _Made) -> AsyncGenerator[CompletionDelta]:
    size = max(1, worker.facts.slots // 2)
    # A beginning and an end are asked for one prompt at a time, everything else for all at once.
    batches = [range(position, position + 1) for position in range(len(plan.prompts))]
    for positions in batches if plan.suffix else [range(len(plan.prompts))]:
        for start in range(0, plan.candidates, size):
            candidates = range(start, min(start + size, plan.candidates))
            async with aclosing(_batch(worker, plan, made, positions, candidates)) as deltas:
                async for delta in deltas:
                    yield delta


async def _batch(
    worker: Worker, plan: CompletionPlan, made: _Made, positions: range, candidates: range
) -> AsyncGenerator[CompletionDelta]:
    path, fields = _request(plan, positions, candidates)
    async with aclosing(worker.server.stream(path, fields, param="prompt")) as events:
        async for event in events:
            index: int = event["index"]
            position, candidate = divmod(index, len(candidates))
            delta = made.take(positions[position], candidates[candidate], event)
            if delta is not None:
                yield delta
                if delta.finish_reason is not None and made.are_over(positions, candidates):
                    break
    if not made.are_over(positions, candidates):
        raise WorkerLost("The model's worker ended in the middle of its answer; it is started again when needed.")


def _request(plan: CompletionPlan, positions: range, candidates: range) -> tuple[str, Json]:
    fields: Json = {
        **seeded(plan.fields, plan.seed, candidates[0]),
        "n_predict": plan.max_tokens,
        "n": len(candidates),
        **ALWAYS,
    }
    if plan.has_entries:
        fields["n_probs"] = max(1, plan.top_logprobs or 0)
    if plan.stops and not plan.has_entries:
        fields["stop"] = plan.stops
    if plan.suffix:
        return "/infill", {**fields, "input_prefix": plan.prompts[positions[0]], "input_suffix": plan.suffix}
    prompts = [plan.prompts[position] for position in positions]
    return "/completion", {**fields, "prompt": prompts[0] if len(prompts) == 1 else prompts}


async def _echoes(worker: Worker, plan: CompletionPlan) -> AsyncGenerator[CompletionDelta]:
    for position, prompt in enumerate(plan.prompts if plan.has_echo else ()):
        text = await text_of(worker, prompt)
        entries = None if plan.top_logprobs is None else await prompt_entries(worker, prompt, plan.top_logprobs)
        for rank in range(plan.choices):
            yield CompletionDelta(position * plan.choices + rank, text, entries)


async def text_of(worker: Worker, prompt: Prompt) -> str:
    """A prompt as a text; token ids that the model does not have must have been refused before."""
    if isinstance(prompt, str):
        return prompt
    if prompt == list(worker.facts.beginning_token):
        return ""
    return (await worker.server.ask("/detokenize", {"tokens": prompt}, param="prompt"))["content"]
