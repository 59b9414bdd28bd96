//! A PKCS#11 module, loaded once for the whole process: `C_Initialize` is, and so is a login.
//!
//! A module that lost its token answers as if there were no objects, and goes on doing so. The only cure
//! is to finalize it and begin anew, which takes every session of every user with it: hence generations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

/// All modules of this process. A configuration names a few at most.
static MODULES: Mutex<Option<HashMap<PathBuf, Arc<Module>>>> = Mutex::new(None);

/// A loaded module.
#[derive(Debug)]
pub(super) struct Module {
    path: PathBuf,
    live: RwLock<Live>,
}

/// What is in use now.
#[derive(Debug, Default)]
pub(super) struct Live {
    context: Option<Pkcs11>,
    /// Rises when everything that came of the context before is worth nothing any more.
    pub(super) generation: u64,
}

impl Live {
    pub(super) fn context(&self) -> Result<&Pkcs11, Error> {
        // None only after a module that was healed could not be loaded again.
        self.context
            .as_ref()
            .ok_or(Error::MissingSymbol("C_Initialize"))
    }
}

impl Module {
    /// The module at a path, loaded and initialized if it is not yet.
    pub(super) fn at(path: &Path) -> Result<Arc<Self>, Error> {
        let mut modules = lock(&MODULES);
        let modules = modules.get_or_insert_default();
        if let Some(module) = modules.get(path) {
            return Ok(Arc::clone(module));
        }
        let live = Live {
            context: Some(load(path)?),
            generation: 0,
        };
        let module = Arc::new(Self {
            path: path.to_path_buf(),
            live: RwLock::new(live),
        });
        modules.insert(path.to_path_buf(), Arc::clone(&module));
        Ok(module)
    }

    /// What is in use, kept from being healed away meanwhile.
    pub(super) fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew, unless somebody has since `generation`.
    pub(super) fn heal(&self, generation: u64) -> Result<(), Error> {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live.generation != generation {
            return Ok(());
        }
        live.generation = live.generation.wrapping_add(1);
        if let Some(context) = live.context.take() {
            // A module that refuses to end may still begin again.
            let _refused = context.finalize();
        }
        live.context = Some(load(&self.path)?);
        Ok(())
    }
}

fn load(path: &Path) -> Result<Pkcs11, Error> {
    let context = Pkcs11::new(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => Err(error),
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
