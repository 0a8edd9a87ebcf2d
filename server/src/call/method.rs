//! The RPCs as metrics and traces name them: a closed set, whatever paths callers make up.

use tiny_cache_proto::method::CacheMethod;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// An RPC of the contract.
    Cache(CacheMethod),
    HealthCheck,
    HealthList,
    HealthWatch,
    /// Server reflection, in either version.
    Reflection,
    /// Nothing that this server has.
    Other,
}

impl Method {
    /// The methods that are not the contract's.
    const OTHERS: [Self; 5] =
        [Self::HealthCheck, Self::HealthList, Self::HealthWatch, Self::Reflection, Self::Other];

    /// How many there are.
    pub(crate) const COUNT: usize = CacheMethod::ALL.len() + Self::OTHERS.len();

    /// Every method, each at its index.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        CacheMethod::ALL.into_iter().map(Self::Cache).chain(Self::OTHERS)
    }

    /// The method of a request's path, `/package.Service/Method`.
    pub(crate) fn of(path: &str) -> Self {
        if let Some(method) = CacheMethod::of(path) {
            return Self::Cache(method);
        }
        match path {
            "/grpc.health.v1.Health/Check" => Self::HealthCheck,
            "/grpc.health.v1.Health/List" => Self::HealthList,
            "/grpc.health.v1.Health/Watch" => Self::HealthWatch,
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Self::Reflection,
            _ => Self::Other,
        }
    }

    /// Its place among those of [`Self::all`].
    pub(crate) fn index(self) -> usize {
        const FIRST: usize = CacheMethod::ALL.len();
        match self {
            Self::Cache(method) => method as usize,
            Self::HealthCheck => FIRST,
            Self::HealthList => FIRST + 1,
            Self::HealthWatch => FIRST + 2,
            Self::Reflection => FIRST + 3,
            Self::Other => FIRST + 4,
        }
    }

    /// The full name, `package.Service/Method`; `_OTHER` for what nobody serves, as
    /// OpenTelemetry's conventions for RPC have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cache(method) => method.name(),
            Self::HealthCheck => "grpc.health.v1.Health/Check",
            Self::HealthList => "grpc.health.v1.Health/List",
            Self::HealthWatch => "grpc.health.v1.Health/Watch",
            Self::Reflection => "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            Self::Other => "_OTHER",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_methods_name_leads_back_to_it() {
        for (index, method) in Method::all().enumerate() {
            assert_eq!(method.index(), index);
            assert_eq!(Method::of(&format!("/{}", method.name())), method);
        }
        assert_eq!(Method::all().count(), Method::COUNT);
    }

    #[test]
    fn what_callers_make_up_has_one_name() {
        for path in ["", "/", "/cache.CacheService/Got", "/cache.CacheService/Get/", "/x.Y/Get"] {
            assert_eq!(Method::of(path), Method::Other, "{path}");
        }
    }
}
