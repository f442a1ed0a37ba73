//! Reading config.json.
