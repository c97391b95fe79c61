"""The script that makes compose's certificates, and clients that verify them."""

from __future__ import annotations

import os
import ssl
import subprocess

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.core.forwarder import Forwarder
from tests.core.programs import ROOT

SCRIPT = ROOT / "deploy" / "postgres" / "make_certificates.sh"


class Certificates:
    def __init__(self, folder):
        self.private = folder / "private"
        self.public = folder / "public"

    @property
    def authority(self):
        return str(self.public / "ca.crt")

    def make(self, *hosts):
        """Run the script as the container does; returns what it printed."""
        command = ["sh", str(SCRIPT), str(self.private), str(self.public), *hosts]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            self.private / "server.crt", self.private / "server.key"
        )
        return context

    def read(self):
        files = [*self.private.iterdir(), *self.public.iterdir()]
        return {file.name: file.read_bytes() for file in files}


@pytest.fixture
def certificates(tmp_path):
    made = Certificates(tmp_path)
    made.make("postgres", "localhost")
    return made


@pytest.fixture
def encrypted(certificates):
    """The test run's PostgreSQL behind TLS with the script's certificate."""
    address = conninfo_to_dict(os.environ["DATABASE_ADMIN_URL"])
    target = (str(address["host"]), int(address["port"]))
    with Forwarder(*target, tls=certificates.server_context()) as forwarder:
        yield forwarder


def connect(forwarder, **options):
    """Ask over TLS as a client that knows the server by some name."""
    address = os.environ["DATABASE_ADMIN_URL"]
    known = {"host": "postgres", "hostaddr": "127.0.0.1", "port": forwarder.port}
    with psycopg.connect(address, **known | options) as client:
        assert client.pgconn.ssl_in_use
        return client.execute("SELECT 1").fetchone()


@pytest.mark.parametrize("host", ["postgres", "localhost"])
def test_a_client_verifies_the_server_by_each_of_its_names(
    certificates, encrypted, host
):
    options = {"sslmode": "verify-full", "sslrootcert": certificates.authority}
    assert connect(encrypted, host=host, **options) == (1,)


def test_another_name_is_refused(certificates, encrypted):
    options = {"sslmode": "verify-full", "sslrootcert": certificates.authority}
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        connect(encrypted, host="elsewhere", **options)


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_another_authority_is_refused(encrypted, tmp_path, mode):
    other = Certificates(tmp_path / "other")
    other.make("postgres")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(encrypted, sslmode=mode, sslrootcert=other.authority)


def test_a_second_start_keeps_the_certificate(certificates):
    before = certificates.read()
    assert certificates.make("postgres", "localhost") == ""
    assert certificates.read() == before


def test_other_hosts_and_lost_files_make_a_new_one(certificates):
    before = certificates.read()
    assert "DNS:db.internal" in certificates.make("db.internal")
    (certificates.private / "server.key").unlink()
    assert "DNS:db.internal" in certificates.make("db.internal")
    assert certificates.read()["ca.crt"] != before["ca.crt"]


def test_an_interrupted_first_start_is_finished(certificates):
    (certificates.private / "names").unlink()
    assert certificates.make("postgres", "localhost") != ""


def test_the_key_is_private_and_the_authoritys_key_is_gone(certificates):
    key = certificates.private / "server.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert (certificates.public / "ca.crt").stat().st_mode & 0o777 == 0o644
    assert set(certificates.read()) == {"names", "server.crt", "server.key", "ca.crt"}


def test_plain_connections_from_elsewhere_are_closed_off(tmp_path):
    rules = tmp_path / "pg_hba.conf"
    rules.write_text(
        "local all all trust\n"
        "host all all 127.0.0.1/32 trust\n"
        "host all all all scram-sha-256\n"
    )
    script = ROOT / "deploy" / "postgres" / "require_tls.sh"
    environment = {"PGDATA": str(tmp_path), "PATH": os.defpath}
    subprocess.run(["sh", str(script)], env=environment, check=True)
    assert rules.read_text().splitlines() == [
        "local all all trust",
        "host all all 127.0.0.1/32 trust",
        "hostssl all all all scram-sha-256",
    ]
