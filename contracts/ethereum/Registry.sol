// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Keeps, for each publisher and log, the newest checkpoint that the publisher has put here: its size and root.
/// A smaller or equal size is refused, so what stands here only ever grows. Nobody owns it, nothing in it can be
/// changed, and it holds no money.
contract Registry {
    struct Checkpoint {
        uint64 size;
        bytes32 root;
    }

    /// `log` is the SHA-256 of the log's name. Each publisher has a book of their own, so that nobody can block
    /// another one's log by a size that it will never reach.
    mapping(address publisher => mapping(bytes32 log => Checkpoint)) public checkpoints;

    event Recorded(address indexed publisher, bytes32 indexed log, uint64 size, bytes32 root);

    error NotLarger(uint64 size, uint64 known);

    function record(bytes32 log, uint64 size, bytes32 root) external {
        Checkpoint storage known = checkpoints[msg.sender][log];
        if (size <= known.size) revert NotLarger(size, known.size);
        known.size = size;
        known.root = root;
        emit Recorded(msg.sender, log, size, root);
    }
}
