"""Items put into an AVIF or HEIC by hand: metadata, thumbnails, and whatever else a picture's maker may have left there."""
import struct


def box(kind, content):
    return struct.pack(">I", 8 + len(content)) + kind + content


def boxes(data, at, end):
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, at + (size or end - at)
        at += size or end - at


def places(content):
    """Of an iloc box: id, method, pieces."""
    version, sizes, more = content[0], content[4], content[5]
    offset, length, base, index = sizes >> 4, sizes & 15, more >> 4, (more & 15) if version else 0
    at = 6

    def take(count):
        nonlocal at
        at += count
        return int.from_bytes(content[at - count:at], "big")
    wide = 4 if version == 2 else 2
    told = []
    for _ in range(take(wide)):
        name, method = take(wide), take(2) & 15 if version else 0
        take(2)
        start = take(base)
        pieces = []
        for _ in range(take(2)):
            take(index)
            pieces.append((start + take(offset), take(length)))
        told.append((name, method, pieces))
    return told


def with_items(data, *added):
    """`added`: type, what follows the name in infe, the bytes, and the reference to the primary picture (None: none)."""
    kind, start, end = next(b for b in boxes(data, 0, len(data)) if b[0] == b"meta")
    children = [(k, data[s:e]) for k, s, e in boxes(data, start + 4, end)]
    known = dict(children)
    told, primary = places(known[b"iloc"]), int.from_bytes(known[b"pitm"][4:6], "big")
    first = max(name for name, *_ in told) + 1
    count = 8 if known[b"iinf"][0] else 6
    entries = b"".join(box(b"infe", b"\2\0\0\0" + struct.pack(">HH", first + i, 0) + kind + b"\0" + more) for i, (kind, more, *_) in enumerate(added))
    links = b"".join(box(link, struct.pack(">HHH", first + i, 1, primary)) for i, (*_, link) in enumerate(added) if link)

    def meta(shift, behind):
        table, at = b"", behind
        for name, method, pieces in told:
            table += struct.pack(">HHHH", name, method, 0, len(pieces)) + b"".join(struct.pack(">II", o + (0 if method else shift), n) for o, n in pieces)
        for i, (_, _, content, _) in enumerate(added):
            table += struct.pack(">HHHHII", first + i, 0, 0, 1, at, len(content))
            at += len(content)
        iloc = b"\1\0\0\0\x44\0" + struct.pack(">H", len(told) + len(added)) + table
        old = known[b"iinf"]
        iinf = old[:4] + (int.from_bytes(old[4:count], "big") + len(added)).to_bytes(count - 4, "big") + old[count:] + entries
        made = {b"iloc": iloc, b"iinf": iinf, b"iref": known.get(b"iref", bytes(4)) + links}
        return box(b"meta", bytes(4) + b"".join(box(k, made.pop(k, c)) for k, c in children) + b"".join(box(k, c) for k, c in made.items()))

    shift = len(meta(0, 0)) - (end - start + 8)
    head, tail = data[:start - 8], data[end:]
    return head + meta(shift, len(data) + shift + 8) + tail + box(b"mdat", b"".join(content for _, _, content, _ in added))
