//! Who may do what: identities, rights and refusals, over real sockets.

mod callers; // somebody with a credential of each kind, and the files that know them
mod certificates; // those whom a certificate names
mod commands; // what the program says about rules and tokens
mod refusals; // what comes before a refusal, and what it leaves
mod reload; // files that change under load
mod settings; // what the start refuses
mod table; // every RPC, for everybody, everywhere
mod messages; // what a message of the second service needs beside its RPC's right
mod http; // the HTTP port
