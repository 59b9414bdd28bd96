//! Tokens to a syntax tree: precedence climbing, with depth and size bounded.
//!
//! INVARIANT(bounded-parser): a condition of any bytes makes at most
//! [`CONDITION_NODES_MAX`](crate::limits::CONDITION_NODES_MAX) nodes, no deeper than
//! [`CONDITION_DEPTH_MAX`](crate::limits::CONDITION_DEPTH_MAX), so that everything recursive after it is
//! bounded too.

use super::ast::{BinaryOp, Expr, ExprKind, Problem, Span};
use super::lexer::{Token, tokens};
use crate::limits::{CONDITION_BYTES_MAX, CONDITION_DEPTH_MAX, CONDITION_NODES_MAX};

/// Parses a condition.
pub(crate) fn parse(text: &str) -> Result<Expr, Problem> {
    let whole = Span {
        start: 0,
        end: text.len(),
    };
    if text.len() > CONDITION_BYTES_MAX {
        let message = format!(
            "the condition has {} bytes, {CONDITION_BYTES_MAX} are allowed; split the rule",
            text.len()
        );
        return Err(Problem {
            span: whole,
            message,
        });
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
        nodes: 0,
    };
    let expr = parser.conditional()?;
    match parser.peek() {
        Token::End => Ok(expr),
        other => {
            let message = format!(
                "{} is not expected here; join conditions with `&&` or `||`",
                other.describe()
            );
            Err(parser.problem(message))
        }
    }
}

fn too_deep() -> String {
    format!("the condition nests more than {CONDITION_DEPTH_MAX} deep; split the rule in several")
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    nodes: usize,
}

type Parsed = Result<Expr, Problem>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens
            .get(self.at)
            .map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        self.tokens
            .get(self.at)
            .map_or_else(Span::default, |(_, span)| *span)
    }

    fn problem(&self, message: String) -> Problem {
        Problem {
            span: self.span(),
            message,
        }
    }

    fn next(&mut self) -> (Token, Span) {
        let taken = self
            .tokens
            .get(self.at)
            .cloned()
            .unwrap_or((Token::End, Span::default()));
        self.at += 1;
        taken
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(m) if *m == mark);
        if found {
            self.at += 1;
        }
        found
    }

    fn close(&mut self, mark: &'static str) -> Result<Span, Problem> {
        let span = self.span();
        if self.eat(mark) {
            return Ok(span);
        }
        let found = self.peek().describe();
        Err(self.problem(format!("`{mark}` is expected here, found {found}")))
    }

    fn node(&mut self, kind: ExprKind, span: Span) -> Parsed {
        self.nodes += 1;
        if self.nodes > CONDITION_NODES_MAX {
            let message = format!(
                "the condition has more than {CONDITION_NODES_MAX} parts; split the rule, or use a list"
            );
            return Err(Problem { span, message });
        }
        let height = kind.height();
        if height > CONDITION_DEPTH_MAX {
            return Err(Problem {
                span,
                message: too_deep(),
            });
        }
        Ok(Expr { kind, span, height })
    }

    /// Runs `inner` one level deeper.
    fn deeper(&mut self, inner: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > CONDITION_DEPTH_MAX {
            return Err(self.problem(too_deep()));
        }
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }

    fn conditional(&mut self) -> Parsed {
        self.deeper(|p| {
            let condition = p.or()?;
            if !p.eat("?") {
                return Ok(condition);
            }
            let then = p.or()?;
            p.close(":")?;
            let otherwise = p.conditional()?;
            let span = condition.span.to(otherwise.span);
            let kind =
                ExprKind::Conditional(Box::new(condition), Box::new(then), Box::new(otherwise));
            p.node(kind, span)
        })
    }

    fn or(&mut self) -> Parsed {
        let first = self.and()?;
        self.chain("||", first, Self::and, ExprKind::Or)
    }

    fn and(&mut self) -> Parsed {
        let first = self.relation()?;
        self.chain("&&", first, Self::relation, ExprKind::And)
    }

    fn chain(
        &mut self,
        mark: &'static str,
        first: Expr,
        term: fn(&mut Self) -> Parsed,
        make: fn(Vec<Expr>) -> ExprKind,
    ) -> Parsed {
        let mut terms = vec![first];
        while self.eat(mark) {
            terms.push(term(self)?);
        }
        match (terms.pop(), terms.first().map(|t| t.span)) {
            (Some(last), Some(span)) => {
                let span = span.to(last.span);
                terms.push(last);
                self.node(make(terms), span)
            }
            (Some(only), None) => Ok(only),
            (None, _) => Err(self.problem("a condition is expected here".to_owned())),
        }
    }

    fn relation(&mut self) -> Parsed {
        let left = self.sum()?;
        let op = match self.peek() {
            Token::Mark("==") => BinaryOp::Equal,
            Token::Mark("!=") => BinaryOp::NotEqual,
            Token::Mark("<") => BinaryOp::Less,
            Token::Mark("<=") => BinaryOp::LessOrEqual,
            Token::Mark(">") => BinaryOp::Greater,
            Token::Mark(">=") => BinaryOp::GreaterOrEqual,
            Token::Name(name) if name == "in" => BinaryOp::In,
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.sum()?;
        if matches!(
            self.peek(),
            Token::Mark("==" | "!=" | "<" | "<=" | ">" | ">=")
        ) {
            let message = "comparisons do not chain; write `a < b && b < c`".to_owned();
            return Err(self.problem(message));
        }
        self.binary(op, left, right)
    }

    fn binary(&mut self, op: BinaryOp, left: Expr, right: Expr) -> Parsed {
        let span = left.span.to(right.span);
        self.node(ExprKind::Binary(op, Box::new(left), Box::new(right)), span)
    }

    fn sum(&mut self) -> Parsed {
        self.left_chain(Self::product, |token| match token {
            Token::Mark("+") => Some(BinaryOp::Add),
            Token::Mark("-") => Some(BinaryOp::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Parsed {
        self.left_chain(Self::unary, |token| match token {
            Token::Mark("*") => Some(BinaryOp::Multiply),
            Token::Mark("/") => Some(BinaryOp::Divide),
            Token::Mark("%") => Some(BinaryOp::Remainder),
            _ => None,
        })
    }

    /// A chain of left-associative operators. Each link makes the tree one taller, which `node` bounds.
    fn left_chain(
        &mut self,
        term: fn(&mut Self) -> Parsed,
        operator: fn(&Token) -> Option<BinaryOp>,
    ) -> Parsed {
        let mut left = term(self)?;
        while let Some(op) = operator(self.peek()) {
            self.at += 1;
            let right = term(self)?;
            left = self.binary(op, left, right)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.span();
        if self.eat("!") {
            let inner = self.deeper(Self::unary)?;
            let span = start.to(inner.span);
            return self.node(ExprKind::Not(Box::new(inner)), span);
        }
        if self.eat("-") {
            let inner = self.deeper(Self::unary)?;
            let span = start.to(inner.span);
            let kind = match inner.kind {
                ExprKind::Int(value) => ExprKind::Int(-value),
                ExprKind::Decimal(value) => ExprKind::Decimal(value.negated()),
                other => ExprKind::Negate(Box::new(Expr {
                    kind: other,
                    span: inner.span,
                    height: inner.height,
                })),
            };
            return self.node(kind, span);
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Parsed {
        let mut expr = self.primary()?;
        loop {
            // CEL spells it `.?`; both are read.
            let optional = self.eat("?.") || self.eat(".?");
            if !optional && !self.eat(".") {
                break;
            }
            let (name, name_span) = match self.next() {
                (Token::Name(name), span) => (name, span),
                (other, span) => {
                    let message = format!(
                        "a field or function name is expected after `.`, found {}",
                        other.describe()
                    );
                    return Err(Problem { span, message });
                }
            };
            let start = expr.span;
            if optional {
                let kind = ExprKind::SelectOptional(Box::new(expr), name, name_span);
                expr = self.node(kind, start.to(name_span))?;
            } else if self.eat("(") {
                let (args, close) = self.list_of(")")?;
                let receiver = Some(Box::new(expr));
                expr = self.node(
                    ExprKind::Call {
                        receiver,
                        name,
                        name_span,
                        args,
                    },
                    start.to(close),
                )?;
            } else {
                expr = self.node(
                    ExprKind::Select(Box::new(expr), name, name_span),
                    start.to(name_span),
                )?;
            }
        }
        if matches!(self.peek(), Token::Mark("[")) {
            let message = "an index has no meaning here; use a function over the list".to_owned();
            return Err(self.problem(message));
        }
        Ok(expr)
    }

    /// Expressions separated by commas, up to `mark`.
    fn list_of(&mut self, mark: &'static str) -> Result<(Vec<Expr>, Span), Problem> {
        let mut items = Vec::new();
        let end = self.span();
        if self.eat(mark) {
            return Ok((items, end));
        }
        loop {
            items.push(self.conditional()?);
            if self.eat(",") {
                continue;
            }
            let end = self.close(mark)?;
            return Ok((items, end));
        }
    }

    fn primary(&mut self) -> Parsed {
        let (token, span) = self.next();
        let kind = match token {
            Token::Int(value) => ExprKind::Int(i64::try_from(value).unwrap_or(i64::MAX)),
            Token::Decimal(value) => ExprKind::Decimal(value),
            Token::Text(text) => ExprKind::Text(text),
            Token::Name(name) => match name.as_str() {
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                "null" => {
                    let message =
                        "`null` does not exist here; ask whether a field is there with `has(…)`";
                    return Err(Problem {
                        span,
                        message: message.to_owned(),
                    });
                }
                "in" => {
                    let message = "`in` needs a value on its left".to_owned();
                    return Err(Problem { span, message });
                }
                _ if self.eat("(") => {
                    let (args, close) = self.list_of(")")?;
                    let kind = ExprKind::Call {
                        receiver: None,
                        name,
                        name_span: span,
                        args,
                    };
                    return self.node(kind, span.to(close));
                }
                _ => ExprKind::Name(name),
            },
            Token::Mark("(") => {
                let mut inner = self.conditional()?;
                let close = self.close(")")?;
                inner.span = span.to(close);
                return Ok(inner);
            }
            Token::Mark("[") => {
                let (items, close) = self.list_of("]")?;
                return self.node(ExprKind::List(items), span.to(close));
            }
            other => {
                let message = format!("a value is expected here, found {}", other.describe());
                return Err(Problem { span, message });
            }
        };
        self.node(kind, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        parse(text).unwrap_err().message
    }

    #[test]
    fn precedence_is_that_of_cel() {
        let implicit = parse("a || !b && c + d * 2 < -3 ? x : y").unwrap();
        let explicit = parse("(a || ((!b) && ((c + (d * 2)) < (-3)))) ? x : y").unwrap();
        assert_eq!(strip(implicit), strip(explicit));
    }

    fn strip(expr: Expr) -> String {
        let text = format!("{expr:?}");
        text.split("span: Span")
            .map(|s| s.split_once('}').map_or(s, |(_, rest)| rest))
            .collect()
    }

    #[test]
    fn twenty_thousand_terms_are_refused_not_overflowed() {
        let sum = vec!["1"; 8_000].join("+");
        assert!(error(&sum).contains("deep"), "{}", error(&sum));
        assert!(error(&"(".repeat(8_000)).contains("deep"));
        assert!(error(&"!".repeat(8_000)).contains("deep"));
        assert!(error(&"-".repeat(8_000)).contains("deep"));
        assert!(error(&format!("a{}", ".b".repeat(4_000))).contains("deep"));
        assert!(error(&"a?b:".repeat(4_000)).contains("deep"));
        assert!(error(&vec!["a"; 5_000].join("||")).contains("parts"));
        assert!(error(&"a".repeat(20_000)).contains("bytes"));
    }

    #[test]
    fn common_slips_get_advice() {
        assert!(error("a = b").contains("`==`"));
        assert!(error("a & b").contains("`&&`"));
        assert!(error("a < b < c").contains("do not chain"));
        assert!(error("a == null").contains("has("));
        assert!(error("a b").contains("join"));
        assert!(error("1e3").contains("digits"));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_errs_within_it(text in "[a-c0-2 .,()!<=>&|?:+*/\"'\\\\\\[\\]-]{0,80}|\\PC{0,40}") {
            if let Err(problem) = parse(&text) {
                prop_assert!(problem.span.start <= problem.span.end);
                prop_assert!(problem.span.start <= text.len());
            }
        }
    }
}
