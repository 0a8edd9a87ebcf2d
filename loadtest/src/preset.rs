//! Workloads by name. The figures are data of their own, with their source beside them; what
//! they lack is assumed here and documented in `docs/loadtest.md`.

use std::{fmt::Write, num::NonZeroUsize, str::FromStr, sync::LazyLock};

use crate::workload::{Groups, KeyDistribution, Mix, Sizes, Ttls};

const TWITTER: &str = include_str!("../presets/twitter-2020mar.txt");

const META: &str = include_str!("../presets/meta-kvcache-reg.txt");

/// The name of the one preset of Meta's.
const META_NAME: &str = "meta/kvcache_reg";

/// How popular its keys are.
static META_GROUPS: LazyLock<Groups> = LazyLock::new(|| {
    let mut groups = Groups { name: META_NAME, edges: vec![0.0], weights: Vec::new() };
    let mut end = 0.0;
    for line in META.lines().filter_map(|line| line.strip_prefix("keys ")) {
        let mut numbers = line.split(' ').filter_map(|number| number.parse::<f64>().ok());
        let (Some(count), Some(weight)) = (numbers.next(), numbers.next()) else { continue };
        end += count;
        groups.edges.push(end);
        groups.weights.push(weight);
    }
    groups
});

/// The exponent where the table has none: in the middle of those that it has.
const ASSUMED_EXPONENT: f64 = 1.0;

/// What a preset says of a workload.
#[derive(Clone, Debug)]
pub struct Preset {
    /// The name it is asked for by.
    pub name: &'static str,
    /// Characters of a key.
    pub key_size: NonZeroUsize,
    /// Bytes of a value.
    pub value_size: Sizes,
    /// How often which key.
    pub key_distribution: KeyDistribution,
    /// Which operations.
    pub mix: Mix,
    /// How long values live.
    pub ttl: Ttls,
}

impl Preset {
    /// Every one, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        rows()
            .map(|row| Self::of(row).expect("the tests read every row"))
            .chain([Self::meta().expect("the tests read it")])
    }

    /// Reads Meta's. Its keys have 16 to 255 characters, evenly: here all have the mean. Its
    /// file has no ttls.
    fn meta() -> Option<Self> {
        let sizes: Vec<&str> = META.lines().filter_map(|line| line.strip_prefix("size ")).collect();
        Some(Self {
            name: META_NAME,
            key_size: NonZeroUsize::new(135)?,
            value_size: Sizes::of_lines(META_NAME, &sizes.join("\n")).ok()?,
            key_distribution: KeyDistribution::Groups(&META_GROUPS),
            mix: "get=100".parse().ok()?,
            ttl: "0".parse().ok()?,
        })
    }

    /// Reads a row of the table.
    fn of(row: &'static str) -> Option<Self> {
        let mut columns = row.split_whitespace();
        let mut next = || columns.next();
        let (name, key_size, value_size) = (next()?, next()?.parse().ok()?, next()?.parse().ok()?);
        let exponent = match next()? {
            "-" => ASSUMED_EXPONENT,
            exponent => exponent.parse().ok()?,
        };
        let (mix, ttl) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let key_distribution = KeyDistribution::Zipf(exponent);
        Some(Self { name, key_size, value_size, key_distribution, mix, ttl })
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = if name == META_NAME { Self::meta() } else { None };
        named
            .or_else(|| {
                rows().find(|row| row.split_whitespace().next() == Some(name)).and_then(Self::of)
            })
            .ok_or_else(|| "not known; `tiny-cache-loadtest presets` lists those that are".into())
    }
}

fn rows() -> impl Iterator<Item = &'static str> {
    TWITTER.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

/// The table of all presets, as options of a run would have it.
pub fn list() -> String {
    let mut table = format!(
        "{:<18}{:>9}  {:<18}{:<18}{:<47}{}\n",
        "preset", "key size", "value size", "keys", "mix", "ttl"
    );
    for Preset { name, key_size, value_size, key_distribution, mix, ttl } in Preset::all() {
        let [value_size, keys, mix] =
            [value_size.to_string(), key_distribution.to_string(), mix.to_string()];
        writeln!(table, "{name:<18}{key_size:>9}  {value_size:<18}{keys:<18}{mix:<47}{ttl}")
            .expect("a string takes any text");
    }
    table.push_str(
        "\nSource of twitter/N: twitter/cache-trace, CC BY 4.0; Yang, Yue and Rashmi, OSDI 2020.\n\
         Source of meta/kvcache_reg: facebook/CacheLib, cachebench; Apache-2.0.\n",
    );
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the published distribution, before sizes were joined.
    const MEAN: f64 = 335.2;

    #[test]
    fn every_row_of_the_table_is_a_preset() {
        assert_eq!(Preset::all().count(), 54);
        for preset in Preset::all() {
            assert_eq!(preset.name.parse::<Preset>().unwrap().name, preset.name);
            assert!(preset.name == "twitter/45" || preset.key_size.get() >= 16, "{}", preset.name);
        }
    }

    #[test]
    fn a_preset_has_the_figures_of_its_cluster() {
        let preset: Preset = "twitter/52".parse().unwrap();
        assert_eq!((preset.key_size.get(), preset.value_size.to_string().as_str()), (20, "273"));
        assert_eq!(preset.key_distribution, KeyDistribution::Zipf(1.2117));
        assert_eq!(preset.mix.to_string(), "get=93,set-if-absent=4,compare-and-set=2");
        assert_eq!(preset.ttl.to_string(), "1d=65,14d=27,12h=7");
    }

    #[test]
    fn metas_preset_has_all_groups_and_its_mean_value_size() {
        assert_eq!((META_GROUPS.edges.len(), META_GROUPS.weights.len()), (806, 805));
        assert!(META_GROUPS.edges.is_sorted());
        let preset: Preset = META_NAME.parse().unwrap();
        let sizes = (0..100_000).map(|key| f64::from(preset.value_size.of_key(key, 1)));
        let mean = sizes.sum::<f64>() / 1e5;
        assert!((mean / MEAN - 1.0).abs() < 0.1, "{mean}");
    }

    #[test]
    fn a_cluster_without_figures_is_no_preset() {
        for name in ["twitter/5", "twitter/55", "twitter", "", "#"] {
            assert!(name.parse::<Preset>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_list_names_each_and_the_source() {
        let list = list();
        assert_eq!(list.lines().filter(|line| line.starts_with("twitter/")).count(), 53);
        assert!(list.contains("CC BY 4.0"));
    }
}
