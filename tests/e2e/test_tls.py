"""HTTPS: whom the program trusts, what it says of whom it does not, and what goes through a proxy."""
import datetime
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aws import FaultProxy, s3_event, s3_events
from conftest import PROGRAM
from place import Place, make_table, picture

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


# ---- certificates ----

def certificate(name, issuer=None, hosts=(), end=NOW + 7 * DAY):
    """(certificate, key); of its own issue without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[0].subject if issuer else subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(NOW - 30 * DAY).not_valid_after(end)
               .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
    if hosts:
        names = [x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def write(path, made, with_key=False):
    data = made[0].public_bytes(serialization.Encoding.PEM)
    if with_key:
        data += made[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(data)
    return str(path)


# ---- servers ----

def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def pump_both(a, b):
    threading.Thread(target=pump, args=(a, b), daemon=True).start()
    pump(b, a)


class Server:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.connections = self.listener.getsockname()[1], 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def close(self):
        self.listener.close()


class TlsServer(Server):
    """HTTPS in front of an endpoint."""

    def __init__(self, backend, chain):
        self.backend = backend.split("://")[1].split(":")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)
        super().__init__()

    def serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as inside, socket.create_connection((self.backend[0], int(self.backend[1]))) as outside:
                pump_both(inside, outside)
        except OSError:
            pass


class Proxy(Server):
    """An HTTP proxy that knows CONNECT, and remembers what it was asked."""

    def __init__(self, target=None):
        self.asked, self.target = [], target
        super().__init__()

    def serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        self.asked.append(head.split(b"\r\n")[0].decode())
        method, target, _ = self.asked[-1].split()
        if method != "CONNECT":
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            connection.close()
            return
        with connection, socket.create_connection(self.target or target.split(":")) as outside:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            pump_both(connection, outside)


@pytest.fixture(scope="module")
def authority():
    return certificate("pixmill tests")


@pytest.fixture
def secure(moto, tmp_path, authority):
    """A place whose S3 speaks HTTPS; nobody trusts its authority yet."""
    place = Place(moto, HOME=str(tmp_path))
    place.put("cat.jpg")
    place.server = TlsServer(moto.endpoint, write(tmp_path / "server.pem", certificate("server", authority, ["localhost", "127.0.0.1"]), True))
    place.bundle = write(tmp_path / "authority.pem", authority)
    place.environment["AWS_ENDPOINT_URL_S3"] = f"https://localhost:{place.server.port}"
    yield place
    place.server.close()
    place.close()


def run(place, **keys):
    return place.start(**keys).invoke(s3_events(s3_event(place.source, "cat.jpg")))


# ---- whom it trusts ----

@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_bundle_that_a_variable_names_is_trusted(secure, variable):
    secure.environment[variable] = secure.bundle
    kind, answer = run(secure)
    assert (kind, answer.get("done")) == ("response", 1), answer
    assert secure.size("processed-cat.jpg") == (800, 600) and secure.server.connections > 0


def test_aws_s_own_variable_goes_first(secure, tmp_path):
    secure.environment.update(AWS_CA_BUNDLE=secure.bundle, SSL_CERT_FILE=write(tmp_path / "other.pem", certificate("somebody else")))
    assert run(secure)[0] == "response"


def in_namespace(script, *arguments):
    """A command that sees file systems of its own; skips where that may not be."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    return ["unshare", "-rm", "sh", "-c", script + '; exec "$@"', "sh", *arguments]


def test_the_system_s_bundle_is_trusted(secure):
    hide = f"mount -t tmpfs none /etc/ssl && mkdir /etc/ssl/certs && cp {secure.bundle} /etc/ssl/certs/ca-certificates.crt"
    assert run(secure, arguments=in_namespace(hide, PROGRAM, "lambda"))[0] == "response"


def test_a_bundle_beside_the_program_is_trusted(secure, tmp_path):
    (tmp_path / "lib").mkdir()
    shutil.copy(PROGRAM, tmp_path / "bootstrap")
    shutil.copy(secure.bundle, tmp_path / "lib/ca-bundle.crt")
    hide = "for folder in /etc/ssl /etc/pki; do [ ! -d $folder ] || mount -t tmpfs none $folder; done"
    assert run(secure, arguments=in_namespace(hide, str(tmp_path / "bootstrap")))[0] == "response"


# ---- whom it does not ----

def test_a_stranger_is_refused_with_what_to_do(secure):
    kind, error = run(secure)
    assert (kind, error["errorType"]) == ("error", "Pixmill.network"), error
    assert "AWS_CA_BUNDLE" in error["errorMessage"] and "ertificate" in error["errorMessage"]
    assert secure.server.connections <= 3  # no repeats: it would be the same again
    assert secure.keys() == []


@pytest.mark.parametrize("hosts, end", [(["elsewhere.example"], NOW + DAY), (["localhost"], NOW - DAY)], ids=["another name", "expired"])
def test_a_certificate_that_does_not_hold_is_refused(secure, tmp_path, authority, hosts, end):
    server = TlsServer(secure.moto.endpoint, write(tmp_path / "bad.pem", certificate("server", authority, hosts, end), True))
    secure.environment.update(AWS_CA_BUNDLE=secure.bundle, AWS_ENDPOINT_URL_S3=f"https://localhost:{server.port}")
    kind, error = run(secure)
    assert (kind, error["errorType"]) == ("error", "Pixmill.network"), error
    assert secure.keys() == [] and server.connections <= 3
    server.close()


def test_a_folder_of_the_system_is_not_trusted_beside_the_bundle(secure, tmp_path):
    """What libcurl was built to look into as well: only the bundle counts."""
    name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", secure.bundle], capture_output=True, text=True, check=True).stdout.strip()
    secure.environment["AWS_CA_BUNDLE"] = write(tmp_path / "other.pem", certificate("somebody else"))
    hide = f"mount -t tmpfs none /etc/ssl && mkdir /etc/ssl/certs && cp {secure.bundle} /etc/ssl/certs/{name}.0"
    kind, error = run(secure, arguments=in_namespace(hide, PROGRAM, "lambda"))
    assert kind == "error" and "AWS_CA_BUNDLE" in error["errorMessage"], error


def test_a_bundle_that_is_not_there_is_named(secure):
    secure.environment["AWS_CA_BUNDLE"] = "/nowhere/bundle.pem"
    kind, error = run(secure)
    assert kind == "error" and "/nowhere/bundle.pem" in error["errorMessage"], error


# ---- proxies ----

@pytest.mark.parametrize("spared", [False, True], ids=["used", "spared by NO_PROXY"])
def test_aws_is_reached_through_the_proxy_and_neighbours_never(secure, spared):
    from test_credentials import NONE, Endpoint, document
    proxy, container = Proxy(), Endpoint(lambda *_: document("AKIPROXY"))
    secure.environment.update(NONE, AWS_CA_BUNDLE=secure.bundle, HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}", http_proxy=f"http://127.0.0.1:{proxy.port}",
                              AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/role")
    if spared:
        secure.environment["NO_PROXY"] = "localhost"
    try:
        kind, answer = run(secure)
        assert (kind, answer.get("done")) == ("response", 1), answer
        assert len(container.seen) == 1
        assert set(proxy.asked) == (set() if spared else {f"CONNECT localhost:{secure.server.port} HTTP/1.1"})
    finally:
        container.close()
        proxy.close()


# ---- as on AWS ----

def test_with_no_endpoint_named_aws_s_own_hosts_are_asked(moto, tmp_path, authority):
    """Buckets in the host, nothing looked at before it is written: a proxy leads AWS's names to moto."""
    place = Place(moto, HOME=str(tmp_path))
    make_table(moto.client("dynamodb"), f"images-{place.source}")
    hosts = ["*.s3.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"]
    recorder = FaultProxy(moto.endpoint)
    server = TlsServer(recorder.endpoint, write(tmp_path / "aws.pem", certificate("aws", authority, hosts), True))
    proxy = Proxy(("127.0.0.1", server.port))
    for name in [name for name in place.environment if name.startswith("AWS_ENDPOINT_URL")]:
        del place.environment[name]
    place.environment.update(AWS_CA_BUNDLE=write(tmp_path / "authority.pem", authority), HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}",
                             PIXMILL_TABLE=f"images-{place.source}")
    try:
        runtime = place.start()
        for sequencer, width in (("0A", 1600), ("0B", 1000)):
            place.put("a/ü cat.jpg", picture(width, 900))
            kind, answer = runtime.invoke(s3_events(s3_event(place.source, "a/ü cat.jpg", sequencer)))
            assert (kind, answer.get("done")) == ("response", 1), answer
        assert place.size("a/processed-ü cat.jpg") == (800, 720)
        assert {line.split()[1] for line in proxy.asked} == {f"{place.source}.s3.us-east-1.amazonaws.com:443", f"{place.target}.s3.us-east-1.amazonaws.com:443",
                                                            "dynamodb.us-east-1.amazonaws.com:443"}
        about_target = [(method, headers.get("if-none-match"), headers.get("if-match")) for method, path, headers in recorder.seen
                        if headers.get("host", headers.get("Host", "")).startswith(place.target)]
        assert [method for method, _, _ in about_target] == ["PUT", "PUT", "HEAD", "PUT"]  # there is nothing; 412; whose is it; then it is replaced
        assert about_target[0][1] == about_target[1][1] == "*" and about_target[3][1:] == (None, about_target[3][2]) and about_target[3][2].startswith('"')
    finally:
        place.close()
        proxy.close()
        server.close()
        recorder.close()
