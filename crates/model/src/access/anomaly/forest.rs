//! An isolation forest (Liu, Ting, Zhou: Isolation Forest, ICDM 2008): what a few random cuts set apart is unusual.
//!
//! Written here because the kept crate (`extended-isolation-forest`) draws from the thread's own random numbers: its
//! models and the figures of `docs/anomaly.md` could not be made again. One thing differs from the paper: a cut may also
//! fall a little above the largest value seen. In a log without attacks some features are always zero (nobody travels
//! impossibly fast), and a forest that never cuts them could not see the first attack.

use serde::{Deserialize, Serialize};

/// Trees (the paper's default).
const TREES: usize = 100;

/// Events that one tree is made from (the paper's default).
const SAMPLE: usize = 256;

/// Deepest cut. The paper's ⌈log₂ 256⌉ and some more, since cuts above all values set nothing apart.
const DEEPEST: u8 = 12;

/// No child: a leaf.
const LEAF: u16 = u16::MAX;

/// Euler's constant, for the average depth of a search tree.
const EULER: f64 = 0.577_215_664_901_532_9;

/// Numbers that look random and are the same for the same seed (`SplitMix64`: Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0 to below 1.
    #[allow(clippy::cast_precision_loss)] // 53 bits fit
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `end`, which is not 0.
    #[allow(clippy::cast_possible_truncation)] // less than `end`
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }
}

/// A tree, as columns: node `n` cuts feature `feature[n]` at `at[n]`, smaller ones go to `left[n]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Tree {
    feature: Vec<u8>,
    at: Vec<f32>,
    left: Vec<u16>,
    right: Vec<u16>,
    /// Events of the sample that came to this node; counted in leaves only.
    size: Vec<u16>,
}

/// Many such trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    trees: Vec<Tree>,
    sample: u16,
}

impl Forest {
    /// Grows a forest from rows of `N` features; `room` says how far above the largest value a cut may fall.
    #[must_use]
    pub fn grow<const N: usize>(rows: &[[f64; N]], room: &[f64; N], seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let sample = rows.len().min(SAMPLE);
        let mut indexes: Vec<usize> = (0..rows.len()).collect();
        let trees = (0..TREES)
            .map(|_| {
                // The first `sample` places of a shuffle.
                for place in 0..sample {
                    let other = place + draw.below(rows.len() - place);
                    indexes.swap(place, other);
                }
                let mut tree = Tree::default();
                let mut chosen = indexes[..sample].to_vec();
                tree.grow(rows, &mut chosen, room, 0, &mut draw);
                tree
            })
            .collect();
        Self { trees, sample: u16::try_from(sample).unwrap_or(u16::MAX) }
    }

    /// How unusual a row is: near 1 very, 0.5 and less not at all.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // 100
    pub fn score<const N: usize>(&self, row: &[f64; N]) -> f64 {
        let depths: f64 = self.trees.iter().map(|tree| tree.depth(row)).sum();
        let mean = depths / self.trees.len().max(1) as f64;
        2_f64.powf(-mean / average_depth(self.sample).max(1.0))
    }
}

impl Tree {
    #[allow(clippy::cast_possible_truncation)] // what is cut is a f32 on both sides
    fn grow<const N: usize>(
        &mut self,
        rows: &[[f64; N]],
        chosen: &mut [usize],
        room: &[f64; N],
        depth: u8,
        draw: &mut Draw,
    ) -> u16 {
        let node = self.push(chosen.len());
        if depth >= DEEPEST || chosen.len() <= 1 {
            return node;
        }
        let range = |feature: usize| {
            let values = chosen.iter().map(|index| rows[*index][feature]);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
        };
        let ranges: Vec<(usize, f64, f64)> = (0..N)
            .filter_map(|feature| {
                let (low, high) = range(feature);
                (high + room[feature] > low).then_some((feature, low, high + room[feature]))
            })
            .collect();
        if ranges.is_empty() {
            return node;
        }
        let (feature, low, high) = ranges[draw.below(ranges.len())];
        let at = (low + draw.unit() * (high - low)) as f32;
        let mut middle = 0;
        for index in 0..chosen.len() {
            if (rows[chosen[index]][feature] as f32) < at {
                chosen.swap(index, middle);
                middle += 1;
            }
        }
        let (smaller, others) = chosen.split_at_mut(middle);
        let left = self.grow(rows, smaller, room, depth + 1, draw);
        let right = self.grow(rows, others, room, depth + 1, draw);
        let place = usize::from(node);
        self.feature[place] = u8::try_from(feature).unwrap_or_default();
        self.at[place] = at;
        self.left[place] = left;
        self.right[place] = right;
        node
    }

    /// At most 2^13 nodes: a `u16` names each.
    fn push(&mut self, size: usize) -> u16 {
        let node = u16::try_from(self.size.len()).unwrap_or(LEAF);
        self.feature.push(0);
        self.at.push(0.0);
        self.left.push(LEAF);
        self.right.push(LEAF);
        self.size.push(u16::try_from(size).unwrap_or(u16::MAX));
        node
    }

    #[allow(clippy::cast_possible_truncation)] // as it was cut
    fn depth<const N: usize>(&self, row: &[f64; N]) -> f64 {
        let (mut node, mut depth) = (0_usize, 0.0);
        // A damaged model ends too: a child comes after its parent.
        while let (Some(&left), Some(&right)) = (self.left.get(node), self.right.get(node)) {
            if left == LEAF || usize::from(left) <= node || usize::from(right) <= node {
                break;
            }
            let value = row.get(usize::from(self.feature[node])).copied().unwrap_or_default() as f32;
            node = usize::from(if value < self.at[node] { left } else { right });
            depth += 1.0;
        }
        depth + average_depth(self.size.get(node).copied().unwrap_or_default())
    }
}

/// Average depth of an unsuccessful search in a tree of so many: what a cut-off leaf still hides.
fn average_depth(size: u16) -> f64 {
    match size {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let size = f64::from(size);
            2.0 * ((size - 1.0).ln() + EULER) - 2.0 * (size - 1.0) / size
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points around (0, 0).
    fn cloud(count: usize, seed: u64) -> Vec<[f64; 2]> {
        let mut draw = Draw::new(seed);
        let normal = |draw: &mut Draw| (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0;
        (0..count).map(|_| [normal(&mut draw), normal(&mut draw)]).collect()
    }

    #[test]
    fn what_lies_apart_scores_higher_than_what_lies_among_the_others() {
        let forest = Forest::grow(&cloud(1_000, 1), &[0.0; 2], 7);
        let (inside, outside) = (forest.score(&[0.0, 0.0]), forest.score(&[6.0, 6.0]));
        assert!(inside < 0.5 && outside > 0.6, "{inside} {outside}");
        let others = cloud(200, 2);
        let higher = others.iter().filter(|row| forest.score(row) >= outside).count();
        assert_eq!(higher, 0);
    }

    #[test]
    fn same_seed_gives_the_same_forest_and_json_keeps_it() {
        let rows = cloud(300, 3);
        let forest = Forest::grow(&rows, &[0.0; 2], 9);
        assert_eq!(forest, Forest::grow(&rows, &[0.0; 2], 9));
        assert_ne!(forest, Forest::grow(&rows, &[0.0; 2], 10));
        let text = serde_json::to_string(&forest).unwrap();
        assert_eq!(serde_json::from_str::<Forest>(&text).unwrap(), forest);
    }

    #[test]
    fn feature_that_was_always_the_same_is_seen_when_it_moves_only_with_room() {
        let rows: Vec<[f64; 2]> = cloud(500, 4).into_iter().map(|[x, _]| [x, 0.0]).collect();
        let (usual, odd) = ([0.0, 0.0], [0.0, 3.0]);
        let blind = Forest::grow(&rows, &[0.0; 2], 5);
        assert!((blind.score(&odd) - blind.score(&usual)).abs() < 1e-12);
        let seeing = Forest::grow(&rows, &[0.0, 1.0], 5);
        assert!(seeing.score(&odd) > seeing.score(&usual) + 0.1);
    }

    #[test]
    fn forest_of_one_or_no_row_does_not_break() {
        assert!(Forest::grow::<2>(&[], &[0.0; 2], 1).score(&[1.0, 1.0]).is_finite());
        assert!(Forest::grow(&[[1.0, 1.0]; 60], &[0.0; 2], 1).score(&[9.0, 9.0]).is_finite());
    }
}
