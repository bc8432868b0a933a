"""The parts of a message in one frame, as common/bus/pack.h has it: for peers of pyzmq."""
import struct

VERSION = 2


def pack(parts, version=VERSION):
    """Parts: bytes, or what str() makes a text of."""
    raw = [p if isinstance(p, bytes) else str(p).encode() for p in parts]
    return bytes([version]) + b"".join(struct.pack(">I", len(p)) + p for p in raw)


def unpack(frame):
    assert frame[0] == VERSION, frame[:20]
    parts, at = [], 1
    while at < len(frame):
        (length,) = struct.unpack_from(">I", frame, at)
        parts.append(frame[at + 4:at + 4 + length])
        at += 4 + length
    assert at == len(frame), frame[:20]
    return parts
