//! Evaluating parts of a condition for explanations, and spelling values as conditions do.

use super::program::{Inputs, Machine, Program, Run, count, wide};
use super::{EvalError, Evaluated, TextRef, Value};
use crate::limits::{EXPLAINED_ELEMENTS_MAX, MADE_ELEMENT_BYTES};

/// A value as conditions spell it, and whether it is true, if it is a bool.
pub(crate) type Shown = (String, Option<bool>);

impl Machine {
    /// Evaluates a part of a condition, inside the loops whose variables are given. What was made before stays,
    /// so that elements of lists can be looked at. For explanations: what judges is [`Machine::run`].
    pub(crate) fn show(
        &mut self,
        program: &Program,
        inputs: Inputs<'_>,
        variables: &[Value],
    ) -> Evaluated<Shown> {
        let value = self.part(program, inputs, variables)?;
        let run = Run {
            machine: self,
            program,
            inputs,
        };
        let truth = match value {
            Value::Bool(truth) => Some(truth),
            _ => None,
        };
        Ok((run.spelt(&value), truth))
    }

    /// The elements of a list that a part of a condition gives.
    pub(crate) fn elements(
        &mut self,
        program: &Program,
        inputs: Inputs<'_>,
        variables: &[Value],
    ) -> Evaluated<Vec<Value>> {
        let Value::List(list) = self.part(program, inputs, variables)? else {
            return Err(EvalError::Type);
        };
        let mut run = Run {
            machine: self,
            program,
            inputs,
        };
        let mut elements = Vec::new();
        for at in 0..count(list) {
            let element = run.element(list, at)?;
            elements.push(match element {
                // A constant lies in this program, and what reads it will be another.
                Value::Text(text @ TextRef::Constant(_)) => run.copied(text)?,
                other => other,
            });
        }
        Ok(elements)
    }

    /// Bytes that evaluations made and that are kept.
    pub(crate) const fn kept_bytes(&self) -> usize {
        self.made.len() + self.elements.len() * MADE_ELEMENT_BYTES
    }

    fn part(
        &mut self,
        program: &Program,
        inputs: Inputs<'_>,
        variables: &[Value],
    ) -> Evaluated<Value> {
        self.fuel.made = 0;
        self.variables.clear();
        self.variables.extend_from_slice(variables);
        let mut run = Run {
            machine: self,
            program,
            inputs,
        };
        run.value(program.root)
    }
}

impl Run<'_, '_> {
    /// A value as conditions spell it; of a list the first elements.
    fn spelt(&self, value: &Value) -> String {
        match value {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Decimal(value) => value.to_string(),
            Value::Text(text) => format!("{:?}", self.text(*text)),
            Value::Money(value) => value.to_string(),
            Value::Time(value) => value.to_string(),
            Value::Duration(ns) => crate::lang::ty::duration_text(*ns),
            Value::Row(_) => "an object".to_owned(),
            Value::List(list) => {
                let mut spelt: Vec<String> = (0..count(*list))
                    .take(EXPLAINED_ELEMENTS_MAX)
                    .filter_map(|at| self.element(*list, at).ok())
                    .map(|element| self.spelt(&element))
                    .collect();
                if wide(count(*list)) > spelt.len() {
                    spelt.push("…".to_owned());
                }
                format!("[{}]", spelt.join(", "))
            }
        }
    }
}
