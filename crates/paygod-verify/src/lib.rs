//! Everything an auditor checks, offline, from an export and a genesis fingerprint.
