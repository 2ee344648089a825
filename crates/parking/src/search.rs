//! Texts that lists are searched for.

/// Longest text of a search, characters.
const MAX_CHARS: usize = 100;

/// What is looked for; nothing when there is nothing but spaces.
pub fn cleaned(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| *c != '\0').take(MAX_CHARS).collect();
    (!text.is_empty()).then_some(text)
}

/// For `like … escape '\'`: contains this, whatever characters it has. Its columns are made lower case.
pub fn like(text: &str) -> String {
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
