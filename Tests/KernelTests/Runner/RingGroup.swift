import CActs
import Foundation
import Glibc

/// More file events than a tiny ring can hold, by more busy processes than there are CPUs; what is precious has a ring of its own.
func runRing(_ context: Context, _ report: inout Report) {
    let least = context.full ? 4_000 : 700
    let loads = context.full ? 100 : 20
    let processes = max(4, 2 * sysconf(Int32(_SC_NPROCESSORS_ONLN)) + 2)
    for style in context.styles(underLoad: true) {
        let produced: Int
        let events: [String: Int]
        let others: [Event]
        do {
            let watched = "\(context.folder)/ring-\(style)"
            try makeDirectory(watched)
            let image = context.loadsModules ? try moduleImage(context, "dummy") : []
            let only = context.loadsModules ? "file,module" : "file"
            let watch = try Watch(context, ["--only", only, "--backend", style, "--path", watched, "--ring-size", "65536"])
            produced = try flood(watched, processes: processes, least: least) {
                for _ in 0..<(context.loadsModules ? loads : 0) {
                    try act("init_module", image.withUnsafeBytes { acts_init_module($0.baseAddress, $0.count, "numdummies=1") })
                    try act("delete_module", acts_delete_module("dummy"))
                }
            }
            try watch.interrupt()
            (events, others) = try tally(watch, needle: watched)
        } catch {
            report.fail("ring[\(style)]", "\((error as? Failure)?.message ?? "\(error)")")
            continue
        }
        let seen = events.values.reduce(0, +)
        let lost = others.lost(kind: "file")
        print("   \(processes) processes, \(produced) changes: \(seen) events, \(lost) lost")
        report.check("ring.flood-accounted[\(style)]") {
            try expectEqual(seen + lost, produced, "events + lost (\(events), lost \(lost))")
        }
        report.check("ring.modules-through-flood[\(style)]") {
            if !context.loadsModules { throw Skip("this kernel has no loadable modules") }
            for action in ["module-load", "module-unload"] {
                let found = others.count { $0.action == action && $0.outcome == "success" && $0.string("hypervigil.module.name") == "dummy" }
                try expectEqual(found, loads, action)
            }
        }
    }
}

/// Changes in `folder` by several processes while `body` runs: how many there were.
private func flood(_ folder: String, processes: Int, least: Int, during body: () throws -> Void) throws -> Int {
    guard let flood = acts_flood_start(folder, UInt32(processes), UInt32(least)) else {
        throw Failure("flood: \(String(cString: strerror(errno)))")
    }
    let result = Result { try body() }
    let changes = acts_flood_end(flood)
    try result.get()
    guard changes >= 0 else { throw Failure("a flooding process: \(String(cString: strerror(Int32(-changes))))") }
    return Int(changes)
}

/// Counts file events by action without parsing each (a flood is large), after proving on the first ones that the count is right;
/// everything else is parsed.
private func tally(_ watch: Watch, needle: String) throws -> ([String: Int], [Event]) {
    let actions = ["create", "rename", "delete", "write"]
    let marks = actions.map { Array("\"action\":\"\($0)\"".utf8) }
    let path = Array(needle.utf8)
    var counts: [String: Int] = [:]
    var others: [Event] = []
    var proven = 0
    for line in try watch.lines() {
        let index = line.withUnsafeBytes { bytes -> Int? in
            guard acts_contains(bytes.baseAddress, bytes.count, path, path.count) != 0 else { return nil }
            return marks.firstIndex { acts_contains(bytes.baseAddress, bytes.count, $0, $0.count) != 0 }
        }
        if let index {
            counts[actions[index], default: 0] += 1
            if proven < 200 {
                proven += 1
                try Event(line: line).has("event.action", actions[index])
            }
        } else {
            others.append(try Event(line: line))
        }
    }
    return (counts, others)
}
