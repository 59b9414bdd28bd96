//! One pass from a judged document's JSON to typed slots.
//!
//! The layout comes from [`schema`](crate::schema); reading allocates nothing once the buffers have grown.
//! A document that is JSON but not what the schema says becomes [`Invalid`], which denies; it is never
//! judged in part. Numbers and amounts are read exactly or not at all.

use std::sync::Arc;

use paygod_types::{Currency, Money, Timestamp};

use crate::decimal::Decimal;
use crate::json::{Cursor, JsonError};
use crate::lang::ty::parse_iso_duration;
use crate::schema::{Checks, Field, LeafType, Node, NodeShape, ObjectSpec, Shape};

/// The value of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Slot {
    #[default]
    Absent,
    /// An object that is there.
    Present,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    /// A stretch of the document's text.
    Text(u32, u32),
    Money(Money),
    Time(Timestamp),
    Duration(i64),
    List(Rows),
}

/// Rows of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The first slot of the first row.
    pub(crate) first: u32,
    /// How many rows.
    pub(crate) count: u32,
    /// Slots of a row. Its first slot is the element itself.
    pub(crate) stride: u32,
}

/// Why a document is not what the schema says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) path: Arc<str>,
    pub(crate) what: &'static str,
}

/// A document's values. Reused from one document to the next.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The JSON text, then what escapes decoded to.
    text: String,
    slots: Vec<Slot>,
}

/// Either the document is not JSON, or not what the schema says.
#[derive(Debug)]
enum Stop {
    Json(JsonError),
    Invalid(Invalid),
}

/// A step of reading. Boxed, so that what goes well is handed on in a register.
type Step<T> = Result<T, Box<Stop>>;

impl From<JsonError> for Box<Stop> {
    #[cold]
    fn from(error: JsonError) -> Self {
        Self::new(Stop::Json(error))
    }
}

impl Document {
    /// The slot at an absolute place; absent beyond the end.
    #[inline]
    pub(crate) fn slot(&self, at: usize) -> &Slot {
        self.slots.get(at).unwrap_or(&Slot::Absent)
    }

    /// A stretch of text that a slot names.
    #[inline]
    pub(crate) fn text(&self, start: u32, end: u32) -> &str {
        match (usize::try_from(start), usize::try_from(end)) {
            (Ok(start), Ok(end)) => self.text.get(start..end).unwrap_or_default(),
            _ => "",
        }
    }

    /// Reads `json` as `shape` says. `Ok(Some(…))` if it is JSON but not that shape.
    pub(crate) fn read(&mut self, shape: &Shape, json: &str) -> Result<Option<Invalid>, JsonError> {
        self.text.clear();
        self.text.push_str(json);
        self.slots.clear();
        self.slots.resize(shape.slots, Slot::Absent);
        let NodeShape::Object(spec) = &shape.root.shape else {
            return Err(JsonError {
                offset: 0,
                reason: "an object is expected",
            });
        };
        let mut reader = Reader {
            cursor: Cursor::new(json),
            document: self,
        };
        let outcome = reader.object(spec, &shape.root.path, 0, 0).and_then(|()| {
            reader.set(shape.root.slot, Slot::Present);
            Ok(reader.cursor.finish()?)
        });
        match outcome.map_err(|stop| *stop) {
            Ok(()) => Ok(None),
            Err(Stop::Invalid(invalid)) => {
                // Reading stopped early: what is not JSON at all is still told as such.
                let mut whole = Cursor::new(json);
                whole.skip(0)?;
                whole.finish()?;
                Ok(Some(invalid))
            }
            Err(Stop::Json(error)) => Err(error),
        }
    }
}

struct Reader<'a, 'd> {
    cursor: Cursor<'a>,
    document: &'d mut Document,
}

#[cold]
fn invalid<T>(path: &Arc<str>, what: &'static str) -> Step<T> {
    let path = Arc::clone(path);
    Err(Box::new(Stop::Invalid(Invalid { path, what })))
}

impl<'a> Reader<'a, '_> {
    fn set(&mut self, at: usize, value: Slot) {
        if let Some(slot) = self.document.slots.get_mut(at) {
            *slot = value;
        }
    }

    #[inline]
    fn is_absent(&self, at: usize) -> bool {
        matches!(self.document.slots.get(at), None | Some(Slot::Absent))
    }

    fn object(
        &mut self,
        spec: &ObjectSpec,
        path: &Arc<str>,
        base: usize,
        depth: usize,
    ) -> Step<()> {
        self.cursor.expect(b'{', "an object is expected")?;
        let (mut likely, mut required) = (0, 0);
        if !self.cursor.eat(b'}') {
            loop {
                required += usize::from(self.member(spec, path, base, depth, &mut likely)?);
                if self.cursor.eat(b',') {
                    continue;
                }
                self.cursor
                    .expect(b'}', "a comma or a closing brace is expected")?;
                break;
            }
        }
        if required < spec.required {
            return spec
                .fields
                .iter()
                .try_for_each(|field| self.settle(field, base));
        }
        let beside = spec.beside.iter().filter_map(|at| spec.fields.get(*at));
        beside
            .into_iter()
            .try_for_each(|field| self.settle(field, base))
    }

    /// Reads a member; whether it is one that is required, which no key twice makes it count for twice.
    #[inline]
    fn member(
        &mut self,
        spec: &ObjectSpec,
        path: &Arc<str>,
        base: usize,
        depth: usize,
        likely: &mut usize,
    ) -> Step<bool> {
        // Canonical documents have their keys in the order of the fields, spelt in one way.
        if let Some(field) = spec.fields.get(*likely)
            && let Some(offset) = self.cursor.eat_text(&field.spelt)
        {
            *likely += 1;
            return self.known(field, base, depth, offset + 1);
        }
        let raw = self.cursor.string()?;
        let found = if raw.escaped {
            let mut name = String::new();
            self.cursor.decode(raw, &mut name)?;
            find(spec, &name, likely)
        } else {
            find(spec, self.cursor.slice(raw.start, raw.end), likely)
        };
        self.cursor.expect(b':', "a colon is expected")?;
        match found {
            Some(field) => self.known(field, base, depth, raw.start),
            None if spec.extra => Ok(self.cursor.skip(depth + 1).map(|()| false)?),
            None => invalid(path, "has a field that the schema does not allow"),
        }
    }

    /// The value of a field whose name stands at `offset`.
    #[inline]
    fn known(&mut self, field: &Field, base: usize, depth: usize, offset: usize) -> Step<bool> {
        let at = base + field.node.slot;
        if !self.is_absent(at) {
            let reason = "a key stands twice";
            return Err(JsonError { offset, reason }.into());
        }
        self.value(&field.node, at, base, depth + 1)?;
        Ok(field.required)
    }

    /// After all members: required fields are there, and amounts meet their currency.
    #[inline]
    fn settle(&mut self, field: &Field, base: usize) -> Step<()> {
        let at = base + field.node.slot;
        if self.is_absent(at) {
            return if field.required {
                invalid(&field.node.path, "is missing")
            } else {
                Ok(())
            };
        }
        if let NodeShape::Leaf(LeafType::MoneyBeside(beside), _) = &field.node.shape
            && let Slot::Text(start, end) = *self.document.slot(at)
        {
            let currency = match *self.document.slot(base + beside) {
                Slot::Text(start, end) => Currency::parse(self.document.text(start, end)).ok(),
                _ => None,
            };
            let money = currency.and_then(|c| Money::parse(self.document.text(start, end), c).ok());
            match money {
                Some(money) => self.set(at, Slot::Money(money)),
                None => return invalid(&field.node.path, "is not an amount of its currency"),
            }
        }
        Ok(())
    }

    fn value(&mut self, node: &Node, at: usize, base: usize, depth: usize) -> Step<()> {
        let next = self.cursor.peek();
        if next == Some(b'n') && node.nullable {
            return Ok(self.cursor.literal("null")?);
        }
        match &node.shape {
            NodeShape::Leaf(leaf, checks) => self.leaf(node, leaf, checks, next, at),
            NodeShape::Object(spec) => {
                if next != Some(b'{') {
                    return invalid(&node.path, "is not an object");
                }
                self.set(at, Slot::Present);
                self.object(spec, &node.path, base, depth)
            }
            NodeShape::List {
                element,
                stride,
                elements_max,
                nested,
            } => {
                if next != Some(b'[') {
                    return invalid(&node.path, "is not a list");
                }
                let list = if *nested {
                    self.nested_list(node, element, *stride, *elements_max, depth)?
                } else {
                    self.list(node, element, *stride, *elements_max, depth)?
                };
                self.set(at, list);
                Ok(())
            }
        }
    }

    /// A list whose elements hold no lists: their rows follow each other by themselves.
    fn list(
        &mut self,
        node: &Node,
        element: &Node,
        stride: usize,
        elements_max: usize,
        depth: usize,
    ) -> Step<Slot> {
        self.cursor.expect(b'[', "an array is expected")?;
        let first = self.document.slots.len();
        let mut count = 0;
        if !self.cursor.eat(b']') {
            loop {
                let base = self.document.slots.len();
                if count == elements_max || base.saturating_add(stride) > ROWS_SLOTS_MAX {
                    return invalid(&node.path, "has too many elements");
                }
                self.document.slots.resize(base + stride, Slot::Absent);
                self.element(element, base, depth)?;
                count += 1;
                if self.cursor.eat(b',') {
                    continue;
                }
                self.cursor
                    .expect(b']', "a comma or a closing bracket is expected")?;
                break;
            }
        }
        list_slot(node, first, count, stride)
    }

    fn element(&mut self, element: &Node, base: usize, depth: usize) -> Step<()> {
        let at = base + element.slot;
        self.value(element, at, base, depth + 1)?;
        if self.is_absent(at) {
            return invalid(&element.path, "is null");
        }
        Ok(())
    }

    fn nested_list(
        &mut self,
        node: &Node,
        element: &Node,
        stride: usize,
        elements_max: usize,
        depth: usize,
    ) -> Step<Slot> {
        self.cursor.expect(b'[', "an array is expected")?;
        // Rows of one list must follow each other, and an element may hold a list of its own: so count the
        // elements first, then reserve all rows.
        let count = self.count_elements(depth)?;
        if count > elements_max {
            return invalid(&node.path, "has too many elements");
        }
        let first = self.document.slots.len();
        let rows = count.saturating_mul(stride);
        if first.saturating_add(rows) > ROWS_SLOTS_MAX {
            return invalid(&node.path, "has too many elements");
        }
        self.document.slots.resize(first + rows, Slot::Absent);
        for index in 0..count {
            let base = first + index * stride;
            self.element(element, base, depth)?;
            if index + 1 < count {
                self.cursor.expect(b',', "a comma is expected")?;
            }
        }
        self.cursor
            .expect(b']', "a comma or a closing bracket is expected")?;
        list_slot(node, first, count, stride)
    }

    fn count_elements(&self, depth: usize) -> Step<usize> {
        let mut ahead = self.cursor;
        if ahead.peek() == Some(b']') {
            return Ok(0);
        }
        let mut count = 0;
        loop {
            ahead.skip(depth + 1)?;
            count += 1;
            if !ahead.eat(b',') {
                return Ok(count);
            }
        }
    }

    #[inline]
    fn leaf(
        &mut self,
        node: &Node,
        leaf: &LeafType,
        checks: &Checks,
        next: Option<u8>,
        at: usize,
    ) -> Step<()> {
        let path = &node.path;
        match leaf {
            LeafType::Text => {
                if next != Some(b'"') {
                    return invalid(path, "is not a string");
                }
                let (start, end) = self.string()?;
                if checks.any {
                    check_text(path, checks, self.document.text(start, end))?;
                }
                self.set(at, Slot::Text(start, end));
            }
            LeafType::Bool => {
                let value = next == Some(b't');
                if !value && next != Some(b'f') {
                    return invalid(path, "is not a boolean");
                }
                self.cursor.literal(if value { "true" } else { "false" })?;
                self.set(at, Slot::Bool(value));
            }
            LeafType::Int | LeafType::Number => {
                let value = self.number(path, checks, next)?;
                if *leaf == LeafType::Number {
                    self.set(at, Slot::Decimal(value));
                } else if let Some(int) = value.to_int() {
                    self.set(at, Slot::Int(int));
                } else {
                    return invalid(path, "is not a whole number of 64 bits");
                }
            }
            LeafType::MoneyObject => {
                if next != Some(b'{') {
                    return invalid(path, "is not an amount with a currency");
                }
                let money = self.money(path)?;
                self.set(at, money);
            }
            _ => {
                if next != Some(b'"') {
                    return invalid(path, "is not a string");
                }
                let place = self.string()?;
                let value = self.text_leaf(path, leaf, checks, place)?;
                self.set(at, value);
            }
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self, path: &Arc<str>, checks: &Checks, next: Option<u8>) -> Step<Decimal> {
        if !matches!(next, Some(b'-' | b'0'..=b'9')) {
            return invalid(path, "is not a number");
        }
        let value = match self.cursor.small_number() {
            Some(value) => value,
            None => match Decimal::parse(self.cursor.number()?) {
                Some(value) => value,
                None => return invalid(path, "has too many digits"),
            },
        };
        if checks.any {
            in_range(path, checks, value)?;
        }
        Ok(value)
    }

    fn text_leaf(
        &self,
        path: &Arc<str>,
        leaf: &LeafType,
        checks: &Checks,
        (start, end): (u32, u32),
    ) -> Step<Slot> {
        let text = self.document.text(start, end);
        let parsed = match leaf {
            LeafType::MoneyBeside(_) => Some(Slot::Text(start, end)),
            LeafType::DecimalText => {
                let value = Decimal::parse(text);
                if let Some(value) = value {
                    in_range(path, checks, value)?;
                }
                value.map(Slot::Decimal)
            }
            LeafType::DateTime => Timestamp::parse_rfc3339(text).ok().map(Slot::Time),
            LeafType::Date => parse_date(text).map(Slot::Time),
            LeafType::Duration => parse_iso_duration(text).map(Slot::Duration),
            _ => None,
        };
        match parsed {
            Some(slot) => Ok(slot),
            None => invalid(path, "is not in the form its schema names"),
        }
    }

    /// Reads a string; returns where in the document's text it lies, decoded.
    #[inline]
    fn string(&mut self) -> Step<(u32, u32)> {
        let (start, end) = match self.cursor.plain_string() {
            Some(place) => place,
            None => self.escaped_string()?,
        };
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) => Ok((start, end)),
            _ => Err(self.cursor.error("the document is too long").into()),
        }
    }

    /// As [`Reader::string`], of one that is not plain.
    #[cold]
    fn escaped_string(&mut self) -> Step<(usize, usize)> {
        let raw = self.cursor.string()?;
        if !raw.escaped {
            return Ok((raw.start, raw.end));
        }
        let start = self.document.text.len();
        self.cursor.decode(raw, &mut self.document.text)?;
        Ok((start, self.document.text.len()))
    }

    fn money(&mut self, path: &Arc<str>) -> Step<Slot> {
        let (mut amount, mut currency) = (None, None);
        self.cursor.expect(b'{', "an object is expected")?;
        loop {
            let raw = self.cursor.string()?;
            let name = self.cursor.slice(raw.start, raw.end);
            self.cursor.expect(b':', "a colon is expected")?;
            let member = match name {
                "amount" => &mut amount,
                "currency" => &mut currency,
                _ => return invalid(path, "has a field beside amount and currency"),
            };
            if member.is_some() || self.cursor.peek() != Some(b'"') {
                return invalid(path, "is not an amount with a currency");
            }
            *member = Some(self.string()?);
            if !self.cursor.eat(b',') {
                self.cursor
                    .expect(b'}', "a comma or a closing brace is expected")?;
                break;
            }
        }
        let money = amount.zip(currency).and_then(|((a, b), (c, d))| {
            let currency = Currency::parse(self.document.text(c, d)).ok()?;
            Money::parse(self.document.text(a, b), currency).ok()
        });
        match money {
            Some(money) => Ok(Slot::Money(money)),
            None => invalid(path, "is not an amount with a currency"),
        }
    }
}

fn list_slot(node: &Node, first: usize, count: usize, stride: usize) -> Step<Slot> {
    let narrow = u32::try_from;
    match (narrow(first), narrow(count), narrow(stride)) {
        (Ok(first), Ok(count), Ok(stride)) => Ok(Slot::List(Rows {
            first,
            count,
            stride,
        })),
        _ => invalid(&node.path, "has too many elements"),
    }
}

/// Slots of all rows of all lists of one document. Past it the document is denied as invalid.
const ROWS_SLOTS_MAX: usize = 262_144;

/// Finds a field by name. Canonical documents have their keys in the order of the fields, so the one after
/// the last found is tried first.
#[inline]
fn find<'s>(spec: &'s ObjectSpec, name: &str, likely: &mut usize) -> Option<&'s Field> {
    let mut ahead = *likely;
    while let Some(field) = spec.fields.get(ahead) {
        ahead += 1;
        if field.name == name {
            *likely = ahead;
            return Some(field);
        }
        if field.name.as_str() > name {
            break;
        }
    }
    spec.field(name)
}

fn in_range(path: &Arc<str>, checks: &Checks, value: Decimal) -> Step<()> {
    if checks.minimum.is_some_and(|min| value < min) {
        return invalid(path, "is below its minimum");
    }
    if checks.maximum.is_some_and(|max| value > max) {
        return invalid(path, "is above its maximum");
    }
    Ok(())
}

#[inline]
fn check_text(path: &Arc<str>, checks: &Checks, text: &str) -> Step<()> {
    if checks.chars_min > 0 || checks.chars_max.is_some_and(|max| text.len() > max) {
        let chars = text.chars().count();
        if chars < checks.chars_min {
            return invalid(path, "is too short");
        }
        if checks.chars_max.is_some_and(|max| chars > max) {
            return invalid(path, "is too long");
        }
    }
    match &checks.one_of {
        Some(allowed) if !allowed.iter().any(|a| a == text) => {
            invalid(path, "is none of the values its schema names")
        }
        _ => Ok(()),
    }
}

/// Midnight, UTC, of a date `2026-11-22`.
fn parse_date(text: &str) -> Option<Timestamp> {
    let mut buffer = *b"0000-00-00T00:00:00Z";
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    for (to, from) in buffer.iter_mut().zip(bytes) {
        *to = *from;
    }
    Timestamp::parse_rfc3339(core::str::from_utf8(&buffer).ok()?).ok()
}
