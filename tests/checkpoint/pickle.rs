//! Pickles that nobody's torch.save wrote: random programs, globals outside the list, and sizes that
//! cost a reader far more than they cost the file. Each gets a code, and soon.

use std::time::{Duration, Instant};

use super::tiny::{Random, code};
use super::torch::{torch_archive, with_bin};

/// What any of these may take; they take milliseconds.
const SOON: Duration = Duration::from_secs(10);

fn outcome(pickle: &[u8]) -> &'static str {
    let start = Instant::now();
    let found = code(with_bin(&torch_archive(pickle, &[]), 0).load(None));
    let shown = &pickle[..pickle.len().min(64)];
    assert!(
        start.elapsed() < SOON,
        "{:?} for {shown:?}",
        start.elapsed()
    );
    found
}

/// One of `choices`.
fn pick<'a, T: ?Sized>(random: &mut Random, choices: &[&'a T]) -> &'a T {
    choices[random.below(choices.len())]
}

const MODULES: &[&str] = &["torch", "torch._utils", "collections", "os", "builtins", ""];
const NAMES: &[&str] = &[
    "OrderedDict",
    "_rebuild_tensor_v2",
    "_rebuild_parameter",
    "FloatStorage",
    "LongStorage",
    "system",
    "eval",
];
/// Sizes at which an integer turns over, and a few that are none.
const SIZES: &[i64] = &[
    0,
    1,
    2,
    77,
    -1,
    i64::MIN,
    i64::MAX,
    1 << 31,
    1 << 32,
    1 << 61,
];

/// An opcode with its operand, as likely to fit the stack as not.
fn opcode(random: &mut Random, out: &mut Vec<u8>) {
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(0x8c);
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    };
    match random.below(20) {
        0 => text(out, pick(random, &["storage", "cpu", "0", "a.weight", "1"])),
        1 => {
            let size = SIZES[random.below(SIZES.len())];
            out.extend_from_slice(&[0x8a, 8]);
            out.extend_from_slice(&size.to_le_bytes());
        }
        2 => {
            let (module, name) = (pick(random, MODULES), pick(random, NAMES));
            out.extend_from_slice(format!("c{module}\n{name}\n").as_bytes());
        }
        3 => {
            text(out, pick(random, MODULES));
            text(out, pick(random, NAMES));
            out.push(0x93);
        }
        4 => out.extend_from_slice(&[b'q', random.below(4) as u8]),
        5 => out.extend_from_slice(&[b'h', random.below(4) as u8]),
        // A whole tensor, whose sizes are anything.
        6 => {
            out.extend_from_slice(b"ctorch._utils\n_rebuild_tensor_v2\n(((");
            text(out, "storage");
            out.extend_from_slice(b"ctorch\nFloatStorage\n");
            text(out, "0");
            text(out, "cpu");
            for closing in [b"tQ".as_slice(), b"(", b"t(", b"ttR"] {
                for _ in 0..1 + random.below(3) {
                    let size = SIZES[random.below(SIZES.len())];
                    out.extend_from_slice(&[0x8a, 8]);
                    out.extend_from_slice(&size.to_le_bytes());
                }
                out.extend_from_slice(closing);
            }
        }
        7 => out.push(random.bits() as u8),
        // A length that is longer than what follows.
        8 if random.below(8) == 0 => {
            out.push(b'X');
            out.extend_from_slice(&random.bits().to_le_bytes());
        }
        _ => out.extend_from_slice(pick(
            random,
            &[
                b"}".as_slice(),
                b"]",
                b")",
                b"(",
                b"t",
                b"u",
                b"s",
                b"a",
                b"e",
                b"Q",
                b"R",
                b"b",
                b"0",
                b"N",
                b"\x85",
                b"\x86",
                b"\x87",
                b"\x94",
                b"K\x05",
            ],
        )),
    }
}

#[test]
fn random_programs_are_refused_with_a_code() {
    let mut random = Random(6);
    for _ in 0..20_000 {
        let mut pickle = b"\x80\x02".to_vec();
        // A dictionary that is filled lets more of what follows be reached.
        if random.below(2) == 0 {
            pickle.extend_from_slice(b"}(");
        }
        for _ in 0..random.below(40) {
            opcode(&mut random, &mut pickle);
        }
        if random.below(2) == 0 {
            pickle.extend_from_slice(b"u.");
        } else {
            pickle.push(b'.');
        }
        let found = outcome(&pickle);
        assert!(found.starts_with("weights/"), "{found}: {pickle:?}");
    }
}

#[test]
fn every_global_outside_the_list_is_refused() {
    const LIST: &[(&str, &str)] = &[
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch", "FloatStorage"),
        ("torch", "HalfStorage"),
        ("torch", "BFloat16Storage"),
        ("torch", "DoubleStorage"),
        ("torch", "LongStorage"),
        ("torch", "IntStorage"),
        ("torch", "ShortStorage"),
        ("torch", "CharStorage"),
        ("torch", "ByteStorage"),
        ("torch", "BoolStorage"),
    ];
    let named = |module: &str, name: &str| {
        let by_line = format!("\x02c{module}\n{name}\n0}}.").into_bytes();
        let mut by_stack = vec![2];
        for text in [module, name] {
            by_stack.push(b'X');
            by_stack.extend_from_slice(&(text.len() as u32).to_le_bytes());
            by_stack.extend_from_slice(text.as_bytes());
        }
        by_stack.extend_from_slice(b"\x930}.");
        [by_line, by_stack].map(|program| outcome(&[b"\x80".as_slice(), &program].concat()))
    };
    for (module, name) in LIST {
        // It may be named; the empty dictionary behind it holds no tensor.
        assert_eq!(named(module, name), ["weights/missing-tensor"; 2], "{name}");
    }
    let refused = |module: &str, name: &str| {
        if !LIST.contains(&(module, name)) {
            let found = named(module, name);
            assert_eq!(
                found, ["weights/unsupported-format"; 2],
                "{module:?} {name:?}"
            );
        }
    };
    // Each name of the list with the modules of the others, and what is nearly one of them.
    let mut random = Random(7);
    for (module, name) in LIST {
        for (other, _) in LIST {
            refused(other, name);
        }
        refused(&module.to_uppercase(), name);
        refused(module, &name.to_lowercase());
        refused(&format!("{module}.{name}"), "");
        refused("", &format!("{module}.{name}"));
        refused(module, &format!("{name}.__class__"));
        for _ in 0..200 {
            let mut changed = name.as_bytes().to_vec();
            let at = random.below(changed.len() + 1);
            let byte = b'!' + random.below(94) as u8;
            match random.below(3) {
                0 => changed.insert(at, byte),
                1 if at < changed.len() => drop(changed.remove(at)),
                _ => changed[at.min(name.len() - 1)] = byte,
            }
            refused(module, std::str::from_utf8(&changed).unwrap());
        }
    }
}

/// A text of `length` letters, noted as `key`.
fn long_text(length: usize, key: u8) -> Vec<u8> {
    let head = [b"X".as_slice(), &(length as u32).to_le_bytes()].concat();
    [head, vec![b'x'; length], vec![b'q', key]].concat()
}

/// The program of `parts`, with some of them repeated.
fn program(parts: &[(&[u8], usize)]) -> Vec<u8> {
    let mut out = b"\x80\x02".to_vec();
    for (part, times) in parts {
        out.extend(part.repeat(*times));
    }
    out
}

#[test]
fn what_is_repeated_by_a_few_bytes_costs_little() {
    const MANY: usize = 1_000_000;
    /// A number and nothing, noted as 5 and 6.
    const NOTED: &[u8] = b"K\x01q\x050Nq\x060";
    let text = long_text(4 << 20, 1);
    let storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nh\x01X\x03\0\0\0cpuK\x01tQ";
    let tensor = b"ctorch._utils\n_rebuild_tensor_v2\nq\x02(h\x03K\0))tq\x04";
    for (what, pickle) in [
        (
            "a long name before many others",
            program(&[
                (NOTED, 1),
                (b"}", 1),
                (&text, 1),
                (b"}(", 1),
                (b"h\x05h\x06", MANY),
                (b"us.", 1),
            ]),
        ),
        (
            "a long name many times",
            program(&[
                (NOTED, 1),
                (&text, 1),
                (b"0}(", 1),
                (b"h\x01h\x06", MANY),
                (b"u.", 1),
            ]),
        ),
        (
            "a long name of a storage in many tensors",
            program(&[
                (&text, 1),
                (storage, 1),
                (b"q\x03", 1),
                (tensor, 1),
                (b"000", 1),
                (b"](", 1),
                (b"h\x02h\x04R", MANY),
                (b"e.", 1),
            ]),
        ),
        (
            "a long list made a dictionary many times",
            program(&[
                (b"ccollections\nOrderedDict\nq\x01](", 1),
                (b"K\x01N\x86q\x05", 1),
                (b"h\x05", MANY),
                (b"e\x85q\x02", 1),
                (b"00](", 1),
                (b"h\x01h\x02R", MANY),
                (b"e.", 1),
            ]),
        ),
        (
            "a large dictionary many times",
            program(&[
                (NOTED, 1),
                (b"}q\x01(", 1),
                (b"h\x06h\x06", MANY),
                (b"u0](", 1),
                (b"h\x01", MANY),
                (b"e.", 1),
            ]),
        ),
        (
            "lists in lists, each twice",
            program(&[(b"]", 1), (b"q\x01\x85h\x01\x86", 40), (b".", 1)]),
        ),
        ("open marks", program(&[(b"(", MANY), (b".", 1)])),
        (
            "nested tuples",
            program(&[(b")", 1), (b"\x85", MANY), (b".", 1)]),
        ),
        (
            "numbers",
            program(&[(b"](", 1), (b"K\x01", 4 * MANY), (b"e.", 1)]),
        ),
    ] {
        let found = outcome(&pickle);
        assert_eq!(found, "weights/invalid", "{what}");
    }
}

#[test]
fn sizes_that_overflow_are_refused() {
    for size in [i64::MAX, i64::MIN, -1, 1 << 62, 1 << 61, 1 << 32] {
        for place in 0..4 {
            let int = |at: usize, usual: u8| {
                if at == place {
                    [b"\x8a\x08".as_slice(), &size.to_le_bytes()].concat()
                } else {
                    vec![b'K', usual]
                }
            };
            let pickle = [
                b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n((".as_slice(),
                b"X\x07\0\0\0storagectorch\nDoubleStorage\nX\x01\0\0\x000X\x03\0\0\0cpu",
                &int(0, 4),
                b"tQ",
                &int(1, 0),
                &[&int(2, 2)[..], &int(2, 2), b"\x86"].concat(),
                &[&int(3, 2)[..], &int(3, 1), b"\x86"].concat(),
                b"tRs.",
            ]
            .concat();
            let found = outcome(&pickle);
            // A storage may be said to be large; what a model needs is not in this file all the same.
            assert!(
                [
                    "weights/invalid",
                    "weights/missing-tensor",
                    "weights/wrong-shape"
                ]
                .contains(&found),
                "{size} at {place}: {found}"
            );
        }
    }
}
