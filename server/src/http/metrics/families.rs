//! Every metric, declared once: its name, its help, and where its value is read. A family
//! without a sample is not shown.

mod access; // who was refused
mod certificates; // until when each is valid
mod connections; // connections and workers
mod memory; // the allocator's, and what the container allows
#[cfg(target_os = "linux")]
mod process; // what the kernel says
mod reloads; // files that were read again
mod rpcs; // requests by method and status
mod quotas; // of namespaces
mod store; // entries, and what became of them
mod tier; // the second one
mod traces; // what became of spans and log lines
mod what_if; // what other memory would give

use std::sync::Arc;

use crate::monitor::Monitor;

use super::family::Family;

/// Reads them all.
pub(super) struct Families {
    monitor: Arc<Monitor>,
    memory: memory::GroupLimits,
    #[cfg(target_os = "linux")]
    process: process::Process,
}

impl Families {
    pub(super) fn of(monitor: Arc<Monitor>) -> Self {
        Self {
            monitor,
            memory: memory::GroupLimits::read(),
            #[cfg(target_os = "linux")]
            process: process::Process::new(),
        }
    }

    /// The figures of this moment.
    pub(super) fn read(&self) -> Vec<Family> {
        let monitor = &*self.monitor;
        let detail = monitor.parts.store.detail();
        let mut families = store::families(&detail);
        families.extend(quotas::families(&detail));
        let what_if = monitor.parts.store.what_if();
        families.extend(what_if.iter().flat_map(what_if::families));
        families.extend(rpcs::families(monitor));
        families.extend(connections::families(monitor));
        families.extend(access::families(&monitor.parts.audit));
        families.extend(certificates::families(monitor));
        families.extend(reloads::families(&monitor.parts.reloads));
        families.extend(monitor.parts.tier.iter().flat_map(|tier| tier::families(&tier.stats())));
        families.extend(traces::families(&monitor.parts.spans, monitor.dropped_lines()));
        families.extend(memory::families(&self.memory));
        #[cfg(target_os = "linux")]
        families.extend(self.process.families());
        families.retain(|family| !family.samples.is_empty());
        families
    }
}
