//! A bounded pull reader over one XML document.
//!
//! INVARIANT(bounded-parser): no byte of the document is read before its size is checked, nothing is
//! expanded (a DOCTYPE or an entity beyond XML's five ends the reading), depth, attributes, names and
//! texts are bounded, and the time is linear in the size of the file, places of errors included.
//!
//! It does not validate against a schema and keeps no tree: whoever walks it asks for the next child, a
//! text, or to skip.

use quick_xml::Reader;
use quick_xml::errors::Error as XmlError;
use quick_xml::events::{BytesStart, Event};

use super::error::{LocatedFault, PaymentFault, ReadError, ReadFault, Spot};
use super::model::Place;
use super::source::{Places, is_utf8_name, is_xml_char, shorten, shown};
use super::totals::Counts;

/// Open elements. The deepest path read is 14; supplementary data goes somewhat further.
const DEPTH_MAX: usize = 32;
/// Attributes of one element, namespace declarations included. Real roots carry 3 or 4.
const ATTRIBUTES_MAX: usize = 16;
/// Bytes of one start tag. Holds a schema location with room to spare.
const TAG_BYTES_MAX: usize = 4_096;
/// Bytes of one element name. The longest of ISO 20022 has 24.
const NAME_BYTES_MAX: usize = 64;
/// Raw bytes of one text, before white space is folded. Texts read here end at 140 characters.
const TEXT_BYTES_MAX: usize = 8_192;
/// Namespace bindings in scope, over all open elements.
const BINDINGS_MAX: usize = 32;
/// Bytes of one namespace.
const NAMESPACE_BYTES_MAX: usize = 256;

/// One start tag.
#[derive(Debug)]
pub(super) struct Element<'x> {
    tag: BytesStart<'x>,
}

impl Element<'_> {
    /// The name without its prefix.
    pub(super) fn local(&self) -> &str {
        self.tag.local_name().into_inner()
    }

    /// The raw value of an attribute without a prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.tag
            .attributes()
            .filter_map(Result::ok)
            .find(|attribute| attribute.key.into_inner() == name)
            .map(|attribute| attribute.value.into_owned())
    }
}

#[derive(Debug)]
struct Scope {
    path_len: usize,
    bindings_len: usize,
    /// What it held of the elements that may stand in it once.
    once: Vec<&'static str>,
}

#[derive(Debug)]
struct Binding {
    prefix: String,
    namespace: String,
}

/// Walks a document. `child` enters an element, its end is consumed by the `child` that answers `None`,
/// by `text` or by `skip`.
#[derive(Debug)]
pub(super) struct Cursor<'x> {
    reader: Reader<&'x [u8]>,
    places: Places<'x>,
    scopes: Vec<Scope>,
    bindings: Vec<Binding>,
    path: String,
    /// Length of the path without the element whose text was just read.
    path_left: Option<usize>,
    namespace: Option<String>,
    /// Byte offset of the event last read.
    at: usize,
    counts: Counts,
}

impl<'x> Cursor<'x> {
    /// Over a checked text, see [`super::source::document_text`].
    pub(super) fn new(text: &'x str, counts: Counts) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = true;
        config.check_comments = true;
        config.trim_markup_names_in_closing_tags = true;
        Self {
            reader,
            places: Places::new(text),
            scopes: Vec::new(),
            bindings: Vec::new(),
            path: String::new(),
            path_left: None,
            namespace: None,
            at: 0,
            counts,
        }
    }

    /// What to make of counts that do not hold.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// From here on every element met by `child` must be in this namespace.
    pub(super) fn require_namespace(&mut self, namespace: Option<String>) {
        self.namespace = namespace;
    }

    /// The place last read.
    pub(super) fn spot(&mut self) -> Spot {
        let (line, column) = self.places.locate(self.at);
        Spot {
            line,
            column,
            path: self.path.clone(),
        }
    }

    /// An error at the place last read.
    pub(super) fn fail(&mut self, fault: ReadFault) -> ReadError {
        ReadError {
            at: self.spot(),
            fault,
        }
    }

    /// A fault of one payment at the place last read.
    pub(super) fn fault(&mut self, fault: PaymentFault) -> LocatedFault {
        LocatedFault {
            at: self.spot(),
            fault,
        }
    }

    /// The place of a payment whose first tag was just read, `before` others in the file.
    pub(super) fn place(&mut self, before: usize, payments_max: u32) -> Result<Place, ReadError> {
        let (line, column) = self.places.locate(self.at);
        match u32::try_from(before)
            .ok()
            .and_then(|before| before.checked_add(1))
        {
            Some(index) if index <= payments_max => Ok(Place {
                index,
                line,
                column,
            }),
            _ => {
                let allowed = usize::try_from(payments_max).unwrap_or(usize::MAX);
                Err(self.fail(ReadFault::Limit {
                    what: "payments of one file",
                    allowed,
                }))
            }
        }
    }

    /// Puts a value into a slot that may be filled once.
    pub(super) fn put<T>(
        &mut self,
        slot: &mut Option<T>,
        value: T,
        element: &'static str,
    ) -> Result<(), ReadError> {
        if slot.is_some() {
            return Err(self.fail(ReadFault::Repeated { element }));
        }
        *slot = Some(value);
        Ok(())
    }

    /// Refuses the element just entered if one of that name stood before it in its parent, even an empty one.
    pub(super) fn once(&mut self, element: &'static str) -> Result<(), ReadError> {
        let parent = self.scopes.iter_mut().rev().nth(1);
        let Some(parent) = parent else { return Ok(()) };
        if parent.once.contains(&element) {
            return Err(self.fail(ReadFault::Repeated { element }));
        }
        parent.once.push(element);
        Ok(())
    }

    /// The next child of the open element, entered; `None` once the open element has ended.
    pub(super) fn child(&mut self) -> Result<Option<Element<'x>>, ReadError> {
        loop {
            match self.event()? {
                Event::Start(tag) => {
                    let element = self.open(tag)?;
                    self.check_namespace(&element)?;
                    return Ok(Some(element));
                }
                Event::End(_) => {
                    self.close();
                    return Ok(None);
                }
                Event::Text(text) if is_blank(&text) => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(self.fail(ReadFault::Unexpected {
                        found: "text".into(),
                        expected: "an element",
                    }));
                }
                Event::Eof if self.scopes.is_empty() => return Ok(None),
                Event::Eof => return Err(self.fail(ReadFault::Truncated)),
                _ => {}
            }
        }
    }

    /// The text of the open element, which ends with it. White space at the ends goes, white space within
    /// becomes one space. `chars_max` counts what is left. `None` when nothing is left.
    pub(super) fn text(&mut self, chars_max: usize) -> Result<Option<String>, ReadError> {
        let raw = self.raw_text()?;
        let text = raw.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().count() > chars_max {
            return Err(self.fail(ReadFault::Limit {
                what: "characters of one text",
                allowed: chars_max,
            }));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn raw_text(&mut self) -> Result<String, ReadError> {
        let start = self.at;
        let mut raw = String::new();
        loop {
            match self.event()? {
                Event::Text(text) => raw.push_str(&text),
                Event::CData(text) => raw.push_str(&text),
                Event::GeneralRef(name) => {
                    let resolved = name
                        .resolve_char_ref()
                        .map_err(|_| ReadFault::EntityReference { name: shown(&name) });
                    match resolved.map(|char_ref| char_ref.or_else(|| predefined(&name))) {
                        Ok(Some(character)) if is_xml_char(character) => raw.push(character),
                        Ok(Some(character)) => {
                            return Err(self.fail(ReadFault::Character {
                                codepoint: u32::from(character),
                            }));
                        }
                        Ok(None) => {
                            return Err(
                                self.fail(ReadFault::EntityReference { name: shown(&name) })
                            );
                        }
                        Err(fault) => return Err(self.fail(fault)),
                    }
                }
                Event::Start(tag) => {
                    let found = shorten(tag.local_name().into_inner());
                    return Err(self.fail(ReadFault::Unexpected {
                        found,
                        expected: "text",
                    }));
                }
                Event::End(_) => {
                    // Whoever reports this value points at its element, not at its end tag or its parent.
                    self.at = start;
                    if let Some(scope) = self.scopes.pop() {
                        self.path_left = Some(scope.path_len);
                        self.bindings.truncate(scope.bindings_len);
                    }
                    return Ok(raw);
                }
                Event::Eof => return Err(self.fail(ReadFault::Truncated)),
                _ => {}
            }
            if raw.len() > TEXT_BYTES_MAX {
                return Err(self.fail(ReadFault::Limit {
                    what: "bytes of one text",
                    allowed: TEXT_BYTES_MAX,
                }));
            }
        }
    }

    /// Passes over the open element and all it holds.
    pub(super) fn skip(&mut self) -> Result<(), ReadError> {
        self.skip_with(|_, _| Ok(()))
    }

    /// [`Self::skip`], with a look at each element within.
    pub(super) fn skip_with(
        &mut self,
        mut look: impl FnMut(&mut Self, &Element<'x>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let outside = self.scopes.len().saturating_sub(1);
        while self.scopes.len() > outside {
            match self.event()? {
                Event::Start(tag) => {
                    let element = self.open(tag)?;
                    look(self, &element)?;
                }
                Event::End(_) => self.close(),
                Event::GeneralRef(name) if !name.is_char_ref() && predefined(&name).is_none() => {
                    return Err(self.fail(ReadFault::EntityReference { name: shown(&name) }));
                }
                Event::Eof => return Err(self.fail(ReadFault::Truncated)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The namespace of an element just entered; empty when it has none.
    pub(super) fn namespace_of(&self, element: &Element<'_>) -> &str {
        let prefix = element
            .tag
            .name()
            .prefix()
            .map_or("", |prefix| prefix.into_inner());
        self.bindings
            .iter()
            .rev()
            .find(|binding| binding.prefix == prefix)
            .map_or("", |binding| &binding.namespace)
    }

    fn check_namespace(&mut self, element: &Element<'_>) -> Result<(), ReadError> {
        match &self.namespace {
            Some(due) if self.namespace_of(element) != due => {
                let found = shorten(self.namespace_of(element));
                Err(self.fail(ReadFault::Namespace { found }))
            }
            _ => Ok(()),
        }
    }

    fn event(&mut self) -> Result<Event<'x>, ReadError> {
        if let Some(length) = self.path_left.take() {
            self.path.truncate(length);
        }
        self.at = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        let event = self
            .reader
            .read_event()
            .map_err(|error| self.malformed(&error))?;
        match &event {
            Event::DocType(text) => {
                let fault = doctype_fault(text);
                Err(self.fail(fault))
            }
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(name)) if !is_utf8_name(&name) => {
                    let found = shorten(&name);
                    Err(self.fail(ReadFault::Encoding { found }))
                }
                Some(Err(_)) => Err(self.fail(ReadFault::Malformed {
                    detail: "bad XML declaration".into(),
                })),
                _ if self.at > 0 => Err(self.fail(ReadFault::Malformed {
                    detail: "an XML declaration after the start".into(),
                })),
                _ => Ok(event),
            },
            _ => Ok(event),
        }
    }

    fn malformed(&mut self, error: &XmlError) -> ReadError {
        let at_end = self.reader.buffer_position()
            >= u64::try_from(self.places.text_bytes()).unwrap_or(u64::MAX);
        match error {
            XmlError::Syntax(_) if at_end => self.fail(ReadFault::Truncated),
            other => {
                let detail = shorten(&other.to_string());
                self.fail(ReadFault::Malformed { detail })
            }
        }
    }

    fn open(&mut self, tag: BytesStart<'x>) -> Result<Element<'x>, ReadError> {
        if tag.len() > TAG_BYTES_MAX {
            return Err(self.fail(ReadFault::Limit {
                what: "bytes of one start tag",
                allowed: TAG_BYTES_MAX,
            }));
        }
        if tag.name().into_inner().len() > NAME_BYTES_MAX {
            return Err(self.fail(ReadFault::Limit {
                what: "bytes of one element name",
                allowed: NAME_BYTES_MAX,
            }));
        }
        if self.scopes.len() >= DEPTH_MAX {
            return Err(self.fail(ReadFault::Limit {
                what: "open elements",
                allowed: DEPTH_MAX,
            }));
        }
        self.scopes.push(Scope {
            path_len: self.path.len(),
            bindings_len: self.bindings.len(),
            once: Vec::new(),
        });
        self.path.push('/');
        self.path.push_str(tag.local_name().into_inner());
        self.bind(&tag)?;
        Ok(Element { tag })
    }

    fn bind(&mut self, tag: &BytesStart<'_>) -> Result<(), ReadError> {
        for (index, attribute) in tag.attributes().enumerate() {
            if index >= ATTRIBUTES_MAX {
                return Err(self.fail(ReadFault::Limit {
                    what: "attributes of one element",
                    allowed: ATTRIBUTES_MAX,
                }));
            }
            let Ok(attribute) = attribute else {
                return Err(self.fail(ReadFault::Malformed {
                    detail: "a bad or repeated attribute".into(),
                }));
            };
            let prefix = match attribute.key.into_inner() {
                "xmlns" => "",
                name => match name.strip_prefix("xmlns:") {
                    Some(prefix) => prefix,
                    None => continue,
                },
            };
            if attribute.value.len() > NAMESPACE_BYTES_MAX {
                return Err(self.fail(ReadFault::Limit {
                    what: "bytes of a namespace",
                    allowed: NAMESPACE_BYTES_MAX,
                }));
            }
            if self.bindings.len() >= BINDINGS_MAX {
                return Err(self.fail(ReadFault::Limit {
                    what: "namespaces in scope",
                    allowed: BINDINGS_MAX,
                }));
            }
            self.bindings.push(Binding {
                prefix: prefix.into(),
                namespace: attribute.value.into_owned(),
            });
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(scope) = self.scopes.pop() {
            self.path.truncate(scope.path_len);
            self.bindings.truncate(scope.bindings_len);
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}

fn doctype_fault(text: &str) -> ReadFault {
    if text.contains("SYSTEM") || text.contains("PUBLIC") {
        ReadFault::ExternalEntity
    } else if text.contains("<!ENTITY") {
        ReadFault::EntityDeclaration
    } else {
        ReadFault::Doctype
    }
}
