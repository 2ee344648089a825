//! What a device may send as telemetry, and how it is read: one object `{"ts"?, "data", "metadata"?}`, an array of
//! them, or `{"samples": [...]}`. Good parts of a message are kept; each bad part is reported and never stops the rest.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Sample, Value};
use crate::Timestamp;

/// How much one message may hold. What goes beyond is refused, so that a message's cost is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadLimits {
    pub max_bytes: u32,
    pub max_samples: u32,
    pub max_keys_per_sample: u32,
    pub max_key_chars: u32,
    pub max_text_bytes: u32,
    /// Of the whole document; a plain sample has 2, an array of them 3.
    pub max_depth: u32,
    pub max_metadata_bytes: u32,
}

impl PayloadLimits {
    pub const DEFAULT: Self = Self {
        max_bytes: 256 * 1024,
        max_samples: 10_000,
        max_keys_per_sample: 256,
        max_key_chars: 100,
        max_text_bytes: 1024,
        max_depth: 8,
        max_metadata_bytes: 4096,
    };
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Late data of a device that was offline is welcome, but nothing measured before this (ten years) reaches us honestly.
pub const OLDEST_SAMPLE_MS: i64 = 10 * 365 * 24 * 3_600_000;

/// A clock may be ahead by this much (one day, which covers any wrong time zone).
pub const NEWEST_SAMPLE_MS: i64 = 24 * 3_600_000;

/// Numbers below this (September 2001 in seconds) are no wall-clock time but seconds since the device started:
/// the clock is not set, and the time of receipt is used.
const SMALLEST_EPOCH: f64 = 1e9;

/// Numbers from here on are milliseconds (1973), below it seconds (the year 5138).
const SMALLEST_EPOCH_MS: f64 = 1e11;

/// No measurement is larger, and the sum of an hour of such numbers is still finite.
const MAX_MAGNITUDE: f64 = 1e300;

/// What is wrong with a message or with a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadProblem {
    /// Stable, for programs.
    pub code: &'static str,
    pub message: String,
}

impl PayloadProblem {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for PayloadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PayloadProblem {}

/// A message as understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParsedPayload {
    /// In the order sent; at least one, each with at least one value.
    pub samples: Vec<Sample>,
    /// Indexes of the samples that carried no usable time of their own: they have the time of receipt, one
    /// millisecond apart, so that two of them are not taken for the same one.
    pub untimed: Vec<usize>,
    /// What was left out, at most [`MAX_PROBLEMS`] of them.
    pub problems: Vec<PayloadProblem>,
}

/// More problems of one message than this are not told apart.
pub const MAX_PROBLEMS: usize = 16;

/// Reads a telemetry message.
///
/// # Errors
/// The first problem, when nothing of the message can be used.
pub fn parse_payload(
    bytes: &[u8],
    received_at: Timestamp,
    limits: &PayloadLimits,
) -> Result<ParsedPayload, PayloadProblem> {
    if bytes.len() > limits.max_bytes as usize {
        return Err(PayloadProblem::new(
            "payload_too_large",
            format!("{} bytes sent, {} allowed", bytes.len(), limits.max_bytes),
        ));
    }
    if nesting_depth(bytes) > limits.max_depth {
        return Err(PayloadProblem::new("too_deep", format!("nested deeper than {} levels", limits.max_depth)));
    }
    let mut reader = Reader { limits: *limits, received_at, parsed: ParsedPayload::default() };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let outcome = Message(&mut reader).deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = outcome {
        let text = error.to_string();
        if let Some(problem) = reader.parsed.problems.pop().filter(|problem| problem.code == "too_many_samples") {
            return Err(problem);
        }
        let code = if text.starts_with("number out of range") { "number_out_of_range" } else { "not_json" };
        return Err(PayloadProblem::new(code, format!("cannot be read as JSON: {text}")));
    }
    if reader.parsed.samples.is_empty() {
        let problem = reader.parsed.problems.into_iter().next();
        return Err(problem.unwrap_or_else(|| PayloadProblem::new("no_data", "no value sent")));
    }
    Ok(reader.parsed)
}

/// How deep brackets nest outside of texts; counted before parsing, so that the parser never recurses on a hostile message.
fn nesting_depth(bytes: &[u8]) -> u32 {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_u32, 0_u32, false, false);
    for byte in bytes {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => in_text = true,
                b'[' | b'{' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    deepest
}

struct Reader {
    limits: PayloadLimits,
    received_at: Timestamp,
    parsed: ParsedPayload,
}

impl Reader {
    fn problem(&mut self, code: &'static str, message: impl Into<String>) {
        if self.parsed.problems.len() < MAX_PROBLEMS {
            self.parsed.problems.push(PayloadProblem::new(code, message));
        }
    }

    /// Takes a sample whose fields were read; `ts` absent means now.
    fn take(&mut self, fields: SampleFields) {
        if let Some((code, message)) = fields.refused {
            return self.problem(code, message);
        }
        let Some(data) = fields.data else {
            return self.problem("no_data", "an object with \"data\": {key: value} expected");
        };
        let metadata = fields.metadata.filter(|metadata| !metadata.is_null());
        if let Some(metadata) = &metadata
            && (!metadata.is_object() || metadata.to_string().len() > self.limits.max_metadata_bytes as usize)
        {
            let message = format!("\"metadata\" must be an object of at most {} bytes", self.limits.max_metadata_bytes);
            return self.problem("bad_metadata", message);
        }
        let ts = match self.time_of(fields.ts) {
            Ok(ts) => ts,
            Err((code, message)) => return self.problem(code, message),
        };
        if data.is_empty() {
            // Its bad values are reported already; an empty object is a mistake of its own.
            if !fields.had_values {
                self.problem("no_data", "\"data\" holds no value");
            }
            return;
        }
        let ts = ts.unwrap_or_else(|| {
            let offset = i64::try_from(self.parsed.untimed.len()).unwrap_or(i64::MAX);
            self.parsed.untimed.push(self.parsed.samples.len());
            self.received_at.plus_millis(offset)
        });
        self.parsed.samples.push(Sample { ts, data, metadata });
    }

    fn time_of(&mut self, ts: Option<Scalar>) -> Result<Option<Timestamp>, (&'static str, String)> {
        let time = match ts {
            None | Some(Scalar::Null) => return Ok(None),
            Some(Scalar::Number(number)) => epoch(number),
            Some(Scalar::Text(text)) => match text.trim().parse::<f64>() {
                Ok(number) => epoch(number),
                Err(_) => EpochTime::At(
                    Timestamp::parse_iso(text.trim())
                        .ok_or_else(|| ("bad_time", "\"ts\" is neither ISO 8601 nor seconds or milliseconds".into()))?,
                ),
            },
            Some(Scalar::Boolean(_) | Scalar::Nested) => {
                return Err(("bad_time", "\"ts\" must be a number or a text".into()));
            }
        };
        match time {
            EpochTime::NotSet => {
                self.problem("clock_not_set", "\"ts\" lies before September 2001: time of receipt used");
                Ok(None)
            }
            EpochTime::At(time) if !is_plausible(time, self.received_at) => {
                Err(("time_out_of_range", format!("{time} is over 10 years ago or over a day ahead")))
            }
            EpochTime::At(time) => Ok(Some(time)),
        }
    }
}

/// Whether a sample may have been measured then.
#[must_use]
pub const fn is_plausible(time: Timestamp, received_at: Timestamp) -> bool {
    let age_ms = received_at.millis_since(time);
    age_ms <= OLDEST_SAMPLE_MS && age_ms >= -NEWEST_SAMPLE_MS
}

enum EpochTime {
    NotSet,
    At(Timestamp),
}

fn epoch(number: f64) -> EpochTime {
    if number.is_nan() || number < SMALLEST_EPOCH {
        return EpochTime::NotSet;
    }
    let milliseconds = if number < SMALLEST_EPOCH_MS { number * 1000.0 } else { number };
    // The cast saturates; what it saturates to is out of range anyway.
    #[allow(clippy::cast_possible_truncation)]
    EpochTime::At(Timestamp::from_millis(milliseconds.round() as i64))
}

#[derive(Default)]
struct SampleFields {
    ts: Option<Scalar>,
    data: Option<BTreeMap<String, Value>>,
    had_values: bool,
    metadata: Option<serde_json::Value>,
    /// Why the sample as a whole cannot be used.
    refused: Option<(&'static str, String)>,
}

/// The whole message: a sample, an array of samples, or an object with `samples`.
struct Message<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample or an array of samples")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut fields = SampleFields::default();
        let mut had_samples = false;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "ts" | "timestamp" => fields.ts = Some(map.next_value()?),
                "data" => map.next_value_seed(Data(self.0, &mut fields))?,
                "metadata" => fields.metadata = Some(map.next_value()?),
                "samples" => {
                    had_samples = true;
                    map.next_value_seed(Samples(self.0))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !had_samples {
            self.0.take(fields);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Samples(self.0).visit_seq(seq)
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.not_an_object()
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.not_an_object()
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.not_an_object()
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.not_an_object()
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.not_an_object()
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.not_an_object()
    }
}

impl Message<'_> {
    fn not_an_object<E>(self) -> Result<(), E> {
        self.0.problem("wrong_type", "an object or an array of objects expected");
        Ok(())
    }
}

/// An array of samples; something else in it is a problem of that element alone.
struct Samples<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Samples<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Samples<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut count = 0_u32;
        while seq.next_element_seed(Element(self.0))?.is_some() {
            count += 1;
            if count > self.0.limits.max_samples {
                self.0.parsed.problems.clear();
                self.0
                    .problem("too_many_samples", format!("over {} samples in one message", self.0.limits.max_samples));
                return Err(serde::de::Error::custom("too many samples"));
            }
        }
        Ok(())
    }
}

struct Element<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut fields = SampleFields::default();
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "ts" | "timestamp" => fields.ts = Some(map.next_value()?),
                "data" => map.next_value_seed(Data(self.0, &mut fields))?,
                "metadata" => fields.metadata = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.0.take(fields);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Message(self.0).not_an_object()
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Message(self.0).not_an_object()
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Message(self.0).not_an_object()
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Message(self.0).not_an_object()
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Message(self.0).not_an_object()
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Message(self.0).not_an_object()
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Message(self.0).not_an_object()
    }
}

/// The `data` object of a sample.
struct Data<'a, 'b>(&'a mut Reader, &'b mut SampleFields);

impl<'de> DeserializeSeed<'de> for Data<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Data<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(reader, fields) = self;
        let limits = reader.limits;
        let mut data = BTreeMap::new();
        let mut count = 0_u32;
        while let Some(key) = map.next_key::<String>()? {
            fields.had_values = true;
            count += 1;
            if count > limits.max_keys_per_sample {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<Scalar>()?;
            match checked(&key, value, &limits) {
                Ok(value) => {
                    data.insert(key, value);
                }
                Err((code, message)) => reader.problem(code, message),
            }
        }
        if count > limits.max_keys_per_sample {
            let message = format!("{count} keys in one sample, {} allowed", limits.max_keys_per_sample);
            fields.refused = Some(("too_many_keys", message));
        }
        fields.data = Some(data);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.wrong_type()
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.wrong_type()
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.wrong_type()
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.wrong_type()
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.wrong_type()
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.wrong_type()
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl Data<'_, '_> {
    fn wrong_type<E>(self) -> Result<(), E> {
        self.1.refused = Some(("wrong_type", "\"data\" must be an object {key: value}".into()));
        Ok(())
    }
}

/// The key's name shortened for a message.
fn shown(key: &str) -> String {
    key.chars().take(40).collect()
}

fn checked(key: &str, value: Scalar, limits: &PayloadLimits) -> Result<Value, (&'static str, String)> {
    if key.is_empty() || key.chars().count() > limits.max_key_chars as usize || key.chars().any(char::is_control) {
        let message = format!("key {:?} must have 1 to {} printable characters", shown(key), limits.max_key_chars);
        return Err(("bad_key", message));
    }
    match value {
        Scalar::Number(number) if number.abs() <= MAX_MAGNITUDE => Ok(Value::Number(number)),
        Scalar::Number(_) => Err(("number_out_of_range", format!("{:?} is beyond ±{MAX_MAGNITUDE:e}", shown(key)))),
        Scalar::Boolean(boolean) => Ok(Value::Boolean(boolean)),
        Scalar::Text(text) if text.len() > limits.max_text_bytes as usize => {
            Err(("text_too_long", format!("{:?}: {} bytes, {} allowed", shown(key), text.len(), limits.max_text_bytes)))
        }
        // PostgreSQL cannot store the NUL character in a text.
        Scalar::Text(text) if text.contains('\0') => {
            Err(("bad_text", format!("{:?} holds a NUL character", shown(key))))
        }
        Scalar::Text(text) => Ok(Value::Text(text)),
        Scalar::Null | Scalar::Nested => {
            Err(("wrong_type", format!("{:?} must be a number, a boolean or a text", shown(key))))
        }
    }
}

/// A JSON value without its inside.
enum Scalar {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    Nested,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

// A 64-bit integer loses its lowest bits above 2^53: all numbers are stored as doubles.
#[allow(clippy::cast_precision_loss)]
impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }
    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }
}

#[cfg(test)]
mod tests;
