//! What a container's limit allows, refuses, and makes of `auto`.

use proptest::prelude::*;

use super::*;
use crate::settings::Settings;

fn within(container: u64, vars: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_vars_within(vars.iter().copied(), Some(container))
}

fn refusal(container: u64, vars: &[(&str, &str)]) -> String {
    let text = within(container, vars).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// What docs/sizing.md says that a process takes, in another arithmetic.
fn documented(limits: &StoreLimits) -> f64 {
    let (entries, value) = (limits.max_bytes as f64, limits.max_value_bytes as f64);
    entries * 1.35 + 10.0 * MIB as f64 + value.max(entries / 16.0)
}

#[test]
fn a_limit_that_does_not_fit_is_refused_with_the_arithmetic_and_the_remedy() {
    assert_eq!(
        refusal(128 * MIB, &[(VARIABLE, "100")]),
        "CACHE_MAX_MEMORY_MB: \"100\" is not allowed: 1.35 x 100 MiB for entries + 10 MiB for the \
         process + 6.3 MiB for large messages = 151.3 MiB are above the container's memory limit, \
         128 MiB; set it to auto or up to 83, or raise the container's limit to 152 MiB"
    );
    assert!(within(128 * MIB, &[(VARIABLE, "83")]).is_ok());
    assert!(within(128 * MIB, &[(VARIABLE, "84")]).is_err());
    assert!(within(152 * MIB, &[(VARIABLE, "100")]).is_ok());
}

/// Of several files in several groups one decides: which one cannot be guessed.
#[test]
fn a_refusal_names_the_file_that_decided() {
    let limit =
        MemoryLimit { bytes: 128 * MIB, source: Some("/sys/fs/cgroup/pod/memory.high".into()) };
    for given in ["100", "auto"] {
        let value = ("CACHE_MAX_VALUE_BYTES", "104857600");
        let text = Settings::read([(VARIABLE, given), value], Some(limit.clone())).unwrap_err();
        let file = "limit, 128 MiB (/sys/fs/cgroup/pod/memory.high: 134217728); ";
        assert!(text.to_string().contains(file), "{text}");
    }
}

#[test]
fn a_default_that_does_not_fit_is_refused_as_the_default() {
    let text = refusal(128 * MIB, &[]);
    assert!(
        text.starts_with(
            "CACHE_MAX_MEMORY_MB: \"100\" is not allowed: it is the default, and 1.35"
        ),
        "{text}"
    );
    assert!(text.contains("; set it to auto or up to 83, or raise"), "{text}");
    assert!(!refusal(128 * MIB, &[(VARIABLE, "100")]).contains("default"));
}

#[test]
fn a_need_just_above_the_limit_reads_so() {
    // 100 MiB need 151.25.
    let text = refusal(151 * MIB + MIB / 4 - 1, &[]);
    assert!(text.contains("= 151.3 MiB are above the container's memory limit, 151.2"), "{text}");
    assert!(within(151 * MIB + MIB / 4, &[]).is_ok());
}

#[test]
fn a_large_value_counts_with_its_size_and_may_be_the_remedy() {
    let vars = [(VARIABLE, "100"), ("CACHE_MAX_VALUE_BYTES", "52428800")];
    let text = refusal(192 * MIB, &vars);
    assert!(text.contains("+ 50 MiB for large messages = 195 MiB"), "{text}");
    assert!(text.contains("up to 97, or raise the container's limit to 195 MiB or"), "{text}");
    assert!(text.ends_with("or lower CACHE_MAX_VALUE_BYTES"), "{text}");
    assert!(within(195 * MIB, &vars).is_ok());

    // No memory limit leaves room for such a value: none is suggested.
    let text = refusal(100 * MIB, &vars);
    assert!(!text.contains("set it to"), "{text}");
    assert!(
        text.ends_with("; raise the container's limit to 195 MiB or lower CACHE_MAX_VALUE_BYTES")
    );
}

#[test]
fn auto_takes_its_share_of_a_large_limit_and_what_fits_of_a_small_one() {
    for (container, mib) in
        [(16 << 10, 11_468), (1 << 10, 716), (889, 622), (512, 355), (128, 83), (64, 37), (13, 1)]
    {
        let limits = within(container * MIB, &[(VARIABLE, "auto")]).unwrap().limits;
        assert_eq!(limits.max_bytes, mib * MIB, "{container} MiB");
        assert_eq!(limits.max_value_bytes as u64, (mib * MIB).min(4 * MIB), "{container} MiB");
    }
}

#[test]
fn auto_is_refused_where_nothing_fits() {
    assert_eq!(
        refusal(12 * MIB, &[(VARIABLE, "auto")]),
        "CACHE_MAX_MEMORY_MB: \"auto\" is not allowed: 1.35 x 1 MiB for entries + 10 MiB for the \
         process + 1 MiB for large messages = 12.4 MiB are above the container's memory limit, 12 \
         MiB; raise the container's limit to 13 MiB"
    );
    let vars = [(VARIABLE, "auto"), ("CACHE_MAX_VALUE_BYTES", "52428801")];
    let text = refusal(128 * MIB, &vars);
    assert!(text.contains("1.35 x 51 MiB"), "{text}");
    assert!(text.ends_with("to 129 MiB or lower CACHE_MAX_VALUE_BYTES"), "{text}");
    assert_eq!(within(129 * MIB, &vars).unwrap().limits.max_bytes, 51 * MIB);
}

#[test]
fn auto_without_a_limit_is_the_default_and_says_so() {
    let settings = Settings::from_vars([(VARIABLE, "auto")]).unwrap();
    assert_eq!(settings.limits, Settings::from_vars([("HOME", "/")]).unwrap().limits);
    let [warning] = settings.warnings.as_slice() else { panic!("{:?}", settings.warnings) };
    assert!(warning.contains("no memory limit of a container was found"), "{warning}");
    assert!(warning.ends_with("100 MiB"), "{warning}");
    assert!(within(1 << 30, &[(VARIABLE, "auto")]).unwrap().warnings.is_empty());
}

#[test]
fn a_wrong_value_size_is_told_with_the_limit_that_auto_found() {
    for wrong in ["large", "0", "99999999999999999999", "2147483648"] {
        let vars = [(VARIABLE, "auto"), ("CACHE_MAX_VALUE_BYTES", wrong)];
        let text = refusal(512 * MIB, &vars);
        assert!(text.contains(&format!("{wrong:?} is not allowed")), "{text}");
    }
}

proptest! {
    #[test]
    fn auto_fits_or_nothing_does(
        container in prop_oneof![0..2048 * MIB, 0..1_u64 << 50],
        value in prop_oneof![Just(None), (1..=LARGEST_VALUE_BYTES).prop_map(Some)],
    ) {
        let value = value.map_or("auto".to_owned(), |value| value.to_string());
        let set = |mib: &str| within(container, &[(VARIABLE, mib), ("CACHE_MAX_VALUE_BYTES", &value)]);
        if let Ok(Settings { limits, .. }) = set("auto") {
            let mib = limits.max_bytes / MIB;
            prop_assert!(mib >= 1);
            prop_assert!(documented(&limits) <= container as f64 + 1.0);
            prop_assert!(mib <= container / MIB * 7 / 10);
            prop_assert_eq!(set(&mib.to_string()).map(|set| set.limits), Ok(limits));
            // And no more would have fitted, or its share is all that it may take.
            let more = set(&(mib + 1).to_string());
            prop_assert!(more.is_err() || mib == container / MIB * 7 / 10);
        } else {
            let least = value.parse().map_or(1, |value: u64| value.div_ceil(MIB));
            prop_assert!(set(&least.to_string()).is_err());
        }
    }

    #[test]
    fn what_a_refusal_suggests_is_taken(mib in 1..=4096_u64, container in 0..4096 * MIB) {
        let set = |mib: &str, container| within(container, &[(VARIABLE, mib)]);
        if let Err(error) = set(&mib.to_string(), container) {
            let text = error.to_string();
            let number = |after: &str| -> Option<u64> {
                let digits = text.split_once(after)?.1.split(|c: char| !c.is_ascii_digit()).next();
                digits?.parse().ok()
            };
            let raised = number("raise the container's limit to ").unwrap();
            prop_assert!(set(&mib.to_string(), raised * MIB).is_ok());
            prop_assert!(set(&mib.to_string(), (raised - 1) * MIB).is_err());
            match number("up to ") {
                Some(fit) => {
                    prop_assert!(set(&fit.to_string(), container).is_ok());
                    prop_assert!(set(&(fit + 1).to_string(), container).is_err());
                }
                None => prop_assert!(set("1", container).is_err()),
            }
        }
    }
}
