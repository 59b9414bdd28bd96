//! Signing and publishing checkpoints.
//!
//! Every signature is verified under the key that the ledger names before it is published: a signer
//! that signs something else is a signer that failed. A failing signer is asked again at the next
//! turn; what was sealed meanwhile waits for its checkpoint.

use std::sync::Arc;

use paygod_store::{CheckpointError, Checkpoints};
use paygod_tlog::{Checkpoint, Ed25519Verifier, NoteSigner, SignedCheckpoint, TreeHead};

use super::keys::CheckpointSigner;
use super::shared::Shared;

/// Signs checkpoints of one log and puts them where readers find them.
pub(super) struct Publisher {
    pub(super) origin: Arc<str>,
    pub(super) checkpoints: Checkpoints,
    pub(super) signer: CheckpointSigner,
    pub(super) verifier: Ed25519Verifier,
}

impl Publisher {
    /// Publishes a checkpoint of this tree, unless the last one covers it.
    ///
    /// # Errors
    /// The checkpoint could not be written. (A signer's failure is remembered, and is no error here.)
    pub(super) fn publish(
        &mut self,
        head: TreeHead,
        shared: &Shared,
    ) -> Result<(), CheckpointError> {
        if self
            .checkpoints
            .last_head()
            .is_some_and(|last| last.size >= head.size)
        {
            return Ok(());
        }
        match self.sign(head) {
            Ok(signed) => {
                self.checkpoints.publish(signed.clone())?;
                shared.set_signer_fault(None);
                shared.set_checkpoint(signed);
                shared.progress.set_signed(head.size);
            }
            Err(error) => shared.set_signer_fault(Some(error.to_string())),
        }
        Ok(())
    }

    fn sign(&self, head: TreeHead) -> Result<SignedCheckpoint, paygod_tlog::CheckpointError> {
        let checkpoint = Checkpoint {
            origin: self.origin.to_string(),
            head,
        };
        let signer: &dyn NoteSigner = &*self.signer;
        let signed = SignedCheckpoint::sign(checkpoint, &[signer])?;
        signed.verify(&self.origin, &[&self.verifier])?;
        Ok(signed)
    }
}
