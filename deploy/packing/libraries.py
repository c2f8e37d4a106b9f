"""Which shared libraries a program needs, and small ones in place of those that it never calls.

All is read from the ELF files by readelf, nothing is run or loaded, so that another machine's libraries are packed the same way. What
the program loads by name at first need (src/base/module.h) stands in it as a soname and is followed like what it is linked with.
"""
import functools
import pathlib
import platform
import re
import subprocess
import sys

TRIPLETS = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}

# Never called by pixmill: the encoders that it does not use, the protocols that it does not speak (serve speaks plain HTTP), names of
# hosts that are not ASCII, and the compressions of TIFF that it refuses (JBIG's library is GPL). Each is replaced by a library of the same soname whose functions say so and abort. Names without version.
STUBBED = {
    "libx265": "HEIC is only read", "libSvtAv1Enc": "AVIF is written by aom", "librav1e": "AVIF is written by aom",
    "libgav1": "AVIF is read by dav1d", "libjbig": "no such TIFF; it is under the GPL",
    "libLerc": "no such TIFF", "libzstd": "no such TIFF, no such HTTP", "libgssapi_krb5": "no Kerberos", "libldap": "no LDAP",
    "liblber": "no LDAP", "librtmp": "no RTMP", "libssh2": "no SSH", "libgnutls": "serve speaks plain HTTP",
    "libidn2": "host names are ASCII; part of it is under the GPL", "libpsl": "no cookies",
    "libglib": "HarfBuzz has what it needs of it itself",
}

# What is called all the same when a library starts or ends: it gets an answer.
ANSWERS = {
    "libssh2_init": "return 0;", "libssh2_exit": "", "gnutls_global_init": "return 0;", "gnutls_global_deinit": "",
    "idn2_check_version": "return 0;",  # curl takes this as: no such names
}

# Sources of host names that a system's /etc/nsswitch.conf may list: empty, so that the system's own are not loaded.
EMPTY = ["libnss_myhostname.so.2", "libnss_resolve.so.2", "libnss_sss.so.2"]


def run(*command, **more):
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **more.pop("env", {})}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, **more)
    if done.returncode != 0:
        sys.exit(f"package: {' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def bare(soname):
    """libldap-2.5.so.0 -> libldap"""
    return re.sub(r"(-[\d.]+)?\.so.*", "", soname)


@functools.cache
def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", path))


def runpaths(path):
    return re.findall(r"\((RUNPATH|RPATH)\).*\[(.*)\]", run("readelf", "-d", path))


def loaded(program):
    """The sonames that stand in a program as text: what it may ask dlopen for. Those it is linked with are among them."""
    return sorted({name.decode() for name in re.findall(rb"\0(lib[\w.+-]+\.so(?:\.\d+)*)(?=\0)", pathlib.Path(program).read_bytes())})


@functools.cache
def symbols(path):
    """(imported, exported): {name: (version or "", type, size)}"""
    imported, exported = {}, {}
    for line in run("readelf", "-W", "--dyn-syms", path).splitlines():
        words = line.split()
        if len(words) < 8 or not words[0].rstrip(":").isdigit() or words[4] not in ("GLOBAL", "WEAK", "UNIQUE"):
            continue
        name, _, version = words[7].replace("@@", "@").partition("@")
        (imported if words[6] == "UND" else exported)[name] = (version, words[3], int(words[2], 0))
    return imported, exported


class Libraries:
    """The libraries of a system (a folder that holds its root), followed from a program."""

    def __init__(self, root, arch, packed=True):
        self.arch, self.triplet = arch, TRIPLETS[arch]
        self.folders = [pathlib.Path(root) / folder / self.triplet for folder in ("usr/lib", "lib")]
        self.kept, self.stubbed = {}, {}  # soname -> path
        if packed and self.plugins():
            sys.exit("package: this system's libheif looks for its decoders in a folder where a package cannot bring them; "
                     "build it on Debian 12 (docs/package.md)")

    def plugins(self):
        """The packages of libheif's decoders, where these are plugins."""
        folder = self.folders[0] / "libheif/plugins"
        return ["libheif-plugin-libde265", "libheif-plugin-aomdec"] if folder.is_dir() else []

    def find(self, soname):
        for folder in self.folders:
            if (folder / soname).exists():
                return (folder / soname).resolve()
        sys.exit(f"package: there is no {soname} in {' or '.join(map(str, self.folders))}")

    def follow(self, program):
        """Everything that the program needs, and what those need, but nothing that only a stub's original needs."""
        waiting = [LOADERS[self.arch], "libgcc_s.so.1", *needed(program), *loaded(program)]  # libgcc_s: pthread_exit loads it
        while waiting:
            soname = waiting.pop()
            if soname in self.kept or soname in self.stubbed:
                continue
            path = self.find(soname)
            if bare(soname) in STUBBED:
                self.stubbed[soname] = path
            else:
                self.kept[soname] = path
                waiting += needed(path)

    def wanted(self, soname):
        """What the kept libraries import from one that is to be a stub: {name: (version, type, size)}"""
        found, (_, exported) = {}, symbols(self.stubbed[soname])
        for path in self.kept.values():
            if soname in needed(path):
                found.update({name: (version, *exported[name][1:]) for name, (version, *_) in symbols(path)[0].items() if name in exported})
        return found


HEAD = """#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void absent(const char *name)
{
    static const char text[] = "pixmill: this package has no LIBRARY (REASON), and something called ";
    ssize_t written = write(2, text, sizeof text - 1);
    written = write(2, name, strlen(name));
    written = write(2, "\\n", 1);
    (void)written;
    abort();
}
"""


def stub_source(soname, wanted):
    """(C, version script) of a library that has the wanted symbols."""
    source, versions = HEAD.replace("LIBRARY", soname).replace("REASON", STUBBED.get(bare(soname), "")), {}
    for name, (version, kind, size) in sorted(wanted.items()):
        versions.setdefault(version, []).append(name)
        if kind in ("OBJECT", "NOTYPE"):
            source += f"_Alignas(16) char {name}[{max(size, 1)}];\n"
        else:
            body = ANSWERS[name] if name in ANSWERS else f'absent("{name}");'
            source += f"long {name}(void);\nlong {name}(void) {{ {body} return 0; }}\n"
    script = "".join(f"{version or ''} {{ global: {'; '.join(names)}; }};\n" for version, names in sorted(versions.items()))
    return source, script or "{ local: *; };\n"


def compiler(arch):
    return "gcc" if platform.machine() == {"arm64": "aarch64"}.get(arch, arch) else f"{TRIPLETS[arch]}-gcc"


def build_stub(soname, wanted, target, arch, scratch):
    source, script = stub_source(soname, wanted)
    (scratch / "stub.c").write_text(source)
    (scratch / "stub.map").write_text(script)
    run(compiler(arch), "-shared", "-fPIC", "-O1", "-fno-builtin", "-w", "-s", "-o", target, "stub.c", "-Wl,--build-id=none", f"-Wl,-soname,{soname}",
        "-Wl,--version-script=stub.map", "-Wl,-z,max-page-size=4096", cwd=scratch)
