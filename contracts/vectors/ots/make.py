"""Writes the vectors beside it with the stock library (PyPI `opentimestamps-client` 0.7.2):

    python3 -m venv venv && venv/bin/pip install opentimestamps-client==0.7.2
    venv/bin/python make.py

Each `<name>.ots` has a `<name>.txt` that says what the stock library reads in it: the hash and the digest
of the file, then a line for each attestation, sorted: what is attested and by whom.
"""

import hashlib
import pathlib
import warnings

from opentimestamps.core.notary import (
    BitcoinBlockHeaderAttestation,
    LitecoinBlockHeaderAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from opentimestamps.core.op import (
    OpAppend,
    OpHexlify,
    OpKECCAK256,
    OpPrepend,
    OpReverse,
    OpRIPEMD160,
    OpSHA1,
    OpSHA256,
)
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp, cat_sha256d

warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).parent


def follow(stamp, *ops):
    for op in ops:
        stamp = stamp.ops.add(op)
    return stamp


def spell(attestation):
    if isinstance(attestation, BitcoinBlockHeaderAttestation):
        return "bitcoin %d" % attestation.height
    if isinstance(attestation, PendingAttestation):
        return "pending %s" % attestation.uri
    return "unknown %s" % attestation.TAG.hex()


def write(name, hash_op, stamp):
    file = DetachedTimestampFile(hash_op, stamp)
    ctx = BytesSerializationContext()
    file.serialize(ctx)
    (HERE / (name + ".ots")).write_bytes(ctx.getbytes())
    lines = sorted("%s %s" % (msg.hex(), spell(a)) for msg, a in stamp.all_attestations())
    head = "%s %s" % (hash_op.TAG_NAME, file.file_digest.hex())
    (HERE / (name + ".txt")).write_text("\n".join([head] + lines) + "\n")


def sha256(data):
    return Timestamp(hashlib.sha256(data).digest())


def main():
    stamp = sha256(b"every operation")
    end = follow(stamp, OpSHA1(), OpRIPEMD160(), OpKECCAK256(), OpReverse(), OpHexlify(),
                 OpAppend(b"\x00"), OpPrepend(b"\xff" * 200), OpSHA256())
    end.attestations.add(BitcoinBlockHeaderAttestation(358391))
    follow(stamp, OpHexlify(), OpSHA256()).attestations.add(PendingAttestation("https://one.example"))
    follow(stamp, OpAppend(b"b")).attestations.add(PendingAttestation("https://two.example/path"))
    follow(stamp, OpAppend(b"a" * 4064)).attestations.add(PendingAttestation("https://two.example/path"))
    write("every-operation", OpSHA256(), stamp)

    stamp = sha256(b"every attestation")
    stamp.attestations.update([
        BitcoinBlockHeaderAttestation(0),
        BitcoinBlockHeaderAttestation(127),
        BitcoinBlockHeaderAttestation(128),
        BitcoinBlockHeaderAttestation(2**32),
        PendingAttestation(""),
        PendingAttestation("https://" + "a" * 992),
        PendingAttestation("http://127.0.0.1:8080/x-y_z"),
        UnknownAttestation(b"\x00" * 8, b""),
        UnknownAttestation(b"\xff" * 8, b"\x01" * 8192),
        LitecoinBlockHeaderAttestation(7),
    ])
    write("every-attestation", OpSHA256(), stamp)

    old = Timestamp(hashlib.sha1(b"old hash").digest())
    old.attestations.add(PendingAttestation("https://one.example"))
    write("sha1-file", OpSHA1(), old)

    deep = sha256(b"as deep as it goes")
    follow(deep, *[OpSHA256() for _ in range(255)]).attestations.add(BitcoinBlockHeaderAttestation(1))
    write("deepest", OpSHA256(), deep)

    block = sha256(b"a block")
    end = follow(block, OpPrepend(b"\x01\x00\x00\x00" + b"\x11" * 60), OpAppend(b"\x00" * 4))
    end = follow(end, OpSHA256(), OpSHA256())
    for level in range(12):
        sibling = bytes([level]) * 32
        end = cat_sha256d(end, sibling) if level % 2 else cat_sha256d(Timestamp(sibling), end)
    end.attestations.add(BitcoinBlockHeaderAttestation(800000))
    write("block", OpSHA256(), block)


main()
