internal import Configuration
internal import Events
internal import FilterLanguage
internal import Filters
internal import Glibc
internal import KernelABI
internal import Probes
internal import Redaction

/// The programs in the kernel, the watch set and the pipeline, up and proven by the canary.
final class Session {
    let probes: Probes
    let watch: WatchSet?
    let pipeline: Pipeline
    let canary: Canary

    /// How long the canary's events may take: guests in emulation are slow.
    private static let canaryWait: UInt64 = 5_000_000_000

    /// A session whose hooks fire as far as this kernel lets them: LSM programs that attach and stay silent are replaced.
    static func open(_ settings: Settings, host: Host, format: EventSink.Format, output: Int32) throws(ProbeError) -> Session {
        hv_share_memory()
        var demand = Demand(settings, cpus: Self.cpus())
        let session = try Session(demand, settings, host: host, format: format, output: output)
        let proven = session.probes.reports.filter { $0.style == .lsm && $0.fires != nil }
        guard !proven.isEmpty, proven.allSatisfy({ $0.fires == false }) else { return session }
        demand.lsmRefusal = "it attaches, and the canary's act did not come back"
        return try Session(demand, settings, host: host, format: format, output: output)
    }

    private init(_ demand: Demand, _ settings: Settings, host: Host, format: EventSink.Format, output: Int32) throws(ProbeError) {
        probes = try Probes(demand)
        watch = WatchSet(probes, settings.watchItems)
        watch?.resolve()
        if let watch { probes.attend(types: watch.fileSystems.map(\.type), layers: watch.holdsLayers) }
        let redactor: Redactor?
        do throws(ConfigurationError) {
            redactor = try Redactor.configured(settings)
        } catch {
            throw .nothing("\(error)")
        }
        pipeline = try Pipeline(
            probes: probes, watch: watch, sink: EventSink(format: format, host: host, descriptor: output), redactor: redactor, settings)
        pipeline.takeOverProcesses()
        canary = Canary(probes.reports)
        pipeline.say(.start(message: Watch.banner(probes)))
        prove()
    }

    /// CPUs that the kernel may bring online.
    private static func cpus() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_CONF))) }

    private func prove() {
        pipeline.canary = canary
        if probes.demand.families.contains(.exec) {
            let demand = probes.demand
            canary.actProcesses(
                forks: demand.forks || demand.attribution, exits: demand.exits || demand.attribution, failed: demand.failedExecs != .none,
                namespaces: demand.namespaces)
        }
        if probes.demand.families.contains(.module), probes.kernelHasModules { canary.actModules() }
        if let watch { canary.actFiles(watch) }
        let end = Clock.boot + Self.canaryWait
        repeat {
            _ = pipeline.step(flush: true)
            if canary.complete { break }
            usleep(2000)
        } while Clock.boot < end
        probes.note(fired: canary.fired, tried: canary.tried)
    }

    /// What was promised and can't be kept: (what, why), once each.
    var degradations: [(subject: String, reason: String)] {
        var found: [(String, String)] = []
        if probes.demand.families.contains(.module), !probes.kernelHasModules {
            found.append(("kernel modules", "this kernel has no support for loadable modules"))
        }
        for report in probes.reports {
            if report.style == nil {
                found.append((report.promise, "\(report.without) (\(report.why))"))
            } else if report.fires == false {
                found.append((report.promise, "attached to \(report.targets.joined(separator: ", ")), but the canary's act did not come back"))
            }
        }
        if probes.reports.contains(where: { $0.family == .file && $0.style == .tracepoint }) {
            found.append(
                (
                    "file changes",
                    "seen by system call tracepoints: names are as their callers spelled them (absolute ones of containers, and names changed through io_uring, are not seen), what a file had before is not known, what the kernel writes for others is not seen, and every system call of the machine is slower"
                ))
        }
        for system in canary.files {
            if let untried = system.untried { found.append(("\(system.type) file system", "the canary could not act on it: \(untried)")) }
        }
        if let watch {
            for problem in watch.problems { found.append((problem.path, "not watched: \(problem.reason)")) }
        }
        return found
    }
}
