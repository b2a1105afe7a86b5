package import Configuration
internal import Foundation
internal import Glibc
package import Probes

/// `hypervigil doctor`: what this kernel can show, found by doing it.
package struct Doctor {
    struct Hook: Encodable {
        var family: String
        var promise: String
        /// lsm, fentry, tracepoint; nil: no way works.
        var style: String?
        var targets: [String]
        /// Whether the canary's act came back; nil: none was tried.
        var fires: Bool?
        var refusals: [Refusal]
        /// What events lack, where it does not work.
        var without: String?
    }
    struct Refusal: Encodable {
        var style: String
        var target: String
        var reason: String
    }
    struct FileSystem: Encodable {
        var type: String
        var seen: [String]
        var missing: [String]
        var untried: String?
    }
    struct Report: Encodable {
        var status: String
        var host: String
        var kernel: String
        var version: String
        var modules: Bool
        var fetchingAtomics: Bool
        var lsm: [String]
        var hooks: [Hook]
        var fileSystems: [FileSystem]
        var missingPaths: [String]
        var notes: [String]
        /// Why nothing works.
        var error: String?
    }
    private var report: Report

    package var exitCode: Int32 {
        switch report.status {
        case "full": 0
        case "degraded": 1
        default: 2
        }
    }

    /// - Throws: when this process may not try (77). A kernel that shows nothing is a finding, not an error.
    package init(_ settings: Settings) throws(ProbeError) {
        let host = Host()
        let lsm = (try? readFile("/sys/kernel/security/lsm")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        report = Report(
            status: "nothing", host: host.name, kernel: host.kernel, version: Monitor.version, modules: false, fetchingAtomics: false,
            lsm: lsm.split(whereSeparator: { $0 == "," || $0 == "\n" }).map(String.init), hooks: [], fileSystems: [], missingPaths: [], notes: [])
        let discard = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(discard) }
        let session: Session
        do throws(ProbeError) {
            session = try Session.open(settings, host: host, format: .json, output: discard)
        } catch {
            if error.exitCode == 77 { throw error }
            report.error = error.description
            return
        }
        report.modules = session.probes.kernelHasModules
        report.fetchingAtomics = session.probes.fetchingAtomics
        report.hooks = session.probes.reports.map { found in
            let works = found.style != nil && found.fires != false
            return Hook(
                family: found.family.rawValue, promise: found.promise, style: found.style?.rawValue, targets: found.targets, fires: found.fires,
                refusals: found.refusals.map { Refusal(style: $0.style.rawValue, target: $0.target, reason: $0.reason) },
                without: works ? nil : found.without)
        }
        report.fileSystems = session.canary.files.map { system in
            let acts = CanaryAct.allCases.filter(Canary.fileActs.contains)
            return FileSystem(
                type: system.type, seen: acts.filter(system.fired.contains).map(\.words),
                missing: system.untried == nil ? acts.filter { system.tried.contains($0) && !system.fired.contains($0) }.map(\.words) : [], untried: system.untried)
        }
        report.missingPaths = session.watch?.missing ?? []
        report.notes = session.degradations.map { "\($0.subject): \($0.reason)" }
        let works = session.probes.reports.contains { $0.style != nil && $0.fires != false }
        report.status = !works ? "nothing" : report.notes.isEmpty ? "full" : "degraded"
    }

    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        guard let data = try? encoder.encode(report) else { return "{}\n" }
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    package var text: String {
        var lines = [
            "hypervigil \(report.version) on \(report.host), kernel \(report.kernel)",
            "security modules: \(report.lsm.isEmpty ? "not shown (securityfs is not mounted)" : report.lsm.joined(separator: ", "))",
        ]
        if let error = report.error { lines.append("nothing works: \(error)") }
        if report.error == nil && !report.modules { lines.append("kernel modules: this kernel has no support for loadable modules") }
        if !report.hooks.isEmpty {
            lines.append("")
            let width = report.hooks.map(\.promise.count).max() ?? 0
            lines.append("family  " + pad("shows", width) + "  style       state     by")
            for hook in report.hooks {
                let state = hook.style == nil ? "missing" : hook.fires == true ? "fires" : hook.fires == false ? "silent" : "attached"
                lines.append("\(pad(hook.family, 6))  \(pad(hook.promise, width))  \(pad(hook.style ?? "-", 10))  \(pad(state, 8))  \(hook.targets.joined(separator: " "))")
                var said: Set<String> = []
                for refusal in hook.refusals where said.insert(refusal.style + refusal.reason + (refusal.reason.hasPrefix("this kernel") ? refusal.target : "")).inserted {
                    lines.append("        \(pad("", width))  not \(refusal.style): \(refusal.target): \(refusal.reason)")
                }
                if let without = hook.without { lines.append("        \(pad("", width))  \(without)") }
            }
        }
        if !report.fileSystems.isEmpty {
            lines.append("")
            for system in report.fileSystems {
                var line = "\(system.type): "
                if let untried = system.untried { line += "not tried: \(untried)" } else { line += "seen \(system.seen.joined(separator: ", "))" }
                if !system.missing.isEmpty { line += "; NOT seen \(system.missing.joined(separator: ", "))" }
                lines.append(line)
            }
        }
        if !report.missingPaths.isEmpty { lines.append("watched as soon as they exist: \(report.missingPaths.joined(separator: ", "))") }
        lines.append("")
        lines.append("status: \(report.status)")
        for note in report.notes { lines.append("  \(note)") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
}

extension CanaryAct {
    fileprivate var words: String {
        switch self {
        case .fileCreate: "create"
        case .fileWrite: "write"
        case .fileClose: "close after a write"
        case .fileRename: "rename"
        case .fileDelete: "delete"
        case .fileName: "mkdir"
        case .fileAttribute: "chmod"
        case .fileExtended: "setxattr"
        case .fileFlags: "file flags"
        case .fileMap: "writable mapping"
        case .failedExec: "failed exec"
        case .namespace: "unshare"
        case .exec, .credentials, .fork, .exit, .module: rawValue
        }
    }
}
