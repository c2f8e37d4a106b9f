"""The package for Lambda: that it is whole, the same each time, free of the GPL; and that it works where there is nothing else.

Packs the program under test (PIXMILL). tests/package/run is the long form: it builds twice, and runs the tests of pictures in the package.
"""
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import shutil
import ssl
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import boto3
import pytest
from botocore.config import Config
from PIL import Image

from aws import free_port, s3_event, s3_events
from conftest import PROGRAM
from package_root import Root, may_unshare
from place import Place, picture
from test_tls import TlsServer, certificate, write

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "deploy/packing"))

import components
import libraries

MACHINE = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
missing = [tool for tool in ("patchelf", "readelf", "strip", "gcc") if not shutil.which(tool)]
pytestmark = [pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}"),
              pytest.mark.skipif(not pathlib.Path("/var/lib/dpkg/status").exists(), reason="packages are made of Debian's libraries"),
              pytest.mark.skipif(bool(libraries.Libraries("/", MACHINE, False).plugins()), reason="libheif has plugins here; packages are made on Debian 12"),
              pytest.mark.skipif(bool(os.environ.get("PIXMILL_SANITIZED")), reason="a sanitizer's library is not packed")]
isolated = pytest.mark.skipif(not may_unshare(), reason="no mount namespaces here")


def pack(output, *arguments, code=0, **keys):
    done = subprocess.run([TREE / "deploy/package", "--program", PROGRAM, "--output", output, *arguments], capture_output=True, text=True, **keys)
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    (folder.parent / "mine.yaml").write_text("recipe: {outputs: [{width: 640}]}\n")
    pack(folder, "--config", folder.parent / "mine.yaml")
    return folder


@pytest.fixture(scope="module")
def archive(dist):
    return dist / f"pixmill-lambda-{MACHINE}.zip"


@pytest.fixture(scope="module")
def task(dist):
    return dist / ("lambda" if MACHINE == "x86_64" else f"lambda-{MACHINE}")


@pytest.fixture(scope="module")
def unpacked(archive, tmp_path_factory):
    """The zip, unpacked by somebody else's program."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            path = pathlib.Path(packed.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder


# ---- what is in it ----

def listing(folder):
    return {str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_it_is_small_and_unpacks_to_what_lies_in_dist(archive, task, unpacked):
    assert archive.stat().st_size <= 16 << 20
    assert listing(unpacked) == listing(task)
    assert stat.S_IMODE((unpacked / "bootstrap").stat().st_mode) == 0o755


def test_every_library_that_anything_needs_is_in_it(task):
    have = {path.name for path in (task / "lib").iterdir()}
    for path in [task / "bootstrap", *(task / "lib").glob("*.so*")]:
        assert set(libraries.needed(path)) <= have, path
    assert set(libraries.loaded(task / "bootstrap")) <= have


def test_what_the_program_loads_is_read_from_the_program_as_the_build_names_it():
    commands = pathlib.Path(PROGRAM).parent / "compile_commands.json"
    if not commands.exists():
        pytest.skip("no build folder")
    named = set(re.findall(r"_SONAME=\W*(lib[\w.+-]+)", commands.read_text()))
    assert len(named) > 5 and named <= set(libraries.loaded(PROGRAM))


def test_the_loader_finds_them_nowhere_else(task):
    header = subprocess.run(["readelf", "-lW", task / "bootstrap"], capture_output=True, text=True).stdout
    assert f"interpreter: /var/task/lib/{libraries.LOADERS[MACHINE]}]" in header
    assert libraries.runpaths(task / "bootstrap") == [("RPATH", "/var/task/lib")]
    assert [path.name for path in (task / "lib").glob("*.so*") if libraries.runpaths(path)] == []


def test_the_same_is_packed_bit_for_bit_another_time(archive, task, tmp_path):
    old = os.umask(0o077)
    pack(tmp_path / "again", "--config", archive.parent.parent / "mine.yaml", env={**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1"}, cwd=tmp_path)
    os.umask(old)
    assert (tmp_path / "again" / archive.name).read_bytes() == archive.read_bytes()
    bill = archive.name.replace(".zip", ".cdx.json")
    assert (tmp_path / "again" / bill).read_bytes() == (archive.parent / bill).read_bytes()


def test_the_sums_are_right(dist):
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=dist, capture_output=True, text=True)
    assert done.returncode == 0 and ".zip: OK" in done.stdout and ".cdx.json: OK" in done.stdout


def test_zipping_the_folder_by_hand_packs_the_same_files(task, tmp_path):
    if not shutil.which("zip"):
        pytest.skip("no zip")
    subprocess.run(["zip", "-q", "-1", "-r", tmp_path / "f.zip", "."], cwd=task, check=True)
    with zipfile.ZipFile(tmp_path / "f.zip") as packed:
        files = {entry.filename: (entry.external_attr >> 16 & 0o777, packed.read(entry)) for entry in packed.infolist() if not entry.is_dir()}
    assert files == listing(task)


# ---- whose it is ----

@pytest.fixture(scope="module")
def bill(dist):
    return json.loads(next(dist.glob("*lambda*.cdx.json")).read_text())


def test_the_bill_names_every_file_with_version_and_licence(bill, task):
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    files = [item["value"] for one in bill["components"] for item in one["properties"] if item["name"] == "file"]
    ours = {f"lib/{path.name}" for path in (task / "lib").glob("*.so*") if libraries.bare(path.name) in libraries.STUBBED or path.name in libraries.EMPTY}
    assert sorted(files + list(ours)) == sorted(f"lib/{path.name}" for path in (task / "lib").iterdir())
    for one in bill["components"]:
        installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}\n", f"{one['name']}"], capture_output=True, text=True).stdout.split()
        assert one["version"] in installed and one["licenses"][0]["expression"], one
        assert f"{one['name']} {one['version']} (" in (task / "NOTICES.txt").read_text()


def test_nothing_in_it_is_under_the_gpl(bill):
    assert components.gpl_components(json.dumps(bill)) == []


def test_one_component_under_the_gpl_is_found(bill):
    bill = json.loads(json.dumps(bill))
    bill["components"][3]["licenses"] = [{"expression": "GPL-2.0-or-later"}]
    assert components.gpl_components(json.dumps(bill)) == [bill["components"][3]["name"]]


@pytest.mark.parametrize("expression, gpl", [
    ("GPL-2.0-only", True), ("AGPL-3.0-or-later", True), ("MIT AND GPL-3.0-or-later", True), ("LicenseRef-debian-GPL-2-only", True),
    ("(GPL-2.0-only OR GPL-3.0-only) AND MIT", True), ("LGPL-3.0-or-later", False), ("LGPL-3.0-or-later OR GPL-2.0-or-later", False),
    ("MIT AND (BSD-3-Clause OR GPL-2.0-only)", False), ("GPL-3.0-or-later WITH GCC-exception-3.1", False)])
def test_what_counts_as_gpl(expression, gpl):
    assert components.is_gpl(expression) == gpl


@pytest.mark.parametrize("soname, package", [("libjbig.so.0", "libjbig0"), ("libx265.so.199", "libx265-199"), ("libidn2.so.0", "libidn2-0")])
def test_the_libraries_under_the_gpl_would_be_found(soname, package):
    """Of those whose code is left out for it: the licence that stands in their packages."""
    dpkg = components.Dpkg("/", components_arch())
    if package not in dpkg.packages:
        pytest.skip(f"no {package}")
    assert components.is_gpl(dpkg.licence(package)) and libraries.bare(soname) in libraries.STUBBED


def components_arch():
    return {"x86_64": "amd64"}.get(MACHINE, MACHINE)


def test_it_is_refused_to_ship_a_runpath_or_the_gpl(bill, task, tmp_path):
    """deploy/package's own last look."""
    loader = importlib.machinery.SourceFileLoader("maker", str(TREE / "deploy/package"))
    maker = importlib.util.module_from_spec(importlib.util.spec_from_loader("maker", loader))
    loader.exec_module(maker)
    (tmp_path / "lib").mkdir()
    shutil.copy(next((task / "lib").glob("libz.so*")), tmp_path / "lib/libz.so.1")
    maker.check(tmp_path, json.dumps(bill))
    subprocess.run(["patchelf", "--set-rpath", "/opt/lib", tmp_path / "lib/libz.so.1"], check=True)
    with pytest.raises(SystemExit, match="libz.so.1"):
        maker.check(tmp_path, json.dumps(bill))
    bill = json.loads(json.dumps(bill))
    bill["components"][0]["licenses"][0]["expression"] = "GPL-3.0-only"
    with pytest.raises(SystemExit, match=bill["components"][0]["name"]):
        maker.check(tmp_path, json.dumps(bill))


def test_the_certificates_are_debian_s(task):
    """Each of the package ca-certificates, and none that somebody added to this machine."""
    text = (task / "lib/ca-bundle.crt").read_text()
    listed = subprocess.run(["dpkg-query", "-L", "ca-certificates"], capture_output=True, text=True).stdout.split("\n")
    assert text.count("BEGIN CERTIFICATE") == len([name for name in listed if "/mozilla/" in name]) > 100
    assert ssl.create_default_context(cadata=text).get_ca_certs()


# ---- that it works where there is nothing else ----

@pytest.fixture(scope="module")
def root(unpacked, tmp_path_factory):
    """Decoys of every library wherever a loader may look; no certificates, no shell, no name service."""
    folder = tmp_path_factory.mktemp("root")
    return Root(folder / "root", unpacked, ["/tmp", TREE], decoys=True)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.effect_mandelbrot((160, 120), (-2, -1, 1, 1), 60).convert("RGB").save(path)
    return path


FORMATS = ["jpg", "png", "webp", "avif", "gif", "tiff", "jxl"]


@isolated
@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_is_written_and_read(root, photo, tmp_path, extension):
    root.run("resize", photo, tmp_path / f"a.{extension}", "--width", 80)
    root.run("resize", tmp_path / f"a.{extension}", tmp_path / "b.png", "--width", 40)
    assert Image.open(tmp_path / "b.png").size == (40, 30)
    # The same bytes as from the build: it is the same code.
    subprocess.run([PROGRAM, "resize", photo, tmp_path / f"c.{extension}", "--width", "80"], check=True, capture_output=True)
    assert (tmp_path / f"c.{extension}").read_bytes() == (tmp_path / f"a.{extension}").read_bytes()


@isolated
def test_heic_and_bmp_are_read(root, photo, tmp_path):
    Image.open(photo).save(tmp_path / "a.bmp")
    for source in (TREE / "tests/fuzz/corpus/heif/grid.heic", tmp_path / "a.bmp"):
        root.run("resize", source, tmp_path / "b.png", "--width", 40)
        assert Image.open(tmp_path / "b.png").width == 40


@isolated
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4"])
def test_every_compression_of_tiff_is_read(root, photo, tmp_path, compression):
    Image.open(photo).convert("1" if compression == "group4" else "RGB").save(tmp_path / "a.tiff", compression=compression)
    root.run("resize", tmp_path / "a.tiff", tmp_path / "b.png", "--width", 40)
    assert Image.open(tmp_path / "b.png").size == (40, 30)


@isolated
def test_a_watermark_of_text_is_set(root, photo, tmp_path):
    root.run("resize", photo, tmp_path / "a.png", "--watermark-text", "© مرحبا")
    subprocess.run([PROGRAM, "resize", photo, tmp_path / "b.png", "--watermark-text", "© مرحبا"], check=True, capture_output=True)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def said_to_be(compression):
    """A TIFF of 16x16 pixels, black and white, that claims a compression."""
    tags = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 1), (259, 3, 1, compression), (262, 3, 1, 0), (273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, 32)]
    return (b"II*\0" + struct.pack("<I", 40) + b"\0\0\1\0" + b"\0\0\0\x10" * 7 + struct.pack("<H", len(tags))
            + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4))


@isolated
@pytest.mark.parametrize("compression", ["zstd", "lzma", 34661, 34887], ids=["zstd", "lzma", "jbig", "lerc"])
def test_what_is_left_out_is_refused_and_never_called(root, photo, tmp_path, compression):
    if isinstance(compression, int):
        (tmp_path / "a.tiff").write_bytes(said_to_be(compression))
    else:
        Image.open(photo).save(tmp_path / "a.tiff", compression=compression)
    assert "unsupported-format" in root.run("resize", tmp_path / "a.tiff", tmp_path / "b.png", code=1).stderr


@isolated
def test_without_rpath_the_decoys_would_be_loaded(unpacked, tmp_path):
    """That the decoys are where they hurt: with RUNPATH instead, LD_LIBRARY_PATH goes first."""
    subprocess.run(["cp", "-a", unpacked, tmp_path / "task"], check=True)
    subprocess.run(["patchelf", "--set-rpath", "/var/task/lib", tmp_path / "task/bootstrap"], check=True)
    assert libraries.runpaths(tmp_path / "task/bootstrap")[0][0] == "RUNPATH"
    done = Root(tmp_path / "root", tmp_path / "task", decoys=True).run("--version", code=None)
    assert done.returncode != 0 and done.stdout == ""


def test_a_stub_that_is_called_says_so(unpacked, tmp_path):
    (tmp_path / "call.c").write_text('#include <dlfcn.h>\nint main(int argc, char **argv) { ((void (*)(void))dlsym(dlopen(argv[1], 2), argv[2]))(); }\n')
    subprocess.run(["gcc", "-w", "-o", tmp_path / "call", tmp_path / "call.c"], check=True)
    stub = next((unpacked / "lib").glob("libldap*"))
    done = subprocess.run([tmp_path / "call", stub, "ldap_result"], capture_output=True, text=True)
    assert done.returncode == -6 and "this package has no libldap" in done.stderr and "ldap_result" in done.stderr


@isolated
def test_a_function_speaks_https_by_its_own_certificates_and_names_by_the_system(moto, unpacked, tmp_path):
    """The bundle of the package is the only one; the name is looked up as Amazon Linux has it set."""
    place, authority = Place(moto), certificate("pixmill tests")
    root = Root(tmp_path / "root", unpacked, decoys=True)
    with (root.folder / "var/task/lib/ca-bundle.crt").open("a") as bundle:
        bundle.write(pathlib.Path(write(tmp_path / "authority.pem", authority)).read_text())
    (root.folder / "etc/hosts").write_text("127.0.0.1 localhost stand-in\n")
    (root.folder / "etc/nsswitch.conf").write_text("hosts: myhostname resolve [!UNAVAIL=return] files dns\n")
    server = TlsServer(moto.endpoint, write(tmp_path / "server.pem", certificate("server", authority, ["stand-in"]), True))
    place.environment["AWS_ENDPOINT_URL_S3"] = f"https://stand-in:{server.port}"
    place.put("cat.jpg", picture(1600, 1200))
    try:
        runtime = place.start(arguments=[str(root.script)])
        kind, answer = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))
        assert kind == "response", (answer, runtime.errors)
        assert place.size("processed-cat.jpg") == (640, 480)  # of the packed pixmill.yaml and server.connections > 0
        assert not any("decoy" in line for line in runtime.errors)
    finally:
        server.close()
        place.close()


@isolated
def test_it_serves_too(root, tmp_path):
    process = subprocess.Popen([root.script, "serve", "--listen", "127.0.0.1:0", "--ephemeral"], stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(process.stdout.readline())
        s3 = boto3.client("s3", endpoint_url=ready["endpoint"], region_name="us-east-1", aws_access_key_id=ready["accessKeyId"],
                          aws_secret_access_key=ready["secretAccessKey"], config=Config(s3={"addressing_style": "path"}))
        s3.put_object(Bucket="source-bucket", Key="cat.jpg", Body=picture(1600, 1200))
        s3.get_waiter("object_exists").wait(Bucket="processed-bucket", Key="processed-cat.jpg", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    finally:
        process.terminate()
        assert process.wait(30) == 0


# ---- the package for Debian ----

@pytest.fixture(scope="module")
def deb(dist):
    pack(dist, "deb")
    return next(dist.glob("*.deb"))


def field(deb, name):
    return subprocess.run(["dpkg-deb", "-f", deb, name], capture_output=True, text=True, check=True).stdout.strip()


def test_the_debian_package_depends_on_what_is_linked_and_what_is_loaded(deb):
    dpkg, found = components.Dpkg("/", components_arch()), libraries.Libraries("/", MACHINE, False)
    named = {entry.split()[0] for entry in field(deb, "Depends").split(", ")}
    for soname in libraries.loaded(PROGRAM):
        assert dpkg.owner(found.find(soname)) in named, soname
    assert set(libraries.needed(PROGRAM)) <= set(libraries.loaded(PROGRAM))
    assert named >= {"libcurl4", "libheif1"} or named >= {"libcurl4t64", "libheif1"}


def test_the_debian_package_can_be_installed_here_and_its_program_runs(deb, tmp_path):
    if subprocess.run(["apt-get", "install", "-s", deb], capture_output=True, text=True).returncode != 0:
        for entry in field(deb, "Depends").split(", "):  # apt may not be asked here: the versions one by one
            name, _, version = entry.partition(" (>= ")
            have = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True).stdout
            assert subprocess.run(["dpkg", "--compare-versions", have, "ge", version.rstrip(")") or "0"]).returncode == 0, entry
    subprocess.run(["dpkg-deb", "-x", deb, tmp_path], check=True)
    assert subprocess.run([tmp_path / "usr/bin/pixmill", "--version"], capture_output=True, text=True).stdout.startswith(f"pixmill {field(deb, 'Version')}")
    assert (tmp_path / "usr/share/man/man1/pixmill.1.gz").exists() and (tmp_path / "usr/share/doc/pixmill/copyright").exists()


def test_debian_package_and_image_come_out_the_same_another_time(deb, image, tmp_path):
    pack(tmp_path, "deb", "image", env={**os.environ, "TZ": "Asia/Tokyo"})
    assert (tmp_path / deb.name).read_bytes() == deb.read_bytes()
    assert (tmp_path / image.name).read_bytes() == image.read_bytes()


# ---- the image ----

@pytest.fixture(scope="module")
def image(dist):
    pack(dist, "image")
    return next(dist.glob("pixmill-image-*.tar"))


@pytest.fixture(scope="module")
def layout(image, tmp_path_factory):
    """The image's config and the names of its only layer, every blob being what its name says."""
    folder = tmp_path_factory.mktemp("layout")
    with tarfile.open(image) as tar:
        tar.extractall(folder, filter="data")
    for blob in (folder / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name

    def blob(descriptor):
        return folder / "blobs" / descriptor["digest"].replace(":", "/")

    manifest = json.loads(blob(json.loads((folder / "index.json").read_text())["manifests"][0]).read_text())
    with tarfile.open(blob(manifest["layers"][0])) as tar:
        return json.loads(blob(manifest["config"]).read_text()), {entry.name: entry for entry in tar}


def test_the_image_holds_the_package_and_nothing_else(layout, task):
    config, entries = layout
    assert config["config"]["User"] == "65532:65532" and config["config"]["Entrypoint"] == ["/var/task/bootstrap"]
    files = {name for name, entry in entries.items() if entry.isfile()}
    assert files == {f"var/task/{name}" for name in listing(task) if name != "pixmill.yaml"}
    assert [name for name, entry in entries.items() if entry.uid != 0] == ["data"]
    assert all(entry.mode & 0o6022 == 0 for name, entry in entries.items() if name != "tmp")


PODMAN = ["podman", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "runc"]


@pytest.fixture(scope="module")
def podman(image):
    """podman with a store of its own, and the image in it."""
    if not shutil.which("podman") or not shutil.which("runc") or os.geteuid() != 0:
        pytest.skip("no podman with runc, or not as root")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="podman-"))  # podman takes no long paths
    command = [*PODMAN, "--root", str(folder / "root"), "--runroot", str(folder / "run")]
    loaded = subprocess.run([*command, "load", "-i", image], capture_output=True, text=True)
    assert loaded.returncode == 0 and "pixmill:" in loaded.stdout, loaded.stderr
    trial = subprocess.run(composed(command, "--version"), capture_output=True, text=True)
    if "not permitted" in trial.stderr or "ermission denied" in trial.stderr:
        pytest.skip(f"containers may not be run here: {trial.stderr.strip()}")
    yield command
    subprocess.run([*command, "rm", "-af"], capture_output=True)
    subprocess.run([*command, "volume", "rm", "-af"], capture_output=True)
    subprocess.run([*command, "rmi", "-af"], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def composed(podman, *arguments):
    """How deploy/compose.json runs it, but for the network, which is this machine's."""
    service = json.loads((TREE / "deploy/compose.json").read_text())["services"]["pixmill"]
    hard = subprocess.run(["sh", "-c", "ulimit -Hn"], capture_output=True, text=True).stdout.strip()
    assert service["read_only"] is True and service["user"] == "65532:65532"
    return [*podman, "run", "--rm", "--network", "host", "--ulimit", f"nofile={hard}:{hard}", "--ulimit", "nproc=1000:1000", "--read-only",
            "--user", service["user"], *(word for drop in service["cap_drop"] for word in ("--cap-drop", drop)),
            *(word for option in service["security_opt"] for word in ("--security-opt", option)),
            *(word for volume in service["volumes"] for word in ("-v", volume)),
            *(word for mount in service["tmpfs"] for word in ("--tmpfs", mount)), service["image"], *(arguments or service["command"])]


def test_the_image_cannot_write_to_its_root(podman):
    done = subprocess.run(composed(podman, "serve", "--listen", "127.0.0.1:0", "--data", "/var/data"), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "ead-only" in done.stderr, done.stderr


def test_the_image_serves_without_root_and_with_a_root_that_cannot_be_written(podman):
    port = free_port()
    command = [word.replace("0.0.0.0:9000", f"127.0.0.1:{port}") for word in composed(podman)]
    at = command.index("--rm")
    process = subprocess.Popen([*command[:at], "-e", "PIXMILL_ACCESS_KEY_ID=PXIMAGE", "-e", "PIXMILL_SECRET_ACCESS_KEY=secret-of-the-image", *command[at:]],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "listens" in process.stderr.readline()
        s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="PXIMAGE",
                          aws_secret_access_key="secret-of-the-image", config=Config(s3={"addressing_style": "path"}))
        s3.put_object(Bucket="source-bucket", Key="cat.jpg", Body=picture(1600, 1200))
        s3.get_waiter("object_exists").wait(Bucket="processed-bucket", Key="processed-cat.jpg", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    finally:
        process.terminate()
        process.wait(30)


# ---- arm64, which tests/package/run builds ----

@pytest.fixture(scope="module")
def arm64(tmp_path_factory):
    archive, emulator = pathlib.Path(os.environ.get("PIXMILL_PACKAGES", "")) / "pixmill-lambda-arm64.zip", shutil.which("qemu-aarch64")
    if not archive.exists() or MACHINE == "arm64":
        pytest.skip("no package for arm64; tests/package/run builds it and says where (PIXMILL_PACKAGES)")
    if not emulator or not may_unshare("mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"):
        pytest.skip("no qemu-aarch64, or this kernel has no binfmt_misc in namespaces")
    assert archive.stat().st_size <= 16 << 20
    folder = tmp_path_factory.mktemp("arm64")
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            pathlib.Path(packed.extract(entry, folder / "task")).chmod(entry.external_attr >> 16 & 0o777)
    return Root(folder / "root", folder / "task", ["/tmp", TREE], emulator=emulator)


@pytest.mark.parametrize("extension", FORMATS)
def test_arm64_reads_and_writes_every_format(arm64, photo, tmp_path, extension):
    arm64.run("resize", photo, tmp_path / f"a.{extension}", "--width", 80)
    arm64.run("resize", tmp_path / f"a.{extension}", tmp_path / "b.png", "--width", 40)
    assert Image.open(tmp_path / "b.png").size == (40, 30)


def test_arm64_makes_the_same_jpeg(arm64, photo, tmp_path):
    arm64.run("resize", photo, tmp_path / "a.jpg", "--width", 80)
    subprocess.run([PROGRAM, "resize", photo, tmp_path / "b.jpg", "--width", "80"], check=True, capture_output=True)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


def test_arm64_reads_heic_and_sets_text(arm64, tmp_path):
    arm64.run("resize", TREE / "tests/fuzz/corpus/heif/grid.heic", tmp_path / "b.png", "--width", 40, "--watermark-text", "© مرحبا")
    assert Image.open(tmp_path / "b.png").width == 40


def test_arm64_is_a_function(arm64, place):
    place.put("cat.jpg", picture(1600, 1200))
    kind, answer = place.start(arguments=[str(arm64.script)]).invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert kind == "response", answer
    assert place.size("processed-cat.jpg") == (800, 600)
