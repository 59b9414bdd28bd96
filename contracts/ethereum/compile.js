// Compiles Registry.sol and prints the artefact: node compile.js, with npm `solc` 0.8.37 in NODE_PATH.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const source = fs.readFileSync(path.join(__dirname, "Registry.sol"), "utf8");
const input = {
  language: "Solidity",
  sources: { "Registry.sol": { content: source } },
  settings: {
    evmVersion: "paris",
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: {
      "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers", "storageLayout"] },
    },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const faults = (output.errors || []).filter((one) => one.severity !== "info");
if (faults.length > 0) {
  console.error(faults.map((one) => one.formattedMessage).join("\n"));
  process.exit(1);
}
const registry = output.contracts["Registry.sol"].Registry;
const artefact = {
  abi: registry.abi,
  compiler: solc.version(),
  creation: registry.evm.bytecode.object,
  methods: registry.evm.methodIdentifiers,
  runtime: registry.evm.deployedBytecode.object,
  storage: registry.storageLayout.storage.map(({ label, slot }) => ({ label, slot })),
};
console.log(JSON.stringify(artefact, null, 2));
