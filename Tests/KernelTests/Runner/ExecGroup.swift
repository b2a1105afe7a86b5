import CActs
import Foundation
import Glibc

/// An argument with everything that breaks careless writers of JSON.
private let hostileArguments: [[UInt8]] = [
    Array("two\nlines".utf8),
    Array("\"quoted\" back\\slash 'single'".utf8),
    [1, 2, 8, 9, 12, 13, 27, 31, 127],
    [0x61, 0xff, 0xfe, 0x62],  // never valid in UTF-8
    [0xc3],  // a sequence cut short
    [0xed, 0xa0, 0x80],  // a surrogate
    [0xf0, 0x9f, 0x90, 0x9d],  // a good one of four bytes
    [],
]

/// The pids of what `ExecActs.perform` did.
private struct ExecActs {
    var plain: Int32 = 0
    var symlink: Int32 = 0
    var script: Int32 = 0
    var hostile: Int32 = 0
    var long: Int32 = 0
    var memfd: Int32 = 0
    var deleted: Int32 = 0
    var directory: Int32 = 0
    var setuid: Int32 = 0
    var dropped: Int32 = 0
    var thread: Int32 = 0
    var compat: (pid: Int32, status: Int32) = (0, 0)
    var denied: Int32 = 0
    var format: Int32 = 0
    var missing: Int32 = 0
    var code: Int32 = 0
    var signal: Int32 = 0

    let folder: String
    let longArguments = (0..<100).map { number in
        // 1,023 bytes and the NUL: 100 KiB in all, with the name of the program somewhat more.
        let head = Array("argument-\(number)-".utf8)
        return head + (head.count..<1023).map { UInt8(ascii: "a") + UInt8($0 % 26) }
    }

    init(_ context: Context, style: String) throws {
        folder = "\(context.folder)/exec-\(style)"
        try makeDirectory(folder)
        try makeDirectory("\(folder)/working directory")
        for name in ["deleted", "setuid", "not-executable"] {
            try FileManager.default.copyItem(atPath: context.exitProgram, toPath: "\(folder)/\(name)")
        }
        try call("chmod", chmod("\(folder)/setuid", 0o4755))
        try call("chmod", chmod("\(folder)/not-executable", 0o644))
        try call("symlink", Glibc.symlink(context.exitProgram, "\(folder)/link"))
        try "#!\(context.exitProgram) first-line\n".write(toFile: "\(folder)/script", atomically: false, encoding: .utf8)
        try "neither ELF nor script\n".write(toFile: "\(folder)/garbage", atomically: false, encoding: .utf8)
        for name in ["script", "garbage"] { try call("chmod", chmod("\(folder)/\(name)", 0o755)) }
    }

    mutating func perform(_ context: Context) throws {
        plain = try finish(context.exitProgram, ["one", "two words"]).pid
        symlink = try finish("\(folder)/link").pid
        script = try finish("\(folder)/script", ["for the script"]).pid
        hostile = try startAndWait(context.exitProgram, hostileArguments)
        long = try startAndWait(context.exitProgram, longArguments)

        let memfdDescriptor = try act("memfd", acts_memfd_of(context.exitProgram))
        memfd = try finish("memfd") {
            $0.way = ACTS_EXECVEAT_FD
            $0.fd = memfdDescriptor
        }.pid
        close(memfdDescriptor)

        let descriptor = try call("open", open("\(folder)/deleted", O_RDONLY | O_CLOEXEC))
        try call("unlink", unlink("\(folder)/deleted"))
        deleted = try finish("deleted") {
            $0.way = ACTS_EXECVEAT_FD
            $0.fd = descriptor
        }.pid
        close(descriptor)

        directory = try "\(folder)/working directory".withCString { path in
            try finish(context.exitProgram) { $0.directory = path }.pid
        }
        setuid = try finish("\(folder)/setuid") { Self.nobody(&$0) }.pid
        dropped = try finish(context.exitProgram) { Self.nobody(&$0) }.pid
        thread = try finish(context.exitProgram, ["thread"]) { $0.way = ACTS_FROM_THREAD }.pid
        compat = try finish(context.exitProgram, ["int80"]) { $0.way = ACTS_INT80 }
        denied = try finish("\(folder)/not-executable", ["denied"]).pid
        format = try finish("\(folder)/garbage").pid
        missing = try finish("\(folder)/not-there").pid
        code = try finish(context.endProgram, ["code", "7"]).pid
        signal = try finish(context.endProgram, ["signal", "15"]).pid
    }

    private static func nobody(_ exec: inout acts_exec) {
        exec.ids = 1
        exec.real = 65534
        exec.effective = 65534
        exec.saved = 65534
    }

    private func startAndWait(_ path: String, _ arguments: [[UInt8]]) throws -> Int32 {
        let pid = try start(path, arguments)
        _ = try act("wait", acts_wait(pid))
        return pid
    }
}

func runExec(_ context: Context, _ report: inout Report) {
    for style in context.styles() {
        let events: [Event]
        var acts: ExecActs
        do {
            acts = try ExecActs(context, style: style)
            let watch = try Watch(context, ["--only", "exec", "--backend", style])
            try acts.perform(context)
            events = try watch.stop()
        } catch {
            report.fail("exec[\(style)]", "\((error as? Failure)?.message ?? "\(error)")")
            continue
        }
        checkExec(context, &report, style, acts, events)
        checkIdentity(context, &report, style, acts, events)
        checkFailedExec(&report, style, acts, events)
        checkFailedAll(context, &report, style)
    }
}

private func checkExec(_ context: Context, _ report: inout Report, _ style: String, _ acts: ExecActs, _ events: [Event]) {
    let program = context.exitProgram
    report.check("exec.fields[\(style)]") {
        let event = try events.exec(pid: acts.plain)
        let file = try status(of: program)
        try event.has("process.executable", program)
        try event.has("hypervigil.process.filename", program)
        try expectEqual(event.strings("process.args"), [program, "one", "two words"], "process.args")
        try event.has("process.args_count", 3)
        try event.has("process.name", "exit")
        try event.has("process.parent.pid", Int(getpid()))
        try event.has("user.id", "0")
        try event.has("event.outcome", "success")
        try event.has("event.kind", "event")
        try event.has("hypervigil.process.executable.inode", "\(file.st_ino)")
        try event.has("hypervigil.process.executable.device", device(file))
        try event.has("hypervigil.process.namespaces.mount", try namespace("mnt"))
        try event.has("hypervigil.process.namespaces.pid", try namespace("pid"))
        let cgroups = cgroupPaths()
        let cgroup = event.string("hypervigil.process.cgroup.path")
        try expect(cgroup.map(cgroups.contains) == true, "cgroup.path is \(cgroup ?? "absent"), not of \(cgroups)")
        try expect(event.strings("event.category") == ["process"], "event.category: \(event.line)")
        try expect(event["hypervigil.process.fileless"] == nil, "fileless is set: \(event.line)")
        try expect(event.string("@timestamp")?.hasSuffix("Z") == true, "no @timestamp: \(event.line)")
        try expect(event.string("process.entity_id") != nil && event.string("process.parent.entity_id") != nil, "no entity ids: \(event.line)")
        try expect(event.string("host.boot.id") != nil && event.string("event.id") != nil, "no ids: \(event.line)")
    }
    report.check("exec.resolved[\(style)]") {
        let event = try events.exec(pid: acts.symlink)
        try event.has("process.executable", program)
        try event.has("hypervigil.process.filename", acts.folder + "/link")
    }
    report.check("exec.script[\(style)]") {
        let event = try events.exec(pid: acts.script)
        try event.has("process.executable", program)
        try event.has("hypervigil.process.filename", acts.folder + "/script")
        try event.has("hypervigil.process.interpreter", program)
        try expectEqual(
            event.strings("process.args"), [program, "first-line", acts.folder + "/script", "for the script"], "process.args")
    }
    report.check("exec.hostile-arguments[\(style)]") {
        let event = try events.exec(pid: acts.hostile)
        let expected = [program] + hostileArguments.map { String(decoding: $0, as: UTF8.self) }
        try expectEqual(event.strings("process.args"), expected, "process.args")
        try event.has("process.args_count", expected.count)
        let raw = event.strings("hypervigil.raw.process.args")?.map { Data(base64Encoded: $0).map { [UInt8]($0) } }
        try expectEqual(raw, [Array(program.utf8)] + hostileArguments, "hypervigil.raw.process.args")
    }
    report.check("exec.long-arguments[\(style)]") {
        let event = try events.exec(pid: acts.long)
        let all: [UInt8] = ([Array(program.utf8)] + acts.longArguments).flatMap { $0 + [0] }
        try event.has("process.args_count", 101)
        try expect(event.flag("hypervigil.process.args_truncated"), "args_truncated is not set")
        guard let arguments = event.strings("process.args") else { throw Failure("no process.args") }
        let got = [UInt8](arguments.joined(separator: "\0").utf8)
        try expect(got.count == 32768 || got.count == 32767, "\(got.count) bytes of arguments, expected 32 KiB")
        try expect(got.elementsEqual(all.prefix(got.count)), "the first 32 KiB differ")
    }
    report.check("exec.working-directory[\(style)]") {
        try events.exec(pid: acts.directory).has("process.working_directory", acts.folder + "/working directory")
    }
    report.check("exec.memfd[\(style)]") {
        let event = try events.exec(pid: acts.memfd)
        try expect(event.flag("hypervigil.process.fileless"), "fileless is not set: \(event.line)")
        try event.has("process.executable", "/memfd:hypervigil-act")
    }
    report.check("exec.deleted[\(style)]") {
        let event = try events.exec(pid: acts.deleted)
        try expect(event.flag("hypervigil.process.fileless"), "fileless is not set: \(event.line)")
    }
}

private func checkIdentity(_ context: Context, _ report: inout Report, _ style: String, _ acts: ExecActs, _ events: [Event]) {
    report.check("exec.setuid[\(style)]") {
        let event = try events.exec(pid: acts.setuid)
        try event.has("user.id", "65534")
        try event.has("user.effective.id", "0")
        try event.has("process.saved_user.id", "0")
        try event.has("hypervigil.process.before.uid", "65534")
        try event.has("hypervigil.process.before.euid", "65534")
    }
    report.check("exec.dropped-privileges[\(style)]") {
        let event = try events.exec(pid: acts.dropped)
        try event.has("user.id", "65534")
        try event.has("user.effective.id", "65534")
        try event.has("group.id", "65534")
        try event.has("hypervigil.process.capabilities", "0000000000000000")
    }
    report.check("exec.from-thread[\(style)]") {
        let event = try events.exec(pid: acts.thread)
        try event.has("process.thread.id", Int(acts.thread))
        try expectEqual(event.strings("process.args"), [context.exitProgram, "thread"], "process.args")
    }
    report.check("exec.int80[\(style)]") {
        if acts.compat.status != 0 {
            throw Skip("this kernel has no 32-bit system calls (the caller ended with \(exitCode(acts.compat.status)))")
        }
        let event = try events.exec(pid: acts.compat.pid)
        try expectEqual(event.strings("process.args"), [context.exitProgram, "int80"], "process.args")
        try event.has("process.executable", context.exitProgram)
    }
    report.check("exit.code[\(style)]") {
        let exec = try events.exec(pid: acts.code)
        let event = try events.exit(pid: acts.code)
        try event.has("process.exit_code", 7)
        try expectEqual(event.string("process.entity_id"), exec.string("process.entity_id"), "entity id of exec and exit")
    }
    report.check("exit.signal[\(style)]") {
        let event = try events.exit(pid: acts.signal)
        try event.has("hypervigil.process.signal", 15)
        try expect(event["process.exit_code"] == nil, "an exit code where a signal ended it: \(event.line)")
    }
    report.check("exec.ids-unique[\(style)]") {
        let ids = events.compactMap { $0.string("event.id") }
        try expectEqual(ids.count, events.count, "events with an id")
        try expectEqual(Set(ids).count, ids.count, "different ids")
    }
}

private func checkFailedExec(_ report: inout Report, _ style: String, _ acts: ExecActs, _ events: [Event]) {
    func failed(_ pid: Int32, _ code: String, _ filename: String) throws {
        let event = try events.exec(pid: pid)
        try event.has("event.outcome", "failure")
        try event.has("error.code", code)
        try event.has("hypervigil.process.filename", filename)
    }
    report.check("exec.failed-EACCES[\(style)]") { try failed(acts.denied, "EACCES", acts.folder + "/not-executable") }
    report.check("exec.failed-ENOEXEC[\(style)]") { try failed(acts.format, "ENOEXEC", acts.folder + "/garbage") }
    report.check("exec.ENOENT-unasked[\(style)]") {
        let found = events.filter { $0.action == "exec" && $0.pid == Int(acts.missing) }
        try expect(found.isEmpty, "ENOENT was reported unasked: \(found.map(\.line))")
    }
}

/// This process's own, as its children have them too.
private func namespace(_ kind: String) throws -> String {
    let link = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(kind)")
    return link.filter(\.isNumber)
}

/// In every hierarchy: where v1's are mounted too, v2's may be the root for every process.
private func cgroupPaths() -> [String] {
    text(of: "/proc/self/cgroup").split(separator: "\n").compactMap { line in
        line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).last.map(String.init)
    }
}

/// ENOENT only where the configuration asks for it.
private func checkFailedAll(_ context: Context, _ report: inout Report, _ style: String) {
    report.check("exec.ENOENT-asked[\(style)]") {
        let path = "\(context.folder)/failed-all.yaml"
        try "processes:\n  failed: all\n".write(toFile: path, atomically: false, encoding: .utf8)
        let watch = try Watch(context, ["--only", "exec", "--backend", style, "--config", path])
        let pid = try finish("\(context.folder)/not-there").pid
        let event = try watch.stop().exec(pid: pid)
        try event.has("event.outcome", "failure")
        try event.has("error.code", "ENOENT")
        try event.has("hypervigil.process.filename", "\(context.folder)/not-there")
    }
}

/// As many short-lived processes as posix_spawn can start: each an event or told as lost, none twice; and none lost at all.
func runSpawn(_ context: Context, _ report: inout Report) {
    let count = context.full ? 10_000 : 1_000
    for style in context.styles(underLoad: true) {
        var pids = [pid_t](repeating: 0, count: count)
        let events: [Event]
        do {
            let watch = try Watch(context, ["--only", "exec", "--backend", style])
            let begin = now()
            let result = acts_spawn_many(context.exitProgram, UInt32(count), 64, &pids)
            let seconds = now() - begin
            try act("posix_spawn", result)
            events = try watch.stop(keep: [context.exitProgram, "\"lost\"", "\"exit\""])
            print("   \(count) processes in \(Int(seconds * 1000)) ms")
        } catch {
            report.fail("spawn[\(style)]", "\((error as? Failure)?.message ?? "\(error)")")
            continue
        }
        let wanted = Set(pids.map(Int.init))
        for action in ["exec", "exit"] {
            let seen = events.filter { $0.action == action && wanted.contains($0.pid) }
            report.check("spawn.\(count)-\(action)-accounted[\(style)]") {
                let lost = events.lost(kind: action)
                let different = Set(seen.map(\.pid)).count
                // On a machine that does other things too, their events may be among the lost.
                try expect(different <= count && different + lost >= count, "\(different) processes and \(lost) lost, expected \(count)")
                try expectEqual(seen.count, different, "events, none twice")
                try expectEqual(Set(seen.compactMap { $0.string("event.id") }).count, seen.count, "different event ids")
                try expectEqual(Set(seen.compactMap { $0.string("process.entity_id") }).count, seen.count, "different entity ids")
            }
            report.check("spawn.\(count)-\(action)-fields[\(style)]") {
                try expect(!seen.isEmpty, "no events")
                for event in seen {
                    try event.has("process.parent.pid", Int(getpid()))
                    if action == "exec" { try event.has("process.executable", context.exitProgram) }
                }
            }
        }
        report.check("spawn.\(count)-none-lost[\(style)]") { try events.expectNothingLost() }
    }
}
