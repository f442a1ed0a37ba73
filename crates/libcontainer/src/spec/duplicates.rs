//! Names that stand twice in one object. JSON leaves open which value counts; here it is the later one.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The pointers of such members; none for a text that is no JSON.
pub(super) fn duplicates(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut parser = serde_json::Deserializer::from_slice(text);
    let walk = Walk { pointer: String::new(), found: &mut found };
    match walk.deserialize(&mut parser) {
        Ok(()) => found,
        Err(_) => Vec::new(),
    }
}

/// Goes through the value at a place.
struct Walk<'a> {
    pointer: String,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let pointer = crate::plan::pointer(&self.pointer, &name);
            if !names.insert(name) {
                self.found.push(pointer.clone());
            }
            map.next_value_seed(Walk { pointer, found: self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            let pointer = format!("{}/{index}", self.pointer);
            if list.next_element_seed(Walk { pointer, found: self.found })?.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::duplicates;

    #[test]
    fn names_each_second_member() {
        let text = br#"{"a": [1, {"b/c": 1.5, "b/c": -1, "d": null}], "e": {"a": true}, "a": "x"}"#;
        assert_eq!(duplicates(text), ["/a/1/b~1c", "/a"]);
        assert_eq!(duplicates(b"{\"a\": 1, \"a\": 2"), Vec::<String>::new());
    }
}
