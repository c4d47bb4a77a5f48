"""A run takes turns with the model: client calls end it, hosted calls are run, bounds hold, failures are told."""

from dataclasses import replace

import pytest

from responding import STOP, LookTool, Story, called, planned, said, source, told
from smalt.api.responses.showing import Showing
from smalt.core.errors import ContextLengthExceeded, EngineFailed, InvalidRequest, RateLimited, Unavailable
from smalt.engines.protocols import ChatDelta, Serving, TokenLogprob, TopLogprob, Usage
from smalt.schemas.vocabulary import check_answer
from smalt.tools.conversation import SOURCES, kept
from smalt.tools.protocols import Outcome

LENGTH = ChatDelta(finish_reason="length")


def output_types(story: Story) -> list[str]:
    return [item["type"] for item in story.response["output"]]


async def test_words_become_a_message_and_the_stream_spells_them():
    story = await told(planned(), said("Good day to you"))
    assert story.types == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 4,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert story.text == "Good day to you"
    assert story.response["status"] == "completed"
    assert story.response["completed_at"] >= story.response["created_at"]
    assert story.response["usage"]["total_tokens"] == 14
    assert [event["sequence_number"] for event in story.events] == list(range(len(story.events)))


async def test_thoughts_become_a_reasoning_item_before_the_message():
    turn = [ChatDelta(reasoning_content="Hm"), ChatDelta(reasoning_content="m."), *said("Yes.")]
    story = await told(planned(), turn)
    thought, message = story.response["output"]
    assert thought["content"] == [{"type": "reasoning_text", "text": "Hmm."}]
    assert (thought["summary"], message["type"]) == ([], "message")


@pytest.mark.parametrize(
    ("summary", "parts"),
    [
        ("detailed", ["First this. And that.", "Then more."]),
        ("concise", ["First this.", "Then more."]),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_a_summary_has_a_part_for_each_paragraph(summary: str, parts: list[str], size: int):
    thought = "\nFirst this. And that.\n\n\nThen more.\n"
    turn = [ChatDelta(reasoning_content=thought[at : at + size]) for at in range(0, len(thought), size)]
    story = await told(planned(reasoning={"summary": summary}), [*turn, *said("Done.")])
    reasoning = story.response["output"][0]
    assert [part["text"] for part in reasoning["summary"]] == parts
    assert reasoning["content"] == []
    assert "reasoning.delta" not in story.types


async def test_a_call_of_the_clients_function_ends_the_run():
    story = await told(planned(functions=["add"]), called(("add", '{"a": 1}'), ("add", '{"a": 2}')), said("Never."))
    assert len(story.engine.asked) == 1
    assert [(item["name"], item["arguments"]) for item in story.response["output"]] == [
        ("add", '{"a": 1}'),
        ("add", '{"a": 2}'),
    ]
    assert story.response["status"] == "completed"


async def test_what_a_tool_finds_is_told_to_the_model_in_the_next_turn():
    tool = LookTool()
    story = await told(planned([tool]), called(("look", '{"at": "it"}')), said("I see."))
    assert tool.looked == ['{"at": "it"}']
    assert tool.is_closed
    assert [message.role for message in story.engine.asked[1].messages] == ["user", "assistant", "tool"]
    assert story.engine.asked[1].messages[2].content == 'seen: {"at": "it"}'
    assert output_types(story) == ["file_search_call", "message"]
    assert story.response["output"][0]["status"] == "completed"
    assert story.spent == [("told", Usage(20, 7))]


async def test_hosted_calls_are_run_before_the_client_gets_its_own():
    tool = LookTool()
    story = await told(planned([tool], ["add"]), called(("look", "{}"), ("add", "{}")), said("Never."))
    assert tool.looked == ["{}"]
    assert output_types(story) == ["file_search_call", "function_call"]
    assert [item["status"] for item in story.response["output"]] == ["completed", "completed"]


async def test_a_forced_tool_is_forced_in_the_first_turn_only():
    story = await told(planned([LookTool()], tool_choice="required"), called(("look", "{}")), said("I see."))
    first, second = story.engine.asked
    assert first.tool_choice not in ("auto", None)
    assert second.tool_choice == "auto"


@pytest.mark.parametrize(
    "act",
    [
        lambda _: (_ for _ in ()).throw(Unavailable("The index is away.")),
        lambda _: 1 / 0,
    ],
)
async def test_a_tool_that_fails_is_an_item_that_failed_and_the_model_goes_on(act):
    story = await told(planned([LookTool(act)]), called(("look", "{}")), said("So be it."))
    call, message = story.response["output"]
    assert (call["status"], message["status"], story.response["status"]) == ("failed", "completed", "completed")
    assert "failed" in str(story.engine.asked[1].messages[2].content)


async def test_the_last_turn_that_is_allowed_has_no_tools():
    story = await told(
        planned([LookTool()]), called(("look", "{}")), called(("look", "{}")), said("Enough."), most_turns=3
    )
    assert [asked.tools is None for asked in story.engine.asked] == [False, False, True]
    assert story.text == "Enough."


async def test_calls_beyond_the_most_are_ignored_and_the_tools_taken_away():
    tool = LookTool()
    plan = planned([tool], ["add"], max_tool_calls=1)
    story = await told(plan, called(("look", '{"n": 1}'), ("look", '{"n": 2}')), said("Enough."))
    assert tool.looked == ['{"n": 1}']
    assert output_types(story) == ["file_search_call", "message"]
    assert [tool.function.name for tool in story.engine.asked[1].tools] == ["add"]


async def test_an_outcome_that_needs_the_client_ends_the_run():
    tool = LookTool(lambda _: Outcome("", ends_run=True))
    story = await told(planned([tool]), called(("look", "{}")), said("Never."))
    assert (len(story.engine.asked), story.response["status"]) == (1, "completed")


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
async def test_an_answer_that_is_cut_off_is_incomplete(finish, reason: str):
    story = await told(planned(), [ChatDelta(content="Half a"), ChatDelta(finish_reason=finish), Usage(1, 2)])
    assert story.types[-1] == "incomplete"
    assert story.response["incomplete_details"] == {"reason": reason}
    assert story.response["output"][0]["status"] == "incomplete"
    assert story.response["completed_at"] is None


async def test_a_hosted_call_that_is_cut_off_is_not_run():
    tool = LookTool()
    story = await told(planned([tool]), [*called(("look", '{"at'))[:2], LENGTH, Usage(1, 2)])
    assert tool.looked == []
    assert story.response["output"][0]["status"] == "incomplete"


async def test_most_output_tokens_count_over_all_turns():
    plan = planned([LookTool()], max_output_tokens=20)
    story = await told(plan, called(("look", "{}")), said("Yes."))
    assert [asked.max_completion_tokens for asked in story.engine.asked] == [20, 15]
    spent = [*called(("look", "{}"))[:-1], Usage(10, 20)]
    story = await told(planned([LookTool()], max_output_tokens=20), spent, said("Never."))
    assert story.response["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_what_a_tool_found_is_cited():
    tool = LookTool(lambda _: Outcome("facts", sources=[source("The tower was painted blue in 1932 by sailors.")]))
    story = await told(planned([tool]), called(("look", "{}")), said("The tower was painted blue in 1932 [doc1]."))
    part = story.response["output"][1]["content"][0]
    assert part["text"] == "The tower was painted blue in 1932."
    assert [one["file_id"] for one in part["annotations"]] == ["file-1"]
    added = [event for event in story.events if event["type"] == "response.output_text.annotation.added"]
    assert [event["annotation"] for event in added] == part["annotations"]


async def test_log_probabilities_come_with_their_words():
    entry = TokenLogprob("Yes", -0.5, (89,), (TopLogprob("No", -1.0, None),))
    story = await told(planned(), [ChatDelta(content="Yes", logprobs=(entry,)), STOP, Usage(1, 1)])
    expected = {"token": "Yes", "logprob": -0.5, "bytes": [89]}
    expected["top_logprobs"] = [{"token": "No", "logprob": -1.0, "bytes": []}]
    assert story.response["output"][0]["content"][0]["logprobs"] == [expected]


async def test_a_refusal_is_a_part_of_its_own():
    story = await told(planned(), [ChatDelta(content="Well, "), ChatDelta(refusal="I can't"), STOP, Usage(1, 2)])
    assert story.response["output"][0]["content"] == [
        {"type": "output_text", "annotations": [], "logprobs": [], "text": "Well, "},
        {"type": "refusal", "refusal": "I can't"},
    ]


async def test_what_fails_before_the_first_word_is_raised_in_the_words_of_this_api():
    error = InvalidRequest("'messages' is bad", param="messages[0]")
    with pytest.raises(InvalidRequest) as raised:
        await told(planned(), [Serving("told"), error])
    assert raised.value.param == "input"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineFailed("It broke."), "server_error"),
        (RateLimited("Too much."), "rate_limit_exceeded"),
        (InvalidRequest("No."), "invalid_prompt"),
        (ZeroDivisionError("a secret"), "server_error"),
    ],
)
async def test_what_fails_later_is_an_error_event_and_a_failed_response(error: Exception, code: str):
    story = await told(planned(), [ChatDelta(content="Half"), error])
    assert story.types[-3:] == ["output_item.done", "error", "failed"]
    assert story.response["error"]["code"] == code
    assert "secret" not in story.response["error"]["message"]
    assert story.response["output"][0]["status"] == "incomplete"
    assert story.spent[0][1].completion_tokens == 1


async def test_an_engine_that_gives_no_reason_for_its_end_has_failed():
    story = await told(planned(), [ChatDelta(content="Half")])
    assert story.response["status"] == "failed"


async def test_a_background_run_begins_at_once_and_its_failure_is_in_the_response():
    story = await told(planned(background=True), [Unavailable("No room.")])
    assert story.types == ["created", "queued", "in_progress", "error", "failed"]


async def test_what_does_not_fit_is_cut_shorter_when_that_is_allowed():
    items = [{"type": "message", "role": "user", "content": f"word {n} " * 20} for n in range(6)]
    full = ContextLengthExceeded(
        "This model's maximum context length is 100 tokens. However, your messages resulted in 150 tokens."
    )
    story = await told(planned(input=items, truncation="auto"), [full], said("Yes."))
    first, second = story.engine.asked
    assert len(second.messages) < len(first.messages)
    assert second.messages[-1] == first.messages[-1]
    with pytest.raises(ContextLengthExceeded):
        await told(planned(input=items), [full], said("Yes."))


async def test_an_answer_may_rest_on_what_an_earlier_response_found():
    blue = source("The tower was painted blue in 1932 by sailors.")
    search = {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["tower"], "results": None}
    plan = replace(planned(), context=[{**search, SOURCES: kept([blue])}])
    story = await told(plan, said("The tower was painted blue in 1932."))
    (part,) = story.response["output"][0]["content"]
    assert [one["file_id"] for one in part["annotations"]] == ["file-1"]


async def test_a_killed_run_goes_on_where_its_events_end():
    plan = planned([LookTool()], background=True)
    whole = await told(plan, called(("look", '{"n": 1}')), said("I see."))
    cut = whole.types.index("output_text.delta") + 1
    before = whole.events[:cut]
    rest = await told(plan, said("I do see."), before=before)
    assert [event["sequence_number"] for event in before + rest.events] == list(range(cut + len(rest.events)))
    assert [item.get("status") for item in rest.response["output"]] == ["completed", "incomplete", "completed"]
    assert rest.engine.asked[0].messages[2].content == 'seen: {"n": 1}'
    assert rest.types.count("in_progress") == 0


async def test_a_run_that_was_killed_after_its_last_word_only_ends():
    plan = planned(background=True)
    whole = await told(plan, said("All said."))
    rest = await told(plan, said("Never."), before=whole.events[:-1])
    assert (rest.types, rest.engine.asked) == (["completed"], [])


async def test_every_event_and_the_object_are_as_the_reference_has_them():
    turn = [ChatDelta(reasoning_content="Hm."), *called(("look", "{}"))]
    story = await told(planned([LookTool()]), turn, said("I see."))
    showing = Showing(["reasoning.encrypted_content"])
    for event in story.events:
        check_answer("ResponseStreamEvent", showing.event(event))
    check_answer("AzureResponse", showing.response(story.response))
