"""Fetching against a local server that can be told to break off, to ignore ranges and to change its files."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from suite.data.storage.fetch import download, fetch, unpack
from suite.errors import DataError
from suite.spec.card import DatasetCard, FileSpec

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class Server(ThreadingHTTPServer):
    """Serves ``files``; ``cuts`` says after how many bytes each coming answer breaks off (then none do)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/data.bin": CONTENT}
        self.cuts: list[int] = []
        self.ranges = True
        self.tags = True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if content is None:
            self.send_error(404)
            return
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        if self.headers.get("If-Range") not in (None, tag):
            start = 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if self.server.tags:
            self.send_header("ETag", tag)
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[start:][:cut])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def spec(server: Server, **changes: object) -> FileSpec:
    values = {
        "path": "sub/data.bin",
        "url": f"{server.url}/data.bin",
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
    }
    return FileSpec.model_validate(values | changes)


def card(*files: FileSpec) -> DatasetCard:
    return DatasetCard(
        name="toy", title="T", tasks=("recognition",), reader="x", folder="toy", source="https://example.org",
        licence="l", citation="c", files=files,
    )  # fmt: skip


def test_a_file_arrives_whole_with_progress(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    done = fetch(card(spec(server)), tmp_path / "toy", tmp_path / "cache", lambda *told: seen.append(told))
    assert done == {"sub/data.bin": "downloaded"}
    assert (tmp_path / "toy" / "sub" / "data.bin").read_bytes() == CONTENT
    assert seen[-1] == ("sub/data.bin", len(CONTENT), len(CONTENT))
    assert [told[1] for told in seen] == sorted(told[1] for told in seen)
    assert not list((tmp_path / "toy").rglob("*.part*"))


def test_what_is_there_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    fetch(card(spec(server)), tmp_path / "toy", tmp_path / "cache")
    assert fetch(card(spec(server)), tmp_path / "toy", tmp_path / "cache") == {"sub/data.bin": "present"}
    assert len(server.asked) == 1


def test_a_broken_transfer_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [1_000_000, 500_000]
    download(spec(server), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_transfer_that_keeps_breaking_is_told_and_resumed_by_the_next_call(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000] * 3
    with pytest.raises(DataError, match="after 300,000 bytes; run the same command again"):
        download(spec(server), tmp_path / "data.bin")
    assert not (tmp_path / "data.bin").exists()
    download(spec(server), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=300000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000] * 3
    with pytest.raises(DataError):
        download(spec(server, sha256="", size=None), tmp_path / "data.bin")
    server.files["/data.bin"] = CONTENT[::-1]
    download(spec(server, sha256="", size=None), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(("ranges", "tags"), [(False, True), (True, False), (False, False)])
def test_servers_without_ranges_or_tags_serve_too(server: Server, tmp_path: Path, ranges: bool, tags: bool) -> None:
    server.ranges, server.tags, server.cuts = ranges, tags, [200_000]
    download(spec(server), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_without_tag_and_checksum_a_part_is_not_trusted(server: Server, tmp_path: Path) -> None:
    server.tags, server.cuts = False, [200_000]
    download(spec(server, sha256="", size=None), tmp_path / "data.bin")
    assert server.asked == [None, None]


def test_a_part_that_is_whole_already_only_needs_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    download(spec(server), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT + b"more")
    download(spec(server), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "0" * 64}, "instead of 0000"),
        ({"size": 17}, "3,000,000 bytes instead of 17"),
        ({"url": "file:///etc/passwd"}, "not an http address"),
    ],
)
def test_a_wrong_file_is_never_believed(server: Server, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        download(spec(server, **changes), tmp_path / "data.bin")
    assert not list(tmp_path.glob("data.bin*"))


def test_an_absent_page_and_a_dead_server_are_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="404"):
        download(spec(server, url=f"{server.url}/other"), tmp_path / "data.bin")
    assert len(server.asked) == 1
    with pytest.raises(DataError, match="refused"):
        download(spec(server, url="http://127.0.0.1:9/x"), tmp_path / "data.bin")


def test_a_wrong_file_on_disk_is_replaced_by_force_only(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "toy" / "sub" / "data.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match="has 4 bytes instead of 3,000,000; move it away"):
        fetch(card(spec(server)), tmp_path / "toy", tmp_path / "cache")
    assert path.read_bytes() == b"mine"
    fetch(card(spec(server)), tmp_path / "toy", tmp_path / "cache", force=True)
    assert path.read_bytes() == CONTENT


def test_a_file_without_address_is_told_unless_another_stands_in(server: Server, tmp_path: Path) -> None:
    wanted = FileSpec(path="features.h5")
    with pytest.raises(DataError, match=r"features\.h5 has no public address; see https://example\.org"):
        fetch(card(wanted), tmp_path / "toy", tmp_path / "cache")
    other = spec(server, instead_of="features.h5")
    done = fetch(card(wanted, other), tmp_path / "toy", tmp_path / "cache")
    assert done == {"features.h5": "not needed", "sub/data.bin": "downloaded"}
    (tmp_path / "toy" / "features.h5").write_bytes(b"here")
    (tmp_path / "toy" / "sub" / "data.bin").unlink()
    assert fetch(card(wanted, other), tmp_path / "toy", tmp_path / "cache")["sub/data.bin"] == "not needed"


# Unpacking ---------------------------------------------------------------------------------------------------------


def zipped(members: dict[str, bytes], link: str = "", compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "/etc")
    return buffer.getvalue()


def tarred(members: dict[str, bytes], link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc"
            archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "pack"), [("zip", zipped), ("tar", tarred)])
def test_an_archive_is_unpacked_once(server: Server, tmp_path: Path, kind: str, pack: object) -> None:
    content = pack({"a.txt": b"a", "sub/b.txt": b"b"})  # type: ignore[operator]
    server.files["/x"] = content
    file = FileSpec(path="x.archive", url=f"{server.url}/x", unpack=kind)  # type: ignore[arg-type]
    folder = tmp_path / "toy"
    assert fetch(card(file), folder, tmp_path / "cache") == {"x.archive": "downloaded, unpacked"}
    assert (folder / "sub" / "b.txt").read_bytes() == b"b"
    (folder / "a.txt").write_bytes(b"changed by hand")
    assert fetch(card(file), folder, tmp_path / "cache") == {"x.archive": "present"}
    assert (folder / "a.txt").read_bytes() == b"changed by hand"


@pytest.mark.parametrize(
    ("kind", "pack", "name"),
    [
        (kind, pack, name)
        for kind, pack in (("zip", zipped), ("tar", tarred))
        for name in ("../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "..\\evil.txt", "link")
        if (kind, name) != ("tar", "..\\evil.txt")  # a backslash is part of a plain name in a tar file
    ],
)
def test_nothing_is_written_outside_the_folder(tmp_path: Path, kind: str, pack: object, name: str) -> None:
    bad = {} if name == "link" else {name: b"evil"}
    content = pack({"good.txt": b"good"} | bad, "link" if name == "link" else "")  # type: ignore[operator]
    (tmp_path / "toy").mkdir()
    archive = tmp_path / "toy" / "x.archive"
    archive.write_bytes(content)
    with pytest.raises(DataError, match="outside its folder; it was not unpacked"):
        unpack(archive, tmp_path / "toy", kind)
    assert [path.name for path in tmp_path.rglob("*")] == ["toy", "x.archive"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_broken_archive_is_told(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x").write_bytes(b"no archive at all")
    with pytest.raises(DataError, match=f"not a whole {kind} archive"):
        unpack(tmp_path / "x", tmp_path, kind)


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.data.storage.fetch.SMALL", 1000)
    (tmp_path / "x").write_bytes(zipped({"zeros": bytes(3_000_000)}, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(DataError, match="would grow to 3,000,000 bytes, more than 200 times its size"):
        unpack(tmp_path / "x", tmp_path, "zip")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_archive_with_a_password_is_named(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": b"a"}))
    local, central = content.find(b"PK\x03\x04"), content.find(b"PK\x01\x02")
    content[local + 6] |= 1  # the flag of encryption, in both headers
    content[central + 8] |= 1
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be unpacked here \(.*(password|encrypted).*\); unpack it by hand"):
        unpack(tmp_path / "x", tmp_path, "zip")
