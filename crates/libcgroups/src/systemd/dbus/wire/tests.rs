use super::*;

const TARGET: Target<'_> = Target { destination: "a.b", path: "/a", interface: "a.I" };

/// As `busctl` sends it.
#[test]
fn a_call_byte_by_byte() {
    let args = [
        Value::text("x"),
        Value::Array(
            "(sv)",
            vec![Value::Struct(vec![Value::text("P"), Value::Variant(Box::new(Value::Uint64(7)))])],
        ),
    ];
    let bytes = method_call(5, TARGET, "M", &args);
    let mut expected = Vec::new();
    // Header: order, call, no flags, version 1, 40 bytes of body, serial, 98 - 16 bytes of fields.
    expected.extend(b"l\x01\x00\x01\x20\x00\x00\x00\x05\x00\x00\x00\x52\x00\x00\x00");
    expected.extend(b"\x01\x01o\x00\x02\x00\x00\x00/a\x00\x00\x00\x00\x00\x00");
    expected.extend(b"\x06\x01s\x00\x03\x00\x00\x00a.b\x00\x00\x00\x00\x00");
    expected.extend(b"\x02\x01s\x00\x03\x00\x00\x00a.I\x00\x00\x00\x00\x00");
    expected.extend(b"\x03\x01s\x00\x01\x00\x00\x00M\x00\x00\x00\x00\x00\x00\x00");
    expected.extend(b"\x08\x01g\x00\x06sa(sv)\x00");
    expected.resize(expected.len().next_multiple_of(8), 0);
    // "x"; then the array: its length, padding to 8, "P", signature "t", padding, 7.
    let body = b"\x01\x00\x00\x00x\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00";
    let element = b"\x01\x00\x00\x00P\x00\x01t\x00\x00\x00\x00\x00\x00\x00\x00";
    expected.extend(body);
    expected.extend(element);
    expected.extend(7_u64.to_le_bytes());
    let body_length = u32::from_le_bytes(bytes[4..8].try_into().expect("four"));
    assert_eq!(body_length as usize, body.len() + element.len() + 8);
    // The two lengths follow from the rest.
    expected[4..8].copy_from_slice(&bytes[4..8]);
    expected[12..16].copy_from_slice(&bytes[12..16]);
    expected[body_at(&bytes) + 8] = 24;
    assert_eq!(bytes, expected);
    assert_eq!(message_length(&bytes), Ok(Some(bytes.len())));
}

fn body_at(bytes: &[u8]) -> usize {
    bytes.len() - u32::from_le_bytes(bytes[4..8].try_into().expect("four")) as usize
}

fn message(kind: u8, fields: impl FnOnce(&mut Writer), body: &[Value]) -> Vec<u8> {
    let mut inner = Writer::default();
    body.iter().for_each(|value| inner.value(value));
    let mut out = Writer::default();
    out.0.extend([b'l', kind, 0, 1]);
    out.u32(inner.0.len());
    out.u32(9);
    out.array(8, |all| {
        fields(all);
        let signature: String = body.iter().map(Value::signature).collect();
        all.field(SIGNATURE, "g", &signature);
    });
    out.align(8);
    out.0.extend(inner.0);
    out.0
}

fn reply_serial(fields: &mut Writer) {
    fields.align(8);
    fields.0.push(REPLY_SERIAL);
    fields.signature("u");
    fields.u32(3);
}

#[test]
fn replies() {
    let reply = message(METHOD_RETURN, reply_serial, &[Value::text("/job/1")]);
    let expected = Message::Return { serial: 3, args: vec!["/job/1".into()] };
    assert_eq!(parse(&reply), Ok(expected));
    let refusal = |fields: &mut Writer| {
        reply_serial(fields);
        fields.field(ERROR_NAME, "s", "a.Error");
    };
    let error = message(ERROR, refusal, &[Value::text("no such unit")]);
    let expected =
        Message::Error { serial: 3, name: "a.Error".into(), text: "no such unit".into() };
    assert_eq!(parse(&error), Ok(expected));
    let processes = Value::Array("(sus)", Vec::new());
    let none = message(METHOD_RETURN, reply_serial, &[processes]);
    let expected = Message::Return { serial: 3, args: vec!["0".into()] };
    assert_eq!(parse(&none), Ok(expected));
    for (value, text) in [
        (Value::Bytes(vec![0, 0xab, 7]), &["00ab07"][..]),
        (Value::Bytes(vec![]), &[""]),
        // Nobody waits for one of these.
        (Value::text("x"), &[]),
    ] {
        let reply = message(METHOD_RETURN, reply_serial, &[Value::Variant(Box::new(value))]);
        let args = text.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(parse(&reply), Ok(Message::Return { serial: 3, args }));
    }
}

#[test]
fn signals() {
    let fields = |fields: &mut Writer| {
        fields.field(PATH, "o", "/org");
        fields.field(INTERFACE, "s", "a.Manager");
        fields.field(MEMBER, "s", "JobRemoved");
    };
    let body = ["/job/1", "x.scope", "done"].map(Value::text);
    let body = [&[Value::Uint32(1)][..], &body].concat();
    let expected = Message::Signal {
        interface: "a.Manager".into(),
        member: "JobRemoved".into(),
        args: ["1", "/job/1", "x.scope", "done"].map(String::from).to_vec(),
    };
    assert_eq!(parse(&message(SIGNAL, fields, &body)), Ok(expected));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(0_u8..=255, 0..80)) {
        let _ = message_length(&bytes);
        let _ = parse(&bytes);
        let mut framed = b"l\x02\x00\x01".to_vec();
        framed.extend(&bytes);
        let _ = message_length(&framed);
        let _ = parse(&framed);
    }
}
