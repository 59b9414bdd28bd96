//! The policy in CEL.

use std::rc::Rc;
use std::sync::Arc;

use cel::{Context, Program, Value};
use paygod_policy::Verdict;

use crate::{Engine, Failed, event, payment};

const RULES: [(&str, Verdict); 19] = [
    (
        r#"!(p.currency in ["CHF", "EUR", "GBP", "USD"])"#,
        Verdict::Deny,
    ),
    (
        r#"p.currency == "EUR" && p.amount > 5000000 || p.currency == "CHF" && p.amount > 5000000 || p.currency == "USD" && p.amount > 5500000 || p.currency == "GBP" && p.amount > 4500000"#,
        Verdict::Deny,
    ),
    (
        r#"p.currency == "EUR" && p.amount > 1000000 || p.currency == "CHF" && p.amount > 1000000 || p.currency == "USD" && p.amount > 1100000 || p.currency == "GBP" && p.amount > 900000"#,
        Verdict::Review,
    ),
    ("p.creditor_name in blocked", Verdict::Deny),
    ("p.debtor_name in blocked", Verdict::Deny),
    (
        r#"p.creditor_country in ["AF", "BY", "CD", "CU", "IR", "KP", "LY", "MM", "RU", "SD", "SY", "YE"]"#,
        Verdict::Deny,
    ),
    ("p.creditor_new && p.amount > 500000", Verdict::Review),
    ("p.risk_score >= 0.9", Verdict::Deny),
    ("p.risk_score >= 0.7 && !p.mfa", Verdict::Review),
    ("p.failed_logins > 5", Verdict::Deny),
    ("p.session_age_s < 30 && p.creditor_new", Verdict::Flag),
    (
        r#"p.items.exists(i, i.category in ["weapons", "gift_card"])"#,
        Verdict::Review,
    ),
    // CEL has no sum; this one is a function in Rust.
    ("sum(p.items.map(i, i.price)) > 5000.0", Verdict::Flag),
    ("!p.items.all(i, i.quantity > 0)", Verdict::Deny),
    (
        "p.items.exists(i, i.hazardous && i.quantity > 3)",
        Verdict::Review,
    ),
    (
        r#"has(p.execution_date) && p.execution_date == "2030-01-01""#,
        Verdict::Flag,
    ),
    (
        r#"!p.reference.startsWith("RF") && size(p.remittance) < 5"#,
        Verdict::Flag,
    ),
    (
        "p.customer_risk >= 4 && p.ip_country != p.customer_country",
        Verdict::Review,
    ),
    (
        "p.daily_count > 50 || p.daily_total + double(p.amount) / 100.0 > 200000.0",
        Verdict::Review,
    ),
];

struct Policy {
    programs: Vec<(Program, Verdict)>,
    common: Context<'static, 'static>,
}

pub(crate) fn engine(events: &[String]) -> Result<Engine, Failed> {
    let policy = Rc::new(policy()?);
    let texts = events.iter().map(|e| Ok(event::eased(e)?.to_string()));
    let texts = texts.collect::<Result<Vec<String>, Failed>>()?;
    let read = texts
        .iter()
        .map(|text| read(text))
        .collect::<Result<Vec<Value>, Failed>>()?;
    let other = Rc::clone(&policy);
    Ok(Engine {
        name: "cel 0.15",
        from_json: Box::new(move |n| policy.judge(self::read(&texts[n])?)),
        from_read: Some(Box::new(move |n| other.judge(read[n].clone()))),
    })
}

fn read(text: &str) -> Result<Value, Failed> {
    let event: serde_json::Value = serde_json::from_str(text)?;
    Ok(cel::to_value(&event)?)
}

fn policy() -> Result<Policy, Failed> {
    let mut common = Context::default();
    // A map, since `in` searches a list from its beginning.
    let blocked: std::collections::HashMap<String, bool> = payment::names()
        .iter()
        .map(|name| (event::normalised(name), true))
        .collect();
    common.add_variable_from_value("blocked", cel::to_value(&blocked)?);
    common.add_function("sum", |list: Arc<Vec<Value>>| -> f64 {
        let float = |value: &Value| {
            if let Value::Float(float) = value {
                *float
            } else {
                f64::NAN
            }
        };
        list.iter().map(float).sum()
    })?;
    let mut programs = Vec::new();
    for (rule, decision) in RULES {
        programs.push((Program::compile(rule)?, decision));
    }
    Ok(Policy { programs, common })
}

impl Policy {
    fn judge(&self, event: Value) -> Result<Verdict, Failed> {
        let mut context = self.common.new_inner_scope();
        context.add_variable_from_value("p", event);
        let mut verdict = Verdict::Allow;
        for (program, decision) in &self.programs {
            if program.execute(&context).map_err(|e| e.to_string())? == Value::Bool(true) {
                verdict = verdict.max(*decision);
            }
        }
        Ok(verdict)
    }
}
