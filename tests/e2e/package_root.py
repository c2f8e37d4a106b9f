"""A root that holds an unpacked package and nothing else but /proc, /tmp and three devices; and one that is hostile as well.

A command runs in it through a script, in namespaces of its own, so that it needs no root. The environment is Lambda's: its
LD_LIBRARY_PATH points to folders where, in the hostile root, every library of the package lies a second time and ends whoever loads it.
"""
import os
import pathlib
import subprocess

TASK = "var/task"
LAMBDA = "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
NAME_SERVICES = {"libnss_myhostname.so.2", "libnss_resolve.so.2"}  # the C library loads them by /etc/nsswitch.conf
DECOY = """#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { if (write(2, "a decoy was loaded\\n", 19)) abort(); }
"""


def may_unshare(command="true"):
    return subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True).returncode == 0


class Root:
    """`shared` are folders that are seen inside under the same path. A command whose working folder is not seen starts in /var/task."""

    def __init__(self, folder, task, shared=(), decoys=False, emulator=None):
        self.folder = folder
        for name in ("proc", "tmp", "dev", TASK):
            (folder / name).mkdir(parents=True)
        subprocess.run(["cp", "-a", f"{task}/.", folder / TASK], check=True)
        mounts = [f"mount --rbind /proc {folder}/proc"]
        for name in ("null", "zero", "urandom"):
            (folder / "dev" / name).touch()
            mounts.append(f"mount --bind /dev/{name} {folder}/dev/{name}")
        for path in shared:
            (folder / str(path).lstrip("/")).mkdir(parents=True, exist_ok=True)
            mounts.append(f"mount --rbind {path} {folder}/{str(path).lstrip('/')}")
        if decoys:
            self.add_decoys()
        if emulator:
            mounts = self.emulate(emulator) + mounts
        self.script = folder.parent / f"{folder.name}-run"
        self.script.write_text("#!/bin/sh\n# Runs the package's program with these arguments.\n"
                               f"exec unshare -rm sh -euc '{'; '.join(mounts)}; at=/var/task; if [ -d \"{folder}$PWD\" ]; then at=$PWD; fi; "
                               f"export LD_LIBRARY_PATH={LAMBDA}; exec unshare --root={folder} --wd=\"$at\" /var/task/bootstrap \"$@\"' sh \"$@\"\n")
        self.script.chmod(0o755)

    def emulate(self, emulator):
        """How the kernel is told, in this namespace alone, to run arm64's programs by qemu, which brings libraries of this machine's."""
        magic = "7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00 02 00 b7 00"
        mask = "ff ff ff ff ff ff ff 00 ff ff ff ff ff ff ff ff fe ff ff ff"
        text = ":".join("".join(rf"\x{byte}" for byte in digits.split()) for digits in (magic, mask))
        register = self.folder.parent / "register"
        register.write_text(f":qemu-aarch64:M::{text}:{emulator}:F")
        mounts = ["mount -t binfmt_misc none /proc/sys/fs/binfmt_misc", f"cat {register} >/proc/sys/fs/binfmt_misc/register"]
        for name in ("lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"):
            (self.folder / name).mkdir(parents=True)
            mounts.append(f"mount --rbind /{name} {self.folder}/{name}")
        return mounts

    def add_decoys(self):
        """Where Amazon Linux has libraries, and where Debian has them."""
        source = self.folder.parent / "decoy.c"
        source.write_text(DECOY)
        decoy = self.folder.parent / "decoy.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", decoy, source], check=True)
        for place in ("lib64", "usr/lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "opt/lib"):
            (self.folder / place).mkdir(parents=True)
            for library in {path.name for path in (self.folder / TASK / "lib").glob("*.so*")} | NAME_SERVICES:
                os.link(decoy, self.folder / place / library)
        for name in ("etc/pki/tls",):  # there, but without certificates
            (self.folder / name).mkdir(parents=True)

    def run(self, *arguments, code=0, **keys):
        done = subprocess.run([self.script, *map(str, arguments)], capture_output=True, text=True, timeout=120, **keys)
        assert code is None or done.returncode == code, done.stderr
        assert code is None or "no version information" not in done.stderr, done.stderr  # of a stub, says the loader
        return done
