//! Money, identifiers, time, limits, canonical bytes and error codes of Paygod Kernel.
