//! The RPCs of both services, by name and by path. The build script reads them off `proto/`; the
//! server and the client take them from here.

macro_rules! methods {
    ($($service:literal: $($method:ident)*;)*) => {
        /// An RPC of the contract's service, or of the second one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum CacheMethod {
            $($(
                #[doc = concat!("`", $service, "/", stringify!($method), "`")]
                $method,
            )*)*
        }

        impl CacheMethod {
            /// Every RPC, in the order of its number.
            pub const ALL: [Self; [$($(stringify!($method),)*)*].len()] =
                [$($(Self::$method,)*)*];

            /// The full name, `package.Service/Method`.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$method => concat!($service, "/", stringify!($method)),)*)*
                }
            }

            /// The path of its requests.
            pub const fn path(self) -> &'static str {
                match self {
                    $($(
                        Self::$method => concat!("/", $service, "/", stringify!($method)),
                    )*)*
                }
            }

            /// The RPC of a request's path; `None` for every other path.
            pub fn of(path: &str) -> Option<Self> {
                match path {
                    $($(
                        concat!("/", $service, "/", stringify!($method)) => Some(Self::$method),
                    )*)*
                    _ => None,
                }
            }
        }
    };
}

// The services and their methods: `methods! { "cache.CacheService": Get MultiGet …; … }`.
include!(concat!(env!("OUT_DIR"), "/methods.rs"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SECOND_SERVICE_NAME, SERVICE_NAME};

    #[test]
    fn a_path_leads_to_its_method_and_no_other_path_does() {
        assert_eq!(CacheMethod::CompareAndSet.path(), "/cache.CacheService/CompareAndSet");
        for (index, method) in CacheMethod::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, index);
            assert_eq!(method.path(), format!("/{}", method.name()));
            let service = method.name().split('/').next().unwrap();
            assert!([SERVICE_NAME, SECOND_SERVICE_NAME].contains(&service), "{service}");
            assert_eq!(CacheMethod::of(method.path()), Some(method));
        }
        for path in ["", "/", "cache.CacheService/Get", "/cache.CacheService/Get/", "/x.Y/Get"] {
            assert_eq!(CacheMethod::of(path), None, "{path}");
        }
    }
}
