"""The requests of the Fusion modules, as their document and the service have them."""

from typing import Any

from wire_case import JOB, MP3, PNG, SAID, Case

ONE_MODEL = "/v1/models/ft%3Agpt%2F1"


def fusion(action: str, given: dict[str, Any], *request: Any, **more: Any) -> Case:
    return Case("fusion-openai", action, given, *request, **more)


FUSION = [
    fusion(
        "create_completion",
        {"model": "m", "temperature": "1", "prompt": "Hi", "echo": "true", "logprobs": "2"},
        "POST",
        "/v1/completions",
        {"model": "m", "temperature": 1, "prompt": "Hi", "echo": True, "logprobs": 2},
    ),
    fusion(
        "create_moderation",
        {"input": ["Hi", "Ho"], "model": "m"},
        "POST",
        "/v1/moderations",
        {"input": ["Hi", "Ho"], "model": "m"},
    ),
    fusion(
        "create_edit",
        {"model": "m", "input": "Wat", "instruction": "Spell", "n": "2"},
        "POST",
        "/v1/edits",
        {"model": "m", "input": "Wat", "instruction": "Spell", "n": 2},
    ),
    fusion(
        "create_embedding",
        {"model": "m", "input": "Hi", "user": "ann", "limit": "1"},
        "POST",
        "/v1/embeddings",
        {"model": "m", "input": "Hi", "user": "ann"},
        result={"data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]},
    ),
    fusion(
        "create_chat_completion",
        {"model": "m", **SAID, "name": "Ann", "metadata": '{"a": "b"}', "top_p": 1},
        "POST",
        "/v1/chat/completions",
        {"model": "m", "messages": [{**SAID, "name": "Ann"}], "top_p": 1, "metadata": {"a": "b"}},
    ),
    fusion(
        "edit_image",
        {"operation": "create_image_edit", "image": PNG, "prompt": "A hat", "size": "256x256"},
        "POST",
        "/v1/images/edits",
        parts=(("prompt", "A hat"), ("size", "256x256"), ("image", PNG)),
    ),
    fusion(
        "edit_image",
        {"operation": "create_image_variation", "image": PNG, "n": 2},
        "POST",
        "/v1/images/variations",
        parts=(("n", "2"), ("image", PNG)),
    ),
    fusion(
        "generate_image",
        {"prompt": "A cat", "n": 1, "style": "vivid"},
        "POST",
        "/v1/images/generations",
        {"prompt": "A cat", "n": 1, "style": "vivid"},
    ),
    fusion("get_models", {"operation": "list_models"}, "GET", "/v1/models"),
    fusion("get_models", {"operation": "retrieve_model", "model": "ft:gpt/1"}, "GET", ONE_MODEL),
    fusion(
        "make_custom_api_call",
        {
            "url": "/fine_tuning/jobs",
            "method": "POST",
            "headers": '{"Content-type": "application/json", "X-Own": "yes"}',
            "qs": '{"name": "something-urgent"}',
            "body": '{"model": "m"}',
        },
        "POST",
        "/v1/fine_tuning/jobs?name=something-urgent",
        {"model": "m"},
        headers={"x-own": "yes"},
    ),
    fusion(
        "manage_audio",
        {"operation": "create_transcription", "file": MP3, "language": "en", "limit": "1"},
        "POST",
        "/v1/audio/transcriptions",
        parts=(("model", "whisper-1"), ("language", "en"), ("file", MP3)),
        result={"text": "Hi", "segments": [{"id": 0}]},
    ),
    fusion(
        "manage_audio",
        {"operation": "create_translation", "file": MP3, "model": "whisper-2"},
        "POST",
        "/v1/audio/translations",
        parts=(("model", "whisper-2"), ("file", MP3)),
        result={"text": "Hi"},
    ),
    fusion("manage_files", {"operation": "list_files"}, "GET", "/v1/files"),
    fusion(
        "manage_files",
        {"operation": "delete_file", "file_id": "file-1"},
        "DELETE",
        "/v1/files/file-1",
        result={"deleted": True},
    ),
    fusion("manage_files", {"operation": "retrieve_file", "file_id": "file-1"}, "GET", "/v1/files/file-1"),
    fusion(
        "manage_files",
        {"operation": "retrieve_file_content", "file_id": "file-1"},
        "GET",
        "/v1/files/file-1/content",
        result={"$content": "e30K", "$content-type": "application/octet-stream"},
    ),
    fusion(
        "manage_fine_tunes",
        {"operation": "create_fine_tuning_job", "file_id": "file-1", "base_model": "m", "suffix": "mine"},
        "POST",
        "/v1/fine_tuning/jobs",
        {"training_file": "file-1", "model": "m", "suffix": "mine"},
    ),
    fusion(
        "manage_fine_tunes", {"operation": "retrieve_fine_tuning_job", **JOB}, "GET", "/v1/fine_tuning/jobs/ftjob-1"
    ),
    fusion(
        "manage_fine_tunes",
        {"operation": "cancel_fine_tuning_job", **JOB},
        "POST",
        "/v1/fine_tuning/jobs/ftjob-1/cancel",
    ),
    fusion(
        "manage_fine_tunes",
        {"operation": "list_fine_tuning_events", **JOB},
        "GET",
        "/v1/fine_tuning/jobs/ftjob-1/events",
    ),
    fusion("manage_fine_tunes", {"operation": "delete_model", "model": "ft:gpt/1"}, "DELETE", ONE_MODEL),
]
