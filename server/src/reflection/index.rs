//! Which file defines a name, and which files that file needs. Knows descriptors only.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet,
};
use thiserror::Error;

/// Every name that the descriptors define.
#[derive(Debug, Default)]
pub(super) struct Index {
    files: Vec<File>,
    by_name: HashMap<String, usize>,
    by_symbol: HashMap<String, usize>,
    /// Of every message, the file of each extension by its number.
    extensions: HashMap<String, BTreeMap<i32, usize>>,
    services: Vec<String>,
}

#[derive(Debug)]
struct File {
    encoded: Vec<u8>,
    imports: Vec<String>,
}

/// What was asked for is not among the descriptors.
#[derive(Debug, Error)]
pub(super) enum Unknown {
    #[error("no file {0:?} on this server")]
    File(String),
    #[error("no symbol {0:?} on this server")]
    Symbol(String),
    #[error("no message {0:?} on this server")]
    Message(String),
    #[error("no extension {1} of {0:?} on this server")]
    Extension(String, i32),
}

impl Index {
    /// Indexes encoded sets. A file that is in several of them counts once.
    pub(super) fn of(sets: &[&[u8]]) -> Self {
        let mut index = Self::default();
        for set in sets {
            let set = FileDescriptorSet::decode(*set)
                .expect("the descriptors were compiled into this program");
            set.file.iter().for_each(|file| index.add(file));
        }
        index
    }

    /// The full names of the services.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(String::as_str)
    }

    /// A file, and after it all that it imports.
    pub(super) fn file(&self, name: &str) -> Result<Vec<Vec<u8>>, Unknown> {
        let file = self.by_name.get(name).ok_or_else(|| Unknown::File(name.to_owned()))?;
        Ok(self.with_imports(*file))
    }

    /// The file that defines a full name.
    pub(super) fn symbol(&self, name: &str) -> Result<Vec<Vec<u8>>, Unknown> {
        let file = self.by_symbol.get(name).ok_or_else(|| Unknown::Symbol(name.to_owned()))?;
        Ok(self.with_imports(*file))
    }

    /// The file that defines an extension.
    pub(super) fn extension(&self, message: &str, number: i32) -> Result<Vec<Vec<u8>>, Unknown> {
        let of_message = self.extensions.get(message);
        let file = of_message.and_then(|extensions| extensions.get(&number));
        let file = file.ok_or_else(|| Unknown::Extension(message.to_owned(), number))?;
        Ok(self.with_imports(*file))
    }

    /// The numbers of a message's extensions.
    pub(super) fn extension_numbers(&self, message: &str) -> Result<Vec<i32>, Unknown> {
        let extensions = self.extensions.get(message);
        let extensions = extensions.ok_or_else(|| Unknown::Message(message.to_owned()))?;
        Ok(extensions.keys().copied().collect())
    }

    fn with_imports(&self, file: usize) -> Vec<Vec<u8>> {
        let mut order = vec![file];
        let mut next = 0;
        while let Some(file) = order.get(next) {
            for import in &self.files[*file].imports {
                let import = self.by_name.get(import).copied();
                order.extend(import.filter(|import| !order.contains(import)));
            }
            next += 1;
        }
        order.into_iter().map(|file| self.files[file].encoded.clone()).collect()
    }

    fn add(&mut self, file: &FileDescriptorProto) {
        if self.by_name.contains_key(file.name()) {
            return;
        }
        let number = self.files.len();
        let encoded = file.encode_to_vec();
        self.files.push(File { encoded, imports: file.dependency.clone() });
        self.by_name.insert(file.name().to_owned(), number);

        let package = file.package();
        for service in &file.service {
            let name = self.define(package, service.name(), number);
            for method in &service.method {
                self.define(&name, method.name(), number);
            }
            self.services.push(name);
        }
        file.message_type.iter().for_each(|message| self.add_message(package, message, number));
        file.enum_type.iter().for_each(|of| self.add_enum(package, of, number));
        file.extension.iter().for_each(|field| self.add_extension(package, field, number));
    }

    fn add_message(&mut self, scope: &str, message: &DescriptorProto, file: usize) {
        let name = self.define(scope, message.name(), file);
        for field in &message.field {
            self.define(&name, field.name(), file);
        }
        for oneof in &message.oneof_decl {
            self.define(&name, oneof.name(), file);
        }
        message.nested_type.iter().for_each(|nested| self.add_message(&name, nested, file));
        message.enum_type.iter().for_each(|of| self.add_enum(&name, of, file));
        message.extension.iter().for_each(|field| self.add_extension(&name, field, file));
        self.extensions.entry(name).or_default();
    }

    /// A value's full name is beside its enum, not below it: `cache.OK` is one, and
    /// `cache.CacheStatus.OK` is none.
    fn add_enum(&mut self, scope: &str, of: &EnumDescriptorProto, file: usize) {
        self.define(scope, of.name(), file);
        for value in &of.value {
            self.define(scope, value.name(), file);
        }
    }

    fn add_extension(&mut self, scope: &str, field: &FieldDescriptorProto, file: usize) {
        self.define(scope, field.name(), file);
        // Compilers write full names with a dot in front.
        let message = field.extendee().trim_start_matches('.').to_owned();
        self.extensions.entry(message).or_default().insert(field.number(), file);
    }

    fn define(&mut self, scope: &str, name: &str, file: usize) -> String {
        let name = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        self.by_symbol.insert(name.clone(), file);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::EnumValueDescriptorProto;

    #[allow(clippy::unnecessary_wraps, reason = "a descriptor's fields are all optional")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    /// `a.proto`: message `p.Outer` with a nested enum, and an extension of it in `b.proto`,
    /// which imports `a.proto`.
    fn index() -> Index {
        let value = |name| EnumValueDescriptorProto { name: some(name), ..Default::default() };
        let kind = EnumDescriptorProto {
            name: some("Kind"),
            value: vec![value("PLAIN")],
            ..Default::default()
        };
        let outer =
            DescriptorProto { name: some("Outer"), enum_type: vec![kind], ..Default::default() };
        let a = FileDescriptorProto {
            name: some("a.proto"),
            package: some("p"),
            message_type: vec![outer],
            ..Default::default()
        };
        let extension = FieldDescriptorProto {
            name: some("more"),
            extendee: some(".p.Outer"),
            number: Some(100),
            ..Default::default()
        };
        let b = FileDescriptorProto {
            name: some("b.proto"),
            dependency: vec!["a.proto".to_owned(), "elsewhere.proto".to_owned()],
            extension: vec![extension],
            ..Default::default()
        };
        let set = FileDescriptorSet { file: vec![a.clone(), b] }.encode_to_vec();
        let again = FileDescriptorSet { file: vec![a] }.encode_to_vec();
        Index::of(&[&set, &again])
    }

    fn names(files: Result<Vec<Vec<u8>>, Unknown>) -> Vec<String> {
        let decode = |file: Vec<u8>| FileDescriptorProto::decode(&file[..]).unwrap();
        files.unwrap().into_iter().map(|file| decode(file).name().to_owned()).collect()
    }

    #[test]
    fn a_nested_enums_value_is_named_beside_it() {
        let index = index();
        assert_eq!(names(index.symbol("p.Outer.PLAIN")), ["a.proto"]);
        assert_eq!(names(index.symbol("p.Outer.Kind")), ["a.proto"]);
        assert!(index.symbol("p.Outer.Kind.PLAIN").is_err());
        assert!(index.symbol("p").is_err());
        assert!(index.symbol(".p.Outer").is_err());
    }

    #[test]
    fn a_file_comes_with_what_it_imports() {
        assert_eq!(names(index().file("b.proto")), ["b.proto", "a.proto"]);
        assert_eq!(names(index().file("a.proto")), ["a.proto"]);
        assert!(index().file("elsewhere.proto").is_err());
    }

    #[test]
    fn an_extension_is_found_by_its_message_and_number() {
        let index = index();
        assert_eq!(names(index.extension("p.Outer", 100)), ["b.proto", "a.proto"]);
        assert_eq!(names(index.symbol("more")), ["b.proto", "a.proto"]);
        assert_eq!(index.extension_numbers("p.Outer").unwrap(), [100]);
        assert!(index.extension("p.Outer", 101).is_err());
        assert!(index.extension_numbers("p.Other").is_err());
    }
}
