//! What a request says, checked as Stripe checks it.

use std::collections::BTreeMap;

use super::refusal::{Outcome, Refusal};

/// <https://docs.stripe.com/metadata>
const MAX_METADATA: (usize, usize, usize) = (50, 40, 500);

#[derive(Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// An empty text is as good as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().rev().find(|(is, _)| is == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// Refuses every other name, so that a misspelt one is noticed. `metadata` stands for all that is in it.
    pub fn only(&self, known: &[&str]) -> Outcome<()> {
        let unknown = self.0.iter().find(|(name, _)| {
            let in_metadata = name.starts_with("metadata[") && known.contains(&"metadata");
            !in_metadata && (name == "metadata" || !known.contains(&name.as_str()))
        });
        match unknown {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::invalid(format!("Received unknown parameter: {name}"))
                .code("parameter_unknown")
                .param(name)
                .forgotten()),
        }
    }

    pub fn required(&self, name: &str) -> Outcome<&str> {
        self.get(name).ok_or_else(|| missing(name))
    }

    pub fn integer(&self, name: &str) -> Outcome<Option<i64>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Refusal::invalid(format!("Invalid integer: {text}"))
                    .code("parameter_invalid_integer")
                    .param(name)
                    .forgotten()
            })
        };
        self.get(name).map(parse).transpose()
    }

    pub fn flag(&self, name: &str) -> Outcome<Option<bool>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Refusal::invalid(format!("Invalid boolean: {text}")).param(name).forgotten())
        };
        self.get(name).map(parse).transpose()
    }

    pub fn one_of(&self, name: &str, words: &[&str]) -> Outcome<Option<String>> {
        match self.get(name) {
            Some(word) if !words.contains(&word) => {
                let list = words.join(", ");
                Err(Refusal::invalid(format!("Invalid {name}: must be one of {list}")).param(name).forgotten())
            }
            word => Ok(word.map(str::to_owned)),
        }
    }

    pub fn metadata(&self) -> Outcome<BTreeMap<String, String>> {
        let (most, longest_key, longest_value) = MAX_METADATA;
        let mut found = BTreeMap::new();
        for (name, value) in &self.0 {
            let Some(key) = name.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']')) else { continue };
            let refuse = |message: String| Err(Refusal::invalid(message).param("metadata").forgotten());
            if key.is_empty() || key.contains(['[', ']']) {
                return refuse("Metadata must be a flat list of keys and values.".to_owned());
            }
            if key.chars().count() > longest_key {
                return refuse(format!("Metadata keys must be under {longest_key} characters."));
            }
            if value.chars().count() > longest_value {
                return refuse(format!("Metadata values must be under {longest_value} characters."));
            }
            if !value.is_empty() {
                found.insert(key.to_owned(), value.clone());
            }
        }
        if found.len() > most {
            return Err(Refusal::invalid(format!("Metadata can have at most {most} keys."))
                .param("metadata")
                .forgotten());
        }
        Ok(found)
    }
}

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::invalid(format!("Missing required param: {name}.")).code("parameter_missing").param(name).forgotten()
}
