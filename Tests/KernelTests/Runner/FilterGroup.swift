import CActs
import Foundation
import Glibc

/// What `--filter` lets through and what it counts, by the whole program: several of them watch the same acts.
func runFilter(_ context: Context, _ report: inout Report) {
    // What it tests is user space's, and each of its many starts takes an emulated processor a while.
    if context.guest && !context.full {
        report.skip("filter", "the host shows it (make soak runs it here)")
        return
    }
    checkFilterErrors(context, &report)
    for style in context.styles() {
        do {
            try checkFilters(context, &report, style)
        } catch {
            report.fail("filter[\(style)]", "\((error as? Failure)?.message ?? "\(error)")")
        }
    }
}

private func checkFilterErrors(_ context: Context, _ report: inout Report) {
    report.check("filter.error") {
        let run = try Run(context, [context.program, "watch", "--filter", "process.pid == 1 and proces.name == \"x\""])
        try expectEqual(run.status(waitUpTo: 60), 64, "exit code")
        try expectEqual(
            run.errorLines,
            [
                "hypervigil: --filter: events.filter: unknown field \"proces.name\"; the nearest is process.name",
                "process.pid == 1 and proces.name == \"x\"", "                     ^^^^^^^^^^^",
            ], "standard error")
    }
    report.check("filter.error-in-file") {
        let file = "\(context.folder)/filter.yaml"
        try writeFile(file, "events:\n  filter: event.action == \"writ\"\n")
        let run = try Run(context, [context.program, "watch", "--config", file])
        try expectEqual(run.status(waitUpTo: 60), 78, "exit code")
        try expectEqual(run.errorLines.first, "\(file):2:11: events.filter: event.action is never \"writ\"; the nearest is \"write\"", "standard error")
        try expectEqual(run.errorLines.count, 3, "lines of standard error")
    }
}

/// Acts in a watched folder: files that are created, written, renamed and deleted, and one rename that fails.
private struct FilteredActs {
    let folder: String
    static let count = 20

    init(_ folder: String) throws {
        self.folder = folder
        try makeDirectory(folder)
        try makeDirectory(folder + "/full")
        try writeFile(folder + "/full/file")
    }

    func path(_ index: Int) -> String { "\(folder)/\(index % 2 == 0 ? "even" : "odd")-\(index)" }

    func perform(_ context: Context) throws {
        for index in 0..<Self.count {
            try writeFile(path(index), "text \(index)")
            try call("chmod", chmod(path(index), 0o600))
            try call("rename", rename(path(index), path(index) + ".new"))
            try call("unlink", unlink(path(index) + ".new"))
        }
        try makeDirectory(folder + "/empty")
        if rename(folder + "/empty", folder + "/full") == 0 { throw Failure("rename over a full directory succeeded") }
        let run = try Run(context, [context.exitProgram])
        _ = run.status(waitUpTo: 60)
    }
}

/// Of `captured N events, M lost, K filtered`.
private func sums(_ watch: Watch) throws -> (captured: Int, lost: Int, filtered: Int?) {
    let words = (watch.errorLines.last ?? "").split { $0 == " " || $0 == "," }
    guard words.count == 5 || words.count == 7, let captured = Int(words[1]), let lost = Int(words[3]) else {
        throw Failure("the last line is \(watch.errorLines.last ?? "missing")")
    }
    return (captured, lost, words.count == 7 ? Int(words[5]) : nil)
}

private func checkFilters(_ context: Context, _ report: inout Report, _ style: String) throws {
    let acts = try FilteredActs("\(context.folder)/filter-\(style)")
    func watch(_ filter: String?, only: String = "exec,file") throws -> Watch {
        try Watch(context, ["--only", only, "--backend", style, "--path", acts.folder] + (filter.map { ["--filter", $0] } ?? []))
    }

    // All that there is, then filters beside it.
    let own = "process.pid == \(getpid())"
    let everything = try watch(nil)
    let deletions = try watch("event.action == \"delete\" and \(own)", only: "file")
    // The same to the eye, but the action alone settles nothing: the kernel sends all.
    let unpushed = try watch("(event.action == \"delete\" or process.pid == 0) and \(own)", only: "file")
    let several = try watch(
        "file.path matches \"*/even-*\" and event.outcome == \"success\" and not event.action == \"write\" or error.code == \"ENOTEMPTY\" "
            + "or event.category == \"process\" and event.type == \"start\" and process.args == \"\(context.exitProgram)\"")
    let nothing = try watch("process.name == \"no such process\"")
    let watches = [everything, deletions, unpushed, several, nothing]
    defer { for watch in watches { watch.kill() } }
    try acts.perform(context)
    let events = try watches.map { try $0.stop() }
    func told(_ index: Int) -> [Event] { events[index].filter { $0.strings("event.category") != ["host"] } }
    let all = told(0).filter { $0.pid == Int(getpid()) }

    /// What identifies an event in all runs.
    func key(_ event: Event) -> String {
        "\(event.action) \(event.path) \(event.outcome) \(event.target) \(event.number("hypervigil.write.operations") ?? 0)"
    }
    func expectSame(_ found: [Event], _ expected: [Event], _ what: String) throws {
        try expect(!expected.isEmpty, "nothing to compare: \(what)")
        try expectEqual(found.map(key).sorted(), expected.map(key).sorted(), what)
    }

    report.check("filter.none-is-silent[\(style)]") {
        try expectEqual(try sums(everything).filtered, nil, "filtered, without a filter")
        let stop = try events[0].one("stop") { $0.action == "stop" }
        try expect(stop["hypervigil.monitor.filtered"] == nil, "filtered in \(stop.line)")
    }
    report.check("filter.actions[\(style)]") {
        try expectSame(told(1), all.filter { $0.action == "delete" }, "deletions")
        try expectEqual(told(1).count { $0.path.hasSuffix(".new") }, FilteredActs.count, "deletions of what was made")
    }
    report.check("filter.pushed-is-not-seen[\(style)]") {
        try expectSame(told(2), told(1), "with and without what the kernel drops")
        let pushed = try sums(deletions).filtered ?? -1, unpushed = try sums(unpushed).filtered ?? -1
        // Files alone, which nobody else touches here: two writes and a chmod of each file at least.
        try expect(pushed >= 0 && unpushed >= pushed + 3 * FilteredActs.count, "\(pushed) filtered, \(unpushed) where the kernel sends all")
    }
    report.check("filter.paths-and-results[\(style)]") {
        try expectSame(
            told(3).filter { $0.path.contains("/even-") }, told(0).filter { $0.path.contains("/even-") && $0.outcome == "success" && $0.action != "write" }, "even files")
        try expect(told(3).contains { $0.action == "rename" }, "no rename among \(told(3).count) events")
    }
    report.check("filter.joined-result[\(style)]") {
        func failed(_ event: Event) -> Bool { event.outcome == "failure" && event.string("error.code") == "ENOTEMPTY" }
        try expectSame(told(3).filter(failed), told(0).filter(failed), "failures")
        try expect(told(3).contains { $0.action == "rename" && $0.path == acts.folder + "/empty" }, "no failed rename: \(told(3).map(\.line))")
    }
    report.check("filter.monitor-events-pass[\(style)]") {
        try expect(told(4).isEmpty, "\(told(4).map(\.line))")
        _ = try events[4].one("start") { $0.action == "start" }
        let stop = try events[4].one("stop") { $0.action == "stop" }
        let (captured, lost, filtered) = try sums(nothing)
        try expectEqual(captured, 0, "captured")
        try stop.has("hypervigil.monitor.filtered", filtered ?? -1)
        try expect((filtered ?? 0) >= all.count, "\(filtered ?? -1) filtered, of \(all.count) events")
        try expectEqual(lost, events[4].lost(), "lost")
    }
    report.check("filter.processes[\(style)]") {
        let found = try told(3).one("exec of \(context.exitProgram)") { $0.strings("event.category") == ["process"] }
        try found.has("event.action", "exec")
    }
    report.check("filter.nothing-lost[\(style)]") { for events in events { try events.expectNothingLost() } }
}
