"""Reading one member, and nothing but a plain member."""

import io
import tarfile
import zipfile

import pytest

from smalt.models.archives import BadArchive, read_member


def test_a_member_named_outside_the_archive_is_refused_even_if_it_is_there(tmp_path):
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("../evil", b"x")
    with pytest.raises(BadArchive, match="not a plain relative path"):
        list(read_member(archive, "../evil"))


def test_a_link_in_a_tar_is_refused(tmp_path):
    archive = tmp_path / "a.tgz"
    with tarfile.open(archive, "w:gz") as bundle:
        link = tarfile.TarInfo("package/model")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bundle.addfile(link)
    with pytest.raises(BadArchive, match="link or a folder"):
        list(read_member(archive, "package/model"))


@pytest.mark.parametrize("name", ["a.whl", "a.tgz"])
def test_a_file_that_is_no_archive_is_damaged(tmp_path, name):
    archive = tmp_path / name
    archive.write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(BadArchive, match="damaged"):
        list(read_member(archive, "model"))


@pytest.mark.parametrize("name", ["a.whl", "a.tgz"])
def test_an_archive_cut_or_flipped_anywhere_is_damaged_or_lacks_the_member(tmp_path, name):
    content = bytes(range(256)) * 40
    whole = tmp_path / name
    _pack(whole, content)
    packed = whole.read_bytes()
    broken = tmp_path / f"broken-{name}"
    for at in range(0, len(packed), max(1, len(packed) // 60)):
        for damaged in (packed[:at], packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]):
            broken.write_bytes(damaged)
            try:
                read = b"".join(read_member(broken, "model"))
            except BadArchive:
                continue
            assert read == content or len(damaged) == len(packed), "a cut archive never reads as another file"


def test_a_missing_archive_is_an_error_of_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_member(tmp_path / "a.whl", "model"))


def _pack(path, content: bytes) -> None:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("model", content)
        return
    with tarfile.open(path, "w:gz") as bundle:
        info = tarfile.TarInfo("model")
        info.size = len(content)
        bundle.addfile(info, io.BytesIO(content))
