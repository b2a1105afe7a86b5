import CActs
import Foundation
import Glibc

/// The uncompressed file of a module of the running kernel, in the run's folder.
func moduleFile(_ context: Context, _ name: String) throws -> String {
    let plain = "\(context.folder)/\(name).ko"
    if access(plain, F_OK) == 0 { return plain }
    let names = FileManager.default.enumerator(atPath: context.modules + "/kernel")
    while let path = names?.nextObject() as? String {
        let file = "\(context.modules)/kernel/\(path)"
        guard let last = path.split(separator: "/").last, last.hasPrefix("\(name).ko") else { continue }
        let unpack: [String] =
            switch last.split(separator: ".").last {
            case "xz": ["/usr/bin/xz", "-dc", file]
            case "zst": ["/usr/bin/zstd", "-qdc", file]
            default: ["/usr/bin/cat", file]
            }
        let run = try Run(context, unpack)
        guard run.status(waitUpTo: 60) == 0 else { throw Failure("\(unpack.joined(separator: " ")): \(run.errorLines)") }
        try call("rename", rename(run.outPath, plain))
        return plain
    }
    throw Failure("no module \(name) in \(context.modules)")
}

func moduleImage(_ context: Context, _ name: String) throws -> [UInt8] {
    try bytes(of: moduleFile(context, name))
}

private struct ModuleActs {
    var modprobe: Int32 = 0
    var insmod: Int32 = 0
    var remove: Int32 = 0
    var garbageResult: Int32 = 0
    var unknownUnload: Int32 = 0
    var again: Int32 = 0
    var unprivileged: (pid: Int32, code: Int32) = (0, 0)
    var failing: Int32 = 0
    let file: String
    let garbage: String
    let arguments = "numdummies=1 nonexistent=\"a b\" another=" + String(repeating: "x", count: 600)

    init(_ context: Context, style: String) throws {
        file = try moduleFile(context, "dummy")
        garbage = "\(context.folder)/garbage-\(style).ko"
        try writeFile(garbage, String(repeating: "not a module ", count: 20))
    }

    mutating func perform(_ context: Context) throws {
        // From the kernel's own folder, by the tool.
        modprobe = try tool(context, ["/usr/sbin/modprobe", "dummy", "numdummies=2"])
        again = try file.withDescriptor { acts_finit_module($0, "") }
        remove = try tool(context, ["/usr/sbin/rmmod", "dummy"])
        // From a copy in /tmp.
        insmod = try tool(context, ["/usr/sbin/insmod", file, "numdummies=1"])
        try act("delete_module", acts_delete_module("dummy"))
        // The same by the system call itself, with arguments that a shell would never pass on.
        try act("finit_module", try file.withDescriptor { acts_finit_module($0, arguments) })
        try act("delete_module", acts_delete_module("dummy"))
        // From memory; the file it came from was open a moment ago.
        let image = bytes(of: file)
        try act("init_module", image.withUnsafeBytes { acts_init_module($0.baseAddress, $0.count, "numdummies=3") })
        try act("delete_module", acts_delete_module("dummy"))
        // Refused ones.
        garbageResult = try garbage.withDescriptor { acts_finit_module($0, "") }
        unprivileged = try file.withDescriptor { file in
            let pid = try act("fork", acts_finit_module_unprivileged(file))
            return (pid, exitCode(try act("wait", acts_wait(pid))))
        }
        unknownUnload = acts_delete_module("hv_not_loaded")
        // A file system nobody has heard of makes the kernel ask for a module.
        mount("none", context.folder, "hvnosuchfs", 0, nil)
    }

    private func tool(_ context: Context, _ command: [String]) throws -> Int32 {
        let run = try Run(context, command)
        guard run.status(waitUpTo: 60) == 0 else { throw Failure("\(command.joined(separator: " ")): \(run.errorLines.joined(separator: " | "))") }
        return run.pid
    }
}

extension String {
    /// Calls `body` with this file open for reading.
    fileprivate func withDescriptor<R>(_ body: (Int32) throws -> R) throws -> R {
        let file = try openFile(self, O_RDONLY)
        defer { close(file) }
        return try body(file)
    }
}

func runModule(_ context: Context, _ report: inout Report) {
    guard context.loadsModules else {
        checkWithoutModules(context, &report)
        return
    }
    for style in context.styles() {
        do {
            var acts = try ModuleActs(context, style: style)
            let watch = try Watch(context, ["--only", "module", "--backend", style])
            try acts.perform(context)
            let events = try watch.stop()
            checkLoads(&report, style, acts, events)
            checkRefused(&report, style, acts, events)
        } catch {
            report.fail("module[\(style)]", "\((error as? Failure)?.message ?? "\(error)")")
        }
    }
}

private func checkLoads(_ report: inout Report, _ style: String, _ acts: ModuleActs, _ events: [Event]) {
    let own = Int(getpid())
    func load(_ what: String, _ pid: Int, _ arguments: String) throws -> Event {
        let event = try events.one(what) {
            $0.action == "module-load" && $0.pid == pid && $0.string("hypervigil.module.args") == arguments && $0.outcome == "success"
        }
        try event.has("hypervigil.module.name", "dummy")
        try expect(event.strings("event.category") == ["driver"], "event.category: \(event.line)")
        return event
    }
    report.check("module.modprobe[\(style)]") {
        // What /etc/modprobe.d has comes before what the command says.
        let event = try events.one("load by modprobe") {
            $0.action == "module-load" && $0.pid == Int(acts.modprobe) && $0.string("hypervigil.module.args")?.hasSuffix("numdummies=2") == true
        }
        try event.has("event.outcome", "success")
        try event.has("hypervigil.module.name", "dummy")
        if style == "tracepoint", event.string("hypervigil.module.source") == "memory" {
            throw Skip("this style sees no opens to take a hint from")
        }
        let file = event.string("hypervigil.module.source") == "memory" ? "hypervigil.module.file_hint" : "file.path"
        try expect(event.string(file)?.contains("/dummy.ko") == true, "\(file): \(event.line)")
    }
    report.check("module.insmod[\(style)]") {
        let event = try load("load by insmod", Int(acts.insmod), "numdummies=1")
        try event.has("hypervigil.module.source", "file")
        try event.has("file.path", acts.file)
        try event.has("file.inode", "\(try status(of: acts.file).st_ino)")
    }
    report.check("module.whole-arguments[\(style)]") {
        try load("load by finit_module", own, acts.arguments).has("file.path", acts.file)
    }
    report.check("module.from-memory[\(style)]") {
        let event = try load("load by init_module", own, "numdummies=3")
        try event.has("hypervigil.module.source", "memory")
        if style == "tracepoint", event["hypervigil.module.file_hint"] == nil { throw Skip("this style sees no opens to take a hint from") }
        try event.has("hypervigil.module.file_hint", acts.file)
    }
    report.check("module.unload[\(style)]") {
        let event = try events.one("unload by rmmod") { $0.action == "module-unload" && $0.pid == Int(acts.remove) }
        try event.has("hypervigil.module.name", "dummy")
        try event.has("event.outcome", "success")
        try expectEqual(
            events.count { $0.action == "module-unload" && $0.pid == own && $0.outcome == "success" }, 3, "unloads by delete_module")
    }
    report.check("module.request[\(style)]") {
        let event = try events.one("request") {
            $0.action == "module-request" && $0.string("hypervigil.module.name") == "fs-hvnosuchfs" && $0.pid == own
        }
        try expect(event.string("event.id") != nil, "no event.id: \(event.line)")
    }
    report.check("module.nothing-lost[\(style)]") { try events.expectNothingLost() }
}

private func checkRefused(_ report: inout Report, _ style: String, _ acts: ModuleActs, _ events: [Event]) {
    func refused(_ action: String, _ pid: Int, _ code: Int32) throws -> Event {
        guard let name = [EEXIST: "EEXIST", ENOEXEC: "ENOEXEC", EPERM: "EPERM", ENOENT: "ENOENT"][code] else {
            throw Failure("the act ended with errno \(code), which was not meant")
        }
        let event = try events.one("\(action) with \(name)") {
            $0.action == action && $0.pid == pid && $0.string("error.code") == name
        }
        try event.has("event.outcome", "failure")
        return event
    }
    let own = Int(getpid())
    report.check("module.refused-EEXIST[\(style)]") {
        try expectEqual(acts.again, -EEXIST, "finit_module of a loaded module")
        try refused("module-load", own, -acts.again).has("file.path", acts.file)
    }
    report.check("module.refused-ENOEXEC[\(style)]") {
        try expectEqual(acts.garbageResult, -ENOEXEC, "finit_module of garbage")
        try refused("module-load", own, ENOEXEC).has("file.path", acts.garbage)
    }
    report.check("module.refused-EPERM[\(style)]") {
        try expectEqual(acts.unprivileged.code, EPERM, "finit_module without CAP_SYS_MODULE")
        _ = try refused("module-load", Int(acts.unprivileged.pid), EPERM)
    }
    report.check("module.refused-unload[\(style)]") {
        try expectEqual(acts.unknownUnload, -ENOENT, "delete_module of what is not loaded")
        try refused("module-unload", own, ENOENT).has("hypervigil.module.name", "hv_not_loaded")
    }
}

/// A kernel that can't load modules: `watch` says so once, `doctor` too, and both go on.
private func checkWithoutModules(_ context: Context, _ report: inout Report) {
    report.check("module.no-support-watch") {
        let watch = try Watch(context, [])
        defer { watch.kill() }
        let lines = watch.errorLines.filter { $0.contains("module") }
        try expectEqual(lines.count, 1, "lines about modules (\(watch.errorLines))")
    }
    report.check("module.no-support-doctor") {
        let run = try Run(context, [context.program, "doctor"])
        guard let status = run.status(waitUpTo: 120) else { throw Failure("doctor did not end") }
        try expect(status == 0 || status == 1, "exit code \(status)")
        try expect(text(of: run.outPath).contains("module"), "nothing about modules: \(text(of: run.outPath))")
    }
}
