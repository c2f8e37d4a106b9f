"""What is in a package: each file's Debian package, version and licence, from dpkg's own data; and the bill of materials of it.

Licences come from the package's copyright file: of a machine-readable one the stanza `Files: *`, or, where that does not tell what the
library itself is under, a row of licences.json (source package: licence, a text that the copyright file must hold, remark).
"""
import functools
import json
import pathlib
import re
import sys

ROWS = json.loads((pathlib.Path(__file__).parent / "licences.json").read_text())

# Debian's short names whose SPDX names differ.
SPDX = {"expat": "MIT", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-3-clause-google": "BSD-3-Clause", "zlib": "Zlib",
        "public-domain": "LicenseRef-public-domain", "pd": "LicenseRef-public-domain", "lgpl-3+": "LGPL-3.0-or-later",
        "lgpl-2.1+": "LGPL-2.1-or-later", "lgpl-2+": "LGPL-2.0-or-later", "gpl-2+": "GPL-2.0-or-later", "gpl-3+": "GPL-3.0-or-later",
        "gpl-2": "GPL-2.0-only", "gpl-3": "GPL-3.0-only", "mpl-1.1": "MPL-1.1", "libpng": "Libpng", "bsd-variant": "bzip2-1.0.6",
        "bsd-3-clause-cambridge with binary library-like packages exception": "BSD-3-Clause"}
KNOWN = {"MIT", "Apache-2.0", "curl", "FTL", "Zlib", "ISC"} | set(SPDX.values())


def spdx(text):
    """A copyright file's `License:` as an SPDX expression."""
    def one(name):
        name = SPDX.get(name.strip().lower(), name.strip())
        return name if name in KNOWN else "LicenseRef-debian-" + re.sub(r"[^A-Za-z0-9.]+", "-", name)
    both = [" OR ".join(one(name) for name in re.split(r"\s+or\s+", part)) for part in re.split(r",?\s+and\s+", text.strip())]
    return " AND ".join(f"({part})" if " OR " in part and len(both) > 1 else part for part in both)


def is_gpl(expression):
    """Whether a licence leaves no way around the GPL (the LGPL is not the GPL, nor is it one with an exception for linking)."""
    def forced(choice):
        return re.search(r"(?<![A-Za-z])A?GPL-?\d", choice) is not None and " WITH " not in choice
    parts = [part.strip(" ()") for part in re.split(r"\bAND\b", expression)]
    return any(all(forced(choice) for choice in re.split(r"\bOR\b", part)) for part in parts)


class Dpkg:
    """The packages of a system, from the files that dpkg keeps (root/var/lib/dpkg)."""

    def __init__(self, root, debian_arch):
        self.root, self.arch = pathlib.Path(root), debian_arch
        self.packages = {}
        for stanza in (self.root / "var/lib/dpkg/status").read_text().split("\n\n"):
            fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", stanza, re.M))
            if fields.get("Architecture") in (debian_arch, "all") and "ok installed" in fields.get("Status", ""):
                self.packages[fields["Package"]] = fields
        self.owners = {}
        for name, fields in self.packages.items():
            for line in (self.info(name, "list") or "").splitlines():
                if ".so" in line:
                    self.owners.setdefault(line.removeprefix("/usr"), name)

    def info(self, package, kind):
        for name in (f"{package}.{kind}", f"{package}:{self.arch}.{kind}"):
            path = self.root / "var/lib/dpkg/info" / name
            if path.exists():
                return path.read_text()
        return None

    def owner(self, path):
        """The package of a library of the system, whose /lib may be a link to /usr/lib."""
        inside = "/" + str(pathlib.Path(path).relative_to(self.root.resolve()))
        name = self.owners.get(inside.removeprefix("/usr"))
        return name or sys.exit(f"package: {path} belongs to no Debian package, so nobody can say its version and licence")

    def copyright(self, package):
        """The text of a package's copyright file. Its folder may be a link to another package's."""
        folder = self.root / "usr/share/doc" / package
        if folder.is_symlink():
            folder = folder.parent / folder.readlink()
        path = folder / "copyright"
        return path.read_text(errors="replace") if path.exists() else sys.exit(f"package: {package} has no copyright file")

    def source(self, package):
        """(name, version) of a package's source."""
        fields = self.packages[package]
        name, _, version = fields.get("Source", package).partition(" ")
        return name, version.strip("()") or re.sub(r"\+b\d+$", "", fields["Version"])

    @functools.cache
    def licence(self, package):
        text, (source, _) = self.copyright(package), self.source(package)
        source = "gcc-12" if re.fullmatch(r"gcc-\d+", source) else source
        if source in ROWS:
            licence, evidence, _ = ROWS[source]
            if evidence not in text:
                sys.exit(f"package: the copyright file of {package} no longer says {evidence!r}; look at it, and at licences.json")
            return licence
        found = re.search(r"^Files:\s*\*\s*\n(?:(?!\n\n).)*?^License:[ \t]*(\S[^\n]*)", text, re.M | re.S)
        if not text.startswith("Format") or not found:
            sys.exit(f"package: the copyright file of {package} does not say a licence for all; give {source} a row in licences.json")
        return spdx(found[1])

    def dependency(self, soname, path):
        """A library as a Debian package's Depends names it: the shlibs line of its package."""
        package, (_, stem, version) = self.owner(path), re.split(r"^(lib.*?)\.so\.?", soname + ".")
        for line in (self.info(package, "shlibs") or "").splitlines():
            words = line.split()
            if words[:2] in ([stem, version.strip(".")], [f"{stem}-{version.strip('.')}", ""]):
                return " ".join(words[2:])
        return f"{package} (>= {self.packages[package]['Version']})"


def component(dpkg, package, files):
    source, version = dpkg.source(package)
    licence = dpkg.licence(package)
    return {
        "type": "library", "bom-ref": package, "name": package, "version": dpkg.packages[package]["Version"],
        "licenses": [{"expression": licence}],
        "purl": f"pkg:deb/debian/{package}@{dpkg.packages[package]['Version'].replace('+', '%2B')}?arch={dpkg.packages[package]['Architecture']}",
        "properties": [{"name": "debian:source", "value": f"{source} {version}"}] + [{"name": "file", "value": name} for name in sorted(files)],
    }


def bill(version, name, components):
    """CycloneDX 1.5. No serial number and no time: two builds of the same are the same."""
    return json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "pixmill", "name": name, "version": version,
                                   "licenses": [{"expression": "Apache-2.0"}]}},
        "components": components,
        "dependencies": [{"ref": "pixmill", "dependsOn": [one["bom-ref"] for one in components]}],
    }, indent=1) + "\n"


def gpl_components(text):
    """Names of the components of a bill of materials that are under the GPL."""
    return [one["name"] for one in json.loads(text)["components"] if any(is_gpl(licence["expression"]) for licence in one["licenses"])]
