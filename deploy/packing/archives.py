"""Archives that come out the same, bit for bit, from the same contents: names in order, no owners, one time."""
import gzip
import hashlib
import io
import json
import pathlib
import tarfile
import zipfile

from libraries import run

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say
LEVEL = 6                      # 9 takes three times as long for 0.4 percent


def zip_folder(folder, archive):
    """Zips what is in a folder, with the bits that make files executable: Lambda unpacks them so."""
    archive = pathlib.Path(archive)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as out:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(folder)), EPOCH)
            entry.create_system, entry.compress_type = 3, zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100000 | (path.stat().st_mode & 0o777)) << 16
            out.writestr(entry, path.read_bytes(), compresslevel=LEVEL)
    return archive


def cross_file(root, triplet, folder):
    """Meson's description of another machine, whose headers and libraries are in a folder (deploy/sysroot)."""
    path = folder.parent / f"{folder.name}.cross"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"""[binaries]
c = '{triplet}-gcc'
ar = '{triplet}-gcc-ar'
strip = '{triplet}-strip'
pkgconfig = 'pkg-config'
[properties]
sys_root = '{root}'
pkg_config_libdir = ['{root}/usr/lib/{triplet}/pkgconfig', '{root}/usr/share/pkgconfig']
[built-in options]
c_link_args = ['--sysroot={root}']
[host_machine]
system = 'linux'
cpu_family = '{triplet.split('-')[0]}'
cpu = '{triplet.split('-')[0]}'
endian = 'little'
""")
    return path


def deb(tree, target, fields):
    """A Debian package of a folder that looks as it is to look from the root."""
    control = tree / "DEBIAN"
    control.mkdir()
    (control / "control").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, target, env={"SOURCE_DATE_EPOCH": "315532800"})
    return target


# ---- an image, as the Open Container Initiative's "image layout" describes it: blobs by their digest, in a tar ----

NOBODY = 65532  # user and group of the image; distroless images have the same


def tar_of(entries):
    """entries: (name, mode, owner, bytes or None for a folder)"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode, owner, data in entries:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.uid, entry.gid = mode, owner, owner
            entry.type, entry.size = (tarfile.DIRTYPE, 0) if data is None else (tarfile.REGTYPE, len(data))
            tar.addfile(entry, io.BytesIO(data or b""))
    return out.getvalue()


def image_layer(task):
    """The root: the package at /var/task, a place for data, a place for temporary files, nothing else."""
    entries = [("data", 0o700, NOBODY, None), ("tmp", 0o1777, 0, None), ("var", 0o755, 0, None), ("var/task", 0o755, 0, None)]
    for path in sorted(task.rglob("*")):
        name = f"var/task/{path.relative_to(task)}"
        entries.append((name, 0o755, 0, None) if path.is_dir() else (name, path.stat().st_mode & 0o777, 0, path.read_bytes()))
    return tar_of(entries)


def image(task, target, machine, version):
    """An OCI image of one layer. Of a package alone no tool for containers is needed, and it comes out the same each time."""
    blobs = {}

    def blob(data, kind, **more):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    def text(value):
        return json.dumps(value, sort_keys=True).encode()

    plain = image_layer(task)
    layer = blob(gzip.compress(plain, LEVEL, mtime=0), "layer.v1.tar+gzip")
    labels = {"org.opencontainers.image.title": "pixmill", "org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0"}
    config = blob(text({
        "architecture": machine, "os": "linux", "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": ["/var/task/bootstrap"], "User": f"{NOBODY}:{NOBODY}", "WorkingDir": "/var/task", "Volumes": {"/data": {}},
                   "ExposedPorts": {"9000/tcp": {}}, "Env": ["PATH=/var/task"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "deploy/package image"}]}), "config.v1+json")
    manifest = blob(text({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]}), "manifest.v1+json",
                    platform={"architecture": machine, "os": "linux"}, annotations={"org.opencontainers.image.ref.name": f"pixmill:{version}"})
    files = {"index.json": text({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}),
             "oci-layout": b'{"imageLayoutVersion": "1.0.0"}', **blobs}
    folders = [("blobs", 0o755, 0, None), ("blobs/sha256", 0o755, 0, None)]
    target.write_bytes(tar_of(folders + [(name, 0o644, 0, data) for name, data in sorted(files.items())]))
    return target
