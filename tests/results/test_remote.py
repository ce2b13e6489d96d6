"""The same ledger on an object store."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import fsspec
import pytest

from suite.results.ledger import Ledger
from tests.results.ledgers import outcome

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}


@pytest.fixture
def bucket():
    """Storage options of a bucket ``lab`` on a local server, in a process of its own."""
    pytest.importorskip("moto.server", reason="moto's server is not installed")
    boto3 = pytest.importorskip("boto3")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        wait_for(port)
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="lab")
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # those of another test have its address
        yield {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true", **KEYS}
    finally:
        server.kill()
        server.wait()


def wait_for(port: int, seconds: float = 60) -> None:
    """Until something listens on ``port``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"moto's server did not start within {seconds} s")


def test_ledger_on_s3(bucket):
    ledger = Ledger.of("s3://lab/outputs", bucket)
    assert ledger.folder == "s3://lab/outputs/ledger" and ledger.runs().is_empty()
    for seed in range(3):
        ledger.record(outcome(seed=seed))
    other = Ledger("s3://lab/outputs/ledger", bucket)
    other.record(outcome(method="other"))
    ledger.record(outcome(seed=3))  # with a handle that is one version behind
    assert len(ledger.finished()) == 5 and len(other.metrics()) == 90
    assert len(ledger.predictions(outcome(seed=1).id)) == 2
    assert ledger.delete([outcome(seed=1).id]) == 1
    assert ledger.compact(keep_hours=0, orphan_seconds=0)["files"] == 4
    assert len(other.finished()) == 4 and len(other.curves()) == 12
