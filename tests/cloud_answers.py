"""What the clouds answer, by the path that is asked, in their own formatting."""

from typing import Any

import orjson

from cloud_stand_in import Received, Reply

JSON = {"Content-Type": "application/json"}
SAFE = {"filtered": False, "severity": "safe"}
FILTERS = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
CONTEXT = {
    "citations": [{"content": "c", "title": None, "url": "u", "filepath": None, "chunk_id": "0"}],
    "intent": "[]",
}
TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}},
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}
AZURE_CHAT = {
    "choices": [
        {
            "content_filter_results": {
                **FILTERS,
                "protected_material_code": {"filtered": False, "detected": False},
                "protected_material_text": {"filtered": False, "detected": False},
            },
            "finish_reason": "stop",
            "index": 0,
            "logprobs": {"content": [TOKEN]},
            "message": {"content": "Hi", "role": "assistant", "context": CONTEXT},
        },
        # One that the content filter has blocked.
        {"content_filter_results": FILTERS, "finish_reason": "content_filter", "index": 1, "logprobs": None},
    ],
    "created": 1700000000,
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini-2024-07-18",
    "object": "chat.completion",
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {**FILTERS, "jailbreak": {"filtered": False, "detected": False}}}
    ],
    "system_fingerprint": "fp_1",
    "usage": USAGE,
}
EXTENSIONS = {
    "id": "5f0c2d1e-1111-2222-3333-444455556666",
    "model": "gpt-35-turbo",
    "created": 1700000000,
    "object": "extensions.chat.completion",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "Hi [doc1].",
                "end_turn": True,
                "context": {"messages": [{"role": "tool", "content": '{"citations":[]}', "end_turn": False}]},
            },
        }
    ],
    "usage": USAGE,
}
COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1700000000,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"text": " there", "index": 0, "logprobs": {"tokens": [" there"]}, "finish_reason": "length"}],
    "usage": USAGE,
}
EDIT = {"object": "edit", "created": 1589478378, "choices": [{"text": "What day?", "index": 0}], "usage": USAGE}
EMBEDDINGS = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
        {"object": "embedding", "index": 1, "embedding": [0.25, 1]},
    ],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
KINDS = ("sexual", "hate", "harassment", "self-harm", "sexual/minors", "hate/threatening", "violence/graphic")
MODERATION = {
    "id": "modr-1",
    "model": "omni-moderation-latest",
    "results": [
        {
            "flagged": False,
            "categories": dict.fromkeys((*KINDS, "violence", "illicit"), False),
            "category_scores": dict.fromkeys((*KINDS, "violence"), 2.5e-06),
            "category_applied_input_types": {"violence": ["text"]},
        }
    ],
}
IMAGES = {"created": 1700000000, "data": [{"url": "https://images.example/1.png"}, {"b64_json": "AAE="}]}
MODEL = {"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"}
FILE = {
    "object": "file",
    "id": "file-1",
    "purpose": "fine-tune",
    "filename": "a.jsonl",
    "bytes": 3,
    "created_at": 1700000000,
    "expires_at": None,
    "status": "processed",
    "status_details": None,
}
JOB = {
    "object": "fine_tuning.job",
    "id": "ftjob-1",
    "model": "gpt-4o-mini-2024-07-18",
    "created_at": 1700000000,
    "finished_at": None,
    "fine_tuned_model": None,
    "organization_id": "org-1",
    "result_files": [],
    "status": "validating_files",
    "validation_file": None,
    "training_file": "file-1",
    "hyperparameters": {"n_epochs": "auto", "batch_size": "auto"},
    "trained_tokens": None,
    "error": {},
}
EVENT = {
    "object": "fine_tuning.job.event",
    "id": "ftevent-1",
    "created_at": 1700000000,
    "level": "info",
    "message": "Step 1",
    "data": {"step": 1},
    "type": "metrics",
}
BY_PATH: dict[tuple[str, str], Any] = {
    ("POST", "/v1/chat/completions"): CHAT,
    ("POST", "/v1/completions"): COMPLETION,
    ("POST", "/v1/edits"): EDIT,
    ("POST", "/v1/embeddings"): EMBEDDINGS,
    ("POST", "/v1/moderations"): MODERATION,
    ("POST", "/v1/images/generations"): IMAGES,
    ("POST", "/v1/images/edits"): IMAGES,
    ("POST", "/v1/images/variations"): IMAGES,
    ("POST", "/v1/audio/transcriptions"): {"text": "Hi", "segments": [{"id": 0}, {"id": 1}]},
    ("POST", "/v1/audio/translations"): {"text": "Hi"},
    ("GET", "/v1/models"): {"object": "list", "data": [MODEL, MODEL]},
    ("GET", "/v1/models/ft%3Agpt%2F1"): MODEL,
    ("DELETE", "/v1/models/ft%3Agpt%2F1"): {"id": "ft:gpt/1", "object": "model", "deleted": True},
    ("GET", "/v1/files"): {"object": "list", "data": [FILE], "has_more": False},
    ("GET", "/v1/files/file-1"): FILE,
    ("DELETE", "/v1/files/file-1"): {"object": "file", "id": "file-1", "deleted": True},
    ("POST", "/v1/fine_tuning/jobs"): JOB,
    ("GET", "/v1/fine_tuning/jobs/ftjob-1"): JOB,
    ("POST", "/v1/fine_tuning/jobs/ftjob-1/cancel"): {**JOB, "status": "cancelled"},
    ("GET", "/v1/fine_tuning/jobs/ftjob-1/events"): {"object": "list", "data": [EVENT, EVENT], "has_more": False},
    ("POST", "/openai/deployments/my-gpt/chat/completions"): AZURE_CHAT,
    ("POST", "/openai/deployments/my-gpt/extensions/chat/completions"): EXTENSIONS,
    ("POST", "/openai/deployments/my-gpt/embeddings"): EMBEDDINGS,
}
FILES: dict[tuple[str, str], tuple[str, bytes]] = {
    ("POST", "/v1/audio/speech"): ("audio/mpeg", b"ID3\x00"),
    ("GET", "/v1/files/file-1/content"): ("application/octet-stream", b"{}\n"),
}


def cloud_answer(request: Received) -> Reply:
    """What the cloud behind the path answers; an unknown path gets what OpenAI says to one."""
    path = request.target.partition("?")[0]
    if found := FILES.get((request.method, path)):
        return Reply(200, found[1], {"Content-Type": found[0]})
    answer = BY_PATH.get((request.method, path))
    if answer is None:
        message = f"Invalid URL ({request.method} {path})"
        return Reply(404, orjson.dumps({"error": {"message": message, "type": "invalid_request_error"}}), JSON)
    compact = path.startswith("/openai/") and path.endswith("/chat/completions")
    option = orjson.OPT_SORT_KEYS if compact else orjson.OPT_INDENT_2
    return Reply(200, orjson.dumps(answer, option=option | orjson.OPT_APPEND_NEWLINE), JSON)
