package import Configuration
package import Probes

extension Demand {
    /// What the configuration asks of the kernel.
    package init(_ settings: Settings, cpus: Int) {
        self.init()
        families = Set(settings.captureOnly.map { kind in
            switch kind {
            case .exec: .exec
            case .file: .file
            case .module: .module
            }
        })
        backend =
            switch settings.captureBackend {
            case .auto: .automatic
            case .fentry: .fentry
            case .tracepoint: .tracepoint
            }
        forks = settings.processesActions.contains(.fork)
        exits = settings.processesActions.contains(.exit)
        namespaces = settings.processesActions.contains(.namespaceChange)
        attribution = settings.attributionProcesses > 0
        failedExecs =
            switch settings.processesFailed {
            case .none: .none
            case .known: .known
            case .all: .all
            }
        let plan = RingPlan(settings, cpus: cpus)
        bulkCount = plan.bulkCount
        bulkSize = plan.bulkSize
        prioritySize = plan.prioritySize
        wakeBytes = plan.wakeBytes
        watches = settings.limitsWatches
        handles = settings.limitsHandles
        verdicts = settings.limitsVerdicts
        if settings.limitsTenantRate > 0 {
            tenantInterval = UInt64(1_000_000_000 / settings.limitsTenantRate)
            tenantBurst = settings.limitsTenantBurst.nanoseconds
            tenants = settings.limitsTenants
        }
        reportEvery = settings.filesReportEvery.nanoseconds
        detail =
            switch settings.filesDetail {
            case .summary: .summary
            case .bytes: .bytes
            case .everyWrite: .everyWrite
            }
    }
}

extension Duration {
    /// Not negative; as much as fits.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds / 1_000_000_000))
    }
}
