"""Which worker a deployment needs, read from its weights without loading them."""

import gguf
import pytest

from smalt.core.errors import EngineFailed, InvalidRequest, NotInstalled
from smalt.engines.llama_cpp import LlamaCppEngine
from smalt.engines.llama_cpp.weights import read_header
from smalt.engines.protocols import Deployment


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(8192)
    writer.add_block_count(30)
    writer.add_embedding_length(576)
    writer.add_head_count(9)
    writer.add_head_count_kv(3)
    writer.add_token_list([f"token{number}" for number in range(1000)])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def deployed(weights, **options):
    files = {"model": str(weights)} if weights else {}
    return Deployment("small", "llama_cpp", "Small", frozenset({"completion"}), weights=files, options=options)


def test_the_header_tells_what_the_cache_takes(weights):
    header = read_header(weights)
    assert (header.architecture, header.context_length, header.vocabulary) == ("llama", 8192, 1000)
    assert header.cache_bytes_per_token == 30 * 3 * (64 + 64) * 2


def test_layers_may_have_different_heads(tmp_path):
    path = tmp_path / "mixed.gguf"
    writer = gguf.GGUFWriter(path, "other")
    writer.add_context_length(1024)
    writer.add_block_count(3)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_array("other.attention.head_count_kv", [1, 2, 1])
    writer.add_key_length(16)
    writer.add_value_length(16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert read_header(path).cache_bytes_per_token == 4 * 32 * 2


def test_layers_that_see_a_window_take_no_more_than_it(tmp_path):
    path = tmp_path / "windowed.gguf"
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_context_length(32768)
    writer.add_block_count(18)
    writer.add_embedding_length(640)
    writer.add_head_count(4)
    writer.add_head_count_kv(1)
    writer.add_key_length(256)
    writer.add_value_length(256)
    writer.add_sliding_window(512)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    header = read_header(path)
    assert header.cache_bytes_per_token == 3 * 512 * 2
    assert header.window_bytes == 15 * 512 * 2 * 512


@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04 something else", b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(EngineFailed, match=r"broken\.gguf cannot be read as a GGUF model"):
        read_header(path)


def test_the_worker_gets_room_for_every_slot(weights):
    spec = LlamaCppEngine.worker(deployed(weights, context=4096, parallel=2))
    assert spec.target == "smalt.engines.llama_cpp.worker:serve"
    assert spec.options["context"] == 4096
    cache = 4096 * 2 * 30 * 3 * 128 * 2
    assert cache < spec.memory_bytes - 512 * 2**20 < cache + 400 * 2**20


def test_a_large_context_is_cut_to_what_memory_allows(weights):
    context = LlamaCppEngine.worker(deployed(weights, parallel=64)).options["context"]
    assert context % 256 == 0
    assert context * 64 * 23040 <= 2 * 2**30
    assert LlamaCppEngine.worker(deployed(weights)).options["context"] == 8192


def test_the_same_weights_and_options_share_a_worker(weights):
    first, same, other = (
        LlamaCppEngine.worker(deployed(weights, **options)).key for options in ({}, {}, {"parallel": 2})
    )
    assert first == same != other


def test_a_slip_in_the_options_is_told_by_name(weights):
    with pytest.raises(InvalidRequest, match=r"deployments\.small\.options: contxt"):
        LlamaCppEngine.worker(deployed(weights, contxt=1))


def test_a_deployment_without_weights_says_what_to_name():
    with pytest.raises(NotInstalled, match=r"weights\.model"):
        LlamaCppEngine.worker(deployed(None))


def test_an_engine_without_its_worker_is_refused(weights):
    with pytest.raises(EngineFailed):
        LlamaCppEngine.open(deployed(weights), None)
