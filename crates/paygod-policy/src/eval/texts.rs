//! What the machine does with texts: tests, joins, and those it makes.

use super::country;
use super::program::{Run, wide};
use super::{EvalError, Evaluated, TextRef, Value};
use crate::lang::typed::{TextMap, TextTest};

impl Run<'_, '_> {
    pub(super) fn text_test(
        &mut self,
        test: TextTest,
        of: TextRef,
        argument: TextRef,
    ) -> Evaluated<bool> {
        let bytes = self.text(of).len();
        self.machine.fuel.charge_text(bytes)?;
        let (of, argument) = (self.text(of), self.text(argument));
        Ok(match test {
            TextTest::StartsWith => of.starts_with(argument),
            TextTest::EndsWith => of.ends_with(argument),
            TextTest::Contains => of.contains(argument),
        })
    }

    /// Appends a text to those made.
    fn make(&mut self, text: TextRef) {
        let mut made = core::mem::take(&mut self.machine.made);
        match text {
            TextRef::Made(start, end) => {
                let range = wide(start)..wide(end);
                if made.get(range.clone()).is_some() {
                    made.extend_from_within(range);
                }
            }
            other => made.push_str(self.text(other)),
        }
        self.machine.made = made;
    }

    /// A text as one that was made.
    pub(super) fn copied(&mut self, text: TextRef) -> Evaluated<Value> {
        let start = self.machine.made.len();
        self.make(text);
        made_text(start, self.machine.made.len())
    }

    pub(super) fn join(&mut self, left: TextRef, right: TextRef) -> Evaluated<Value> {
        let bytes = self.text(left).len().saturating_add(self.text(right).len());
        self.machine.fuel.charge_text(bytes)?;
        self.machine.fuel.charge_made(bytes)?;
        let start = self.machine.made.len();
        self.make(left);
        self.make(right);
        made_text(start, self.machine.made.len())
    }

    pub(super) fn text_map(&mut self, map: TextMap, text: TextRef) -> Evaluated<Value> {
        let bytes = self.text(text).len();
        self.machine.fuel.charge_text(bytes)?;
        self.machine.fuel.charge_made(bytes)?;
        let start = self.machine.made.len();
        self.make(text);
        let end = self.machine.made.len();
        let made = self.machine.made.get_mut(start..).unwrap_or_default();
        match map {
            TextMap::Lower => made.make_ascii_lowercase(),
            TextMap::Upper => made.make_ascii_uppercase(),
            TextMap::Trim => {
                let left = made.len() - made.trim_start().len();
                let right = made.len() - made.trim_end().len();
                // All white space: both sides would count it.
                return if left == made.len() {
                    made_text(start, start)
                } else {
                    made_text(start + left, end - right)
                };
            }
            TextMap::IbanCountry => {
                let letters = country::of_iban(made);
                return self.letters(start, letters);
            }
            TextMap::BicCountry => {
                let letters = country::of_bic(made);
                return self.letters(start, letters);
            }
        }
        made_text(start, end)
    }

    /// Keeps two letters of the text made last, or none of it.
    fn letters(&mut self, start: usize, letters: Option<[char; 2]>) -> Evaluated<Value> {
        self.machine.made.truncate(start);
        self.machine.made.extend(letters.into_iter().flatten());
        made_text(start, self.machine.made.len())
    }
}

fn made_text(start: usize, end: usize) -> Evaluated<Value> {
    match (u32::try_from(start), u32::try_from(end)) {
        (Ok(start), Ok(end)) => Ok(Value::Text(TextRef::Made(start, end))),
        _ => Err(EvalError::Overflow),
    }
}
