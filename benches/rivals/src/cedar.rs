//! The policy in Cedar. It knows two answers only, so every rule permits, and the strictest of those that did is
//! looked up: one request, as few evaluations as Cedar can do with.

use std::collections::HashMap;
use std::rc::Rc;
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, Policy as Rule, PolicyId, PolicySet, Request,
};
use paygod_policy::Verdict;
use serde_json::json;

use crate::{Engine, Failed, event, payment};

const RULES: [(&str, Verdict); 20] = [
    (
        r#"!(["CHF", "EUR", "GBP", "USD"].contains(context.currency))"#,
        Verdict::Deny,
    ),
    (
        r#"context.currency == "EUR" && context.amount > 5000000 || context.currency == "CHF" && context.amount > 5000000 || context.currency == "USD" && context.amount > 5500000 || context.currency == "GBP" && context.amount > 4500000"#,
        Verdict::Deny,
    ),
    (
        r#"context.currency == "EUR" && context.amount > 1000000 || context.currency == "CHF" && context.amount > 1000000 || context.currency == "USD" && context.amount > 1100000 || context.currency == "GBP" && context.amount > 900000"#,
        Verdict::Review,
    ),
    (
        "resource.blocked.contains(context.creditor_name)",
        Verdict::Deny,
    ),
    (
        "resource.blocked.contains(context.debtor_name)",
        Verdict::Deny,
    ),
    (
        r#"["AF", "BY", "CD", "CU", "IR", "KP", "LY", "MM", "RU", "SD", "SY", "YE"].contains(context.creditor_country)"#,
        Verdict::Deny,
    ),
    (
        "context.creditor_new && context.amount > 500000",
        Verdict::Review,
    ),
    ("context.risk_score >= 90", Verdict::Deny),
    ("context.risk_score >= 70 && !context.mfa", Verdict::Review),
    ("context.failed_logins > 5", Verdict::Deny),
    (
        "context.session_age_s < 30 && context.creditor_new",
        Verdict::Flag,
    ),
    (
        r#"context.categories.containsAny(["weapons", "gift_card"])"#,
        Verdict::Review,
    ),
    ("context.price_total > 500000", Verdict::Flag),
    ("context.quantity_min <= 0", Verdict::Deny),
    ("context.hazardous_quantity_max > 3", Verdict::Review),
    (
        r#"context has execution_date && context.execution_date == "2030-01-01""#,
        Verdict::Flag,
    ),
    (
        r#"!(context.reference like "RF*") && context.remittance_size < 5"#,
        Verdict::Flag,
    ),
    (
        "context.customer_risk >= 4 && context.ip_country != context.customer_country",
        Verdict::Review,
    ),
    (
        "context.daily_count > 50 || context.daily_total + context.amount > 20000000",
        Verdict::Review,
    ),
    ("true", Verdict::Allow),
];

struct Policy {
    authorizer: Authorizer,
    policies: PolicySet,
    decisions: HashMap<PolicyId, Verdict>,
    entities: Entities,
    who: [EntityUid; 3],
}

pub(crate) fn engine(events: &[String]) -> Result<Engine, Failed> {
    let policy = Rc::new(policy()?);
    let texts = events.iter().map(|e| Ok(event::flat(e)?.to_string()));
    let texts = texts.collect::<Result<Vec<String>, Failed>>()?;
    let read = texts
        .iter()
        .map(|text| policy.read(text))
        .collect::<Result<Vec<Request>, Failed>>()?;
    let other = Rc::clone(&policy);
    Ok(Engine {
        name: "cedar 4.14",
        from_json: Box::new(move |n| policy.judge(&policy.read(&texts[n])?)),
        from_read: Some(Box::new(move |n| other.judge(&read[n]))),
    })
}

fn policy() -> Result<Policy, Failed> {
    let mut policies = PolicySet::new();
    let mut decisions = HashMap::new();
    for (n, (condition, decision)) in RULES.iter().enumerate() {
        let id = PolicyId::new(format!("rule-{n}"));
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        policies.add(Rule::parse(Some(id.clone()), text)?)?;
        decisions.insert(id, *decision);
    }
    let names = payment::names();
    let blocked: Vec<String> = names.iter().map(|name| event::normalised(name)).collect();
    let list = json!([{"uid": {"type": "List", "id": "blocked"}, "attrs": {"blocked": blocked}, "parents": []}]);
    Ok(Policy {
        authorizer: Authorizer::new(),
        policies,
        decisions,
        entities: Entities::from_json_value(list, None)?,
        who: [
            EntityUid::from_str(r#"User::"main""#)?,
            EntityUid::from_str(r#"Action::"pay""#)?,
            EntityUid::from_str(r#"List::"blocked""#)?,
        ],
    })
}

impl Policy {
    fn read(&self, text: &str) -> Result<Request, Failed> {
        let context = Context::from_json_str(text, None)?;
        let [principal, action, resource] = self.who.clone();
        Ok(Request::new(principal, action, resource, context, None)?)
    }

    fn judge(&self, request: &Request) -> Result<Verdict, Failed> {
        let response = self
            .authorizer
            .is_authorized(request, &self.policies, &self.entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(error.to_string().into());
        }
        let fired = response.diagnostics().reason();
        let strictest = fired.filter_map(|id| self.decisions.get(id)).max();
        strictest.copied().ok_or_else(|| "no rule fired".into())
    }
}
