//! Repeatable randomness without state: the same seed, channel and moment always give the same number, in whatever
//! order they are asked for. So a restarted simulator continues its curves, and history fits what follows.

/// Mixes numbers into one; SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[must_use]
pub fn mix(seed: u64, channel: u64, index: i64) -> u64 {
    let mut state = seed
        .wrapping_add(channel.wrapping_mul(0xA076_1D64_78BD_642F))
        .wrapping_add(index.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15));
    for _ in 0..2 {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    state
}

/// Even in 0 ≤ x < 1.
#[must_use]
#[allow(clippy::cast_precision_loss)] // 53 bits fit
pub fn unit(seed: u64, channel: u64, index: i64) -> f64 {
    (mix(seed, channel, index) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Even in −1 ≤ x < 1.
#[must_use]
pub fn white(seed: u64, channel: u64, index: i64) -> f64 {
    unit(seed, channel, index) * 2.0 - 1.0
}

/// A curve through random values `period_ms` apart, smooth between them; within −1…1.
#[must_use]
#[allow(clippy::cast_precision_loss)] // remainder of a period
pub fn smooth(seed: u64, channel: u64, at_ms: i64, period_ms: i64) -> f64 {
    let index = at_ms.div_euclid(period_ms);
    let part = at_ms.rem_euclid(period_ms) as f64 / period_ms as f64;
    let weight = part * part * (3.0 - 2.0 * part);
    white(seed, channel, index) * (1.0 - weight) + white(seed, channel, index + 1) * weight
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn noise_stays_within_its_bounds_and_repeats(seed: u64, channel in 0_u64..100, at in -1_000_000_000_000_i64..4_000_000_000_000) {
            prop_assert!((0.0..1.0).contains(&unit(seed, channel, at)));
            let value = smooth(seed, channel, at, 60_000);
            prop_assert!((-1.0..=1.0).contains(&value));
            prop_assert_eq!(value.to_bits(), smooth(seed, channel, at, 60_000).to_bits());
            prop_assert!((smooth(seed, channel, at + 1, 60_000) - value).abs() < 0.001, "no jump between milliseconds");
        }
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let below_half = (0..10_000).filter(|index| unit(7, 1, *index) < 0.5).count();
        assert!((4_800..5_200).contains(&below_half), "{below_half}");
    }
}
