//! Values of D-Bus messages and their signatures (D-Bus Specification, "Type System").

/// A value. Containers hold values of one type, as their signature says.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::systemd) enum Value {
    /// `b`
    Bool(bool),
    /// `y`
    Byte(u8),
    /// `n`
    Int16(i16),
    /// `q`
    Uint16(u16),
    /// `i`
    Int32(i32),
    /// `u`
    Uint32(u32),
    /// `x`
    Int64(i64),
    /// `t`
    Uint64(u64),
    /// `d`
    Double(f64),
    /// `s`
    Str(String),
    /// `ay`
    Bytes(Vec<u8>),
    /// `a…`: the signature of the elements, and these.
    Array(&'static str, Vec<Value>),
    /// `(…)`
    Struct(Vec<Value>),
    /// `v`
    Variant(Box<Value>),
}

impl Value {
    /// The type of the value.
    pub(in crate::systemd) fn signature(&self) -> String {
        let simple = match self {
            Self::Bool(_) => "b",
            Self::Byte(_) => "y",
            Self::Int16(_) => "n",
            Self::Uint16(_) => "q",
            Self::Int32(_) => "i",
            Self::Uint32(_) => "u",
            Self::Int64(_) => "x",
            Self::Uint64(_) => "t",
            Self::Double(_) => "d",
            Self::Str(_) => "s",
            Self::Bytes(_) => "ay",
            Self::Variant(_) => "v",
            Self::Array(element, _) => return format!("a{element}"),
            Self::Struct(fields) => {
                return format!("({})", fields.iter().map(Self::signature).collect::<String>());
            }
        };
        simple.to_owned()
    }

    /// A text.
    pub(in crate::systemd) fn text(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// An array of texts.
    #[cfg(test)]
    pub(in crate::systemd) fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Self::Array("s", texts.into_iter().map(Self::Str).collect())
    }
}
