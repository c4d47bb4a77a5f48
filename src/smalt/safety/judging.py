"""Judges one text or one prompt under a policy: asks whoever knows, and writes the results."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from smalt.core.errors import ApiError, InvalidRequest, Unavailable
from smalt.engines.protocols import Scores
from smalt.safety import results
from smalt.safety.blocklists import LiveBlocklists
from smalt.safety.guard import Guard, NoVerdict
from smalt.safety.policies import Policy, Side
from smalt.safety.profanity import is_profane
from smalt.safety.prompts import Prompt
from smalt.safety.results import Results
from smalt.safety.scoring import Scorer, highest
from smalt.safety.sentences import FEW, SUSPECT, sentences_of
from smalt.safety.severities import harm_scores, severities
from smalt.safety.thresholds import is_detected

logger = logging.getLogger(__name__)

PROTECTED = ("protected_material_code", "protected_material_text")


class ProtectedMaterial(Protocol):
    """Knows what answers must not copy."""

    async def results(self, texts: Sequence[str], wanted: Mapping[str, Any]) -> Results:
        """The results for each kind of material that is wanted and that there is something of."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A stretch of an answer: `texts` are the new ones with some of what came before; `recent` has more of that.

    `sentences` are those that have ended in it; `documents` are what the answer must rest on; `is_last` when nothing
    follows.
    """

    texts: Sequence[str]
    sentences: Sequence[str]
    recent: Sequence[str]
    content: str
    question: str
    documents: Sequence[str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """Whoever is asked; `passes` says that what nobody can judge goes through, with results that say so."""

    scorer: Scorer | None
    guard: Guard | None
    blocklists: LiveBlocklists
    protected: ProtectedMaterial
    passes: bool

    async def score_ahead(self, prompts: Sequence[Prompt], policy: Policy) -> None:
        """Have the texts of several prompts scored together: what is remembered then costs nothing one by one."""
        if self.scorer is None or not policy.prompts.needs_scores:
            return
        # A failure is told of with each prompt.
        with suppress(ApiError):
            await self.scorer.texts(
                [text for prompt in prompts for text in (*prompt.all_texts, *_of_long_texts(prompt))]
            )

    async def prompt(self, prompt: Prompt, policy: Policy, documents: Sequence[str] = ()) -> Results:
        """What is found in a prompt and in the documents that are shown with it."""
        side = policy.prompts
        texts = prompt.all_texts
        await self._check_pictures(prompt, side)
        return await self._all(
            lambda: self._readable(prompt, policy),
            lambda: self._prompt_harms(side, prompt),
            lambda: self._guarded(side, texts),
            lambda: self._pictured(side, prompt.images),
            lambda: self._profanity(side, texts),
            lambda: self._attack(side, "jailbreak", prompt.from_source("user")),
            lambda: self._attack(side, "indirect_attack", [*prompt.from_source("document"), *documents]),
            lambda: self._blocklists(policy, texts),
        )

    async def answer(self, answer: Answer, policy: Policy) -> Results:
        """What is found in a stretch of an answer."""
        side = policy.answers
        protected = {name: side.detections[name] for name in PROTECTED if name in side.detections}
        return await self._all(
            lambda: self._answer_harms(side, answer),
            lambda: self._guarded(side, answer.texts, answer.question),
            lambda: self._profanity(side, answer.texts),
            lambda: self._blocklists(policy, answer.texts),
            lambda: self.protected.results(answer.recent, protected),
            lambda: self._ungrounded(side, answer),
        )

    async def _all(self, *looks: Callable[[], Awaitable[Results]]) -> Results:
        """What all of them find; what one cannot judge hinders no other."""
        found: Results = {}
        for look in looks:
            try:
                found = results.gravest(found, await look())
            except ApiError as error:
                found = results.gravest(found, self._failure(error))
        return found

    def _failure(self, error: ApiError) -> Results:
        if self.passes:
            logger.warning("the content filter cannot judge", extra={"reason": error.message})
            return results.failure(error)
        if isinstance(error, InvalidRequest):
            raise error
        raise Unavailable(f"The content filter cannot judge this: {error.message}") from error

    async def _readable(self, prompt: Prompt, policy: Policy) -> Results:
        if not prompt.is_readable and (policy.prompts.needs_scores or policy.blocklists):
            raise InvalidRequest(
                "The prompt has token ids, or a file, that the content filter cannot read. Send text instead.",
                param="prompt",
            )
        return {}

    async def _prompt_harms(self, side: Side, prompt: Prompt) -> Results:
        """The harms in a prompt, and in users' sentences by themselves: of short texts where the whole is suspect."""
        if self.scorer is None or not side.harms:
            return {}
        found = await self.scorer.texts([*prompt.all_texts, *_of_long_texts(prompt)])
        suspects: list[str] = []
        for text, sentences in prompt.apart.items():
            # It was scored just now, and is remembered.
            if len(sentences) <= FEW and _is_suspect(await self.scorer.texts([text])):
                suspects += sentences
        return _harm_results(side, highest([found, await self.scorer.texts(suspects)]))

    async def _answer_harms(self, side: Side, answer: Answer) -> Results:
        """The harms in a stretch, and in its sentences by themselves: where it is short, if the whole is suspect.

        Sentences that began before the stretch, or are of another part of the answer, its score says nothing about.
        """
        if self.scorer is None or not side.harms:
            return {}
        if sum(len(sentences_of(text)) for text in answer.texts) > FEW:
            return _harm_results(side, await self.scorer.texts([*answer.texts, *answer.sentences]))
        found = await self.scorer.texts(answer.texts)
        is_suspect = _is_suspect(found)
        suspects = [one for one in answer.sentences if is_suspect or not any(one in text for text in answer.texts)]
        return _harm_results(side, highest([found, await self.scorer.texts(suspects)]))

    async def _guarded(self, side: Side, texts: Sequence[str], question: str | None = None) -> Results:
        """What a guard finds, piece by piece: one that it has no verdict on hides nothing of the others."""
        found: Results = {}
        if self.guard is None or not side.harms:
            return found
        for piece in self.guard.pieces(texts):
            try:
                found = results.gravest(found, _harm_results(side, await self.guard.scores(piece, question)))
            except ApiError as error:
                found = results.gravest(found, self._failure(error))
                if not isinstance(error, NoVerdict | InvalidRequest):
                    break
        return found

    async def _check_pictures(self, prompt: Prompt, side: Side) -> None:
        """Refuse pictures that only their model could make something of, where others are looked at."""
        if not prompt.broken_images or not side.harms or self.scorer is None:
            return
        if await self.scorer.looks_at_images():
            raise InvalidRequest(
                f"The picture at '{prompt.broken_images[0]}' is no data URL that can be read, and pictures are looked "
                "at. Send data:image/png;base64,… with whole base64.",
                param=prompt.broken_images[0],
            )

    async def _pictured(self, side: Side, images: Sequence[bytes]) -> Results:
        """The harms in pictures: apart from those in texts, which a broken picture must not hide."""
        if self.scorer is None or not side.harms or not images:
            return {}
        return _harm_results(side, await self.scorer.images(images))

    async def _profanity(self, side: Side, texts: Sequence[str]) -> Results:
        """Swear words: those of the list, and what the moderation model takes for some."""
        wanted = side.detections.get("profanity")
        if wanted is None:
            return {}
        is_there = await asyncio.to_thread(_has_swear_word, texts)
        if not is_there and self.scorer is not None:
            is_there = is_detected("profanity", await self.scorer.texts(texts))
        return {"profanity": results.detection(wanted, is_there=is_there)}

    async def _attack(self, side: Side, name: str, texts: Sequence[str]) -> Results:
        """What users try on the model, or what documents and tools do."""
        wanted = side.detections.get(name)
        if self.scorer is None or wanted is None:
            return {}
        is_there = is_detected(name, await self.scorer.texts(texts))
        return {name: results.detection(wanted, is_there=is_there)}

    async def _blocklists(self, policy: Policy, texts: Sequence[str]) -> Results:
        if not policy.blocklists:
            return {}
        matching = await self.blocklists.matching(policy.blocklists, texts)
        return {"custom_blocklists": results.custom_blocklists(matching)}

    async def _ungrounded(self, side: Side, answer: Answer) -> Results:
        wanted = side.detections.get("ungrounded_material")
        if wanted is None or not answer.documents or not (answer.is_last or wanted == "block"):
            return {}
        # Only answers from documents need it.
        from smalt.safety.groundedness import ungrounded

        spans = await ungrounded(answer.content, answer.documents)
        if not answer.is_last:
            spans = [one for one in spans if _is_complete(answer.content, one.end)]
        details = [{"completion_start_offset": one.start, "completion_end_offset": one.end} for one in spans]
        return {"ungrounded_material": {**results.detection(wanted, is_there=bool(spans)), "details": details}}


def _is_suspect(scores: Scores) -> bool:
    return max(harm_scores(scores).values()) >= SUSPECT


def _of_long_texts(prompt: Prompt) -> list[str]:
    """The sentences of the texts of users that have many."""
    return [one for sentences in prompt.apart.values() if len(sentences) > FEW for one in sentences]


def _harm_results(side: Side, scores: Scores) -> Results:
    grave: dict[str, str] = {**severities(scores)}
    return {name: results.harm(threshold, grave[name]) for name, threshold in side.harms.items()}


def _has_swear_word(texts: Sequence[str]) -> bool:
    return any(map(is_profane, texts))


def _is_complete(text: str, end: int) -> bool:
    """Whether a sentence that ends there goes no further."""
    return end < len(text.rstrip()) or text.rstrip().endswith((".", "!", "?"))
