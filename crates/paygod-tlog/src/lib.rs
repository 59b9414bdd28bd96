//! The transparency log: tree, tiles, notes, checkpoints and proofs, to the letter of C2SP.
