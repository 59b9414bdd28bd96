//! A pack's JSON Schemas (2020-12), compiled to a layout of typed slots.
//!
//! Every scalar field, list and object gets a slot in a row; fields of nested objects share the row of the
//! object around them, elements of a list get rows of their own. A keyword that this compiler does not
//! enforce is refused, never passed over: a misspelt keyword would otherwise check nothing.
//!
//! `x-paygod-type: money` on an object of `amount` and `currency`, or on a string together with
//! `x-paygod-currency: <sibling field>`, makes a field money. `format: decimal` makes a string an exact
//! decimal.

use std::sync::Arc;

use crate::decimal::Decimal;
use crate::json::{Json, write_string};
use crate::lang::ty::Type;
use crate::limits::{LIST_ELEMENTS_MAX, SCHEMA_DEPTH_MAX, SCHEMA_SLOTS_MAX};

/// The fields of an object, sorted by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ObjectSpec {
    pub(crate) fields: Vec<Field>,
    /// Whether fields that the schema does not name may be there; they are passed over.
    pub(crate) extra: bool,
    /// How many fields are required.
    pub(crate) required: usize,
    /// The fields whose currency stands beside them, ascending.
    pub(crate) beside: Vec<usize>,
}

impl ObjectSpec {
    fn new(mut fields: Vec<Field>, extra: bool) -> Self {
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        let beside = |(at, field): (usize, &Field)| {
            let leaf = &field.node.shape;
            matches!(leaf, NodeShape::Leaf(LeafType::MoneyBeside(_), _)).then_some(at)
        };
        Self {
            extra,
            required: fields.iter().filter(|field| field.required).count(),
            beside: fields.iter().enumerate().filter_map(beside).collect(),
            fields,
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let at = self
            .fields
            .binary_search_by(|f| f.name.as_str().cmp(name))
            .ok()?;
        self.fields.get(at)
    }
}

/// One field of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The name and the colon as canonical JSON spells them.
    pub(crate) spelt: Box<[u8]>,
    /// Whether it must be there; then it is not nullable.
    pub(crate) required: bool,
    pub(crate) node: Node,
}

impl Field {
    fn new(name: String, required: bool, node: Node) -> Self {
        let mut spelt = Vec::new();
        write_string(&name, &mut spelt);
        spelt.push(b':');
        Self {
            name,
            spelt: spelt.into(),
            required,
            node,
        }
    }
}

/// What a field, or a list's element, holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its place in the row, unique in it.
    pub(crate) slot: usize,
    /// The path from the document's root, for messages and window keys.
    pub(crate) path: Arc<str>,
    /// Whether `null` may stand for absence.
    pub(crate) nullable: bool,
    pub(crate) shape: NodeShape,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NodeShape {
    Leaf(LeafType, Checks),
    Object(Arc<ObjectSpec>),
    List {
        element: Box<Node>,
        stride: usize,
        elements_max: usize,
        /// Whether an element holds a list of its own.
        nested: bool,
    },
}

/// How a scalar is spelt in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeafType {
    Bool,
    Int,
    /// A JSON number.
    Number,
    /// A string that holds a decimal.
    DecimalText,
    Text,
    DateTime,
    Date,
    Duration,
    /// `{"amount":"…","currency":"…"}`
    MoneyObject,
    /// A string; the currency stands in the field of this slot of the same object.
    MoneyBeside(usize),
}

/// Checks beyond the type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    /// Whether there is any.
    pub(crate) any: bool,
    pub(crate) chars_min: usize,
    pub(crate) chars_max: Option<usize>,
    pub(crate) one_of: Option<Vec<String>>,
    pub(crate) minimum: Option<Decimal>,
    pub(crate) maximum: Option<Decimal>,
}

impl Node {
    fn is_placeholder(&self) -> bool {
        matches!(&self.shape, NodeShape::Object(spec) if spec.extra && spec.fields.is_empty())
    }

    /// The type a condition sees.
    pub(crate) fn ty(&self) -> Type {
        match &self.shape {
            NodeShape::Leaf(leaf, _) => match leaf {
                LeafType::Bool => Type::Bool,
                LeafType::Int => Type::Int,
                LeafType::Number | LeafType::DecimalText => Type::Decimal,
                LeafType::Text => Type::Text,
                LeafType::DateTime | LeafType::Date => Type::Timestamp,
                LeafType::Duration => Type::Duration,
                LeafType::MoneyObject | LeafType::MoneyBeside(_) => Type::Money,
            },
            NodeShape::Object(spec) => Type::Object(Arc::clone(spec)),
            NodeShape::List { element, .. } => Type::List(Box::new(element.ty())),
        }
    }
}

/// What is wrong with a schema: at which JSON pointer, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaProblem {
    pub(crate) pointer: String,
    pub(crate) message: String,
}

/// Where, in a judged document, a schema is attached, and the compiled result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The root object; attached inputs are among its fields.
    pub(crate) root: Node,
    /// Slots of the root's row.
    pub(crate) slots: usize,
    /// The slot of the root's `amount`, if that is money: what window sums are sums of.
    pub(crate) amount: Option<usize>,
}

/// One schema to attach at a path of the document.
#[derive(Clone, Debug)]
pub(crate) struct Attachment<'a> {
    pub(crate) path: &'a [String],
    pub(crate) schema: &'a Json,
}

/// Compiles the schemas of a pack's inputs to one layout. An attachment below the root is optional.
///
/// Problems come with the index of the attachment they are in.
pub(crate) fn compile(inputs: &[Attachment<'_>]) -> Result<Shape, (usize, SchemaProblem)> {
    let mut order: Vec<(usize, &Attachment<'_>)> = inputs.iter().enumerate().collect();
    order.sort_by_key(|(_, a)| a.path.len());
    let mut row = Row { used: 0 };
    let slot = row.take();
    let mut root = Draft::Open {
        fields: Vec::new(),
        extra: true,
    };
    for (index, input) in order {
        let fail = |message: String| {
            (
                index,
                SchemaProblem {
                    pointer: String::new(),
                    message,
                },
            )
        };
        let mut compiler = Compiler {
            root: input.schema,
            row: &mut row,
            depth: 0,
        };
        let path = input.path.join(".");
        let node = compiler
            .node(
                input.schema,
                "",
                if path.is_empty() { "transfer" } else { &path },
            )
            .map_err(|problem| (index, problem))?;
        let object = match node.shape {
            NodeShape::Object(spec) => Arc::into_inner(spec),
            _ => None,
        };
        let Some(spec) = object else {
            return Err(fail(
                "an input is an object; give its schema `type: object`".to_owned(),
            ));
        };
        root.attach(input.path, (node.slot, &mut row), &path, spec)
            .map_err(fail)?;
        if row.used > SCHEMA_SLOTS_MAX {
            return Err(fail(format!(
                "the inputs have more than {SCHEMA_SLOTS_MAX} fields; leave out those no rule reads"
            )));
        }
    }
    let root = root.finish(slot, "transfer");
    let amount = match &root.shape {
        NodeShape::Object(spec) => spec
            .field("amount")
            .filter(|f| f.required && f.node.ty() == Type::Money),
        _ => None,
    };
    let amount = amount.map(|f| f.node.slot);
    Ok(Shape {
        root,
        slots: row.used,
        amount,
    })
}

/// The tree while inputs are being attached.
#[derive(Debug)]
enum Draft {
    Open {
        fields: Vec<(String, usize, Draft)>,
        extra: bool,
    },
    Done(ObjectSpec, Vec<(String, usize, Draft)>),
}

impl Draft {
    fn attach(
        &mut self,
        path: &[String],
        (slot, row): (usize, &mut Row),
        full: &str,
        spec: ObjectSpec,
    ) -> Result<(), String> {
        let Some((first, rest)) = path.split_first() else {
            if let Self::Open { fields, .. } = self {
                let fields = core::mem::take(fields);
                *self = Self::Done(spec, fields);
                return Ok(());
            }
            return Err(format!(
                "two inputs have the source `{}`; join them",
                source(full)
            ));
        };
        let fields = match self {
            Self::Open { fields, .. } => fields,
            Self::Done(known, fields) => {
                // A field described as an object of anything is a place held for an input.
                known
                    .fields
                    .retain(|f| f.name != *first || !f.node.is_placeholder());
                if known.field(first).is_some() {
                    return Err(format!(
                        "the source `transfer.{full}` is already described by the schema of an input above it; \
                         read it through that input"
                    ));
                }
                fields
            }
        };
        if let Some((_, _, draft)) = fields.iter_mut().find(|(name, ..)| name == first) {
            return draft.attach(rest, (slot, row), full, spec);
        }
        // An object on the way to the input has a slot of its own.
        let own = if rest.is_empty() { slot } else { row.take() };
        let mut draft = Self::Open {
            fields: Vec::new(),
            extra: true,
        };
        draft.attach(rest, (slot, row), full, spec)?;
        fields.push((first.clone(), own, draft));
        Ok(())
    }

    fn finish(self, slot: usize, path: &str) -> Node {
        let (spec, attached) = match self {
            Self::Open { fields, extra } => (ObjectSpec::new(Vec::new(), extra), fields),
            Self::Done(spec, fields) => (spec, fields),
        };
        let mut fields = spec.fields;
        for (name, slot, draft) in attached {
            let inner = if path == "transfer" {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            fields.push(Field::new(name, false, draft.finish(slot, &inner)));
        }
        let spec = ObjectSpec::new(fields, spec.extra);
        Node {
            slot,
            path: path.into(),
            nullable: false,
            shape: NodeShape::Object(Arc::new(spec)),
        }
    }
}

/// A source as packs write it.
fn source(path: &str) -> String {
    if path.is_empty() {
        "transfer".to_owned()
    } else {
        format!("transfer.{path}")
    }
}

#[derive(Debug)]
struct Row {
    used: usize,
}

impl Row {
    fn take(&mut self) -> usize {
        let slot = self.used;
        self.used += 1;
        slot
    }
}

struct Compiler<'a> {
    root: &'a Json,
    row: &'a mut Row,
    depth: usize,
}

const ANNOTATIONS: [&str; 9] = [
    "$schema",
    "$id",
    "$defs",
    "$comment",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
];

impl<'a> Compiler<'a> {
    fn node(&mut self, schema: &'a Json, pointer: &str, path: &str) -> Result<Node, SchemaProblem> {
        self.depth += 1;
        let node = self.node_inner(schema, pointer, path);
        self.depth -= 1;
        node
    }

    fn node_inner(
        &mut self,
        schema: &'a Json,
        pointer: &str,
        path: &str,
    ) -> Result<Node, SchemaProblem> {
        let fail = |message: String| SchemaProblem {
            pointer: pointer.to_owned(),
            message,
        };
        if self.depth > SCHEMA_DEPTH_MAX {
            return Err(fail(format!(
                "the schema nests more than {SCHEMA_DEPTH_MAX} deep, or refers to itself; flatten it"
            )));
        }
        if self.row.used > SCHEMA_SLOTS_MAX {
            return Err(fail(format!(
                "the schema has more than {SCHEMA_SLOTS_MAX} fields; leave out those no rule reads"
            )));
        }
        let Json::Object(members) = schema else {
            return Err(fail(format!(
                "a schema is an object, found {}",
                schema.kind()
            )));
        };
        if let Some(target) = schema.get("$ref") {
            let target = self.resolve(target, members.len()).map_err(&fail)?;
            return self.node(target, pointer, path);
        }
        let (kind, nullable) = declared_type(schema).map_err(&fail)?;
        let slot = self.row.take();
        let shape = match kind {
            "object" if schema.get("x-paygod-type").is_some() => {
                money_object(schema).map_err(&fail)?
            }
            "object" => self.object(schema, members, pointer, path)?,
            "array" => self.array(schema, members, pointer, path)?,
            _ => leaf(kind, schema, members).map_err(&fail)?,
        };
        Ok(Node {
            slot,
            path: path.into(),
            nullable,
            shape,
        })
    }

    fn resolve(&self, target: &Json, members: usize) -> Result<&'a Json, String> {
        let Some(text) = target.as_text() else {
            return Err("`$ref` is a string such as `#/$defs/party`".to_owned());
        };
        if members > 1 {
            return Err(
                "nothing may stand beside `$ref` here; move it into the definition".to_owned(),
            );
        }
        let found = text
            .strip_prefix("#/$defs/")
            .and_then(|name| self.root.get("$defs")?.get(name));
        found.ok_or_else(|| {
            format!("`{text}` is not a definition of this schema; write `#/$defs/<name>`")
        })
    }

    fn object(
        &mut self,
        schema: &'a Json,
        members: &'a [(String, Json)],
        pointer: &str,
        path: &str,
    ) -> Result<NodeShape, SchemaProblem> {
        let fail = |message: String| SchemaProblem {
            pointer: pointer.to_owned(),
            message,
        };
        known_keywords(
            members,
            &["type", "properties", "required", "additionalProperties"],
        )
        .map_err(&fail)?;
        let extra = match schema.get("additionalProperties") {
            None | Some(Json::Bool(true)) => true,
            Some(Json::Bool(false)) => false,
            Some(_) => {
                return Err(fail(
                    "`additionalProperties` is true or false here".to_owned(),
                ));
            }
        };
        let required = strings(schema.get("required"), "required").map_err(&fail)?;
        let properties = match schema.get("properties") {
            None => &[],
            Some(Json::Object(properties)) => properties.as_slice(),
            Some(_) => return Err(fail("`properties` is an object".to_owned())),
        };
        let mut fields = Vec::new();
        for (name, schema) in properties {
            let inner = if path == "transfer" {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let node = self.node(schema, &format!("{pointer}/properties/{name}"), &inner)?;
            let required = required.contains(name) && !node.nullable;
            fields.push(Field::new(name.clone(), required, node));
        }
        if let Some(lost) = required
            .iter()
            .find(|name| !fields.iter().any(|f| f.name == **name))
        {
            return Err(fail(format!(
                "`{lost}` is required but not among the `properties`; describe it"
            )));
        }
        link_currencies(&mut fields, properties).map_err(fail)?;
        Ok(NodeShape::Object(Arc::new(ObjectSpec::new(fields, extra))))
    }

    fn array(
        &mut self,
        schema: &'a Json,
        members: &'a [(String, Json)],
        pointer: &str,
        path: &str,
    ) -> Result<NodeShape, SchemaProblem> {
        let fail = |message: String| SchemaProblem {
            pointer: pointer.to_owned(),
            message,
        };
        known_keywords(members, &["type", "items", "maxItems"]).map_err(&fail)?;
        let Some(items) = schema.get("items") else {
            return Err(fail(
                "an array needs `items` here, the schema of its elements".to_owned(),
            ));
        };
        let elements_max = match number(schema, "maxItems").map_err(&fail)? {
            Some(max) => max.min(LIST_ELEMENTS_MAX),
            None => LIST_ELEMENTS_MAX,
        };
        let mut row = Row { used: 0 };
        let mut compiler = Compiler {
            root: self.root,
            row: &mut row,
            depth: self.depth,
        };
        let element = compiler.node(items, &format!("{pointer}/items"), &format!("{path}[]"))?;
        let stride = row.used;
        if stride > SCHEMA_SLOTS_MAX {
            return Err(fail(format!(
                "an element has more than {SCHEMA_SLOTS_MAX} fields"
            )));
        }
        Ok(NodeShape::List {
            nested: holds_list(&element),
            stride,
            elements_max,
            element: Box::new(element),
        })
    }
}

/// Whether a list lies in what an element holds.
fn holds_list(node: &Node) -> bool {
    match &node.shape {
        NodeShape::Leaf(..) => false,
        NodeShape::List { .. } => true,
        NodeShape::Object(spec) => spec.fields.iter().any(|field| holds_list(&field.node)),
    }
}

/// Gives every money string the slot of the currency beside it.
fn link_currencies(fields: &mut [Field], properties: &[(String, Json)]) -> Result<(), String> {
    for (name, schema) in properties {
        let Some(beside) = schema.get("x-paygod-currency") else {
            continue;
        };
        let beside = beside.as_text().unwrap_or_default();
        let currency = fields.iter().find(|f| f.name == beside && f.required);
        let slot = match currency.map(|f| (&f.node.shape, f.node.slot)) {
            Some((NodeShape::Leaf(LeafType::Text, _), slot)) => slot,
            _ => {
                return Err(format!(
                    "`{name}` takes its currency from `{beside}`, which is not a required string beside it"
                ));
            }
        };
        for field in fields.iter_mut().filter(|f| f.name == *name) {
            if let NodeShape::Leaf(leaf, _) = &mut field.node.shape {
                *leaf = LeafType::MoneyBeside(slot);
            }
        }
    }
    Ok(())
}

fn declared_type(schema: &Json) -> Result<(&str, bool), String> {
    match schema.get("type") {
        Some(Json::Text(kind)) => Ok((kind, false)),
        Some(Json::Array(kinds)) => {
            let mut named = kinds
                .iter()
                .filter_map(Json::as_text)
                .filter(|k| *k != "null");
            match (named.next(), named.next()) {
                (Some(kind), None) => Ok((kind, true)),
                _ => Err("a field has one type here, or one and `null`".to_owned()),
            }
        }
        _ => Err("`type` is missing; every field needs one".to_owned()),
    }
}

fn known_keywords(members: &[(String, Json)], known: &[&str]) -> Result<(), String> {
    for (keyword, _) in members {
        let keyword = keyword.as_str();
        if !known.contains(&keyword) && !ANNOTATIONS.contains(&keyword) {
            return Err(format!(
                "the keyword `{keyword}` is not enforced here; known are {}",
                quoted(known)
            ));
        }
    }
    Ok(())
}

fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|w| format!("`{w}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn strings(value: Option<&Json>, keyword: &str) -> Result<Vec<String>, String> {
    match value {
        None => Ok(Vec::new()),
        Some(Json::Array(items)) => items
            .iter()
            .map(|item| item.as_text().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| format!("`{keyword}` is a list of strings")),
        Some(_) => Err(format!("`{keyword}` is a list of strings")),
    }
}

fn number(schema: &Json, keyword: &str) -> Result<Option<usize>, String> {
    match schema.get(keyword) {
        None => Ok(None),
        Some(Json::Number(text)) => match text.parse::<usize>() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("`{keyword}` is a whole number, found `{text}`")),
        },
        Some(_) => Err(format!("`{keyword}` is a whole number")),
    }
}

fn money_object(schema: &Json) -> Result<NodeShape, String> {
    if schema.get("x-paygod-type").and_then(Json::as_text) != Some("money") {
        return Err("`x-paygod-type` is `money`; other types have `type` and `format`".to_owned());
    }
    Ok(NodeShape::Leaf(LeafType::MoneyObject, Checks::default()))
}

fn leaf(kind: &str, schema: &Json, members: &[(String, Json)]) -> Result<NodeShape, String> {
    let (leaf, known): (LeafType, &[&str]) = match kind {
        "boolean" => (LeafType::Bool, &["type"]),
        "integer" => (LeafType::Int, &["type", "minimum", "maximum"]),
        "number" => (LeafType::Number, &["type", "minimum", "maximum"]),
        "string" => text_leaf(schema)?,
        other => {
            return Err(format!(
                "the type `{other}` is unknown; known are `string`, `integer`, `number`, `boolean`, \
                 `array`, `object`"
            ));
        }
    };
    known_keywords(members, known)?;
    let decimal = |keyword: &str| match schema.get(keyword) {
        None => Ok(None),
        Some(Json::Number(text)) => match Decimal::parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("`{keyword}` has more than 38 digits")),
        },
        Some(_) => Err(format!("`{keyword}` is a number")),
    };
    let mut one_of = match schema.get("enum") {
        None => None,
        values => Some(strings(values, "enum")?),
    };
    if let Some(only) = schema.get("const") {
        let only = only.as_text().ok_or("`const` is a string here")?;
        one_of = Some(vec![only.to_owned()]);
    }
    let mut checks = Checks {
        any: false,
        chars_min: number(schema, "minLength")?.unwrap_or(0),
        chars_max: number(schema, "maxLength")?,
        one_of,
        minimum: decimal("minimum")?,
        maximum: decimal("maximum")?,
    };
    checks.any = checks != Checks::default();
    Ok(NodeShape::Leaf(leaf, checks))
}

fn text_leaf(schema: &Json) -> Result<(LeafType, &'static [&'static str]), String> {
    if let Some(kind) = schema.get("x-paygod-type") {
        if kind.as_text() != Some("money") || schema.get("x-paygod-currency").is_none() {
            return Err(
                "a money string needs `x-paygod-type: money` and `x-paygod-currency: <the field \
                        beside it that holds the currency>`"
                    .to_owned(),
            );
        }
        return Ok((
            LeafType::MoneyBeside(0),
            &["type", "x-paygod-type", "x-paygod-currency"],
        ));
    }
    match schema
        .get("format")
        .map(|f| f.as_text().unwrap_or_default())
    {
        None => Ok((
            LeafType::Text,
            &["type", "minLength", "maxLength", "enum", "const"],
        )),
        Some("date-time") => Ok((LeafType::DateTime, &["type", "format"])),
        Some("date") => Ok((LeafType::Date, &["type", "format"])),
        Some("duration") => Ok((LeafType::Duration, &["type", "format"])),
        Some("decimal") => Ok((
            LeafType::DecimalText,
            &["type", "format", "minimum", "maximum"],
        )),
        Some(other) => Err(format!(
            "the format `{other}` is not enforced here; known are `date-time`, `date`, `duration`, \
             `decimal`"
        )),
    }
}
