"""Makes of a question what a search engine likes: by a chat model, or by rules that take conversation's padding off."""

import logging
import re
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from smalt.core.errors import ApiError
from smalt.engines.protocols import ChatDelta, ChatEngine
from smalt.schemas.chat import AzureCreateChatCompletionRequest

T = TypeVar("T")

logger = logging.getLogger(__name__)

MOST_ASKED = 2000
"""Characters of a query that a model is shown."""
MOST_ANSWERED = 300
ANSWER_TOKENS = 64
INSTRUCTION = (
    "Rewrite the user's message as one short query for a search engine. Keep every name, number, quoted phrase and "
    "technical word as it is, keep the language, and leave out greetings and politeness. Answer with the query alone."
)
WORD = re.compile(r"\w+")
END = " \t\r\n.,;:!?¿¡…"
LEAST_LEFT = 3
"""Characters that must remain; otherwise the padding was the query."""

# One way to begin a line; what follows is the question. COMMA stands for a mark that ends a clause.
BEGINNINGS = r"""
(?:hi|hello|hey|good (?:morning|afternoon|evening))(?:(?: there| everyone| all)\b|COMMA)
(?:please|kindly|well|so|ok(?:ay)?|thanks|thank you)COMMA
please (?=(?:tell|show|explain|give|help|find|let|describe|can|could|would|search|list|look)\b)
(?:i was (?:just )?wondering|i wonder|i have a question(?: about)?|(?:my|the) question is)\b[\s,:]*
i(?:'d| would) (?:like|love) to (?:know|understand|find out|learn|ask)\b[\s,:]*
i (?:want|need) to (?:know|understand|find out|learn)\b[\s,:]*
i(?:'m| am) (?:looking for|interested in|curious(?: about)?)\b[\s,:]*
i(?:'m| am) trying to(?: find out| understand| figure out)?\b[\s,:]*
ASK (?:tell|show|give|help|let)(?: me| us)?(?: know| understand| find)?\b(?: a bit| something| more)?(?: about| with)?\b
ASK (?:explain|describe)(?: to)?(?: me| us)?\b
ASK (?:find|look up|search)(?: for)?(?: me| us)?\b
do (?:you|we|they) (?:happen to )?know(?: if| whether| about|(?= how| what| why| where| when| who| which))\b
is there (?:any|some) (?:information|documentation|info|docs?) (?:about|on)\b
TELL(?: more)? (?:about|on)\b
TELL (?=(?:all|how|what|why|where|when|who|which|whether|if)\b)
(?:if|whether|what|which|how|when|where|who|why) (?=(?:what|which|how|when|where|who|why)\b)
(?:hallo|hi|guten (?:tag|morgen|abend)|servus|moin)(?: zusammen\b|COMMA)
(?:bitte|danke|also|nun|ok(?:ay)?)COMMA
ich (?:wollte|möchte|würde gerne?|will) (?:mal |gerne? )?(?:wissen|fragen|erfahren|verstehen)\b[\s,:]*
(?:ich frage mich|ich suche(?: nach)?|meine frage (?:ist|lautet))\b[\s,:]*
ich brauche (?:informationen|infos) (?:über|zu)\b
FRAGE (?:bitte |vielleicht |mal )*(?:mir |uns )?(?:sagen|erklären|zeigen|erläutern|helfen|verraten)\b[\s,:]*
(?:wissen|weißt|wisst) (?:sie|du|ihr)\b[\s,]*(?:ob\b)?
(?:sag|sagen sie|erkläre?|erklären sie|zeig|zeigen sie) (?:mir|uns)\b(?: bitte)?[\s,]*
(?:erzähl|erzählen sie) (?:mir|uns)\b(?: bitte)?[\s,]*(?:etwas über\b)?
(?:bonjour|salut|bonsoir)(?: à tous\b|COMMA)
(?:s'il (?:vous|te) pla[iî]t|svp|merci)COMMA
POUVEZ (?:me |m'|nous )?(?:dire|expliquer|montrer|indiquer|aider à(?: trouver)?)\b[\s,:]*
(?:je (?:voudrais|veux|souhaite|souhaiterais|aimerais)|j'aimerais) (?:savoir|comprendre|connaître)\b[\s,:]*
(?:je me demande|je cherche|ma question est)\b[\s,:]*
(?:savez-vous|sais-tu|est-ce que (?:vous savez|tu sais))\b[\s,]*(?:si\b)?
(?:dites|dis|expliquez|explique|montrez|montre)-(?:moi|nous)\b[\s,]*
(?:hola|buenos d[ií]as|buenas (?:tardes|noches))(?: a todos\b|COMMA)
(?:por favor|gracias)COMMA
PODRIA (?:por favor )?(?:decirme|explicarme|mostrarme|indicarme|decir|explicar|mostrar|indicar)\b[\s,:]*
PODRIA (?:por favor )?ayudarme(?: a (?:encontrar|entender))?\b[\s,:]*
(?:me )?(?:quisiera|quiero|gustar[ií]a|quer[ií]a) (?:saber|entender|conocer)\b[\s,:]*
(?:me pregunto|estoy buscando|mi pregunta es)\b[\s,:]*
(?:sabes?|saben)(?: usted(?:es)?)? si\b
(?:dime|d[ií]game|expl[ií]came|expl[ií]queme|mu[eé]strame)\b[\s,]*
"""
ENDINGS = r"""
please|thanks(?: a lot| in advance)?|thank you(?: very much| so much| in advance)?|cheers
bitte|danke(?: schön| sehr| im voraus)?|vielen dank(?: im voraus)?
s'il (?:vous|te) pla[iî]t|svp|merci(?: beaucoup| d'avance)?
por favor|(?:muchas )?gracias(?: de antemano)?
"""
WORDS = {
    "COMMA": r"\s*[,!.:;]+\s*",
    "ASK": "(?:can|could|would|will) (?:you|somebody|someone|anybody|anyone)(?: please| kindly| possibly| maybe)?",
    "TELL": "(?:tell|show|give|explain|describe)(?: to)? (?:me|us)",
    "FRAGE": "(?:können|könnten|kannst|könntest|würden|würdest) (?:sie|du|ihr)(?: mir| uns)?",
    "POUVEZ": "(?:pou(?:vez|rriez|rrais)|peux)[ -](?:vous|tu)(?: s'il (?:vous|te) pla[iî]t)?",
    "PODRIA": "(?:me )?(?:podr[ií]as?|puedes?|podr[ií]an?)(?: usted)?",
}


def _rule(line: str) -> str:
    return re.sub("|".join(WORDS), lambda word: WORDS[word[0]], line)


PADDING = re.compile("|".join(f"(?:{_rule(line)})" for line in BEGINNINGS.strip().splitlines()), re.IGNORECASE)
ENDING = re.compile(rf"[\s,]*(?:{'|'.join(ENDINGS.strip().splitlines())})[.!?\s]*$", re.IGNORECASE)


class Lender(Protocol):
    """What lends a chat engine; `smalt.models.Models` does."""

    def lease(self, name: str, ability: type[T]) -> AbstractAsyncContextManager[T]:
        """Lend the engine of a model for a while."""
        ...


def unpadded(query: str) -> str:
    """A query without greetings, politeness and 'could you tell me'; one that has none of them is not changed."""
    text = query.strip()
    rest = text.lstrip(END)
    while (match := PADDING.match(rest)) and match.end() > 0:
        rest = rest[match.end() :].lstrip(END)
        if not WORD.search(rest):
            return text
    shorter = ENDING.sub("", rest.rstrip())
    if shorter == text.lstrip(END) or len(shorter.strip(END)) < LEAST_LEFT:
        return text
    return shorter.strip()


def sensible(answer: str, query: str) -> str | None:
    """What a model wrote, as one line; None when it is no query: empty, too long, or about something else."""
    lines = [line.strip() for line in answer.strip().splitlines() if line.strip()]
    if len(lines) != 1:
        return None
    text = lines[0].removeprefix("Query:").strip().strip("\"'`").strip()
    kept = {word.lower() for word in WORD.findall(query)} & {word.lower() for word in WORD.findall(text)}
    if not kept or len(text) > min(MOST_ANSWERED, 2 * len(query) + 40):
        return None
    return text


async def asked_of(lender: Lender, model: str, query: str) -> str | None:
    """A chat model's words for a query; None when it cannot be asked or writes no query."""
    body = AzureCreateChatCompletionRequest.model_validate(
        {
            "model": model,
            "messages": [
                {"role": "system", "content": INSTRUCTION},
                {"role": "user", "content": query[:MOST_ASKED]},
            ],
            "max_completion_tokens": ANSWER_TOKENS,
            "temperature": 0.0,
        }
    )
    try:
        async with lender.lease(model, ChatEngine) as engine:
            events = [event async for event in engine.chat(body)]
    except ApiError as error:
        # A search is better off with the plain rules than with no answer.
        logger.warning("the rewrite model failed", extra={"model": model}, exc_info=error)
        return None
    said = "".join(event.content or "" for event in events if isinstance(event, ChatDelta))
    return sensible(said, query)
