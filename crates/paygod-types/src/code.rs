//! The registry of error codes: one row for each code that anything in the workspace can report.
//!
//! INVARIANT(codes-permanent): a code, once published, keeps its text and its meaning. Rows are
//! added, never renamed or reused. `contracts/errors.json` is generated from this table and a test
//! fails when the two differ; `PAYGOD_BLESS=1 cargo test -p paygod-types` writes it anew.
//!
//! To add a code, add a row to the group of its prefix in the table below (or a group at its end) and
//! write the published registry anew:
//! `NAME = "prefix.words", Class, "what happened", "what to do next";`
//!
//! It does not hold messages: those belong to the error that carries the code.

use core::fmt;

/// What kind of failure a code stands for; fixes its HTTP status, exit code and whether a retry helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The input is malformed; the same input fails again.
    Input,
    /// The input is larger than a limit allows.
    TooLarge,
    /// What the input names does not exist.
    NotFound,
    /// The input contradicts something already recorded.
    Conflict,
    /// The input is well-formed, but the rules or the state refuse it.
    Refused,
    /// The caller may not do this.
    Forbidden,
    /// A check found that something is not as it must be: the answer is no.
    Failed,
    /// Too much work at once; the same request can succeed later.
    Busy,
    /// The system cannot answer now; the same request can succeed later.
    Unavailable,
    /// The system failed and will not heal without an operator.
    System,
}

impl Class {
    /// Lower-case name of the class, as `contracts/errors.json` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::TooLarge => "too-large",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Forbidden => "forbidden",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::System => "system",
        }
    }

    /// HTTP status that answers a request which failed with such a code.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Input => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Refused | Self::Failed => 422,
            Self::Busy => 429,
            Self::System => 500,
            Self::Unavailable => 503,
        }
    }

    /// Exit code of the binary: 1 the answer is no, 2 the input is wrong, 3 the system failed.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Refused | Self::Forbidden => 1,
            Self::Input | Self::TooLarge | Self::NotFound | Self::Conflict => 2,
            Self::Busy | Self::Unavailable | Self::System => 3,
        }
    }

    /// Whether sending the same input again, later, can succeed.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable)
    }
}

/// One row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Registered {
    /// The permanent text, `prefix.words`.
    pub text: &'static str,
    /// The kind of failure.
    pub class: Class,
    /// What happened, in one line.
    pub title: &'static str,
    /// What the reader does next.
    pub remedy: &'static str,
}

/// A permanent error code, such as `money.precision`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(&'static Registered);

impl Code {
    /// The permanent text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.text
    }

    /// The code with this text, if it is registered.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        registry()
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
    }

    /// The kind of failure.
    #[must_use]
    pub const fn class(self) -> Class {
        self.0.class
    }

    /// What happened, in one line.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.0.title
    }

    /// What the reader does next.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.0.remedy
    }

    /// Whether sending the same input again, later, can succeed.
    #[must_use]
    pub const fn retryable(self) -> bool {
        self.class().retryable()
    }

    /// HTTP status that answers a request which failed with this code.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.class().http_status()
    }

    /// Exit code of the binary: 1 the answer is no, 2 the input is wrong, 3 the system failed.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        self.class().exit_code()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.as_str())
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal, $class:ident, $title:literal, $remedy:literal;)*) => {
        $(
            #[doc = concat!("`", $text, "`: ", $title, ".")]
            pub const $name: Code = Code(&Registered {
                text: $text,
                class: Class::$class,
                title: $title,
                remedy: $remedy,
            });
        )*

        /// Every code, in the order of the table.
        #[must_use]
        pub const fn registry() -> &'static [Code] {
            &[$($name),*]
        }
    };
}

codes! {
    // canonical: bytes that must be RFC 8785 JSON.
    CANONICAL_TOO_LARGE = "canonical.too-large", TooLarge, "the document is longer than its limit", "split or shorten the document";
    CANONICAL_TOO_DEEP = "canonical.too-deep", Input, "the document is nested deeper than its limit", "flatten the document";
    CANONICAL_SYNTAX = "canonical.syntax", Input, "the bytes are not a JSON document", "correct the JSON at the byte named";
    CANONICAL_ENCODING = "canonical.encoding", Input, "the text is not valid Unicode", "send UTF-8 without lone surrogates";
    CANONICAL_DUPLICATE_KEY = "canonical.duplicate-key", Input, "an object names a key twice", "keep one of the two members";
    CANONICAL_NUMBER = "canonical.number", Input, "a number cannot be carried exactly", "send integers within 2^53-1, and larger values as strings";
    CANONICAL_FORM = "canonical.form", Input, "the document is not in canonical form", "write it as RFC 8785 says";
    CANONICAL_SHAPE = "canonical.shape", Input, "the document has not the shape expected here", "compare it with the schema of the document";

    // money: amounts and currencies.
    MONEY_SYNTAX = "money.syntax", Input, "the amount is not a decimal number", "write digits with a point, such as `1250.00`";
    MONEY_PRECISION = "money.precision", Input, "the amount has not the digits of its currency", "write exactly as many decimals as the currency has";
    MONEY_OVERFLOW = "money.overflow", Input, "the amount does not fit in 128 bits", "split the amount";
    MONEY_CURRENCY_UNKNOWN = "money.currency-unknown", Input, "the currency is not an active ISO 4217 code with minor units", "use a current three-letter currency code";
    MONEY_CURRENCY_MISMATCH = "money.currency-mismatch", Input, "two amounts of different currencies meet", "use one currency, or two linked legs";

    // time, id, digest: the other plain values.
    TIME_SYNTAX = "time.syntax", Input, "the time is not in the form expected", "write it as `2026-11-22T09:40:05.123456789Z`";
    TIME_RANGE = "time.range", Input, "the time is outside 1970 to 2554", "use a time within the range";
    ID_SYNTAX = "id.syntax", Input, "the identifier holds a character that is not allowed", "use letters, digits and `._:/+-`, beginning with a letter or digit";
    ID_LENGTH = "id.length", Input, "the identifier is empty or too long", "use 1 to 64 characters";
    ID_RESERVED = "id.reserved", Input, "the identifier begins with a reserved prefix", "choose an identifier that does not begin with `paygod:`";
    DIGEST_SYNTAX = "digest.syntax", Input, "the digest is not 64 lower-case hexadecimal digits", "write the SHA-256 in lower-case hexadecimal";

    // cli: the command line itself.
    CLI_NO_BOOK = "cli.no-book", Input, "no book is named", "pass `--book DIR`, or set PAYGOD_BOOK";
    CLI_ARGUMENT = "cli.argument", Input, "an argument is not in the form expected", "see the command's `--help`";
    CLI_INPUT = "cli.input", Input, "a file cannot be read", "check the path and its permissions";
    CLI_FOLDER_IN_USE = "cli.folder-in-use", Input, "the folder is not empty", "name a folder that is empty or does not exist";
    CLI_CONFIRM = "cli.confirm", Input, "what was asked cannot be undone and was not confirmed", "repeat the command with `--yes`";
    CLI_OUTPUT = "cli.output", System, "the output cannot be written", "check the disk's space and the permissions";
    CLI_READER_GONE = "cli.reader-gone", Unavailable, "the reader of the output has gone", "nothing to do";

    // store: the files of a book.
    STORE_IO = "store.io", System, "the disk refused something", "check the disk and open the book again";
    STORE_DISK_FULL = "store.disk-full", Unavailable, "the disk is full", "free space on the disk and open the book again";
    STORE_READ_ONLY = "store.read-only", System, "the folder may not be written", "give this user write access to the folder";
    STORE_POISONED = "store.poisoned", Unavailable, "an earlier write failed and nothing more is written", "open the book again";
    STORE_LOCKED = "store.locked", Busy, "another process has the book open for writing", "stop the other process, or wait until it is done: paygod --wait SECONDS; commands that only read work beside it";
    STORE_NOT_A_BOOK = "store.not-a-book", NotFound, "the folder holds no book", "make one with `paygod init`";
    STORE_NOT_A_BACKUP = "store.not-a-backup", NotFound, "the folder holds no backup", "name a folder that `paygod backup` made and finished";
    STORE_OCCUPIED = "store.occupied", Conflict, "the folder holds files already", "name an empty or a new folder";
    STORE_VERSION = "store.version", System, "the book is in a format that this version cannot read", "use the version that wrote it, or restore a backup";
    STORE_CORRUPT = "store.corrupt", Failed, "the bytes on the disk are not what was written", "restore a backup";
    STORE_CHECKPOINT_MISMATCH = "store.checkpoint-mismatch", Failed, "the book disagrees with its last checkpoint", "restore a backup";
    STORE_DERIVED_CORRUPT = "store.derived-corrupt", System, "a file that can be rebuilt is damaged", "remove the file and open the book again";
    STORE_ORDER = "store.order", System, "something was written out of order", "open the book again";
    STORE_GROUP_TOO_LARGE = "store.group-too-large", TooLarge, "the group is larger than allowed", "commit smaller groups";
    STORE_ENTRY_TOO_LARGE = "store.entry-too-large", TooLarge, "the entry is longer than allowed", "shorten the request";
    STORE_NO_ENTRY = "store.no-entry", NotFound, "the book has no such entry", "name an entry that the book has";
    STORE_NO_BLOB = "store.no-blob", NotFound, "the book has no such blob", "store the pack or list again";
    STORE_BLOB_TOO_LARGE = "store.blob-too-large", TooLarge, "the blob is larger than allowed", "split the list";
    STORE_NO_CHECKPOINT = "store.no-checkpoint", Refused, "the book has no checkpoint yet", "publish a checkpoint first";
    STORE_BACKUP_NOT_WHOLE = "store.backup-not-whole", Failed, "the backup is not whole", "make the backup again";

    // vault: encrypted inputs.
    VAULT_NOT_FOUND = "vault.not-found", NotFound, "the vault holds no such input", "check the entry's reference";
    VAULT_ERASED = "vault.erased", Refused, "the input was erased", "only its commitment remains";
    VAULT_REFUSED = "vault.refused", Failed, "the stored input does not open", "check the key-encryption key, or restore a backup";
    VAULT_TOO_LARGE = "vault.too-large", TooLarge, "the input is longer than allowed", "shorten the request";
    VAULT_KEY = "vault.key", Unavailable, "the key-encryption key could not be used", "check the key's provider";
    VAULT_RANDOMNESS = "vault.randomness", Unavailable, "the operating system gave no randomness", "try again";

    // tlog: trees, tiles, notes, checkpoints and proofs.
    TLOG_HASH = "tlog.hash", Input, "the text is not a hash", "copy the whole hash again";
    TLOG_FRONTIER = "tlog.frontier", System, "the tree's right edge cannot be read or grown", "open the book from an earlier snapshot";
    TLOG_ENTRY_TOO_LONG = "tlog.entry-too-long", TooLarge, "the entry is longer than a bundle can carry", "split the request";
    TLOG_BUNDLE = "tlog.bundle", Failed, "the entry bundle is malformed", "export the log again";
    TLOG_TILE = "tlog.tile", Input, "there is no tile of that name", "take level, index and width from the tree's size";
    TLOG_KEY = "tlog.key", Input, "the key is malformed or not supported", "copy the verifier key again";
    TLOG_SIGNER = "tlog.signer", Unavailable, "the key's provider did not sign", "see that the provider is up and try again";
    TLOG_NOTE = "tlog.note", Input, "the signed note is malformed", "ask for the note again";
    TLOG_SIGNATURE = "tlog.signature", Failed, "a trusted key's signature does not hold", "take the note as forged until its origin is known";
    TLOG_UNTRUSTED = "tlog.untrusted", Failed, "no trusted key signed the note", "check which keys you trust";
    TLOG_CHECKPOINT = "tlog.checkpoint", Input, "the checkpoint is malformed", "ask for the checkpoint again";
    TLOG_ORIGIN = "tlog.origin", Failed, "the checkpoint is of another log", "check which log was asked";
    TLOG_PROOF_FORM = "tlog.proof-form", Input, "the proof is malformed", "ask for the proof again";
    TLOG_PROOF = "tlog.proof", Failed, "the proof does not lead to the signed root", "take the log or the proof as changed";
    TLOG_RANGE = "tlog.range", NotFound, "the leaf or size is past the tree", "ask for a leaf or size of the tree";
    TLOG_REQUEST = "tlog.request", Input, "the request to a witness is malformed", "write it as C2SP tlog-witness says";
    TLOG_POLICY = "tlog.policy", Input, "the trust policy is malformed", "correct it at the line named";
    TLOG_QUORUM = "tlog.quorum", Failed, "too few witnesses cosigned the checkpoint", "take it as signed only, or ask the witnesses again";
    TLOG_FUTURE = "tlog.future", Failed, "a cosignature says a time that is not yet", "compare the clocks; take it as forged until it is explained";
    TLOG_SOURCE = "tlog.source", System, "a tile could not be read", "rebuild the tiles from the entries";

    // ledger: the sequencer, its keys and its reads.
    LEDGER_POISONED = "ledger.poisoned", Unavailable, "the ledger stopped after a failed write; what was in flight has no outcome", "open the book again and send the same requests again";
    LEDGER_CLOSED = "ledger.closed", Unavailable, "the ledger is closing and takes no more requests", "open the book again";
    LEDGER_BUSY = "ledger.busy", Busy, "too many requests are in flight", "send the request again in a moment";
    LEDGER_REQUEST_TOO_LARGE = "ledger.request-too-large", TooLarge, "the request document is longer than its limit", "split the request";
    LEDGER_UNSIGNED = "ledger.unsigned", Unavailable, "too many entries wait for a signed checkpoint", "bring the signer back, then send the request again";
    LEDGER_CLOCK = "ledger.clock", Unavailable, "the clock of the machine is centuries ahead, and times of entries only rise", "set the clock right, then send the request again";
    LEDGER_KEY_FILE = "ledger.key-file", System, "a key file of the book cannot be used", "restore the key file; the ledger cannot go on without it";
    LEDGER_KEY_MISMATCH = "ledger.key-mismatch", System, "the signer holds another key than the one the ledger names", "give the key that the last rotation names";
    LEDGER_STATE_MISMATCH = "ledger.state-mismatch", Failed, "the state rebuilt from the entries is not the one that was sealed", "restore a backup";
    LEDGER_NO_REQUEST = "ledger.no-request", NotFound, "no entry was sealed under this request id", "check the id; an unanswered request may be sent again";
    LEDGER_NO_ACCOUNT = "ledger.no-account", NotFound, "the book has no such account", "open the account, or check its id";
    LEDGER_NOT_JUDGED = "ledger.not-judged", Refused, "the entry was not judged by packs", "explain a transfer or a correction";
    LEDGER_NOT_SIGNED_YET = "ledger.not-signed-yet", Unavailable, "no signed checkpoint covers the entry yet", "try again in a second";
    LEDGER_PACK_FOLDER = "ledger.pack-folder", Input, "the pack folder cannot be read", "name a folder that holds `pack.yaml` and `tests/cases.yaml`";
    LEDGER_NO_LIST = "ledger.no-list", NotFound, "the list was not imported into this book", "import it with `paygod list import`";
    LEDGER_LIST_TAKEN = "ledger.list-taken", Input, "the book holds another list of this name and version", "give the list a version of its own";
    LEDGER_LIST_VERSIONS = "ledger.list-versions", Input, "the book holds several versions of the list", "say which with `--list <name>=<version>`";
    LEDGER_OVERFLOW = "ledger.overflow", Refused, "sums would pass 128 bits", "split the amount";
    LEDGER_INVARIANT = "ledger.invariant", System, "the engine made an entry that does not follow from the state", "stop writing and report it";

    // ingest, xml, iso20022, payment: files of payments, lists and commands that arrive from outside.
    INGEST_LIMIT = "ingest.limit", TooLarge, "a file or a part of it is larger than what is read", "split the file";
    INGEST_LINE = "ingest.line", Input, "a line of the file is not what the format says", "correct the line named";
    INGEST_LIST = "ingest.list", Input, "the sanctions list is not in the published format", "fetch the list again from its publisher";
    XML_ENCODING = "xml.encoding", Input, "the file is not UTF-8 text that XML allows", "write the file as UTF-8 and declare it so";
    XML_MALFORMED = "xml.malformed", Input, "the file is not well-formed XML", "ask the sender for the file again";
    XML_TRUNCATED = "xml.truncated", Input, "the file ends before its last element", "ask the sender for the whole file";
    XML_DOCTYPE = "xml.doctype", Input, "the file carries a DOCTYPE", "remove the DOCTYPE";
    XML_ENTITY = "xml.entity", Input, "the file declares or uses XML entities", "write the text itself";
    XML_EXTERNAL_ENTITY = "xml.external-entity", Input, "the file points to something outside it", "remove the DOCTYPE";
    ISO20022_NAMESPACE = "iso20022.namespace", Input, "the message is none of those read here", "send pain.001.001.03 or .09, or pacs.008.001.08 or .10";
    ISO20022_STRUCTURE = "iso20022.structure", Input, "an element is missing, repeated or out of place", "check the file against the message's schema";
    ISO20022_VALUE = "iso20022.value", Input, "a value is outside its type", "correct the value named";
    ISO20022_COUNT = "iso20022.count", Input, "the file holds another number of payments than it declares", "ask the sender for the complete file, or take it by its control sum with `--accept-wrong-count`";
    ISO20022_CONTROL_SUM = "iso20022.control-sum", Input, "the payments add up to another sum than the file declares", "ask the sender for a corrected file";
    PAYMENT_IBAN = "payment.iban", Input, "the IBAN cannot exist", "ask the payee for the IBAN again";
    PAYMENT_BIC = "payment.bic", Input, "the BIC has not the shape of one", "ask the payee for the BIC again";
    PAYMENT_ACCOUNT = "payment.account", Input, "a side of the payment has no usable account", "give an IBAN, or an id with its scheme";
    PAYMENT_AMOUNT = "payment.amount", Input, "the payment moves nothing", "leave the payment out";
    PAYMENT_REFERENCE = "payment.reference", Input, "the structured reference does not hold or does not fit the account", "copy the reference from the bill again";
    PAYMENT_ID = "payment.id", Input, "several payments of the batch have the same id", "give each payment an id of its own";
    PAYMENT_METHOD = "payment.method", Input, "the payment is not a credit transfer", "send it as a credit transfer";
    PAYMENT_NOT_DUE = "payment.not-due", Input, "the day on which the payment is to be executed is still to come", "submit it on that day, or let the money move now with `--execute-early`";
    PAYMENT_UNROUTED = "payment.unrouted", NotFound, "no account of the book stands for this side of the payment", "open the account, or name a clearing account for the currency";

    // request: documents that clients send.
    REQUEST_UNKNOWN_KEY = "request.unknown-key", Input, "the request has a key that requests do not have", "remove the key, or correct its spelling";
    REQUEST_MISSING_KEY = "request.missing-key", Input, "the request lacks a key that it needs", "add the key";
    REQUEST_COMMANDS = "request.commands", Input, "the request has not exactly one command", "send one request for each command";
    REQUEST_VALUE = "request.value", Input, "a value of the request is not what its key needs", "correct the value";
    REQUEST_TRANSFER_COUNT = "request.transfer-count", Input, "the request has no transfers, or too many", "split the request";
    REQUEST_NOT_POSITIVE = "request.not-positive", Input, "an amount to move is zero or below", "swap debit and credit to move money back";
    REQUEST_SAME_ACCOUNT = "request.same-account", Input, "a transfer debits and credits one account", "name two accounts";
    REQUEST_MIXED_PENDING = "request.mixed-pending", Input, "linked transfers differ in their terms", "make the terms alike, or split the request";
    REQUEST_TIMEOUT = "request.timeout", Input, "the timeout is out of range", "choose a timeout within the range";
    REQUEST_ANONYMOUS = "request.anonymous", Input, "the command needs to know who asks", "add `by`";
    REQUEST_SET_ORDER = "request.set-order", Input, "packs or lists are not in order of their names", "sort them, each name once";
    REQUEST_LIMITS = "request.limits", Input, "an empty account would break the limits asked for", "let the limits include zero";
    REQUEST_ALIASES = "request.aliases", Input, "the aliases are out of order, repeated or too many", "sort or shorten them";
    REQUEST_TOO_LARGE = "request.too-large", TooLarge, "the request is longer than allowed", "split the request";
    REQUEST_CONFLICT = "request.conflict", Conflict, "the id stands for another request already", "if it is the same request it is sealed already; choose a new id for another request only";
    REQUEST_ERASED = "request.erased", Conflict, "the id was used, and what it stood for has been erased", "if it is the same request it is sealed already; choose a new id for another request only";
    REQUEST_UNKNOWN = "request.unknown", NotFound, "no entry of the ledger has that request id", "correct the id";
    REQUEST_KIND = "request.kind", Refused, "the request named is not of a kind that can be named here", "name another request";
    REQUEST_NOT_COMMITTED = "request.not-committed", System, "a request with details of people was not stored in the vault first", "report this as a fault";

    // account, freeze, pending, approval, policy, key, entry, book, ledger, history: the state machine.
    ACCOUNT_UNKNOWN = "account.unknown", NotFound, "there is no such account", "open the account first, or correct its id";
    ACCOUNT_EXISTS = "account.exists", Conflict, "the account was opened before", "choose another id";
    ACCOUNT_CLOSED = "account.closed", Refused, "the account is closed", "use another account";
    ACCOUNT_NOT_SETTLED = "account.not-settled", Refused, "the account holds money or reservations", "empty it before closing";
    ACCOUNT_LIMIT = "account.limit", Refused, "the account holds or reserves what the new limits forbid", "bring it within them first, or set other limits";
    ACCOUNT_ALIAS_TAKEN = "account.alias-taken", Conflict, "another account has the alias", "leave the alias out";
    ACCOUNT_CURRENCY = "account.currency", Input, "the account is in another currency", "use two linked transfers to change currency";
    FREEZE_HELD = "freeze.held", Refused, "the book, the currency or the account is frozen", "try again after it is unfrozen";
    FREEZE_ALREADY = "freeze.already", Conflict, "it is frozen, or free, already", "nothing is to be done";
    PENDING_UNKNOWN = "pending.unknown", NotFound, "no reservation of that request waits", "it was never made, or was posted, voided or expired";
    PENDING_UNDER_REVIEW = "pending.under-review", Refused, "the reservation waits for approvals", "approve or reject it";
    PENDING_NOT_UNDER_REVIEW = "pending.not-under-review", Refused, "the reservation does not wait for approvals", "post or void it";
    PENDING_AMOUNT = "pending.amount", Input, "the amounts do not fit the reservation", "give one amount a transfer, above zero and within it";
    PENDING_OVERDUE = "pending.overdue", Unavailable, "a reservation must expire before anything else is sealed", "send the request again";
    APPROVAL_OWN_REQUEST = "approval.own-request", Forbidden, "the requester cannot approve", "let somebody else approve";
    APPROVAL_REPEATED = "approval.repeated", Forbidden, "the approver has approved already", "let somebody else approve";
    POLICY_CHANGED = "policy.changed", Unavailable, "the active policy changed while the request was prepared", "send the request again";
    POLICY_DUPLICATE = "policy.duplicate", Input, "a pack or list stands twice in one policy", "name one version of each";
    POLICY_LIST_MISSING = "policy.list-missing", Input, "a pack reads a list that the policy lacks", "activate the list together with the pack";
    POLICY_DOCUMENT = "policy.document", Input, "the document to judge is not JSON", "send a JSON object";
    KEY_REVOCATION = "key.revocation", Refused, "the key revocation does not hold", "gather the signatures of enough root keys";
    KEY_ROTATION = "key.rotation", Refused, "the key rotation does not hold", "sign it again with the old and the new key";
    ENTRY_TOO_LARGE = "entry.too-large", TooLarge, "the entry would be longer than allowed", "split the request";
    ENTRY_FORM = "entry.form", Failed, "the bytes are not an entry", "take the log as damaged and compare it with a backup";
    BOOK_NOT_READY = "book.not-ready", Refused, "the book has no genesis yet, or has one already", "create or open the book";
    BOOK_EXHAUSTED = "book.exhausted", System, "the book is at the end of time or of its sequence", "begin another book";
    HISTORY_UNREADABLE = "history.unreadable", Unavailable, "sealed history could not be read", "send the request again";
    SNAPSHOT_FORM = "snapshot.form", Failed, "the bytes are not a snapshot of a state", "open the book from an earlier snapshot or from its entries";

    // fold: entries that do not follow from those before.
    FOLD_SEQUENCE = "fold.sequence", Failed, "entries do not follow each other without a gap", "take the log as changed";
    FOLD_TIME = "fold.time", Failed, "time does not strictly increase", "take the log as changed";
    FOLD_GENESIS = "fold.genesis", Failed, "the log does not begin with one sound genesis", "take the log as changed";
    FOLD_OVERDUE = "fold.overdue", Failed, "something was sealed while a reservation was overdue", "take the log as changed";
    FOLD_HEADER = "fold.header", Failed, "id, `by` or `request` are not those of the action", "take the log as changed";
    FOLD_ACCOUNT = "fold.account", Failed, "an account is not as the entry needs it", "take the log as changed";
    FOLD_FREEZE = "fold.freeze", Failed, "money moved that was frozen, or a freeze was repeated", "take the log as changed";
    FOLD_CURRENCY = "fold.currency", Failed, "a posting is in another currency than its account", "take the log as changed";
    FOLD_CONSERVATION = "fold.conservation", Failed, "debits and credits do not balance", "take the log as changed";
    FOLD_OVERFLOW = "fold.overflow", Failed, "sums pass 128 bits", "take the log as changed";
    FOLD_LIMIT = "fold.limit", Failed, "an account passes its limits", "take the log as changed";
    FOLD_VERDICT = "fold.verdict", Failed, "effects are not those that the verdict allows", "take the log as changed";
    FOLD_POLICY = "fold.policy", Failed, "the decision does not name the policy in force", "take the log as changed";
    FOLD_PACKS = "fold.packs", Failed, "money moved without every active pack having let it", "take the log as changed";
    FOLD_PENDING = "fold.pending", Failed, "no such reservation waits", "take the log as changed";
    FOLD_RESERVATION = "fold.reservation", Failed, "a post goes beyond its reservation", "take the log as changed";
    FOLD_APPROVAL = "fold.approval", Failed, "an approval is not legitimate", "take the log as changed";
    FOLD_TIMEOUT = "fold.timeout", Failed, "a timeout is not kept", "take the log as changed";
    FOLD_REFERENCE = "fold.reference", Failed, "a reference does not point back", "take the log as changed";
    FOLD_KEY = "fold.key", Failed, "a key rotation is not signed by the key in force and the new one", "take the log as changed";
    FOLD_REVOCATION = "fold.revocation", Failed, "a key revocation is not signed by enough root keys", "take the log as changed";
    FOLD_ANCHOR = "fold.anchor", Failed, "an anchor receipt is of no checkpoint before it", "take the log as changed";
    FOLD_TRUST = "fold.trust", Failed, "a pack is not vouched for or reviewed as the book asks", "take the log as changed";
    FOLD_SNAPSHOT = "fold.snapshot", Failed, "a snapshot entry speaks of a state that never was", "take the log as changed";

    // pack, list, policy: what judges.
    PACK_PROBLEMS = "pack.problems", Input, "the pack is wrong", "correct what each message names, at its file and line";
    PACK_ARCHIVE = "pack.archive", Input, "the bytes are not a pack's canonical archive", "build the archive again from the pack's files";
    PACK_SUBJECT = "pack.subject", Input, "the pack judges documents, and a book judges transfers", "use it with `paygod run`";
    PACK_LEVEL = "pack.level", Refused, "the pack is not vouched for as the book asks", "have it signed by a publisher of that level: `paygod pack sign`";
    PACK_STAGE = "pack.stage", Refused, "the pack's review has not come that far", "take the steps before it: `paygod pack stage`";
    PACK_OWN_REVIEW = "pack.own-review", Forbidden, "whoever handed the pack in cannot review it", "let somebody else review it";
    PACK_PUBLISHER_KEY = "pack.publisher-key", Input, "the publisher's key is not one", "use the `.pub` file that the publisher handed out";
    PACK_REPORT = "pack.report", Input, "the file is not a report of a replay", "use the file that `paygod pack replay --out` wrote";
    PACK_REPLAY = "pack.replay", Failed, "a decision comes out different from what was sealed", "show the entry to an auditor";
    PACK_SIGNATURE = "pack.signature", Failed, "the publisher has not signed this", "ask the publisher for the file and its signature";
    PACK_SIGNATURE_FORM = "pack.signature-form", Input, "the bytes are not a signed note", "use the `.sig` file that `paygod pack sign` wrote";
    PACK_CASES = "pack.cases", Input, "the pack's cases cannot be read", "correct `tests/cases.yaml` at the line named";
    LIST_NOT_CANONICAL = "list.not-canonical", Input, "the bytes are not a canonical list", "import the list again from its source";
    LIST_TOO_LARGE = "list.too-large", TooLarge, "the list passes its limits", "split the list";
    LIST_ENTRY = "list.entry", Input, "an entry cannot stand in a list", "correct or leave out the entry named";

    // keys: ceremonies, key files and the providers that hold keys.
    KEYS_DOCUMENT = "keys.document", Input, "the file is not the document that this step of the ceremony needs", "use the file that the step before made";
    KEYS_REFUSED = "keys.refused", Refused, "the keys of the document do not hold together", "begin the step before anew";
    KEYS_SIGNATURES = "keys.signatures", Failed, "signatures are missing or do not hold", "gather what is missing";
    KEYS_FILE = "keys.file", Input, "a key file cannot be used", "check the path and the file's permissions";
    KEYS_PASSPHRASE = "keys.passphrase", Input, "the passphrase is missing, too short or wrong", "set PAYGOD_PASSPHRASE_FILE, or type it on a terminal";
    KEYS_PROVIDER = "keys.provider", Unavailable, "the provider of keys does not answer", "see that it is up; what waits for it goes on by itself";
    KEYS_PROVIDER_FAULT = "keys.provider-fault", System, "the provider of keys refused or answered wrongly", "check its configuration and its log";
    KEYS_PIN = "keys.pin", System, "the PIN of a hardware module is refused or cannot be read", "correct the file that holds it; a PIN that was refused is not tried again";
    KEYS_TOKEN = "keys.token", System, "the token or credentials of a key service are refused or cannot be read", "renew them, or extend their policy; they are read again";
    KEYS_CONFIG = "keys.config", Input, "the address of the keys is not one", "correct it as the message says";
    KEYS_NO_TURN = "keys.no-turn", Unavailable, "the log moves faster than its keys sign", "try again when it is calmer";
    KEYS_PRODUCTION = "keys.production", Refused, "the book is not fit for production", "make a book with root keys, and with keys in hardware or a key service";
    KEYS_NOT_A_HOLDER = "keys.not-a-holder", Refused, "the document does not name the key", "use the key that the document names";

    // anchor: timestamps, calendars and block headers.
    ANCHOR_FORMAT = "anchor.format", Input, "the bytes are no timestamp that can be used", "get the file or the answer again from where it was made";
    ANCHOR_TOO_LARGE = "anchor.too-large", TooLarge, "a timestamp passes its limits", "get the file or the answer again from where it was made";
    ANCHOR_CALENDAR = "anchor.calendar", Unavailable, "a calendar does not answer as one should", "see that it is up; what waits for it goes on by itself";
    ANCHOR_NOT_ALLOWED = "anchor.not-allowed", Input, "the address is not of a calendar that may be asked", "name a calendar of the list, by https";
    ANCHOR_HEADERS = "anchor.headers", Input, "the file of block headers cannot be used", "make it again from a node of your own";
    ANCHOR_CHAIN = "anchor.chain", Failed, "the block headers are not a chain with proof of work", "take the headers as forged, and get others from a node of your own";
    ANCHOR_PROOF = "anchor.proof", Failed, "an anchor does not prove what it should", "take the anchor as forged or of another log";
    ANCHOR_FOLDER = "anchor.folder", System, "the book's folder of anchors cannot be used", "check the disk and the permissions";
    ANCHOR_NODE = "anchor.node", Unavailable, "the operator's own node of a chain does not answer as one should", "see that it is up and in step; what waits for it goes on by itself";
    ANCHOR_FUNDS = "anchor.funds", Unavailable, "the key that pays for anchors has too little money", "send some to the address that `paygod anchor key show` prints";
    ANCHOR_KEY = "anchor.key", Unavailable, "the key that pays for anchors cannot be used", "see that its keeper is there and holds a key on secp256k1";

    // witness: being one, and asking them.
    WITNESS_STATE = "witness.state", System, "what the witness remembers cannot be read or written", "check the disk; never let a witness begin anew, restore its folder";
    WITNESS_LISTEN = "witness.listen", System, "the witness cannot listen where it should", "free the address, or pass another with `--listen`";
    WITNESS_LOG = "witness.log", Input, "the log or its key cannot be added, removed or asked about", "check origin, key and address";
    WITNESS_REFUSED = "witness.refused", Refused, "a witness does not know the log or its key", "have its operator add the key";
    WITNESS_UNAVAILABLE = "witness.unavailable", Unavailable, "a witness does not answer", "nothing to do while a quorum answers; it is asked again by itself";
    WITNESS_FORK = "witness.fork", Failed, "a witness has cosigned another history of the log", "stop the book and find out which history is true";
    WITNESS_QUORUM = "witness.quorum", Failed, "too few witnesses cosigned", "see why each did not, and ask again";

    // monitor: following a book from outside.
    MONITOR_FETCH = "monitor.fetch", Unavailable, "an export on a web server cannot be fetched", "see that the server is up and serves the whole folder; the next visit goes on from here";
    MONITOR_BUSY = "monitor.busy", Busy, "another visit of the same book is being made", "wait for its end, or give each monitor a state folder of its own";
    MONITOR_WEBHOOK = "monitor.webhook", System, "an alarm did not reach its webhook", "look at the book yourself now, then see what the webhook's server answers";

    // verify: what an auditor's check of an export finds.
    VERIFY_SOURCE = "verify.source", System, "a file of the export cannot be read", "check the disk and the permissions";
    VERIFY_SCRATCH = "verify.scratch", System, "the temporary folder refused", "free space there or name another folder";
    VERIFY_KEPT_FORM = "verify.kept-form", Input, "what the auditor kept cannot be read", "check the file";
    VERIFY_MISSING = "verify.missing", Failed, "a file that the log must have is not there", "ask for the whole export";
    VERIFY_BUNDLE = "verify.bundle", Failed, "an entry bundle is malformed", "take the export as damaged or changed";
    VERIFY_ENTRY = "verify.entry", Failed, "an entry is not the canonical bytes of an entry", "take the export as changed";
    VERIFY_GENESIS = "verify.genesis", Failed, "the first entry is not the one whose fingerprint was given", "take it as another book";
    VERIFY_TILE = "verify.tile", Failed, "a tile does not hold the hashes of what is below it", "take the export as changed";
    VERIFY_CHECKPOINT = "verify.checkpoint", Failed, "a checkpoint is malformed", "take the export as damaged or changed";
    VERIFY_ORDER = "verify.order", Failed, "published checkpoints do not only grow", "take the log as rolled back";
    VERIFY_FORK = "verify.fork", Failed, "there are two checkpoints of one size", "take the log as forked; both notes are the evidence";
    VERIFY_SIGNATURE = "verify.signature", Failed, "a checkpoint is not signed by the key in force", "take the checkpoint as forged";
    VERIFY_HYBRID = "verify.hybrid", Failed, "a checkpoint lacks the ML-DSA-44 cosignature that genesis or the auditor demands, or has a wrong one", "take the checkpoint as forged";
    VERIFY_REVOKED = "verify.revoked", Failed, "a checkpoint is signed by a key that was revoked before", "take the checkpoint as the thief's";
    VERIFY_WITNESS = "verify.witness", Failed, "the log's newest witnessed checkpoint is missing or has no quorum", "ask for it; until then take the log as signed only";
    VERIFY_ROOT = "verify.root", Failed, "the entries are not those that a checkpoint signed", "take the export as changed before that checkpoint";
    VERIFY_KEPT = "verify.kept", Failed, "the log is not the one that the auditor kept something of", "take history as rewritten";
    VERIFY_DUPLICATE_ID = "verify.duplicate-id", Failed, "an id is used twice", "take the later entry as forged or replayed";
    VERIFY_BLOB = "verify.blob", Failed, "a pack or list is not the one that was activated", "take the pack or list as swapped";
    VERIFY_RULESET = "verify.ruleset", Failed, "packs and lists were activated that cannot judge together", "take the activation as forged";
    VERIFY_RULE = "verify.rule", Failed, "a decision names a rule that no active pack has, or that says something else", "take the decision as forged";
    VERIFY_ANCHOR = "verify.anchor", Failed, "an anchor is not of this log, or proves nothing", "take history up to that checkpoint as rewritten, or the anchor as forged";
    VERIFY_ANCHOR_LATE = "verify.anchor-late", Failed, "entries were anchored later than the auditor allows, or not at all", "take their times as unproven: history before may have been rewritten";
    VERIFY_SNAPSHOT = "verify.snapshot", Failed, "a snapshot entry does not tell the state as rebuilt", "take the entry or those before it as changed";
}
