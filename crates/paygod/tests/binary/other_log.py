"""A log by another implementation of tlog-witness (the Python package aics-witness), which asks our witness.

    other_log.py key ORIGIN                               prints the log's vkey
    other_log.py submit URL WITNESS STATE ORIGIN SIZE STORY    what came of asking for a cosignature
"""

import hashlib
import sys

from aics_tlog import Checkpoint, MerkleTree, format_vkey, parse_note, sign_checkpoint, vkey_from_ed25519
from aics_witness.feeder import FeederError, WitnessClient, merge_cosignatures
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def key(origin):
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(origin.encode()).digest())


def submit(url, witness, state, origin, size, story):
    tree = MerkleTree(f"{story} {n}".encode() for n in range(int(size)))
    checkpoint = Checkpoint(origin=origin, size=tree.size, root=tree.root())
    note = sign_checkpoint(checkpoint, key(origin), origin).to_bytes()
    client = WitnessClient(url, witness, state_path=state, max_attempts=1)
    try:
        lines = client.submit(note, tree.consistency_proof)
    except FeederError as error:
        status = getattr(error, "status", "")
        print(type(error).__name__, status)
        return
    # The client has verified the cosignature; it is one line more of a note that reads.
    assert len(parse_note(merge_cosignatures(note, lines)).signatures) == 2
    print("cosigned", client.max_cosigned(origin))


command, *rest = sys.argv[1:]
if command == "key":
    print(format_vkey(vkey_from_ed25519(rest[0], key(rest[0]).public_key())))
else:
    submit(*rest)
