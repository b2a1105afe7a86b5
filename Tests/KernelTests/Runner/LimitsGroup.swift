import CActs
import Foundation
import Glibc

/// `limits.tenant_rate`: a cgroup that floods is held back, what was suppressed is told to the last event, and others lose nothing.
func runLimits(_ context: Context, _ report: inout Report) {
    for style in context.styles(underLoad: true) {
        report.check("limits.files[\(style)]") { try checkFiles(context, style) }
        report.check("limits.totals[\(style)]") { try checkTotals(context, style) }
    }
    // The tracepoint style goes by names.
    if context.styles().contains("fentry") { report.check("limits.links") { try checkLinks(context) } }
    // One style serves all.
    report.check("limits.processes") { try checkProcesses(context) }
}

/// A cgroup of the v2 hierarchy.
private final class Cgroup {
    let path: String
    /// As events have it: its inode's number.
    let id: String

    init(_ name: String) throws {
        let point = text(of: "/proc/self/mounts").split(separator: "\n").lazy.map { $0.split(separator: " ") }
            .first { $0.count > 2 && $0[2] == "cgroup2" }
        guard let point else { throw Skip("no cgroup2 is mounted") }
        path = "\(point[1])/hypervigil-\(getpid())-\(name)"
        guard mkdir(path, 0o755) == 0 else { throw Skip("mkdir \(path): \(String(cString: strerror(errno)))") }
        id = "\(try status(of: path).st_ino)"
    }

    deinit { rmdir(path) }

    /// Runs a script of sh(1) in it.
    func run(_ script: String) throws {
        let result = try finish("/bin/sh", ["-c", "echo $$ >\(path)/cgroup.procs || exit 9; \(script)"])
        try expectEqual(exitCode(result.status), 0, "exit code of the script in \(path)")
    }
}

private func times(_ count: Int, _ act: String) -> String { "i=0; while [ $i -lt \(count) ]; do \(act); i=$((i+1)); done" }

extension Array where Element == Event {
    /// What was suppressed of a kind and cgroup, as `lost` events tell it.
    fileprivate func throttled(_ kind: String, _ cgroup: String) -> Int {
        filter { $0.action == "lost" && $0.strings("hypervigil.lost.kinds") == [kind, "throttled"] && $0.string("hypervigil.lost.cgroup.id") == cgroup }
            .reduce(0) { $0 + ($1.number("hypervigil.lost.count") ?? 0) }
    }

    fileprivate func expectNothingElseLost() throws {
        try filter { !($0.strings("hypervigil.lost.kinds") ?? []).contains("throttled") }.expectNothingLost()
    }
}

private func checkFiles(_ context: Context, _ style: String) throws {
    let folder = "\(context.folder)/limits-\(style)", flood = 1500, honest = 30, rate = 50
    try makeDirectory(folder)
    let (greedy, modest) = (try Cgroup("greedy"), try Cgroup("modest"))
    let configuration = try configuration(context, "limits: {tenant_rate: \(rate), tenant_burst: 1s}\n")
    let watch = try Watch(context, ["--only", "file", "--backend", style, "--config", configuration, "--path", folder])
    let begin = now()
    try greedy.run(times(flood, ": >\(folder)/greedy-$i"))
    let took = now() - begin
    try modest.run(times(honest, ": >\(folder)/modest-$i"))
    let events = try watch.stop()
    func seen(_ name: String) -> Int { events.count { $0.action == "create" && $0.path.hasPrefix("\(folder)/\(name)-") } }
    do {
        let suppressed = events.throttled("file", greedy.id)
        try expectEqual(seen("greedy") + suppressed, flood, "events and suppressed ones of the flood")
        // A burst, and what came back of it; a tenth for the kernel's clock and this one's.
        let most = Double(rate) * (1 + took) * 1.1 + 1
        try expect(seen("greedy") >= rate && Double(seen("greedy")) <= most, "\(seen("greedy")) events in \(took) s, at most \(most) are let in")
        try expectEqual(seen("modest"), honest, "events of the other cgroup")
        try expectEqual(events.throttled("file", modest.id), 0, "suppressed events of the other cgroup")
        let stop = try events.one("stop") { $0.action == "stop" }
        try stop.has("hypervigil.monitor.lost", suppressed)
        for event in events where event.action == "lost" {
            guard let from = event.string("hypervigil.lost.from"), let to = event.string("hypervigil.lost.to") else { throw Failure("no times: \(event.line)") }
            try expect(from <= to, "from is after to: \(event.line)")
        }
        try events.expectNothingElseLost()
    } catch let failure as Failure {
        try events.allowForPreemption(failure)
        throw failure
    }
}

/// A first write that was suppressed is in the operations of the totals.
/// A file with several names has an entry of its own, which goes with its last name: there is always room for the next.
private func checkLinks(_ context: Context) throws {
    let folder = "\(context.folder)/links", room = 40
    for name in ["", "/in", "/out"] { try makeDirectory(folder + name) }
    let configuration = try configuration(context, "limits: {watches: \(room)}\nfiles: {profiles: none}\n")
    let watch = try Watch(context, ["--only", "file", "--backend", "fentry", "--config", configuration, "--path", "\(folder)/in"])
    let come = ": >\(folder)/in/$i; ln \(folder)/in/$i \(folder)/out/$i; "
    // By unlink, the watched name first or last, and by rename over it.
    let go = "case $((i % 3)) in 0) rm \(folder)/in/$i \(folder)/out/$i;; 1) rm \(folder)/out/$i \(folder)/in/$i;; "
        + "2) rm \(folder)/out/$i; : >\(folder)/in/new; mv \(folder)/in/new \(folder)/in/$i;; esac"
    let many = try finish("/bin/sh", ["-c", times(2 * room, come + go)])
    try expectEqual(exitCode(many.status), 0, "exit code of the script with many links")
    let last = try finish("/bin/sh", ["-c", "i=last; \(come) echo >>\(folder)/out/last"])
    try expectEqual(exitCode(last.status), 0, "exit code of the script with the last link")
    let events = try watch.stop()
    try events.expectNothingLost()
    try expect(events.contains { $0.action == "write" && $0.path == "\(folder)/out/last" }, "the write by the name outside is not told")
    watch.removeOutput()
}

private func checkTotals(_ context: Context, _ style: String) throws {
    let folder = "\(context.folder)/limits-totals-\(style)"
    try makeDirectory(folder)
    try writeFile("\(folder)/file", "")
    let slow = try Cgroup("slow")
    let configuration = try configuration(context, "limits: {tenant_rate: 1, tenant_burst: 1s}\n")
    let watch = try Watch(context, ["--only", "file", "--backend", style, "--config", configuration, "--path", folder])
    // The first file takes the only token.
    try slow.run(": >\(folder)/one; exec 3>>\(folder)/file; \(times(40, "printf x >&3")); sleep 2.5; exec 3>&-")
    let events = try watch.stop()
    do {
        let writes = events.filter { $0.action == "write" && $0.path == "\(folder)/file" }
        try expectEqual(writes.count, 1, "write events")
        try writes[0].has("hypervigil.write.operations", 40)
        try expect(!writes[0].flag("hypervigil.write.open"), "not the totals: \(writes[0].line)")
        try expectEqual(events.throttled("file", slow.id), 1, "suppressed events")
        try events.expectNothingElseLost()
    } catch let failure as Failure {
        try events.allowForPreemption(failure)
        throw failure
    }
}

private func checkProcesses(_ context: Context) throws {
    let spawns = 150, rate = 60
    let greedy = try Cgroup("spawning")
    let configuration = try configuration(
        context, "limits: {tenant_rate: \(rate), tenant_burst: 1s}\nprocesses: {actions: [exec, exit, fork]}\n")
    let watch = try Watch(context, ["--only", "exec", "--config", configuration])
    try greedy.run(times(spawns, context.exitProgram))
    let events = try watch.stop()
    let sums = ["fork", "exec", "exit"].map { kind in
        (kind, seen: events.count { $0.action == kind && $0.string("hypervigil.process.cgroup.id") == greedy.id }, suppressed: events.throttled(kind, greedy.id))
    }
    do {
        for (kind, seen, suppressed) in sums {
            // The shell's own exit.
            try expectEqual(seen + suppressed, spawns + (kind == "exit" ? 1 : 0), "events and suppressed ones: \(kind)")
        }
        try expect(sums.reduce(0) { $0 + $1.seen } >= rate, "less than the burst is let in: \(sums)")
        try expect(sums.reduce(0) { $0 + $1.suppressed } > 0, "nothing was suppressed")
        try events.expectNothingElseLost()
    } catch let failure as Failure {
        try events.allowForPreemption(failure)
        throw failure
    }
}
