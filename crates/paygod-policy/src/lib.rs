//! Policy packs: from pack files to a checked program, from facts to a decision and its trace.
