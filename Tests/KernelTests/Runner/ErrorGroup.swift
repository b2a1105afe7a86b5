import CActs
import Foundation
import Glibc

func runErrors(_ context: Context, _ report: inout Report) {
    // The same on every kernel.
    if !context.guest {
        checkUsage(context, &report)
        checkConfiguration(context, &report)
    }
    checkRefusals(context, &report)
    checkEnding(context, &report)
    checkDoctor(context, &report)
}

/// Runs the program to its end: exit code and lines of standard error.
private func ended(_ context: Context, _ options: [String], wrapper: [String] = []) throws -> (status: Int32, lines: [String], run: Run) {
    let run = try Run(context, wrapper + [context.program] + options)
    guard let status = run.status(waitUpTo: 300) else {
        run.signal(SIGKILL)
        throw Failure("\(options.joined(separator: " ")) did not end within 300 s")
    }
    return (status, run.errorLines, run)
}

private func checkUsage(_ context: Context, _ report: inout Report) {
    for options in [
        ["watch", "--nonsense"], ["watch", "--backend", "magic"], ["watch", "--only", "exec,everything"], ["watch", "--format", "xml"],
        ["watch", "--ring-size", "many"], ["watch", "--duration", "-1"], ["nonsense"],
    ] {
        report.check("errors.usage: \(options.joined(separator: " "))") {
            let (status, lines, _) = try ended(context, options)
            try expectEqual(status, 64, "exit code (\(lines))")
            try expect(!lines.isEmpty, "nothing on standard error")
        }
    }
}

private func checkConfiguration(_ context: Context, _ report: inout Report) {
    report.check("errors.configuration") {
        let path = "\(context.folder)/bad.yaml"
        try "processes:\n  faild: all\n".write(toFile: path, atomically: false, encoding: .utf8)
        for command in [["config", "check", "--config", path], ["watch", "--config", path]] {
            let (status, lines, _) = try ended(context, command)
            try expectEqual(status, 78, "exit code of \(command) (\(lines))")
            try expect(lines.contains { $0.contains("\(path):2:3") && $0.contains("failed") }, "no place or no nearest key: \(lines)")
        }
    }
    report.check("errors.configuration-good") {
        let path = "\(context.folder)/empty.yaml"
        try "".write(toFile: path, atomically: false, encoding: .utf8)
        try expectEqual(try ended(context, ["config", "check", "--config", path]).status, 0, "exit code for an empty file")
        let shown = try ended(context, ["config", "show", "--config", path])
        try expectEqual(shown.status, 0, "exit code of config show")
        try expect(text(of: shown.run.outPath).contains("failed:"), "config show has no processes.failed")
    }
}

/// What the kernel or the caller's rights don't allow: one clear line and the exit code of sysexits(3).
private func checkRefusals(_ context: Context, _ report: inout Report) {
    report.check("errors.not-root") {
        let reachable = "\(context.folder)/hypervigil"
        try FileManager.default.copyItem(atPath: context.program, toPath: reachable)
        defer { unlink(reachable) }
        let pid = try Run(context, ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", reachable, "watch"])
        guard let status = pid.status(waitUpTo: 300) else { throw Failure("did not end") }
        try expectEqual(status, 77, "exit code (\(pid.errorLines))")
        try expectEqual(pid.errorLines.count, 1, "lines (\(pid.errorLines))")
        try expect(pid.errorLines[0].contains("CAP_BPF") && pid.errorLines[0].contains("CAP_PERFMON"), "\(pid.errorLines)")
    }
    report.check("errors.no-BTF") {
        let hide = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"", "sh"]
        let (status, lines, _) = try ended(context, ["watch", "--duration", "1"], wrapper: hide)
        try expectEqual(status, 69, "exit code (\(lines))")
        try expectEqual(lines.count, 1, "lines (\(lines))")
        try expect(lines[0].contains("BTF"), "\(lines)")
    }
    report.check("errors.no-proc") {
        let hide = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"]
        let (status, lines, _) = try ended(context, ["watch", "--duration", "1"], wrapper: hide)
        try expectEqual(status, 69, "exit code (\(lines))")
        try expectEqual(lines.count, 1, "lines (\(lines))")
        try expect(lines[0].contains("/proc"), "\(lines)")
    }
    report.check("errors.no-tracefs") {
        let script = "for m in /sys/kernel/tracing /sys/kernel/debug/tracing /sys/kernel/debug; do umount -l $m 2>/dev/null; done; exec \"$@\""
        let hide = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, "sh"]
        let watch = try Watch(context, ["--only", "exec"], wrapper: hide)
        let pid = try finish(context.exitProgram).pid
        try watch.stop().exec(pid: pid).has("process.executable", context.exitProgram)
    }
    report.check("errors.memory-limit") {
        // Kernels before 5.11 charge maps to the limit; without CAP_SYS_RESOURCE it can't be raised.
        let limit = ["/usr/bin/prlimit", "--memlock=65536:65536", "/usr/bin/setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
        let (status, lines, _) = try ended(context, ["watch", "--only", "exec", "--duration", "1"], wrapper: limit)
        if status == 0 { return }
        try expect(status == 69 || status == 77, "exit code \(status) (\(lines))")
        try expectEqual(lines.count, 1, "lines (\(lines))")
        try expect(["memlock", "locked-memory"].contains { lines[0].lowercased().contains($0) }, "\(lines)")
    }
}

/// The BPF programs of the machine, by id.
private func programs() throws -> [UInt32: String] {
    var buffer = [acts_program](repeating: acts_program(), count: 4096)
    let count = try act("BPF_PROG_GET_NEXT_ID", acts_bpf_programs(&buffer, UInt32(buffer.count)))
    var found: [UInt32: String] = [:]
    for var program in buffer.prefix(Int(count)) {
        found[program.id] = withUnsafeBytes(of: &program.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return found
}

private func checkEnding(_ context: Context, _ report: inout Report) {
    report.check("errors.duration") {
        let (status, lines, _) = try ended(context, ["watch", "--only", "exec", "--duration", "1"])
        try expectEqual(status, 0, "exit code (\(lines))")
        try expect(lines.contains { $0.hasPrefix("watching") } && lines.last?.hasPrefix("captured") == true, "\(lines)")
    }
    report.check("errors.SIGKILL-leaves-nothing") {
        let before = try programs()
        let watch = try Watch(context, [])
        let during = try programs().filter { before[$0.key] == nil }
        try expect(!during.isEmpty, "no BPF program while watching")
        watch.kill()
        // Programs are freed after a grace period. Of other people's programs on this machine there is no word.
        let left = wait(upTo: 30, every: 0.2) { () -> Bool? in
            guard let after = try? programs() else { return nil }
            return during.keys.contains { after[$0] != nil } ? nil : true
        }
        try expect(left != nil, "programs are left: \(during.values.sorted())")
    }
    report.check("errors.only-what-is-asked") {
        let before = try programs()
        let watch = try Watch(context, ["--only", "exec"])
        defer { watch.kill() }
        let names = try programs().filter { before[$0.key] == nil }.values.sorted()
        print("   programs of --only exec: \(names.joined(separator: " "))")
        try expect(!names.isEmpty, "no BPF program while watching")
        let foreign = names.filter { name in ["file", "module"].contains { name.hasPrefix($0) } }
        try expect(foreign.isEmpty, "programs of other families: \(foreign)")
    }
}

private func checkDoctor(_ context: Context, _ report: inout Report) {
    report.check("doctor.json") {
        let (status, lines, run) = try ended(context, ["doctor", "--json"])
        // Everything works only where fentry and modules do.
        try expect(context.guest ? status == 0 || status == 1 : status == 1, "exit code \(status) (\(lines))")
        let output = bytes(of: run.outPath)
        guard (try? JSONSerialization.jsonObject(with: Data(output))) != nil else {
            throw Failure("not one JSON value: \(String(decoding: output, as: UTF8.self).prefix(300))")
        }
    }
    // The text says the same.
    if context.guest && !context.full { return }
    report.check("doctor.text") {
        let (status, lines, run) = try ended(context, ["doctor"])
        try expect(status == 0 || status == 1, "exit code \(status) (\(lines))")
        let output = text(of: run.outPath)
        for word in ["exec", "file", "module"] { try expect(output.contains(word), "nothing about \(word): \(output)") }
        try expect(!output.contains("\u{1b}"), "escape sequences where there is no terminal")
    }
}
