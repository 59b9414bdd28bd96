//! The condition language: a typed subset of CEL.
//!
//! Text → [`parse`](parser::parse) → syntax tree → [`check`](check) against the inputs' schemas →
//! typed tree → [`compile`](crate::eval) → flat program. What differs from CEL, always on the safe side:
//! `&&` and `||` evaluate strictly from left to right and an error anywhere errs the rule; numbers with a
//! point are exact decimals; `has(a.b.c)` is true only if the whole path is there.

pub(crate) mod ast;
mod char_class;
pub(crate) mod check;
mod dates;
mod facts;
mod fields;
mod functions;
pub(crate) mod lexer;
mod loops;
pub(crate) mod parser;
pub(crate) mod ty;
pub(crate) mod typed;

pub(crate) use fields::Scope;
