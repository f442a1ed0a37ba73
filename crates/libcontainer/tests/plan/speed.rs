//! What a seccomp profile of Docker's costs `create`: from the bytes of config.json to the program.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn dockers_profile_is_read_and_compiled_in_half_a_millisecond() {
    let text = text(&captures().join("docker-hello.json"));
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("capture");
    let all = config.to_string();
    let removed = config["linux"].as_object_mut().and_then(|linux| linux.remove("seccomp"));
    assert!(removed.is_some(), "no profile");
    let rest = config.to_string();
    let best = |work: &dyn Fn()| {
        let one = || {
            let start = Instant::now();
            work();
            start.elapsed()
        };
        (0..200).map(|_| one()).min().unwrap_or_default()
    };
    let compile = |text: &str| {
        let (spec, _) = spec::parse(text.as_bytes(), Path::new("config.json")).expect("spec");
        let plan = plan(&spec, &facts()).expect("plan");
        plan.seccomp.map(|profile| seccomp::compile(&profile, seccomp::Arch::native()))
    };
    let without = best(&|| assert!(compile(&rest).is_none()));
    let with = best(&|| assert!(compile(&all).is_some_and(|program| program.is_ok())));
    let cost = with.saturating_sub(without);
    println!("config.json {with:?}, of it seccomp {cost:?}");
    // Without optimisation it takes some ten times as long.
    let limit = Duration::from_micros(if cfg!(debug_assertions) { 10_000 } else { 500 });
    assert!(cost < limit, "{cost:?}");
}
