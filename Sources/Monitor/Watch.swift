package import Configuration
internal import Events
internal import Glibc
internal import KernelABI
package import Probes

/// `hypervigil watch`: live events until a signal, a duration or the reader of the output ends it.
package enum Watch {
    package enum Format: Sendable { case text, json }

    /// - Returns: the exit code, as sysexits(3) has it.
    package static func run(_ settings: Settings, format: Format, duration: Duration?) throws(ProbeError) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let signals = hv_signal_descriptor()
        let host = Host()
        let session = try Session.open(settings, host: host, format: format == .json ? .json : .text, output: STDOUT_FILENO)
        let pipeline = session.pipeline
        let banner = Self.banner(session.probes)
        for (subject, reason) in session.degradations { pipeline.say(.degraded(subject: subject, reason: reason)) }
        pipeline.flush()
        complain(banner)
        // Code and objects that only the start needs.
        hv_release_image()

        let rings = session.probes.maps.rings
        let waiter = hv_waiter(rings, Int32(rings.count), signals)
        guard signals >= 0, waiter >= 0 else { throw .nothing("can't wait for events: \(String(cString: strerror(errno)))") }
        let interval = settings.consumerInterval.nanoseconds, idle = settings.consumerIdleInterval.nanoseconds
        let end = duration.map { Clock.boot + $0.nanoseconds }
        var wait = interval
        while pipeline.failure == nil {
            if let end {
                let now = Clock.boot
                if now >= end { break }
                wait = min(wait, end - now)
            }
            if hv_wait(waiter, signals, Int32(min((wait + 999_999) / 1_000_000, 60_000))) != 0 { break }
            let (records, waiting, more) = pipeline.step()
            wait = more ? 0 : records > 0 || waiting ? interval : idle
        }
        let reason = pipeline.failure.map { String(cString: strerror($0)) } ?? "asked to"
        pipeline.finish()
        pipeline.say(.stop(message: "capture ended: \(reason)", events: pipeline.events, lost: pipeline.lost, filtered: pipeline.filtered))
        pipeline.flush()
        let filtered = pipeline.filtered.map { ", \($0) filtered" } ?? ""
        complain("captured \(pipeline.events) events, \(pipeline.lost) lost\(filtered)")
        switch pipeline.failure {
        case nil, EPIPE: return EX_OK
        case .some(let code):
            complain("hypervigil: standard output: \(String(cString: strerror(code))); make room or name another place")
            return EX_IOERR
        }
    }

    /// What is watched and how, in a line that begins with `watching`.
    static func banner(_ probes: Probes) -> String {
        var parts: [String] = []
        for family in Family.allCases where probes.demand.families.contains(family) {
            let reports = probes.reports.filter { $0.family == family }
            if family == .module && !probes.kernelHasModules {
                parts.append("no modules (this kernel has none)")
                continue
            }
            let styles = [Style.lsm, .fentry, .tracepoint].filter { style in reports.contains { $0.style == style } }.map(\.rawValue)
            let missing = reports.filter { $0.style == nil || $0.fires == false }.map(\.promise)
            if styles.isEmpty {
                parts.append("no \(family.rawValue) events (this kernel refuses every hook)")
                continue
            }
            var part = "\(family.rawValue) (\(styles.joined(separator: ", ")))"
            if !missing.isEmpty { part += " without \(missing.joined(separator: ", "))" }
            parts.append(part)
        }
        return "watching " + parts.joined(separator: "; ")
    }
}

func complain(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
