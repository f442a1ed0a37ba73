#![allow(unsafe_code)]
//! sys
