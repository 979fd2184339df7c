//! The forms in which bytes turn up in texts. None has white space: it is taken out of the text before.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::Engine as _;

/// Each form with its name. Base64 has three: a text may begin one or two bytes before the secret.
pub(crate) fn of(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex = |upper: bool| -> Vec<u8> {
        let digits = |byte: &u8| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        };
        bytes.iter().map(digits).collect::<String>().into_bytes()
    };
    let decimals: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let hexadecimals: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let raw = bytes.iter().copied().filter(|byte| !is_space(byte));
    // Between b" and ".
    let debug = format!("{:?}", bytes::Bytes::copy_from_slice(bytes));
    let mut forms = vec![
        ("it is", raw.collect()),
        ("hex", hex(false)),
        ("hex", hex(true)),
        (
            "numbers",
            format!("{},", decimals[..decimals.len() - 1].join(",")).into_bytes(),
        ),
        ("numbers", hexadecimals.join(",").into_bytes()),
        (
            "escaped text",
            without_spaces(bytes.escape_ascii().to_string()),
        ),
        (
            "escaped text",
            without_spaces(debug[2..debug.len() - 1].to_owned()),
        ),
    ];
    for alphabet in [alphabet::STANDARD, alphabet::URL_SAFE] {
        let name = if alphabet == alphabet::STANDARD {
            "base64"
        } else {
            "base64url"
        };
        let engine = GeneralPurpose::new(&alphabet, NO_PAD);
        for before in 0..3 {
            forms.push((name, base64(&engine, bytes, before)));
        }
    }
    forms
}

/// The digits that follow from these bytes alone, whatever `before` bytes stand before them.
fn base64(engine: &GeneralPurpose, bytes: &[u8], before: usize) -> Vec<u8> {
    let digits = engine.encode([&[0; 3][..before], bytes].concat());
    let first = (8 * before).div_ceil(6);
    let last = 8 * (before + bytes.len()) / 6;
    digits.as_bytes()[first..last].to_vec()
}

fn without_spaces(text: String) -> Vec<u8> {
    let text = text.into_bytes();
    text.into_iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect()
}
