"""Documents stand before the question, each under its mark, as many as there is room for."""

from typing import Any

from smalt.api.chat.on_your_data.prompt import IN_SCOPE, fitting, grounded, less_room, room_bytes
from smalt.core.errors import ContextLengthExceeded, InvalidRequest
from smalt.retrieval.data_sources import Document
from smalt.schemas.chat import AzureCreateChatCompletionRequest


def document(content: str, title: str | None = None) -> Document:
    return Document(key=content, content=content, score=1.0, measure="words", title=title)


def chat(*messages: dict[str, Any], **fields: Any) -> AzureCreateChatCompletionRequest:
    return AzureCreateChatCompletionRequest.model_validate({"model": "m", "messages": list(messages), **fields})


HI = {"role": "user", "content": "Where?"}
TEXTS = fitting([document("In the cellar.", "Keys"), document("At the desk.")], None)


def told(body: AzureCreateChatCompletionRequest, **options: Any) -> list[tuple[str, Any]]:
    asked = grounded(body, TEXTS, **{"in_scope": True, "role_information": None, **options})
    return [(message.role, message.content) for message in asked.messages]


def test_each_document_stands_under_its_mark():
    assert TEXTS == ["[doc1] Keys\nIn the cellar.", "[doc2]\nAt the desk."]


def test_instructions_come_first_and_documents_before_the_question():
    question = "Documents:\n\n[doc1] Keys\nIn the cellar.\n\n[doc2]\nAt the desk.\n\nQuestion: Where?"
    assert told(chat(HI)) == [("system", IN_SCOPE), ("user", question)]


def test_a_system_message_of_the_client_stays_first_and_the_only_one():
    [first, _] = told(chat({"role": "system", "content": "Be kind."}, HI), role_information="You are a porter.")
    assert first == ("system", f"You are a porter.\n\nBe kind.\n\n{IN_SCOPE}")


def test_only_the_last_question_gets_the_documents():
    messages = told(chat(HI, {"role": "assistant", "content": "There."}, {"role": "user", "content": "And now?"}))
    assert messages[1] == ("user", "Where?")
    assert messages[3][1].endswith("Question: And now?")


def test_a_question_in_parts_keeps_its_parts():
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    asked = chat({"role": "user", "content": [picture, {"type": "text", "text": "What is this?"}]})
    content = told(asked)[1][1]
    assert [part.type for part in content] == ["text", "image_url", "text"]


def test_out_of_scope_the_model_may_answer_from_what_it_knows():
    assert "from what you know" in told(chat(HI), in_scope=False)[0][1]


def test_tools_that_may_not_be_called_are_left_out():
    tool = {"type": "function", "function": {"name": "look"}}
    asked = grounded(chat(HI, tools=[tool], tool_choice="none"), TEXTS, in_scope=True, role_information=None)
    assert asked.tools is None
    assert asked.tool_choice is None
    assert asked.data_sources is None


def test_documents_beyond_the_room_are_cut_or_left_out():
    documents = [document("a" * 290), document("b" * 990), document("c" * 990)]
    texts = fitting(documents, 700)
    assert [text[:6] for text in texts] == ["[doc1]", "[doc2]"]
    assert sum(map(len, texts)) == 700
    assert fitting(documents, 100) == []
    assert len(fitting(documents, None)) == 3


def test_a_cut_document_has_no_broken_character():
    [text] = fitting([document("ä" * 900)], 300)
    assert text.endswith("ä")


def test_the_room_leaves_space_for_the_answer_and_the_conversation():
    assert room_bytes(chat(HI), None) is None
    free = room_bytes(chat(HI), 4096)
    assert free
    assert (4096 - 1024) * 3 - 1000 < free < (4096 - 1024) * 3
    assert room_bytes(chat(HI, max_tokens=4000), 4096) == 0


def test_a_model_that_says_how_much_is_too_much_is_believed():
    texts = ["x" * 9000, "y" * 9000]
    error = ContextLengthExceeded(
        "This model's maximum context length is 2048 tokens. However, your messages resulted in 4000 tokens.",
        param="messages",
    )
    room = less_room(texts, error)
    assert room is not None
    assert 5000 < room < 18000 - (4000 - 2048) * 3
    other = InvalidRequest("Please be shorter.", code="context_length_exceeded")
    assert less_room(texts, other) == 9000
    assert less_room(texts, InvalidRequest("No.")) is None
    assert less_room([], other) is None
