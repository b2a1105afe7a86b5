import CActs
import Foundation
import Glibc

/// Whose child each process is, whatever ended first, and that following them costs no memory that is not given back.
func runLineage(_ context: Context, _ report: inout Report) {
    report.check("lineage.storm") { try storm(context, parallel: 2) }
    report.check("lineage.pid-reuse") {
        guard context.guest else { throw Skip("numbers of processes are the whole machine's") }
        let limit = "/proc/sys/kernel/pid_max", before = text(of: limit)
        // Numbers below 300 are given out once: each of the others several times. One chain at a time, which has half of its processes alive.
        try writeFile(limit, "500")
        defer { try? writeFile(limit, before) }
        try storm(context, parallel: 1)
    }
    report.check("lineage.before") { try olderThanTheMonitor(context) }
    report.check("lineage.namespaces") { try namespaces(context) }
    report.check("lineage.names") { try names(context) }
}

/// Chains of 64 processes of which half end before their children.
private func storm(_ context: Context, parallel: UInt32) throws {
    let generations: UInt32 = 64
    let processes: UInt32 = context.guest ? (context.full ? 20_000 : 1_280) : (context.full ? 200_000 : 6_400)
    let chains = processes / generations
    let configuration = "\(context.folder)/storm.yaml"
    try "processes:\n  actions: [exit]\nattribution:\n  ancestors: 64\n".write(toFile: configuration, atomically: false, encoding: .utf8)
    // A guest of the reduced run has little room for what 64 parents take in each event.
    let watch = try Watch(context, ["--only", "exec", "--config", configuration])
    defer { watch.kill() }
    fflush(nil)
    // What it makes room for once, with the first processes that have as many parents, is behind it.
    let first: UInt32 = 4
    guard let small = acts_storm(first, generations, parallel) else { throw Failure("the first storm: \(String(cString: strerror(errno)))") }
    defer { acts_storm_free(small, first, generations) }
    sleep(seconds: 5)
    let before = anonymous(watch.pid)
    guard let log = acts_storm(chains, generations, parallel) else { throw Failure("the storm: \(String(cString: strerror(errno)))") }
    defer { acts_storm_free(log, chains, generations) }
    let highest = highWater(of: watch.pid)
    // What has ended is known for two seconds more.
    let after = wait(upTo: 30, every: 0.5) { anonymous(watch.pid) <= before + 6 * 1024 ? anonymous(watch.pid) : nil } ?? anonymous(watch.pid)
    let resident = memory(of: watch.pid, "VmRSS:")
    try watch.interrupt()

    // Both storms in one list.
    var entries = Array(UnsafeBufferPointer(start: small, count: Int(first * generations)))
    let offset = entries.count
    entries += UnsafeBufferPointer(start: log, count: Int(chains * generations))
    for index in offset..<entries.count where entries[index].parent != .max { entries[index].parent += UInt32(offset) }
    var byPid: [UInt32: [Int]] = [:]
    for (index, entry) in entries.enumerated() where entry.before != 0 { byPid[entry.pid, default: []].append(index) }
    func index(_ entity: String) -> Int? {
        let parts = entity.split(separator: "-")
        guard parts.count > 2, let pid = UInt32(parts[parts.count - 2]), let start = UInt64(parts[parts.count - 1]) else { return nil }
        return byPid[pid]?.first { entries[$0].before <= start && start <= entries[$0].after }
    }
    var seen: Set<Int> = []
    var lost = 0, unknown = 0, skips = false
    try eachLine(of: watch.outPath) { line in
        let event = try Event(line: line)
        if event.action == "lost" {
            lost += event.number("hypervigil.lost.count") ?? 0
            skips = true
        }
        guard event.action == "exit", let entity = event.string("process.entity_id"), let own = index(entity) else { return }
        try expect(seen.insert(own).inserted, "told twice: \(event.line)")
        let told = (event["hypervigil.process.ancestors"] as? [[String: Any]] ?? []).map { $0["entity_id"] as? String ?? "" }
        var expected = entries[own].parent, depth = 0
        while expected != .max {
            // Behind a start that the kernel skipped nobody is known, and it is said so.
            if depth == told.count, event.flag("hypervigil.process.ancestors_truncated") {
                unknown += 1
                return
            }
            guard depth < told.count, index(told[depth]) == Int(expected) else {
                throw Failure("ancestor \(depth) of \(entries[own].pid) (\(own)) is not \(entries[Int(expected)].pid) (\(expected)), \(told.count) told: \(event.line)")
            }
            expected = entries[Int(expected)].parent
            depth += 1
        }
        try expect(told.count > depth || depth >= 63, "the storm's root is not among the ancestors: \(event.line)")
    }
    let forked = entries.count { $0.before != 0 }
    print("   \(forked) processes, \(seen.count) told, \(unknown) of them with some parents unknown, \(lost) lost; RSS at most \(highest) KiB, \(resident) after; anonymous \(before) before, \(after) after")
    let missing = entries.indices.filter { entries[$0].before != 0 && !seen.contains($0) }.prefix(5).map { "\(entries[$0].pid) (\($0), from \(entries[$0].before) to \(entries[$0].after))" }
    try expectEqual(seen.count + lost, forked, "exits told and lost; missing: \(missing.joined(separator: ", "))")
    try expect(unknown == 0 || skips, "parents unknown of \(unknown), and nothing told as lost")
    try expect(highest < 64 << 10, "RSS of \(highest) KiB")
    try expect(after <= before + 6 * 1024, "anonymous memory was \(before) KiB before the storm and is \(after) after it")
    watch.removeOutput()
}

/// A process that was there before is known with its executable, its parents and its arguments, and these are said to come from /proc.
private func olderThanTheMonitor(_ context: Context) throws {
    let older = try start("/bin/sleep", ["1000", "1001"])
    defer { kill(older, SIGKILL) }
    let watch = try Watch(context, ["--only", "exec"])
    kill(older, SIGTERM)
    _ = acts_wait(older)
    let event = try watch.stop().exit(pid: older)
    try expect(event.string("process.executable")?.hasSuffix("/sleep") == true, "process.executable in \(event.line)")
    try event.has("process.command_line", "/bin/sleep 1000 1001")
    try expect(event.flag("hypervigil.process.command_line_from_proc"), "not said to be from /proc: \(event.line)")
    let ancestors = event["hypervigil.process.ancestors"] as? [[String: Any]] ?? []
    try expectEqual(ancestors.first?["pid"] as? Int, Int(getpid()), "the first ancestor's pid")
    watch.removeOutput()
}

/// unshare and setns are events, refused ones too, and what runs in other namespaces is said to.
private func namespaces(_ context: Context) throws {
    let watch = try Watch(context, ["--only", "exec"])
    let (outside, _) = try finish(context.exitProgram, ["0"])
    let (inside, status) = try finish("/usr/bin/unshare", ["--mount", "--uts", context.exitProgram, "0"])
    try expectEqual(status, 0, "unshare")
    // Of a user of no rights.
    let (refused, _) = try finish("/usr/bin/unshare", ["--mount", context.exitProgram, "0"]) { exec in
        exec.ids = 1
        (exec.real, exec.effective, exec.saved) = (65534, 65534, 65534)
    }
    let found = try watch.stop()
    let change = try found.one("namespace-change of \(inside)") { $0.action == "namespace-change" && $0.pid == Int(inside) && $0.outcome == "success" }
    try expectEqual(Set(change["hypervigil.namespace_change.asked"] as? [String] ?? []), ["mount", "uts"], "asked in \(change.line)")
    try change.has("hypervigil.namespace_change.call", "unshare")
    let refusal = try found.one("refused namespace-change of \(refused)") { $0.action == "namespace-change" && $0.pid == Int(refused) }
    try refusal.has("event.outcome", "failure")
    try refusal.has("error.code", "EPERM")
    let run = try found.one("exec in the namespace") { $0.action == "exec" && $0.pid == Int(inside) && $0.string("process.executable") == context.exitProgram }
    try expectEqual(run["hypervigil.process.namespaces.foreign"] as? [String], ["mount"], "foreign namespaces in \(run.line)")
    let own = try found.exec(pid: outside)
    try expect(own["hypervigil.process.namespaces.foreign"] == nil, "said to be foreign: \(own.line)")
    watch.removeOutput()
}

/// What an event says of its parent is what that ran then; a name that a process gives itself changes nothing of it.
private func names(_ context: Context) throws {
    let watch = try Watch(context, ["--only", "exec"])
    let script = "printf 'a b\\nc' > /proc/self/comm 2>/dev/null; \(context.exitProgram) 0; :"
    let (shell, _) = try finish("/bin/sh", ["-c", script])
    let found = try watch.stop()
    let child = try found.one("exec below the shell") { $0.action == "exec" && $0.number("process.parent.pid") == Int(shell) }
    try child.has("process.parent.command_line", "/bin/sh -c \(script)")
    try expect(child.string("process.parent.executable")?.hasSuffix("sh") == true, "process.parent.executable in \(child.line)")
    let first = (child["hypervigil.process.ancestors"] as? [[String: Any]] ?? []).first
    try expectEqual(first?["entity_id"] as? String, child.string("process.parent.entity_id"), "the first ancestor is the parent")
    watch.removeOutput()
}

/// KiB that the process holds of its own. Pages of its file come as its code is run, whatever is kept (proc_pid_status(5)).
private func anonymous(_ pid: Int32) -> Int { memory(of: pid, "RssAnon:") }

/// Calls `body` with each line of a file, which may be larger than memory.
private func eachLine(of path: String, _ body: (Data) throws -> Void) throws {
    guard let file = FileHandle(forReadingAtPath: path) else { throw Failure("\(path) can't be read") }
    defer { try? file.close() }
    var rest = Data()
    while let chunk = try file.read(upToCount: 8 << 20), !chunk.isEmpty {
        rest.append(chunk)
        guard let last = rest.lastIndex(of: UInt8(ascii: "\n")) else { continue }
        for line in rest[..<last].split(separator: UInt8(ascii: "\n")) { try body(Data(line)) }
        rest = Data(rest[(last + 1)...])
    }
    try expect(rest.isEmpty, "the output ends within a line")
}
