"""What a request asks is honoured or refused by name before anything is asked of the server."""

import pytest

from smalt.core.errors import ApiError
from smalt.engines.llama_cpp.chat_plan import plan_chat
from smalt.engines.llama_cpp.completion_plan import plan_completion
from smalt.engines.llama_cpp.facts import ModelFacts
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

INFO = {
    "context": 2048,
    "slots": 4,
    "vocabulary": 100,
    "template": "",
    "template_abilities": {"supports_system_role": True},
    "thinking": "none",
    "fills_in": False,
    "beginning_token": [1],
    "ending_token": [2],
    "unlikely_token": 5,
    "fingerprint": "fp_1",
}
PLAIN = ModelFacts.of(INFO)
TOOLS = {"supports_tools": True, "supports_system_role": True}
TAGGED = ModelFacts.of({**INFO, "template": "<tool_call> <think>", "template_abilities": TOOLS, "thinking": "switch"})
FOREIGN = ModelFacts.of({**INFO, "template": "[TOOL_CALLS]", "template_abilities": TOOLS})

ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
FILE = {"type": "file", "file": {"file_id": "file-1"}}


def plan(facts=PLAIN, **fields):
    body = {"model": "small", "messages": [{"role": "user", "content": "Say json."}], **fields}
    return plan_chat(AzureCreateChatCompletionRequest.model_validate(body), facts)


def said(*parts):
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("prediction", {"prediction": {"type": "content", "content": "x"}}),
        ("modalities", {"modalities": ["text", "audio"]}),
        ("audio", {"audio": {"voice": "alloy", "format": "wav"}}),
        ("web_search_options", {"web_search_options": {}}),
        ("verbosity", {"verbosity": "low"}),
        ("service_tier", {"service_tier": "priority"}),
        ("reasoning_effort", {"reasoning_effort": "low"}),
        ("max_tokens", {"max_tokens": 1, "max_completion_tokens": 1}),
        ("logit_bias", {"logit_bias": {"100": 1}}),
        ("tool_choice", {"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "other"}}}),
        ("functions", {"functions": [{"name": "add"}]}),
        ("messages[0].content[0]", {"messages": said(IMAGE)}),
        ("messages[0].content[1]", {"messages": said({"type": "text", "text": "?"}, AUDIO)}),
        ("messages[0].content[0]", {"messages": said(FILE)}),
        ("messages[0].audio", {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}),
        (
            "messages",
            {"messages": [{"role": "user", "content": "hi"}], "response_format": {"type": "json_object"}},
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(param, fields):
    with pytest.raises(ApiError) as caught:
        plan(**fields)
    assert caught.value.status == 400
    assert caught.value.param == param


@pytest.mark.parametrize(
    "fields",
    [
        {"modalities": ["text"]},
        {"verbosity": "medium"},
        {"service_tier": "auto"},
        {"service_tier": "default"},
        {"user": "u", "store": True, "metadata": {"a": "b"}},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object"}},
        {"tools": [ADD], "tool_choice": "none", "parallel_tool_calls": False},
    ],
)
def test_what_has_the_usual_value_is_taken(fields):
    assert plan(**fields).choices == 1


def test_tokens_are_drawn_as_openai_draws_them():
    fields = plan().fields
    assert fields == {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "samplers": ["temperature"]}


def test_every_way_of_drawing_is_passed_on():
    fields = plan(
        temperature=0.5, top_p=0.9, frequency_penalty=1, presence_penalty=-1, logit_bias={"7": 3, "8": -100}
    ).fields
    assert fields["samplers"] == ["penalties", "temperature", "top_p"]
    assert (fields["temperature"], fields["top_p"]) == (0.5, 0.9)
    assert (fields["frequency_penalty"], fields["presence_penalty"], fields["repeat_penalty"]) == (1, -1, 1.0)
    assert fields["logit_bias"] == [[7, 3], [8, False]]


def contents(planned):
    return [(message["role"], message["content"]) for message in planned.template["messages"]]


def test_messages_become_plain_text():
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": "kind."}]},
        {"role": "user", "name": "Ann", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "refusal": "Never."},
    ]
    assert contents(plan(messages=messages)) == [
        ("system", "Be\nkind."),
        ("user", "Ann: Hi"),
        ("assistant", "No."),
        ("assistant", "Never."),
    ]


CALLED = [
    {"role": "user", "content": "Add."},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
            {"id": "2", "type": "function", "function": {"name": "add", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": "3"},
    {"role": "tool", "tool_call_id": "2", "content": "4"},
]


def test_calls_and_results_are_spelled_out_for_a_template_without_tools():
    planned = contents(plan(messages=CALLED, tools=[ADD]))
    assert [role for role, _ in planned] == ["system", "user", "assistant", "user"]
    assert '"name":"add"' in planned[0][1]
    assert planned[2][1].count("<tool_call>") == 2
    assert '{"name": "add", "arguments": {"a": 1}}' in planned[2][1]
    results = "The function returned:\n3\nThe function returned:\n4"
    assert planned[3][1] == f"{results}\n\nAnswer my question with this, in plain words: Add."
    assert "<tool_call>" not in planned[0][1]


def test_a_long_question_is_not_said_again_behind_results():
    planned = contents(plan(messages=[{"role": "user", "content": "Add. " * 100}, *CALLED[1:]], tools=[ADD]))
    assert planned[3][1].endswith("\n\nAnswer my question with this, in plain words.")


def test_results_before_a_call_that_must_be_made_are_not_to_be_answered_with():
    planned = contents(plan(messages=CALLED, tools=[ADD], tool_choice="required"))
    assert planned[3][1].endswith("The function returned:\n4")
    assert "<tool_call>" in planned[0][1]


def test_what_a_user_says_of_results_is_left_as_it_is():
    said = "The function returned:\nnothing"
    assert contents(plan(messages=[{"role": "user", "content": said}])) == [("user", said)]


def test_calls_and_results_are_left_to_a_template_with_tools():
    planned = plan(TAGGED, messages=CALLED, tools=[ADD])
    assert [message["role"] for message in planned.template["messages"]] == ["user", "assistant", "tool", "tool"]
    assert planned.template["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    assert planned.template["tools"][0]["function"]["name"] == "add"
    assert not planned.is_left_to_template


def test_a_template_without_a_system_role_hears_it_from_the_user():
    facts = ModelFacts.of({**INFO, "template_abilities": {"supports_system_role": False}})
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    assert contents(plan(facts, messages=messages)) == [("user", "Be kind.\n\nHi")]


@pytest.mark.parametrize(
    ("choice", "prefix"),
    [
        ({"type": "function", "function": {"name": "add"}}, '<tool_call>\n{"name": "add", "arguments":'),
        ("required", '<tool_call>\n{"name":'),
        ("auto", ""),
    ],
)
def test_a_forced_call_is_begun_for_the_model(choice, prefix):
    other = {"type": "function", "function": {"name": "other"}}
    planned = plan(tools=[ADD, other], tool_choice=choice, stop=["}"])
    assert planned.prefix == prefix
    assert planned.stops == ([] if prefix else ["}"])
    assert planned.grammar.startswith("%llguidance")


def test_several_forced_calls_come_only_when_asked_for():
    assert "more" not in plan(tools=[ADD], tool_choice="required").grammar
    assert "more" in plan(tools=[ADD], tool_choice="required", parallel_tool_calls=True).grammar
    assert "more" in plan(tools=[ADD]).grammar
    assert "more" not in plan(tools=[ADD], parallel_tool_calls=False).grammar


def test_only_a_foreign_form_of_calls_is_left_to_the_template():
    assert plan(FOREIGN, tools=[ADD]).is_left_to_template
    assert not plan(FOREIGN, tools=[ADD], tool_choice="required").is_left_to_template
    assert not plan(FOREIGN).is_left_to_template


def test_effort_decides_how_much_is_thought():
    assert plan(TAGGED).thinks
    assert plan(TAGGED).grammar is None
    assert not plan(TAGGED, reasoning_effort="none").thinks
    assert "{0,2048}" in plan(TAGGED, reasoning_effort="low").grammar
    assert plan(TAGGED, reasoning_effort="high").grammar is None
    forced = plan(TAGGED, tools=[ADD], tool_choice="required")
    assert forced.template["chat_template_kwargs"] == {"enable_thinking": False}
    assert not forced.thinks


def test_a_model_that_always_thinks_cannot_be_told_not_to():
    facts = ModelFacts.of({**INFO, "template": "<think>", "thinking": "always"})
    with pytest.raises(ApiError) as caught:
        plan(facts, reasoning_effort="none")
    assert caught.value.param == "reasoning_effort"


def test_a_template_with_efforts_is_told_them():
    facts = ModelFacts.of({**INFO, "thinking": "effort"})
    planned = plan(facts, reasoning_effort="minimal")
    assert planned.template["chat_template_kwargs"] == {"reasoning_effort": "low"}
    assert planned.is_left_to_template


def complete(facts=PLAIN, **fields):
    return plan_completion(CreateCompletionRequest.model_validate({"model": "small", **fields}), facts)


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
        (None, [[1]]),
        ("", [[1]]),
    ],
)
def test_every_form_of_a_prompt_is_taken(prompt, prompts):
    assert complete(prompt=prompt).prompts == prompts


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("suffix", {"prompt": "a", "suffix": "b"}),
        ("best_of", {"prompt": "a", "best_of": 2, "stream": True}),
        ("prompt", {"prompt": [100]}),
        ("logit_bias", {"prompt": "a", "logit_bias": {"100": 1}}),
    ],
)
def test_a_completion_that_cannot_be_made_is_refused_by_name(param, fields):
    with pytest.raises(ApiError) as caught:
        complete(**fields)
    assert caught.value.param == param


def test_a_model_that_fills_in_takes_text_only():
    facts = ModelFacts.of({**INFO, "fills_in": True})
    assert complete(facts, prompt="a", suffix="b").suffix == "b"
    with pytest.raises(ApiError, match="token ids"):
        complete(facts, prompt=[1, 2], suffix="b")
