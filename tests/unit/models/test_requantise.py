"""Rewriting a GGUF file's matrices as Q8_0."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from smalt.models.gguf_layout import GgufError
from smalt.models.progress import Silent
from smalt.models.requantise import MOSTLY_Q8_0, gguf_q8_0

Q4_1 = gguf.GGMLQuantizationType.Q4_1


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small GGUF file with one Q4_1 matrix, one vector, one F16 matrix and an odd alignment of data."""
    numbers = np.random.default_rng(1).standard_normal((6, 64), dtype=np.float32)
    path = tmp_path / "source.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(3)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "ć"])
    writer.add_string("tokenizer.chat_template", "{{ messages }}")
    writer.add_tensor("blk.0.weight", gguf.quants.quantize(numbers, Q4_1), raw_dtype=Q4_1)
    writer.add_tensor("blk.0.norm", numbers[0, :7].copy())
    writer.add_tensor("output.weight", numbers.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_matrices_become_q8_0_and_everything_else_stays(source, tmp_path):
    target = tmp_path / "target.gguf"
    gguf_q8_0(source, target, Silent())
    before, after = gguf.GGUFReader(source), gguf.GGUFReader(target)
    assert [tensor.name for tensor in after.tensors] == ["blk.0.weight", "blk.0.norm", "output.weight"]
    kinds = [tensor.tensor_type.name for tensor in after.tensors]
    assert kinds == ["Q8_0", "F32", "F16"]
    assert [list(tensor.shape) for tensor in after.tensors] == [list(tensor.shape) for tensor in before.tensors]
    for name in ("tokenizer.ggml.tokens", "tokenizer.chat_template", "general.architecture"):
        assert after.fields[name].contents() == before.fields[name].contents()
    assert after.fields["general.file_type"].contents() == MOSTLY_Q8_0
    assert bytes(after.tensors[1].data) == bytes(before.tensors[1].data)
    assert bytes(after.tensors[2].data) == bytes(before.tensors[2].data)


def test_the_numbers_are_those_of_the_source_within_one_percent(source, tmp_path):
    target = tmp_path / "target.gguf"
    gguf_q8_0(source, target, Silent())
    old, new = gguf.GGUFReader(source).tensors[0], gguf.GGUFReader(target).tensors[0]
    want = gguf.quants.dequantize(old.data, old.tensor_type)
    have = gguf.quants.dequantize(new.data, new.tensor_type)
    assert np.linalg.norm(want - have) < 0.01 * np.linalg.norm(want)


def test_the_result_is_the_one_that_the_library_would_write(source, tmp_path):
    target = tmp_path / "target.gguf"
    gguf_q8_0(source, target, Silent())
    old, new = gguf.GGUFReader(source).tensors[0], gguf.GGUFReader(target).tensors[0]
    whole = gguf.quants.dequantize(old.data, old.tensor_type)
    assert bytes(gguf.quants.quantize(whole, gguf.GGMLQuantizationType.Q8_0)) == bytes(new.data)


def test_rewriting_twice_gives_the_same_file_and_a_q8_0_file_stays_itself(source, tmp_path):
    first, second, again = (tmp_path / name for name in ("1", "2", "3"))
    gguf_q8_0(source, first, Silent())
    gguf_q8_0(source, second, Silent())
    gguf_q8_0(first, again, Silent())
    assert first.read_bytes() == second.read_bytes() == again.read_bytes()


def test_a_file_that_is_not_gguf_or_is_cut_is_refused(source, tmp_path):
    other = tmp_path / "other.gguf"
    for content in (b"not a model at all", source.read_bytes()[:100]):
        other.write_bytes(content)
        with pytest.raises(GgufError):
            gguf_q8_0(other, tmp_path / "target.gguf", Silent())


def test_an_alignment_of_its_own_is_kept(tmp_path):
    path, target = tmp_path / "source.gguf", tmp_path / "target.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_custom_alignment(128)
    numbers = np.ones((3, 32), dtype=np.float32)
    for name in ("a", "b"):
        writer.add_tensor(name, gguf.quants.quantize(numbers, Q4_1), raw_dtype=Q4_1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    gguf_q8_0(path, target, Silent())
    for tensor in gguf.GGUFReader(target).tensors:
        assert tensor.data_offset % 128 == 0
        assert np.allclose(gguf.quants.dequantize(tensor.data, tensor.tensor_type), numbers, atol=0.01)
