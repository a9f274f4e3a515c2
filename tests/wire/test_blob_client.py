"""The blob façade driven by the unmodified azure-storage-blob."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobPrefix, BlobServiceClient, ContainerClient, ContentSettings

from tests.wire.live import Live

STORE = "/azureblob/1/s.blob.core.local/workspaceblobstore"


@pytest.fixture
def container(live: Live) -> Iterator[ContainerClient]:
    url = live.tokens.sign_url(live.http, STORE, write=True)
    with ContainerClient.from_container_url(url) as client:
        yield client


def test_a_small_blob_comes_back_with_its_metadata(container: ContainerClient) -> None:
    blob = container.get_blob_client("small/a.txt")
    assert not blob.exists()
    blob.upload_blob(b"hello", metadata={"name": "x", "upload_status": "completed"})
    assert blob.get_blob_properties().metadata == {"name": "x", "upload_status": "completed"}
    assert blob.download_blob().readall() == b"hello"


def test_an_empty_blob_comes_back(container: ContainerClient) -> None:
    blob = container.get_blob_client("empty")
    blob.upload_blob(b"")
    assert blob.download_blob().readall() == b""
    assert blob.get_blob_properties().size == 0


@pytest.mark.parametrize("name", ["a b+c", "ü/日本", "100%", "#?&=", "%2e%2e", "~'()*!"])
def test_any_name_comes_back(container: ContainerClient, name: str) -> None:
    container.upload_blob(f"names/{name}", name.encode(), overwrite=True)
    assert container.download_blob(f"names/{name}").readall() == name.encode()
    assert f"names/{name}" in container.list_blob_names(name_starts_with="names/")


def test_a_blob_that_exists_is_not_overwritten_unasked(container: ContainerClient) -> None:
    container.upload_blob("once", b"1")
    with pytest.raises(ResourceExistsError) as refused:
        container.upload_blob("once", b"2")
    assert refused.value.error_code == "BlobAlreadyExists"
    assert container.download_blob("once").readall() == b"1"
    container.upload_blob("once", b"2", overwrite=True)
    assert container.download_blob("once").readall() == b"2"


def test_a_large_blob_goes_in_parallel_blocks_and_comes_in_parallel_ranges(
    container: ContainerClient, live: Live
) -> None:
    data = os.urandom(150 << 20)
    blob = container.get_blob_client("large/big.bin")
    blob.upload_blob(io.BytesIO(data), max_concurrency=8, metadata={"a": "b"}, length=len(data))
    stored = live.services.files.root(1, "workspaceblobstore") / "large" / "big.bin"
    assert stored.read_bytes() == data
    assert blob.get_blob_properties().metadata == {"a": "b"}
    assert blob.download_blob(max_concurrency=4).readall() == data


def test_a_large_blob_that_exists_is_not_overwritten_unasked(live: Live) -> None:
    url = live.tokens.sign_url(live.http, STORE, write=True)
    with ContainerClient.from_container_url(
        url, max_single_put_size=1000, max_block_size=1000
    ) as container:
        container.upload_blob("blocks", b"1" * 5000)
        with pytest.raises(ResourceExistsError):
            container.upload_blob("blocks", b"2" * 5000)
        assert container.download_blob("blocks").readall() == b"1" * 5000


def test_a_part_of_a_blob_can_be_read(container: ContainerClient) -> None:
    container.upload_blob("part", b"0123456789")
    assert container.download_blob("part", offset=2, length=3).readall() == b"234"


def test_content_is_validated_both_ways(container: ContainerClient) -> None:
    container.upload_blob("valid", b"0123456789", validate_content=True)
    assert container.download_blob("valid", validate_content=True).readall() == b"0123456789"


def test_a_blob_that_changed_while_it_is_read_is_noticed(live: Live) -> None:
    url = live.tokens.sign_url(live.http, STORE, write=True)
    with ContainerClient.from_container_url(
        url, max_single_get_size=100, max_chunk_get_size=100
    ) as container:
        container.upload_blob("moving", b"1" * 1000)
        stream = container.download_blob("moving")
        container.upload_blob("moving", b"2" * 1000, overwrite=True)
        with pytest.raises(ResourceModifiedError):
            stream.readall()


def test_metadata_and_properties_can_be_set_later(container: ContainerClient) -> None:
    blob = container.get_blob_client("later")
    blob.upload_blob(b"1", content_settings=ContentSettings(content_type="text/plain"))
    blob.set_blob_metadata({"version": "1"})
    blob.set_http_headers(ContentSettings(content_type="text/csv", cache_control="no-store"))
    now = blob.get_blob_properties()
    assert (now.metadata, now.content_settings.content_type) == ({"version": "1"}, "text/csv")
    assert now.content_settings.cache_control == "no-store"


def test_metadata_of_a_blob_that_is_not_there_cannot_be_set(container: ContainerClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        container.get_blob_client("absent").set_blob_metadata({"a": "b"})


def test_lists_have_prefix_pages_and_metadata(container: ContainerClient) -> None:
    for number in range(5):
        container.upload_blob(f"list/{number}.txt", b"12", metadata={"n": str(number)})
    pages = container.list_blobs("list/", include=["metadata"], results_per_page=2).by_page()
    found = [list(page) for page in pages]
    assert [len(page) for page in found] == [2, 2, 1]
    assert [(b.name, b.size, b.metadata["n"]) for page in found for b in page] == [
        (f"list/{number}.txt", 2, str(number)) for number in range(5)
    ]


def test_a_walk_shows_folders(container: ContainerClient) -> None:
    for name in ("walk/a", "walk/b/c", "walk/b/d", "walk/e/f/g"):
        container.upload_blob(name, b"1")
    found = sorted(container.walk_blobs("walk/"), key=lambda item: item.name)
    assert [item.name for item in found] == ["walk/a", "walk/b/", "walk/e/"]
    assert [isinstance(item, BlobPrefix) for item in found] == [False, True, True]
    assert [item.name for item in found[1]] == ["walk/b/c", "walk/b/d"]


def test_a_blob_can_be_deleted(container: ContainerClient, live: Live) -> None:
    container.upload_blob("gone", b"1")
    container.delete_blob("gone")
    assert not container.get_blob_client("gone").exists()
    with pytest.raises(ResourceNotFoundError):
        container.delete_blob("gone")


def test_a_blob_that_was_never_put_is_not_found(container: ContainerClient) -> None:
    with pytest.raises(ResourceNotFoundError) as refused:
        container.download_blob("never")
    assert refused.value.error_code == "BlobNotFound"


def test_containers_can_be_made_and_found(live: Live) -> None:
    url = f"{live.http}/azureblob/1/s.blob.core.local"
    sas = live.tokens.sign_url(live.http, "/azureblob/1/s.blob.core.local", write=True)
    with BlobServiceClient(url, credential=sas.partition("?")[2]) as service:
        container = service.get_container_client("made")
        assert not container.exists()
        container.create_container()
        assert container.exists()
        with pytest.raises(ResourceExistsError):
            container.create_container()


def test_a_url_signed_for_reading_does_not_write(live: Live) -> None:
    url = live.tokens.sign_url(live.http, STORE)
    with (
        ContainerClient.from_container_url(url) as container,
        pytest.raises(HttpResponseError) as refused,
    ):
        container.upload_blob("read-only", b"1")
    assert refused.value.status_code == 403


def test_a_file_that_a_job_wrote_is_a_blob(container: ContainerClient, live: Live) -> None:
    path: Path = live.services.files.root(1, "workspaceblobstore") / "azureml" / "job" / "model.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert list(container.list_blob_names(name_starts_with="azureml/job/")) == [
        "azureml/job/model.bin"
    ]
    assert container.download_blob("azureml/job/model.bin").readall() == b"weights"
