//! Finds the members of a JSON object without copying: what a signature covers are the bytes as they came, which a
//! parser that builds values would lose. Only structure is checked; who uses a value checks what it is.

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 16;

/// The members of an object, in their order; ends early with `None` where the text is no object.
pub struct Members<'a> {
    rest: &'a [u8],
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    First,
    Next,
    Done,
}

/// A name without escapes, and its value as it stands.
pub type Member<'a> = (&'a str, &'a [u8]);

/// What is wrong with a text: it is no JSON object that this reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The members of the object that `text` is.
#[must_use]
pub const fn members(text: &[u8]) -> Members<'_> {
    Members { rest: text, state: State::First }
}

/// The value of that name; `None` also when the text is malformed before it.
#[must_use]
pub fn find<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    members(text).find_map(|member| member.ok().filter(|(found, _)| *found == name)).map(|(_, value)| value)
}

/// A text without escapes.
#[must_use]
pub fn text(value: &[u8]) -> Option<&str> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.iter().any(|byte| matches!(byte, b'\\' | b'"')) {
        return None;
    }
    core::str::from_utf8(inner).ok()
}

/// A whole number of digits alone.
#[must_use]
pub fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(value).ok()?.parse().ok()
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let found = self.step();
        if !matches!(found, Ok(Some(_))) {
            self.state = State::Done;
        }
        found.transpose()
    }
}

impl<'a> Members<'a> {
    fn step(&mut self) -> Result<Option<Member<'a>>, Malformed> {
        if self.state == State::First {
            self.expect(b'{')?;
        }
        self.skip_space();
        if self.take(b'}') {
            self.skip_space();
            return if self.rest.is_empty() { Ok(None) } else { Err(Malformed) };
        }
        if self.state == State::Next {
            self.expect(b',')?;
        }
        self.state = State::Next;
        let name = text(self.value()?).ok_or(Malformed)?;
        self.expect(b':')?;
        let value = self.value()?;
        Ok(Some((name, value)))
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.rest.strip_prefix(&[byte]).map(|rest| self.rest = rest).is_some()
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        self.skip_space();
        if self.take(byte) { Ok(()) } else { Err(Malformed) }
    }

    /// Cuts the next value off.
    fn value(&mut self) -> Result<&'a [u8], Malformed> {
        self.skip_space();
        let length = length_of_value(self.rest)?;
        let (value, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(value)
    }
}

fn length_of_value(text: &[u8]) -> Result<usize, Malformed> {
    match text.first() {
        Some(b'"') => length_of_text(text),
        Some(b'{' | b'[') => {
            let mut closing = [0_u8; MAX_DEPTH];
            let mut depth = 0;
            let mut at = 0;
            loop {
                match text.get(at).ok_or(Malformed)? {
                    b'"' => {
                        at += length_of_text(&text[at..])?;
                        continue;
                    }
                    open @ (b'{' | b'[') => {
                        *closing.get_mut(depth).ok_or(Malformed)? = if *open == b'{' { b'}' } else { b']' };
                        depth += 1;
                    }
                    close @ (b'}' | b']') => {
                        depth -= 1;
                        if closing[depth] != *close {
                            return Err(Malformed);
                        }
                        if depth == 0 {
                            return Ok(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        _ => {
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
            match text.iter().take_while(|byte| is_plain(byte)).count() {
                0 => Err(Malformed),
                length => Ok(length),
            }
        }
    }
}

fn length_of_text(text: &[u8]) -> Result<usize, Malformed> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at + 1),
            _ => {}
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString as _};
    use std::vec::Vec;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn all(text: &str) -> Result<Vec<Member<'_>>, Malformed> {
        members(text.as_bytes()).collect()
    }

    #[test]
    fn members_are_found_as_they_stand() {
        let text = r#" { "a" : {"b":[1,"}"]} , "c":"x\"y","n":12,"t":true } "#;
        let found = all(text).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "c", "n", "t"]);
        assert_eq!(found[0].1, br#"{"b":[1,"}"]}"#);
        assert_eq!(number(found[2].1), Some(12));
        assert_eq!(super::text(found[1].1), None, "escapes are not read");
        assert_eq!(all("{}"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for bad in [
            "",
            "[]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":[1}",
            "{\"a\" 1}",
            "{a:1}",
            "{\"a\":\"x}",
        ] {
            assert_eq!(all(bad).map(|_| ()), Err(Malformed), "{bad}");
        }
        let deep = "{\"a\":".to_string() + &"[".repeat(40) + &"]".repeat(40) + "}";
        assert_eq!(all(&deep).map(|_| ()), Err(Malformed));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|number| json!(number)),
            any::<bool>().prop_map(|flag| json!(flag)),
            ".{0,12}".prop_map(|text| json!(text)),
            Just(Value::Null)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,5}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_a_parser_writes_is_taken_apart(map in prop::collection::btree_map("[a-z_]{1,8}", value(), 0..6)) {
            let text = json!(map).to_string();
            let found = all(&text).unwrap();
            prop_assert_eq!(found.len(), map.len());
            for (name, raw) in found {
                prop_assert_eq!(String::from_utf8_lossy(raw), map[name].to_string());
            }
        }

        #[test]
        fn nothing_that_comes_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = members(&bytes).count();
        }

        #[test]
        fn nothing_that_looks_like_json_makes_it_fail(text in "[{}\\[\\]\":,a1\\\\ ]{0,60}") {
            let _ = members(text.as_bytes()).count();
        }
    }
}
