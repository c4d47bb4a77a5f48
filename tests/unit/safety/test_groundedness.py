"""Which sentences of an answer its documents do not support."""

import pytest

from smalt.safety.groundedness import LONG, Grounding, sentences, ungrounded

MUSEUM = (
    "The Harbour Museum opened in 1987 in a former rope factory. It shows forty model ships, and a steam crane stands "
    "in its yard. Admission is free on the first Sunday of each month. Dogs are not allowed."
)
VISITING = (
    "Opening hours: Tuesday to Saturday, 10:00 to 17:30. Tickets cost 8.50 euros for adults. The director is Ingrid "
    "Solberg, who came from Bergen in 2015."
)
DOCUMENTS = [MUSEUM, VISITING]


async def unsupported(answer, documents=DOCUMENTS):
    return [answer[span.start : span.end] for span in await ungrounded(answer, documents)]


@pytest.mark.parametrize(
    "sentence",
    [
        "The Harbour Museum was opened in 1987 in an old rope factory.",
        "Adults' tickets cost 8.50 euros [doc2].",
        "A steam crane stands in the yard, and 40 model ships are shown.",
        "The museum is open from Tuesday to Saturday.",
        "The director, Ingrid Solberg, came from Bergen.",
        "Admission is free on the first Sunday of each month.",
    ],
)
async def test_what_the_documents_say_is_supported(sentence):
    assert await unsupported(sentence) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The Harbour Museum opened in 1954 in a tram depot.",
        "Tickets cost 12.75 euros.",
        "The director is Lars Hansen.",
        "The cafe on the roof sells waffles and lemonade.",
        "Visitors may sail on a restored schooner every afternoon.",
    ],
)
async def test_what_they_do_not_say_is_not(sentence):
    assert await unsupported(sentence) == [sentence]


async def test_the_spans_are_the_sentences_places():
    answer = "It opened in 1987.  It has a dark planetarium for children!\n\n- Dogs are not allowed.\n- Blue cats sing."
    spans = await ungrounded(answer, DOCUMENTS)
    assert [answer[span.start : span.end] for span in spans] == [
        "It has a dark planetarium for children!",
        "- Blue cats sing.",
    ]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Yes.",
        "Hello there!",
        "Would you like to know more about waffle prices?",
        "I hope that this answers your question about waffles.",
        "The requested information is not found in the retrieved data. Sorry, please try another query or topic.",
        "Here are three facts about waffle prices:",
    ],
)
async def test_what_claims_nothing_is_not_told(said):
    assert await unsupported(said) == []


async def test_without_documents_every_claim_is_unsupported():
    assert await unsupported("The museum opened in 1987.", []) == ["The museum opened in 1987."]


async def test_code_is_no_claim():
    assert await unsupported("```python\nwaffles = lemonade + schooner\nprint(waffles, kites)\n```") == []


async def test_many_documents_are_looked_through():
    many = [f"Paragraph {number} tells of nothing that matters here. " * 20 for number in range(LONG // 500)]
    assert await unsupported("The museum opened in 1987.", [*many, *DOCUMENTS]) == []


def test_a_changed_number_name_or_meaning_lowers_the_support():
    grounding = Grounding(DOCUMENTS)
    said = grounding.support("Ingrid Solberg came from Bergen in 2015.")
    changed = ["Ingrid Solberg came from Bergen in 2011.", "Ingrid Solberg came from Tromso in 2015."]
    assert all(grounding.support(one) < 0.8 * said for one in changed)
    allowed = grounding.support("Dogs are allowed in the yard.")
    assert grounding.support("The yard never shows a steam crane.") < allowed + said


def test_sentences_end_where_people_end_them():
    text = "Dr. Lee paid 3.50 euros. It was e.g. a Monday! Was it?\nYes"
    assert [text[start:end] for start, end in sentences(text)] == [
        "Dr. Lee paid 3.50 euros.",
        "It was e.g. a Monday!",
        "Was it?",
        "Yes",
    ]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("signs", [".", ".)", "?!", "\u3010"])
async def test_long_runs_of_one_sign_hold_nobody_up(signs: str):
    # It takes minutes where every sign of the run is tried as the beginning of its end.
    run = signs * 60_000 + "x"
    assert await unsupported("The director is Lars Hansen.", [run, *DOCUMENTS]) == ["The director is Lars Hansen."]
    assert await unsupported(f"Dogs are not allowed. {run}") == []


def test_a_document_of_few_sentences_is_compared_too():
    one = Grounding(["Lamps are lit at nine."])
    assert one.support("The lamps are lit at nine.") == 1
    assert one.support("The ferry leaves every harbour.") == 0
    assert Grounding([""]).support("The lamps are lit at nine.") == 0
