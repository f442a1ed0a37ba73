use super::*;

#[test]
fn places() {
    let unit = Unit::new(Some("a-b.slice:p:x"), "id", false).expect("valid");
    assert_eq!(unit.path().as_deref(), Ok("/a.slice/a-b.slice/p-x.scope"));
    assert_eq!((unit.name(), unit.slice()), ("p-x.scope", "a-b.slice"));
    let root = Unit::new(Some("-.slice:p:x"), "id", false).expect("valid");
    assert_eq!(root.path().as_deref(), Ok("/p-x.scope"));
}

#[test]
fn what_an_old_systemd_does_not_know() {
    let known = |names: &[&str]| -> Vec<Property> {
        names.iter().map(|name| ((*name).to_owned(), Value::Bool(true))).collect()
    };
    let properties = known(&["MemoryMax", "AllowedCPUs", "CPUWeight"]);
    let none = Properties::default();
    let text = "Cannot set property AllowedCPUs, or unknown property.";
    assert_eq!(refused_option(text, &properties, &none).as_deref(), Some("AllowedCPUs"));
    let given = Properties(known(&["AllowedCPUs"]));
    assert_eq!(refused_option(text, &properties, &given), None, "asked for by name");
    let text = "Cannot set property MemoryMax, or unknown property.";
    assert_eq!(refused_option(text, &properties, &none), None, "a limit that must hold");
    assert_eq!(refused_option("AllowedCPUs", &known(&["MemoryMax"]), &none), None, "not asked for");
    assert_eq!(refused_option("StartupCPUWeight is odd", &properties, &none), None);
}

#[test]
fn words_of_systemd() {
    assert_eq!(first_lower("Unit x not loaded."), "unit x not loaded");
    assert_eq!(first_lower("PIDs are bad"), "PIDs are bad");
}
