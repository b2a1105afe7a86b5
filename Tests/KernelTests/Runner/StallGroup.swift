import CActs
import Foundation
import Glibc

/// What others have to answer, and don't: events come all the same, and say no more than is known.
func runStalls(_ context: Context, _ report: inout Report) {
    report.check("stalls.names") { try nameService(context) }
    report.check("stalls.proc") { try hiddenProc(context) }
}

/// A name service that hangs (libnss_hvhang.so.2).
private func nameService(_ context: Context) throws {
    guard context.guest else { throw Skip("/etc/nsswitch.conf is the whole machine's") }
    let configuration = "/etc/nsswitch.conf", before = bytes(of: configuration)
    let folders = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu" }
    guard let folder = folders.first(where: { access($0, W_OK) == 0 }) else { throw Skip("no folder of libraries") }
    let library = "\(folder)/libnss_hvhang.so.2"
    try FileManager.default.copyItem(atPath: "\(context.acts)/libnss_hvhang.so.2", toPath: library)
    try Data("passwd: files hvhang\ngroup: files hvhang\n".utf8).write(to: URL(fileURLWithPath: configuration))
    defer {
        try? Data(before).write(to: URL(fileURLWithPath: configuration))
        unlink(library)
    }
    let id: UInt32 = 54321
    let watch = try Watch(context, ["--only", "exec"])
    defer { watch.kill() }
    // More of them than there are threads to ask with.
    for offset in 0..<8 as Range<UInt32> {
        _ = try finish(context.exitProgram, ["0"]) { exec in
            exec.ids = 1
            (exec.real, exec.effective, exec.saved) = (id + offset, id + offset, id + offset)
        }
    }
    let (last, _) = try finish(context.exitProgram, ["0"])
    // Events go out in order: all are out before the last one's.
    guard wait(upTo: 60, every: 0.2, for: { try? watch.events().first { $0.action == "exit" && $0.pid == Int(last) } }) != nil else {
        throw Failure("the events wait for a name service that hangs")
    }
    let events = try watch.stop()
    for offset in 0..<8 as Range<UInt32> {
        let exec = try events.one("exec of user \(id + offset)") { $0.action == "exec" && $0.string("user.id") == "\(id + offset)" }
        try expect(exec["user.name"] == nil, "a name that nobody told: \(exec.line)")
    }
    try events.exec(pid: last).has("user.name", "root")
    try events.expectNothingLost()
    watch.removeOutput()
}

/// A monitor that can't look into /proc any more.
private func hiddenProc(_ context: Context) throws {
    // Whose the host is a monitor in a mount namespace of its own knows from there.
    guard (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/1/ns/mnt")) != nil else { throw Skip("the first process's namespaces can't be seen here") }
    let watch = try Watch(context, ["--only", "exec"], wrapper: ["/usr/bin/unshare", "--mount"])
    defer { watch.kill() }
    let hide = try finish("/usr/bin/nsenter", ["--mount=/proc/\(watch.pid)/ns/mnt", "/usr/bin/mount", "-t", "tmpfs", "none", "/proc"])
    try expectEqual(exitCode(hide.status), 0, "hiding /proc from the monitor")
    // Its executable is another one than any that is known by then.
    let program = "\(context.folder)/unseen"
    try FileManager.default.copyItem(atPath: context.exitProgram, toPath: program)
    defer { unlink(program) }
    let (parent, _) = try finish("/bin/sh", ["-c", "\(program) 7; :"])
    let events = try watch.stop()
    let exec = try events.one("exec of \(program)") { $0.action == "exec" && $0.string("process.executable") == program }
    try exec.has("process.command_line", "\(program) 7")
    try exec.has("user.name", "root")
    try exec.has("process.parent.pid", Int(parent))
    try exec.has("process.parent.command_line", "/bin/sh -c \(program) 7; :")
    let end = try events.one("exit of \(program)") { $0.action == "exit" && $0.string("process.executable") == program }
    try end.has("process.exit_code", 0)
    try events.expectNothingLost()
    watch.removeOutput()
}
