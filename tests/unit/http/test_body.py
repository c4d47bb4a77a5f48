from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import File, Form, Response, UploadFile
from pydantic import BaseModel

from smalt.http.answers import Json
from smalt.http.routing import Router


class Body(BaseModel):
    model: str
    text: str = ""


router = Router()


@router.post("/embeddings", deployment=True)
async def embed(body: Body) -> Response:
    return Json({"model": body.model, "size": len(body.text)})


@router.post("/files")
async def upload(file: Annotated[UploadFile, File()], purpose: Annotated[str, Form()]) -> Response:
    return Json({"size": len(await file.read()), "purpose": purpose})


async def test_the_deployment_of_the_path_wins_over_the_model_of_the_body(run) -> None:
    running = await run(router)
    url = "/openai/deployments/mine/embeddings?api-version=2024-10-21"
    assert (await running.client.post(url, json={"model": "theirs"})).json()["model"] == "mine"
    assert (await running.client.post(url, json={})).json()["model"] == "mine"
    assert (await running.client.post("/v1/embeddings", json={"model": "theirs"})).json()["model"] == "theirs"


async def test_a_body_over_the_limit_is_refused_with_the_setting_that_says_so(run) -> None:
    running = await run(router, limits={"body_bytes": 1024})
    response = await running.client.post("/v1/embeddings", json={"model": "m", "text": "x" * 1024})
    assert response.status_code == 413
    assert "limits.body_bytes" in response.json()["error"]["message"]
    response = await running.client.post("/v1/embeddings", json={"model": "m", "text": "x" * 512})
    assert response.json()["size"] == 512


async def test_a_body_that_does_not_tell_its_length_is_counted_as_it_comes(run) -> None:
    running = await run(router, limits={"body_bytes": 1024})
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * 512

    response = await running.client.post(
        "/v1/embeddings", content=endless(), headers={"content-type": "application/json"}
    )
    assert response.status_code == 413
    assert taken < 100


async def test_a_body_in_pieces_is_put_together(run) -> None:
    running = await run(router)

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"model": '
        yield b'"m"}'

    response = await running.client.post(
        "/v1/embeddings", content=pieces(), headers={"content-type": "application/json; charset=utf-8"}
    )
    assert response.json()["model"] == "m"


async def test_uploads_have_a_limit_of_their_own(run) -> None:
    running = await run(router, limits={"body_bytes": 1024, "upload_bytes": 8192})
    form = {"purpose": "batch"}
    response = await running.client.post("/v1/files", data=form, files={"file": ("a.txt", b"x" * 4096)})
    assert response.json() == {"size": 4096, "purpose": "batch"}
    response = await running.client.post("/v1/files", data=form, files={"file": ("a.txt", b"x" * 9000)})
    assert response.status_code == 413
    assert "limits.upload_bytes" in response.json()["error"]["message"]


async def test_an_upload_that_lies_about_its_length_is_refused_while_it_comes(run) -> None:
    running = await run(router, limits={"upload_bytes": 2048})
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

    async def endless() -> AsyncIterator[bytes]:
        yield head
        for _ in range(100):
            yield b"x" * 512

    response = await running.client.post(
        "/v1/files", content=endless(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert response.status_code == 413


async def test_a_form_without_a_field_names_it(run) -> None:
    running = await run(router)
    response = await running.client.post("/v1/files", files={"file": ("a.txt", b"x")})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "missing_required_parameter", "purpose")


@pytest.mark.parametrize("length", ["x", "-1", "9" * 30])
async def test_a_nonsensical_length_does_no_harm(run, length: str) -> None:
    running = await run(router)
    response = await running.client.post(
        "/v1/embeddings",
        content=b'{"model": "m"}',
        headers={"content-type": "application/json", "content-length": length},
    )
    assert response.status_code in {200, 413}


@router.post("/speech", deployment=True, metered=True, forms=True)
async def speak(body: Body) -> Response:
    return Json({"model": body.model, "text": body.text})


async def test_a_form_stands_for_an_object_where_an_operation_takes_forms(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 1000})
    form = {"model": (None, "m"), "text": (None, "Grüße")}
    expected = {"model": "m", "text": "Grüße"}
    assert (await running.client.post("/v1/speech", files=form)).json() == expected
    assert (await running.client.post("/v1/speech", json=expected)).json() == expected
    url = "/openai/deployments/mine/speech?api-version=2024-10-21"
    assert (await running.client.post(url, files=form)).json() == {**expected, "model": "mine"}


async def test_a_form_is_refused_where_an_object_is_wanted(run) -> None:
    running = await run(router, limits={"tokens_per_minute": 1000})
    response = await running.client.post("/v1/embeddings", files={"model": (None, "m")})
    assert response.status_code == 400
    assert "JSON" in response.json()["error"]["message"]


async def test_a_form_that_stands_for_an_object_has_the_limit_of_one(run) -> None:
    running = await run(router, limits={"body_bytes": 1024, "upload_bytes": 8192})
    response = await running.client.post("/v1/speech", files={"model": (None, "m"), "text": (None, "x" * 2000)})
    assert response.status_code == 413
    assert "limits.body_bytes" in response.json()["error"]["message"]


async def test_a_broken_form_is_refused(run) -> None:
    running = await run(router)
    kind = {"content-type": "multipart/form-data; boundary=b"}
    for content in (b"--b\r\n", b"no form at all"):
        response = await running.client.post("/v1/speech", content=content, headers=kind)
        assert response.status_code == 400
