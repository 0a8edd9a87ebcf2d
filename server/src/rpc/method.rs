//! The RPCs as metrics and traces name them: a closed set, whatever paths callers make up.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Method {
    Get,
    MultiGet,
    Set,
    SetIfAbsent,
    CompareAndSet,
    MultiSet,
    Delete,
    MultiDelete,
    Stats,
    HealthCheck,
    HealthList,
    HealthWatch,
    /// Server reflection in both of its versions.
    Reflection,
    /// Nothing that this server has.
    Other,
}

impl Method {
    /// Every method, in the order of its number.
    pub(crate) const ALL: [Self; 14] = [
        Self::Get,
        Self::MultiGet,
        Self::Set,
        Self::SetIfAbsent,
        Self::CompareAndSet,
        Self::MultiSet,
        Self::Delete,
        Self::MultiDelete,
        Self::Stats,
        Self::HealthCheck,
        Self::HealthList,
        Self::HealthWatch,
        Self::Reflection,
        Self::Other,
    ];

    /// The method of a request's path, `/package.Service/Method`.
    pub(crate) fn of(path: &str) -> Self {
        let named = path.strip_prefix('/').unwrap_or(path);
        match named.strip_prefix("cache.CacheService/") {
            Some("Get") => Self::Get,
            Some("MultiGet") => Self::MultiGet,
            Some("Set") => Self::Set,
            Some("SetIfAbsent") => Self::SetIfAbsent,
            Some("CompareAndSet") => Self::CompareAndSet,
            Some("MultiSet") => Self::MultiSet,
            Some("Delete") => Self::Delete,
            Some("MultiDelete") => Self::MultiDelete,
            Some("Stats") => Self::Stats,
            Some(_) => Self::Other,
            None => match named {
                "grpc.health.v1.Health/Check" => Self::HealthCheck,
                "grpc.health.v1.Health/List" => Self::HealthList,
                "grpc.health.v1.Health/Watch" => Self::HealthWatch,
                "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
                | "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
                    Self::Reflection
                }
                _ => Self::Other,
            },
        }
    }

    /// Whether the contract's own service has it.
    pub(crate) fn is_of_the_cache(self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::MultiGet
                | Self::Set
                | Self::SetIfAbsent
                | Self::CompareAndSet
                | Self::MultiSet
                | Self::Delete
                | Self::MultiDelete
                | Self::Stats
        )
    }

    /// The full name, `package.Service/Method`; `_OTHER` for what nobody serves, as
    /// OpenTelemetry's conventions for RPC have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "cache.CacheService/Get",
            Self::MultiGet => "cache.CacheService/MultiGet",
            Self::Set => "cache.CacheService/Set",
            Self::SetIfAbsent => "cache.CacheService/SetIfAbsent",
            Self::CompareAndSet => "cache.CacheService/CompareAndSet",
            Self::MultiSet => "cache.CacheService/MultiSet",
            Self::Delete => "cache.CacheService/Delete",
            Self::MultiDelete => "cache.CacheService/MultiDelete",
            Self::Stats => "cache.CacheService/Stats",
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
        for (index, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, index);
            assert_eq!(Method::of(&format!("/{}", method.name())), method);
        }
    }

    #[test]
    fn what_callers_make_up_has_one_name() {
        for path in ["", "/", "/cache.CacheService/Got", "/cache.CacheService/Get/", "/x.Y/Get"] {
            assert_eq!(Method::of(path), Method::Other, "{path}");
        }
    }
}
