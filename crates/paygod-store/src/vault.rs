//! The vault: the inputs that may not enter an entry, each encrypted under a data key of its own.
//!
//! Order: an input is flushed here *before* the group whose entry refers to it is committed, so an
//! entry never refers to an input that a crash has lost. An input whose entry was lost stays behind,
//! encrypted and unreferenced.
//!
//! Record: `length u32 | data key wrapped by the key-encryption key, 40 | AES-256-GCM ciphertext with
//! its tag | 0xff`. A data key encrypts one message only, so the nonce is fixed. The last byte is not
//! zero, so that the end of the records in a prefilled file is where its last byte that is not zero is.
//!
//! Erasing overwrites the wrapped key in place and flushes: without its data key the ciphertext is
//! noise. Copies made earlier (backups) must be erased too.
//!
//! It does not judge who may read or erase, and it does not know requests from each other.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use hmac::{Hmac, Mac as _};
use paygod_types::Digest;
use paygod_types::limits::REQUEST_BYTES_MAX;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::append::Appender;
use crate::disk::{Access, Dir, OpenFile};
use crate::error::{Action, IoFault, VaultError};
use crate::handles::Handles;
use crate::kek::{DATA_KEY_BYTES, Kek, WRAPPED_KEY_BYTES};
use crate::prefill::{NEXT_NAME, Prefiller};
use crate::recover::last_nonzero;
use crate::width::{to_u64, to_usize};

/// Where the vault keeps an input: the number of the file and the offset of the record in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultRef(u64);

impl VaultRef {
    /// The reference that a record of a segment holds; zero is none.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        if value == 0 { None } else { Some(Self(value)) }
    }

    /// The number that stands for it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn at(number: u64, offset: u64) -> Self {
        Self((number << 32) | offset)
    }

    const fn place(self) -> (u64, u64) {
        (self.0 >> 32, self.0 & 0xffff_ffff)
    }

    /// The number of its file.
    pub(crate) const fn file(self) -> u64 {
        self.place().0
    }
}

/// A reference has 32 bits for the number of its file.
pub(crate) const FILE_NUMBER_MAX: u64 = (1 << 32) - 1;

/// Length of a full vault file, in bytes.
pub(crate) const FILE_BYTES: u64 = 64 << 20;

/// Records begin here: no reference is zero, and what a file is stands at its beginning.
pub(crate) const HEAD_BYTES: u64 = 16;

const MAGIC: [u8; 8] = *b"PGVAULT\x01";

const LENGTH_BYTES: usize = 4;
const TAG_BYTES: usize = 16;
const KEY_AT: u64 = 4;
const BODY_AT: usize = LENGTH_BYTES + WRAPPED_KEY_BYTES;
const END_MARK: u8 = 0xff;

/// Longest input, in bytes.
pub const INPUT_BYTES_MAX: usize = REQUEST_BYTES_MAX;

/// Most inputs that one flush makes durable, in bytes of records.
const BATCH_BYTES_MAX: u64 = FILE_BYTES / 4;

/// Says what the ciphertexts are, so that they can't pass for anything else under the same key.
const ASSOCIATED_DATA: &[u8] = b"paygod/vault/input/v1";

/// Separates the key of the commitment from the data key itself.
const COMMITMENT_DOMAIN: &[u8] = b"paygod/vault/commitment/v1";

/// The key of one input.
pub struct DataKey(Zeroizing<[u8; DATA_KEY_BYTES]>);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(secret)")
    }
}

impl DataKey {
    /// Draws keys for `count` inputs at once: one call to the operating system.
    ///
    /// # Errors
    /// The operating system gave no randomness.
    pub fn draw(count: usize) -> Result<Vec<Self>, VaultError> {
        let mut bytes = Zeroizing::new(vec![0_u8; count.saturating_mul(DATA_KEY_BYTES)]);
        getrandom::fill(&mut bytes).map_err(|_| VaultError::Randomness)?;
        let (keys, _) = bytes.as_chunks::<DATA_KEY_BYTES>();
        Ok(keys.iter().map(|key| Self(Zeroizing::new(*key))).collect())
    }

    /// The keyed commitment to a request: HMAC-SHA-256 under a key made from the data key. Without the
    /// data key it says nothing about the request.
    #[must_use]
    pub fn commitment(&self, request: &[u8]) -> Digest {
        Digest::from_bytes(keyed(self.commitment_key().as_slice(), request))
    }

    /// The key that [`DataKey::commitment`] uses. It goes when the data key is erased.
    #[must_use]
    pub fn commitment_key(&self) -> Zeroizing<[u8; DATA_KEY_BYTES]> {
        Zeroizing::new(keyed(self.0.as_slice(), COMMITMENT_DOMAIN))
    }
}

fn keyed(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// A data key that was just drawn, and what the vault keeps of it.
#[derive(Debug)]
pub struct FreshKey {
    key: DataKey,
    wrapped: [u8; WRAPPED_KEY_BYTES],
}

impl FreshKey {
    /// The data key.
    #[must_use]
    pub const fn key(&self) -> &DataKey {
        &self.key
    }
}

/// An input, encrypted and not yet stored.
#[derive(Clone, Debug)]
pub struct SealedInput {
    record: Vec<u8>,
}

impl SealedInput {
    /// The record as it goes to the disk.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.record
    }
}

/// The memory of an encrypted input that is done with, for the next one.
#[derive(Debug, Default)]
pub struct InputMemory(Vec<u8>);

impl InputMemory {
    /// Bytes of memory held.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl From<SealedInput> for InputMemory {
    fn from(input: SealedInput) -> Self {
        Self(input.record)
    }
}

/// An input read back.
pub struct OpenedInput {
    /// The input's bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Its data key, to check the entry's commitment with.
    pub key: DataKey,
}

impl fmt::Debug for OpenedInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedInput(secret)")
    }
}

#[derive(Debug)]
pub(crate) struct Files {
    dir: Dir,
    write: bool,
    prefill: bool,
    handles: Handles,
    pub(crate) tail: Mutex<Tail>,
    pub(crate) poisoned: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) number: u64,
    pub(crate) end: u64,
    /// The last file, once something was written to it.
    file: Option<Appender>,
    prefiller: Prefiller,
    batch: Vec<u8>,
}

/// The vault of an open book. Cheap to clone; any thread may use it.
#[derive(Clone, Debug)]
pub struct Vault {
    files: Arc<Files>,
    kek: Arc<dyn Kek>,
}

impl Vault {
    pub(crate) fn open(
        dir: Dir,
        kek: Arc<dyn Kek>,
        write: bool,
        prefill: bool,
    ) -> Result<Self, IoFault> {
        let mut last = files_of(&dir)?.pop();
        if let Some(last) = &mut last
            && last.unnamed.is_some()
            && write
        {
            // The power failed before its name was durable.
            last.unnamed = None;
            dir.rename(NEXT_NAME, &file_name(last.number))?;
            dir.sync()?;
        }
        let mut tail = Tail {
            number: 0,
            end: 0,
            file: None,
            prefiller: Prefiller::default(),
            batch: Vec::new(),
        };
        let mut unnamed = None;
        match last {
            Some(last) if write => {
                let file = dir.open(&file_name(last.number), Access::Read)?;
                tail.number = last.number;
                tail.end = last_nonzero(&file, HEAD_BYTES, file.len()?)?;
            }
            Some(last) => unnamed = last.unnamed.map(|file| (last.number, file)),
            None => {}
        }
        let access = if write { Access::Write } else { Access::Read };
        let poisoned = AtomicBool::new(false);
        let files = Files {
            handles: Handles::new(dir.clone(), access, file_name, unnamed),
            dir,
            write,
            prefill,
            tail: Mutex::new(tail),
            poisoned,
        };
        Ok(Self {
            files: Arc::new(files),
            kek,
        })
    }

    /// Draws keys for `count` inputs and wraps them: one call to the operating system, and one to the
    /// key-encryption key, whatever the count.
    ///
    /// # Errors
    /// The operating system gave no randomness, or the key-encryption key cannot be used.
    pub fn fresh_keys(&self, count: usize) -> Result<Vec<FreshKey>, VaultError> {
        let keys = DataKey::draw(count)?;
        let plain: Vec<&[u8; DATA_KEY_BYTES]> = keys.iter().map(|key| &*key.0).collect();
        let wrapped = self.kek.wrap_all(&plain)?;
        if wrapped.len() != keys.len() {
            let what = "it did not wrap every data key".to_owned();
            return Err(VaultError::Kek { what });
        }
        Ok(keys
            .into_iter()
            .zip(wrapped)
            .map(|(key, wrapped)| FreshKey { key, wrapped })
            .collect())
    }

    /// Encrypts an input under its data key. Pure work: do it on any thread, before [`Vault::store`].
    ///
    /// # Errors
    /// The input is too long, or the key-encryption key cannot be used.
    pub fn seal(&self, key: &DataKey, input: &[u8]) -> Result<SealedInput, VaultError> {
        let wrapped = self.kek.wrap(&key.0)?;
        encrypt(key, &wrapped, input, InputMemory::default())
    }

    /// As [`Vault::seal`], under a key that was wrapped already, in the memory of one that is done with.
    ///
    /// # Errors
    /// The input is too long.
    pub fn seal_fresh(
        &self,
        key: &FreshKey,
        input: &[u8],
        memory: InputMemory,
    ) -> Result<SealedInput, VaultError> {
        encrypt(&key.key, &key.wrapped, input, memory)
    }

    /// Stores inputs with one flush; when it returns they are durable. The references
    /// are in the order of the inputs.
    ///
    /// # Errors
    /// The disk refused: nothing may be assumed of these inputs, and the vault is poisoned until the
    /// book is reopened.
    pub fn store(&self, inputs: &[SealedInput]) -> Result<Vec<VaultRef>, VaultError> {
        let mut references = Vec::with_capacity(inputs.len());
        let mut tail = self
            .files
            .tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut rest = inputs;
        while !rest.is_empty() {
            if self.files.poisoned.load(Ordering::Acquire) {
                return Err(VaultError::Poisoned);
            }
            let mut bytes = 0_u64;
            let fits = rest.iter().take_while(|input| {
                bytes = bytes.saturating_add(to_u64(input.record.len()));
                bytes <= BATCH_BYTES_MAX
            });
            let count = fits.count().max(1);
            let (batch, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            self.files
                .append(&mut tail, batch, &mut references)
                .inspect_err(|_| self.files.poisoned.store(true, Ordering::Release))?;
            rest = later;
        }
        Ok(references)
    }

    /// Reads an input.
    ///
    /// # Errors
    /// There is none, it was erased, or it does not open under the book's key.
    pub fn load(&self, reference: VaultRef) -> Result<OpenedInput, VaultError> {
        let (file, wrapped, length) = self.find(reference)?;
        let refused = |what| VaultError::Refused {
            reference: reference.get(),
            what,
        };
        let Some(key) = self.kek.unwrap(&wrapped)? else {
            return Err(refused("its data key was not wrapped by this key"));
        };
        let (_, offset) = reference.place();
        let mut bytes = Zeroizing::new(vec![0_u8; length]);
        file.read_exact_at(&mut bytes, offset.saturating_add(to_u64(BODY_AT)))?;
        let Some((body, tag)) = bytes.split_last_chunk_mut::<TAG_BYTES>() else {
            return Err(refused("its record is too short"));
        };
        let cipher = Aes256Gcm::new(key.as_slice().try_into().map_err(|_| refused("its key"))?);
        cipher
            .decrypt_inout_detached(
                &Nonce::default(),
                ASSOCIATED_DATA,
                body.into(),
                (&*tag).into(),
            )
            .map_err(|_| refused("its bytes were altered"))?;
        bytes.truncate(length.saturating_sub(TAG_BYTES));
        Ok(OpenedInput {
            bytes,
            key: DataKey(key),
        })
    }

    /// Erases an input: its data key is overwritten and the overwriting is durable when this returns.
    /// Erasing twice is no error, and neither is erasing what is not there any more: nothing can open it then, and
    /// an order to erase, once sealed, must not be what a book cannot be opened for.
    ///
    /// # Errors
    /// The disk refused; then the vault is poisoned until the book is
    /// reopened, and the erasing must be repeated.
    pub fn erase(&self, reference: VaultRef) -> Result<(), VaultError> {
        let Some((file, _)) = self.head(reference)? else {
            return Ok(());
        };
        let mut tail = self
            .files
            .tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.files.poisoned.load(Ordering::Acquire) {
            return Err(VaultError::Poisoned);
        }
        // Its page must not be written again as it was.
        if let Some(last) = &mut tail.file {
            last.forget();
        }
        let (_, offset) = reference.place();
        // Written and flushed even where zeros are seen: after a failed flush the disk may still hold the key.
        file.write_at(&[0; WRAPPED_KEY_BYTES], offset.saturating_add(KEY_AT))
            .and_then(|()| file.sync())
            .inspect_err(|_| self.files.poisoned.store(true, Ordering::Release))?;
        Ok(())
    }

    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// Whether a record stands there, whole, erased or not.
    pub(crate) fn holds(&self, reference: VaultRef) -> Result<bool, IoFault> {
        let Some((file, head)) = self.head(reference)? else {
            return Ok(false);
        };
        let (_, offset) = reference.place();
        let body = to_u64(BODY_AT).saturating_add(u64::from(head.length));
        let mut end = [0_u8];
        let found = file.read_at(&mut end, offset.saturating_add(body))?;
        Ok(found == end.len() && end == [END_MARK])
    }

    /// Has the next input begin a file behind this one and all that there are. Nothing on the disk changes yet.
    pub(crate) fn begin_behind(&self, number: u64) {
        let files = &self.files;
        let mut tail = files.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if files.write && tail.file.is_none() {
            tail.number = tail.number.max(number).saturating_add(1);
            tail.end = 0;
        }
    }

    /// The file, wrapped key and ciphertext length of a record.
    fn find(
        &self,
        reference: VaultRef,
    ) -> Result<(OpenFile, [u8; WRAPPED_KEY_BYTES], usize), VaultError> {
        let not_found = || VaultError::NotFound {
            reference: reference.get(),
        };
        let (file, Head { length, wrapped }) = self.head(reference)?.ok_or_else(not_found)?;
        let length = to_usize(u64::from(length));
        if !(TAG_BYTES..=INPUT_BYTES_MAX.saturating_add(TAG_BYTES)).contains(&length) {
            return Err(not_found());
        }
        if wrapped == [0; WRAPPED_KEY_BYTES] {
            return Err(VaultError::Erased {
                reference: reference.get(),
            });
        }
        Ok((file, wrapped, length))
    }

    /// The file of a record and what the record begins with; `None` if nothing is there.
    fn head(&self, reference: VaultRef) -> Result<Option<(OpenFile, Head)>, IoFault> {
        let (number, offset) = reference.place();
        let Some(file) = self.files.handles.file(number)? else {
            return Ok(None);
        };
        let mut bytes = [0_u8; BODY_AT];
        if file.read_at(&mut bytes, offset)? != BODY_AT || offset < HEAD_BYTES {
            return Ok(None);
        }
        let Some((length, wrapped)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length);
        let wrapped = wrapped.as_array::<WRAPPED_KEY_BYTES>().copied();
        Ok(wrapped.map(|wrapped| (file, Head { length, wrapped })))
    }
}

/// What a record begins with.
struct Head {
    /// Bytes of the ciphertext, as they stand there.
    length: u32,
    wrapped: [u8; WRAPPED_KEY_BYTES],
}

/// The record of an input: its wrapped key and its ciphertext.
fn encrypt(
    key: &DataKey,
    wrapped: &[u8; WRAPPED_KEY_BYTES],
    input: &[u8],
    memory: InputMemory,
) -> Result<SealedInput, VaultError> {
    let found = input.len();
    if found > INPUT_BYTES_MAX {
        return Err(VaultError::TooLarge {
            found,
            allowed: INPUT_BYTES_MAX,
        });
    }
    let refused = |_| VaultError::Refused {
        reference: 0,
        what: "the cipher refused it",
    };
    let total = BODY_AT
        .saturating_add(found)
        .saturating_add(TAG_BYTES)
        .saturating_add(1);
    let InputMemory(mut record) = memory;
    record.clear();
    record.reserve(total);
    let length = u32::try_from(found.saturating_add(TAG_BYTES)).unwrap_or(u32::MAX);
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(wrapped);
    record.extend_from_slice(input);
    let cipher = Aes256Gcm::new(key.0.as_slice().try_into().map_err(|_| VaultError::Kek {
        what: "the data key has a wrong length".to_owned(),
    })?);
    let body = record.get_mut(BODY_AT..).unwrap_or(&mut []);
    let tag = cipher
        .encrypt_inout_detached(&Nonce::default(), ASSOCIATED_DATA, body.into())
        .map_err(refused)?;
    record.extend_from_slice(&tag);
    record.push(END_MARK);
    Ok(SealedInput { record })
}

impl Files {
    fn append(
        &self,
        tail: &mut Tail,
        inputs: &[SealedInput],
        references: &mut Vec<VaultRef>,
    ) -> Result<(), IoFault> {
        let len: u64 = inputs.iter().map(|input| to_u64(input.record.len())).sum();
        let (number, start) = if tail.end == 0 {
            (tail.number, HEAD_BYTES)
        } else if tail.end.saturating_add(len) > FILE_BYTES {
            (tail.number.saturating_add(1), HEAD_BYTES)
        } else {
            (tail.number, tail.end)
        };
        let mut batch = core::mem::take(&mut tail.batch);
        batch.clear();
        let mut offset = start;
        for input in inputs {
            batch.extend_from_slice(&input.record);
            references.push(VaultRef::at(number, offset));
            offset = offset.saturating_add(to_u64(input.record.len()));
        }
        let written = self.write(tail, number, start, &batch);
        tail.batch = batch;
        written
    }

    /// Writes records behind all others, or as the first of the next file, and flushes them. The name of a file that
    /// was begun is not durable yet; until it is, its head tells which it is.
    pub(crate) fn write(
        &self,
        tail: &mut Tail,
        number: u64,
        start: u64,
        records: &[u8],
    ) -> Result<(), IoFault> {
        let refused = if self.write {
            (number > FILE_NUMBER_MAX).then_some(std::io::ErrorKind::FileTooLarge)
        } else {
            Some(std::io::ErrorKind::ReadOnlyFilesystem)
        };
        if let Some(kind) = refused {
            return Err(IoFault {
                action: Action::Write,
                path: self.dir.file_path(&file_name(number)),
                source: kind.into(),
            });
        }
        let begun = tail.end == 0 || number > tail.number;
        if begun {
            let (name, head) = (file_name(number), head_of(number));
            let file = tail.prefiller.begin(&self.dir, &name, &head, records)?;
            tail.number = number;
            if let Some(before) = tail.file.replace(file) {
                tail.prefiller.take_room_of(before);
            }
        } else {
            let file = match &mut tail.file {
                Some(file) => file,
                None => {
                    let last = Appender::open(&self.dir, &file_name(number))?;
                    tail.file.insert(last)
                }
            };
            file.append(records, start)?;
            file.sync()?;
        }
        tail.end = start.saturating_add(to_u64(records.len()));
        if self.prefill && tail.end > FILE_BYTES / 8 {
            // The next one, once this one is in earnest use.
            tail.prefiller.start(&self.dir, FILE_BYTES);
        }
        Ok(())
    }
}

/// What a file begins with.
fn head_of(number: u64) -> [u8; 16] {
    let mut head = [0_u8; 16];
    let (magic, rest) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    rest.copy_from_slice(&number.to_le_bytes());
    head
}

/// The number of the file that begins so.
fn number_in(head: [u8; 16]) -> Option<u64> {
    let number = head.last_chunk().copied().map(u64::from_le_bytes)?;
    (head == head_of(number) && number <= FILE_NUMBER_MAX).then_some(number)
}

/// A file of a vault.
pub(crate) struct Listed {
    pub(crate) number: u64,
    /// The file, if it has not got its name yet: another process may give it that at any moment.
    pub(crate) unnamed: Option<OpenFile>,
}

/// The files of a vault, in order: the last may not have its name yet.
pub(crate) fn files_of(dir: &Dir) -> Result<Vec<Listed>, IoFault> {
    let names = dir.list()?;
    let named = names.iter().filter_map(|name| number_of(name));
    let mut files: Vec<Listed> = named
        .map(|number| Listed {
            number,
            unnamed: None,
        })
        .collect();
    if let Some(file) = dir.open_if_present(NEXT_NAME, Access::Read)? {
        let mut head = [0_u8; 16];
        let found = file.read_at(&mut head, 0)?;
        let number = number_in(head).filter(|_| found == head.len());
        let behind = |number: &u64| files.last().is_none_or(|last| last.number < *number);
        if let Some(number) = number.filter(behind) {
            let unnamed = Some(file);
            files.push(Listed { number, unnamed });
        }
    }
    Ok(files)
}

pub(crate) fn file_name(number: u64) -> String {
    format!("{number:010}.vault")
}

pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".vault")?;
    let is_number = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u32> = is_number.then(|| digits.parse().ok()).flatten();
    number.map(u64::from)
}
