"""Speed of snapshots, digests and blobs beside plain copies: `python -m tests.bench.files_bench`.

Snapshots are measured in this process, blobs over HTTP against a server process of its own.
"""

from __future__ import annotations

import http.client
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from lazulite.files.data import LocalFiles
from lazulite.files.digests import Digests
from lazulite.files.snapshots import FolderSnapshots
from tests.bench.table import Row, table
from tests.e2e.server import Server, running

FILES = 2000
FILE = 3000  # bytes
BLOB = 200_000_000  # bytes
ROUNDS = 5
STORE = "/azureblob/1/s.blob.core.local/workspaceblobstore"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lazulite-files-") as name:
        folder = Path(name)
        rows = [*snapshots(folder), *data(folder)]
        with running(folder / "home") as server:
            rows += blobs(folder, server)
    print(table(rows))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def repeated(work: Callable[[int], object], rounds: int = ROUNDS) -> list[float]:
    return [timed(lambda number=number: work(number)) for number in range(rounds)]


def make_tree(folder: Path, files: int) -> Path:
    for number in range(files):
        path = folder / f"package{number % 50}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(FILE))
    return folder


def snapshots(folder: Path) -> Iterator[Row]:
    code, small = make_tree(folder / "code", FILES), make_tree(folder / "small", 3)
    stores = [FolderSnapshots(folder / f"files{number}") for number in range(ROUNDS)]
    copy = statistics.median(repeated(lambda n: shutil.copytree(code, folder / f"copy{n}")))
    first = repeated(lambda number: stores[number].ingest(code))
    yield Row(what="ingest 2 000 files, first", samples=first, beside=copy, peer="copytree")
    store = stores[0]
    again = repeated(lambda _: store.ingest(code))
    yield Row(what="ingest 2 000 files, again", samples=again, beside=copy, peer="copytree")
    tree = store.ingest(code)
    made = repeated(lambda number: store.materialise(tree, folder / f"tree{number}"))
    yield Row(what="materialise 2 000 files", samples=made, beside=copy, peer="copytree")
    copy = statistics.median(repeated(lambda n: shutil.copytree(small, folder / f"small{n}"), 100))
    tree = store.ingest(small)
    made = sorted(repeated(lambda n: store.materialise(tree, folder / f"few{n}"), 200))
    yield Row(what="materialise 3 files", samples=made, goal=0.0005, beside=copy, peer="copytree")


def data(folder: Path) -> Iterator[Row]:
    big = folder / "big.bin"
    big.write_bytes(os.urandom(BLOB))
    copy = statistics.median(repeated(lambda n: shutil.copy(big, folder / f"big{n}")))
    for number in range(ROUNDS):
        (folder / f"big{number}").unlink()
    cold = repeated(lambda n: Digests(folder / f"none{n}").of(big))
    yield Row(what="digest of 200 MB, first", samples=cold, beside=copy, peer="cp")
    files = LocalFiles(folder / "stores", Digests(folder / "digests"))
    files.digest(folder / "code")
    again = repeated(lambda _: files.digest(folder / "code"))
    yield Row(what="digest of 2 000 files, again", samples=again)
    store = FolderSnapshots(folder / "files0")
    (folder / "data").mkdir()
    big.rename(folder / "data" / "big.bin")
    tree = store.ingest(folder / "data")
    linked = repeated(lambda n: store.materialise(tree, folder / f"linked{n}"))
    yield Row(what="materialise 200 MB", samples=linked, beside=copy, peer="cp")


def blobs(folder: Path, server: Server) -> Iterator[Row]:
    path = folder / "data" / "big.bin"
    token = (server.home / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "x-ms-blob-type": "BlockBlob"}
    client = http.client.HTTPConnection(urlsplit(server.about["http"]).netloc, blocksize=1 << 20)

    def durable_copy(number: int) -> None:
        with path.open("rb") as source, (folder / f"durable{number}").open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())

    def put(number: int) -> None:
        with path.open("rb") as stream:
            client.request("PUT", f"{STORE}/big{number}", stream, headers)
            response = client.getresponse()
            response.read()
            assert response.status == 201, response.status

    def get(number: int) -> None:
        client.request("GET", f"{STORE}/big{number}", headers=headers)
        response = client.getresponse()
        while response.read(1 << 20):
            pass

    def head(_: int) -> None:
        client.request("HEAD", f"{STORE}/big0", headers=headers)
        client.getresponse().read()

    copy = statistics.median(repeated(durable_copy))
    yield Row(what="PUT blob of 200 MB", samples=repeated(put), beside=copy, peer="cp + fsync")
    yield Row(what="GET blob of 200 MB", samples=repeated(get), beside=copy, peer="cp + fsync")
    yield Row(what="HEAD blob", samples=repeated(head, 200))
    client.close()


if __name__ == "__main__":
    main()
