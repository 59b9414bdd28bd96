//! The policy in Rego, run by the virtual machine of `regorus`.

use std::cell::RefCell;
use std::rc::Rc;

use paygod_policy::Verdict;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine as Rego, Value};

use crate::{Engine, Failed, event, payment};

const ENTRY: &str = "data.payment.verdict";

const POLICY: &str = r#"
package payment
import rego.v1

francs_or_euros := {"EUR", "CHF"}
barred := {"AF", "BY", "CD", "CU", "IR", "KP", "LY", "MM", "RU", "SD", "SY", "YE"}

said contains "deny" if not input.currency in {"CHF", "EUR", "GBP", "USD"}
said contains "deny" if { input.currency in francs_or_euros; input.amount > 5000000 }
said contains "deny" if { input.currency == "USD"; input.amount > 5500000 }
said contains "deny" if { input.currency == "GBP"; input.amount > 4500000 }
said contains "review" if { input.currency in francs_or_euros; input.amount > 1000000 }
said contains "review" if { input.currency == "USD"; input.amount > 1100000 }
said contains "review" if { input.currency == "GBP"; input.amount > 900000 }
said contains "deny" if data.blocked[input.creditor_name]
said contains "deny" if data.blocked[input.debtor_name]
said contains "deny" if input.creditor_country in barred
said contains "review" if { input.creditor_new; input.amount > 500000 }
said contains "deny" if input.risk_score >= 0.9
said contains "review" if { input.risk_score >= 0.7; not input.mfa }
said contains "deny" if input.failed_logins > 5
said contains "flag" if { input.session_age_s < 30; input.creditor_new }
said contains "review" if { some i in input.items; i.category in {"weapons", "gift_card"} }
said contains "flag" if sum([i.price | some i in input.items]) > 5000
said contains "deny" if { some i in input.items; i.quantity <= 0 }
said contains "review" if { some i in input.items; i.hazardous; i.quantity > 3 }
said contains "flag" if input.execution_date == "2030-01-01"
said contains "flag" if { not startswith(input.reference, "RF"); count(input.remittance) < 5 }
said contains "review" if { input.customer_risk >= 4; input.ip_country != input.customer_country }
said contains "review" if input.daily_count > 50
said contains "review" if input.daily_total + input.amount / 100 > 200000

default verdict := "allow"
verdict := "deny" if "deny" in said
else := "review" if "review" in said
else := "flag" if "flag" in said
"#;

pub(crate) fn engine(events: &[String]) -> Result<Engine, Failed> {
    let vm = Rc::new(RefCell::new(vm()?));
    let texts = events.iter().map(|e| Ok(event::eased(e)?.to_string()));
    let texts = texts.collect::<Result<Vec<String>, Failed>>()?;
    let read = texts.iter().map(|text| Ok(Value::from_json_str(text)?));
    let read = read.collect::<Result<Vec<Value>, Failed>>()?;
    let other = Rc::clone(&vm);
    Ok(Engine {
        name: "regorus 0.14",
        from_json: Box::new(move |n| judge(&mut vm.borrow_mut(), Value::from_json_str(&texts[n])?)),
        from_read: Some(Box::new(move |n| {
            judge(&mut other.borrow_mut(), read[n].clone())
        })),
    })
}

fn vm() -> Result<RegoVM, Failed> {
    let mut engine = Rego::new();
    engine.add_policy("payment.rego".to_owned(), POLICY.to_owned())?;
    let names = payment::names();
    let blocked = names
        .iter()
        .map(|name| format!("{:?}:true", event::normalised(name)));
    let blocked = blocked.collect::<Vec<_>>().join(",");
    let data = Value::from_json_str(&format!("{{\"blocked\":{{{blocked}}}}}"))?;
    engine.add_data(data.clone())?;
    let compiled = engine.compile_with_entrypoint(&ENTRY.into())?;
    let mut vm = RegoVM::new();
    vm.load_program(Compiler::compile_from_policy(&compiled, &[ENTRY])?);
    vm.set_data(data)?;
    Ok(vm)
}

fn judge(vm: &mut RegoVM, input: Value) -> Result<Verdict, Failed> {
    vm.set_input(input);
    let verdict = vm.execute_entry_point_by_index(0)?;
    let word = verdict.as_string()?;
    Verdict::parse(word).ok_or_else(|| "no verdict".into())
}
