//! The commands of the program about access control: what the rules say of somebody, and tokens.

use std::io::{self, Read};

use crate::{
    access::{
        check::{self, Question},
        new_token,
    },
    cli::{CheckAccess, Token},
};

/// Bytes of a token that is read, so that a wrong file does not fill the memory.
const MAX_TOKEN_BYTES: u64 = 16 << 10;

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Lines for the reader.
    pub text: String,
    /// Whether the right that was asked for is there; where none was asked for, yes.
    pub allowed: bool,
}

/// Reads the rules, and what they say of somebody.
///
/// # Errors
/// The file cannot be used, or a text of the command line is none.
pub fn check(asked: &CheckAccess) -> anyhow::Result<Checked> {
    let (setting, rules) = ("--rules", &*asked.rules);
    let Some(identity) = &asked.identity else {
        let count = check::validate(setting, rules)?;
        let text = format!("{}: valid, rules: {count}\n", rules.display());
        return Ok(Checked { text, allowed: true });
    };
    let namespace = &asked.namespace;
    let answer = check::answer(Question { setting, rules, identity, namespace })?;
    let allowed = asked.right.is_none_or(|right| answer.has(right));
    let verdict = match asked.right {
        None => "",
        Some(_) if allowed => "allowed\n",
        Some(_) => "refused\n",
    };
    Ok(Checked { text: format!("{verdict}{}", answer.text()), allowed })
}

/// Makes a token, or the line for one that is read from standard input.
///
/// # Errors
/// The token cannot be read or used.
pub fn token(asked: &Token) -> anyhow::Result<String> {
    match asked {
        Token::New => new_token::make(),
        Token::Hash { name } => {
            let mut token = String::new();
            io::stdin().take(MAX_TOKEN_BYTES).read_to_string(&mut token)?;
            new_token::line(name, &token)
        }
    }
}
