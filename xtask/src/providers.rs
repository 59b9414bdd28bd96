//! Pack–provider separation: nothing under `packs/core/` names a cloud provider or its products, so that the core
//! packs say the same wherever a book runs. Packs about a provider live under `packs/providers/<cloud>/`.
//!
//! `packs/provider-tokens.txt` holds the tokens, one a line; a line of `packs/provider-allow.txt` lets one token
//! stand in one file, with the reason: `packs/core/x/README.md: azure: the name of a colour`.

use crate::{Faults, tracked_files};
use std::path::Path;

const TOKENS: &str = "packs/provider-tokens.txt";
const ALLOWED: &str = "packs/provider-allow.txt";
const CORE: &str = "packs/core/";

pub(crate) fn faults(root: &Path) -> Result<Faults, String> {
    let read = |name: &str| {
        std::fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let tokens = tokens(&read(TOKENS)?);
    if tokens.is_empty() {
        return Err(format!(
            "{TOKENS}: holds no token, so nothing would be found"
        ));
    }
    let (allowed, mut faults) = allowances(&read(ALLOWED)?);
    let mut used = vec![false; allowed.len()];
    for path in tracked_files(root)? {
        let shown = path.to_string_lossy().into_owned();
        if !shown.starts_with(CORE) {
            continue;
        }
        let bytes = std::fs::read(root.join(&path)).map_err(|error| format!("{shown}: {error}"))?;
        let text = format!("{shown}\n{}", String::from_utf8_lossy(&bytes));
        for (line, token) in named(&text, &tokens) {
            let at = allowed
                .iter()
                .position(|(file, allowed)| *file == shown && *allowed == token);
            if let Some(used) = at.and_then(|at| used.get_mut(at)) {
                *used = true;
                continue;
            }
            faults.push(format!(
                "{shown}:{line}: names `{token}`: move the pack to packs/providers/, or add a line with the reason \
                 to {ALLOWED}"
            ));
        }
    }
    for ((file, token), used) in allowed.iter().zip(used) {
        if !used {
            faults.push(format!(
                "{ALLOWED}: `{token}` no longer stands in {file}: drop the line"
            ));
        }
    }
    Ok(faults)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn tokens(text: &str) -> Vec<String> {
    lines(text).map(str::to_lowercase).collect()
}

/// A file and the token that it may hold.
type Allowance = (String, String);

fn allowances(text: &str) -> (Vec<Allowance>, Faults) {
    let mut allowed = Vec::new();
    let mut faults = Faults::new();
    for line in lines(text) {
        let mut parts = line.splitn(3, ": ");
        match (parts.next(), parts.next(), parts.next()) {
            (Some(file), Some(token), Some(reason)) if !reason.trim().is_empty() => {
                allowed.push((file.to_owned(), token.to_lowercase()));
            }
            _ => faults.push(format!(
                "{ALLOWED}: `{line}` is not `<file>: <token>: <reason>`"
            )),
        }
    }
    (allowed, faults)
}

/// The tokens that stand in a text as words, each with the line after the first (which is the path) it stands on.
fn named(text: &str, tokens: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        for token in tokens {
            if stands_alone(&lower, token) {
                found.push((number, token.clone()));
            }
        }
    }
    found
}

/// Whether a token stands in a line with no letter or digit beside it.
fn stands_alone(line: &str, token: &str) -> bool {
    let word = |c: char| c.is_alphanumeric();
    line.match_indices(token).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let end = at.saturating_add(token.len());
        let after = line.get(end..).and_then(|text| text.chars().next());
        !before.is_some_and(word) && !after.is_some_and(word)
    })
}

#[cfg(test)]
mod tests {
    use super::{allowances, named, tokens};

    fn found(text: &str) -> Vec<String> {
        let tokens = tokens("# clouds\naws\nGoogle Cloud\n\nblob storage\n");
        let found = named(text, &tokens);
        found.into_iter().map(|(_, token)| token).collect()
    }

    #[test]
    fn a_provider_is_found_in_any_case_and_in_the_path() {
        assert_eq!(found("packs/core/aws-limits/pack.yaml\nx"), ["aws"]);
        assert_eq!(
            found("p\nstored in Blob Storage of GOOGLE CLOUD."),
            ["google cloud", "blob storage"]
        );
        assert_eq!(found("p\nsource: \"AWS\""), ["aws"]);
    }

    #[test]
    fn a_part_of_another_word_is_no_provider() {
        assert_eq!(found("p\nlaws, jaws, awsome"), Vec::<String>::new());
    }

    #[test]
    fn an_allowance_without_a_reason_is_a_fault() {
        let (allowed, faults) =
            allowances("a.md: aws: an example of a name\nb.md: aws\nc.md: aws: \n");
        assert_eq!(allowed.len(), 1);
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
}
