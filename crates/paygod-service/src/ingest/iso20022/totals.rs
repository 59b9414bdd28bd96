//! Counts and sums: what a file declares against what it holds, exactly.

use super::error::{ReadError, ReadFault, Spot};
use super::parts;
use super::xml::Cursor;
use crate::ingest::decimal::Decimal;

/// What becomes of a file whose declared number of payments is not the one it holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It is refused.
    #[default]
    MustHold,
    /// It is read if it declares a control sum at the same level and that sum holds. For a sender known
    /// to count wrongly: a payment put in or taken out still shows in the sum, unless two offset each other.
    SumSuffices,
}

/// What a header declares, and where.
#[derive(Debug, Default)]
pub(super) struct Declared {
    count: Option<(u64, Spot)>,
    sum: Option<(Decimal, Spot)>,
}

/// What was found under it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Found {
    pub(super) count: u64,
    pub(super) sum: Decimal,
}

impl Declared {
    pub(super) fn read_count(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        let count = parts::count(cursor)?;
        let at = cursor.spot();
        cursor.put(&mut self.count, (count, at), "NbOfTxs")
    }

    pub(super) fn read_sum(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        let sum = parts::number(cursor)?;
        let at = cursor.spot();
        cursor.put(&mut self.sum, (sum, at), "CtrlSum")
    }

    pub(super) fn has_count(&self) -> bool {
        self.count.is_some()
    }

    pub(super) fn count(&self) -> Option<u64> {
        self.count.as_ref().map(|(count, _)| *count)
    }

    pub(super) fn sum(&self) -> Option<Decimal> {
        self.sum.as_ref().map(|(sum, _)| *sum)
    }

    /// # Errors
    /// The count or the sum is not the declared one. What is not declared is not checked.
    pub(super) fn check(
        self,
        level: &'static str,
        found: Found,
        counts: Counts,
    ) -> Result<(), ReadError> {
        let sum_suffices = counts == Counts::SumSuffices && self.sum.is_some();
        match self.count {
            Some((expected, at)) if expected != found.count && !sum_suffices => {
                return Err(ReadError {
                    at,
                    fault: ReadFault::Count {
                        level,
                        expected,
                        found: found.count,
                    },
                });
            }
            _ => {}
        }
        match self.sum {
            Some((expected, at)) if expected != found.sum => Err(ReadError {
                at,
                fault: ReadFault::ControlSum {
                    level,
                    expected,
                    found: found.sum,
                },
            }),
            _ => Ok(()),
        }
    }
}

impl Found {
    pub(super) fn add(
        &mut self,
        cursor: &mut Cursor<'_>,
        number: Decimal,
    ) -> Result<(), ReadError> {
        let sum = self.sum.checked_add(number);
        self.sum = sum.ok_or_else(|| {
            cursor.fail(ReadFault::Limit {
                what: "bits of a sum",
                allowed: 127,
            })
        })?;
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}
