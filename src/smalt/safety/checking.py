"""Looks at one request and its answer, as its deployment's policy says."""

from collections.abc import AsyncIterator, Sequence

from smalt.engines.protocols import PromptJudged
from smalt.safety.asynchronous import passed_on
from smalt.safety.content_filter import Asked, Delivery, Event, PromptFiltered
from smalt.safety.judging import Answer, Judge
from smalt.safety.policies import Policy
from smalt.safety.prompts import prompts_of
from smalt.safety.results import Results, is_filtered
from smalt.safety.sentences import sentences_of
from smalt.safety.streaming import STREAMED, WHOLE, held_back
from smalt.safety.transcripts import Stretch


class PolicyChecks:
    """What one request is looked at for; `tells` says whether its client is told what was found."""

    def __init__(self, policy: Policy, judge: Judge, *, tells: bool, delivery: Delivery = "whole") -> None:
        self._policy = policy
        self._judge = judge
        self._tells = tells
        # What leaves at its end can wait for its judgement: letting it pass would gain nothing.
        self._is_late = policy.is_asynchronous and delivery == "streamed"
        self._pace = WHOLE if delivery == "whole" else STREAMED
        self._documents: Sequence[str] = ()
        self._questions: Sequence[str] = ()
        self._choices = 1

    async def judge(self, asked: Asked, documents: Sequence[str] = ()) -> PromptJudged | None:
        """Look at every prompt of a request; raises `PromptFiltered` with the results of the first that is refused."""
        prompts = prompts_of(asked)
        self._documents = documents
        self._questions = [prompt.question for prompt in prompts]
        self._choices = asked.n or 1
        if len(prompts) > 1:
            await self._judge.score_ahead(prompts, self._policy)
        told: list[Results] = []
        for index, prompt in enumerate(prompts):
            found = await self._judge.prompt(prompt, self._policy, documents)
            if is_filtered(found):
                raise PromptFiltered(found)
            told.append({"prompt_index": index, "content_filter_results": found})
        return PromptJudged(told, is_asynchronous=self._is_late) if self._tells else None

    def watch(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """Look at what leaves, before it does or after; `judge` comes first, or runs meanwhile."""
        if not self._policy.looks_at_answers:
            return events
        if self._is_late:
            return passed_on(events, self._look, choices=self._all_choices, tells=self._tells)
        return held_back(events, self._look, choices=self._all_choices, pace=self._pace)

    async def look(self, texts: Sequence[str]) -> Results:
        """What is found in texts that a model has written to leave beside its answer."""
        return await self._judge.answer(
            Answer(
                texts=texts,
                sentences=[one for text in texts for one in sentences_of(text)],
                recent=texts,
                content="",
                question="",
                documents=(),
                is_last=True,
            ),
            self._policy,
        )

    @property
    def _all_choices(self) -> int:
        """How many choices the answer will have: so many for every prompt."""
        return max(1, len(self._questions)) * self._choices

    async def _look(self, stretch: Stretch) -> Results | None:
        transcript = stretch.transcript
        texts = transcript.add(stretch.deltas)
        sentences = transcript.sentences(is_last=stretch.is_last)
        is_end = stretch.is_last and bool(self._documents) and bool(transcript.parts)
        if not texts and not sentences and not is_end:
            return None
        found = await self._judge.answer(
            Answer(
                texts=texts,
                sentences=sentences,
                recent=transcript.recent(stretch.deltas),
                content=transcript.content,
                question=self._question(stretch.choice),
                documents=self._documents,
                is_last=stretch.is_last,
            ),
            self._policy,
        )
        # Of a last sentence that left in an earlier stretch, what was harmless there has been told.
        return found if texts or is_end or is_filtered(found) else None

    def _question(self, choice: int) -> str:
        """What a choice answers; choices count over prompts, then over n."""
        place = choice // self._choices
        return self._questions[place] if place < len(self._questions) else ""
