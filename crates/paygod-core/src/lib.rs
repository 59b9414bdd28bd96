//! The ledger's state machine: (state, command, now) to entry and effects, and the ports it needs.
