import CActs
import Foundation
import Glibc

/// Every secret that is executed here has this in it.
private let secret = "hv5ekr1t"

/// Command lines with secrets, behind the program's name, and what is to be seen of them.
private let lines: [(arguments: [String], expected: [String])] = [
    (["--password", "\(secret)-1", "-h", "db"], ["--password", "[redacted]", "-h", "db"]),
    (["TOKEN=\(secret)-2 with space", "x"], ["TOKEN=[redacted]", "x"]),
    (["https://me:\(secret)-3@host/?token=\(secret)-4&a=b"], ["https://me:[redacted]@host/?token=[redacted]&a=b"]),
    (["-c", "A=b DB_PASS='\(secret) 5' run --secret \(secret)-6; next"], ["-c", "A=b DB_PASS=[redacted] run --secret [redacted]; next"]),
    (["curl", "-u", "me:\(secret)-7", "-H", "Authorization: Bearer \(secret)-8"], ["curl", "-u", "me:[redacted]", "-H", "Authorization: Bearer [redacted]"]),
    (["acct<\(secret)-9>"], ["acct<[redacted]>"]),
    (["--sesame=\(secret)-10", "--kept-token=shown"], ["--sesame=[redacted]", "--kept-token=shown"]),
]

/// Real executions with secrets: none of them in what is printed, in either format.
func runRedact(_ context: Context, _ report: inout Report) {
    if context.guest && !context.full {
        report.skip("redact", "the host shows it (make soak runs it here)")
        return
    }
    let style = "tracepoint"
    let configuration = "\(context.folder)/redact.yaml"
    let program = context.exitProgram
    do {
        try """
        redaction:
          names: [sesame]
          keep: [kept-token]
          patterns:
            - {literal: "acct<", regex: "acct<([^>]*)>"}
            - {literal: "slow-", regex: "^slow-(a+)+$"}

        """.write(toFile: configuration, atomically: false, encoding: .utf8)
    } catch {
        return report.fail("redact", "\(error)")
    }
    let options = ["--only", "exec", "--backend", style, "--config", configuration]

    report.check("redact.json") {
        let watch = try Watch(context, options)
        var pids: [Int32] = []
        for line in lines { pids.append(try finish(program, line.arguments).pid) }
        // Bytes that are no UTF-8 come in base64 too; arguments beyond the limit are cut within a secret.
        let raw = try start(program, [[0xff, 0xfe], Array("--token=\(secret)-11".utf8)])
        _ = try act("wait", acts_wait(raw))
        let long = try start(program, [Array("--password=".utf8) + Array(String(repeating: secret, count: 5_000).utf8)])
        _ = try act("wait", acts_wait(long))
        let slow = try finish(program, ["slow-" + String(repeating: "a", count: 64) + secret]).pid
        let folder = "\(context.folder)/redact-token=\(secret)"
        try makeDirectory(folder)
        try FileManager.default.copyItem(atPath: program, toPath: "\(folder)/exit")
        let path = try finish("\(folder)/exit").pid
        let events = try watch.stop()
        try expectClean(watch.outPath)

        for (line, pid) in zip(lines, pids) {
            let event = try events.exec(pid: pid)
            let expected = line.expected
            try expectEqual(event.strings("process.args"), [program] + expected, "process.args")
            try event.has("process.command_line", ([program] + expected).joined(separator: " "))
            try event.has("process.args_count", expected.count + 1)
            try event.has("hypervigil.redacted", event.line.ranges(of: "[redacted]").count / 2)
        }
        let event = try events.exec(pid: raw)
        try expectEqual(event.strings("process.args")?.last, "--token=[redacted]", "an argument beside one that is no UTF-8")
        let encoded = event.strings("hypervigil.raw.process.args") ?? []
        try expectEqual(encoded.last.flatMap { Data(base64Encoded: $0) }, Data("--token=[redacted]".utf8), "the same in hypervigil.raw")
        try expectEqual(try events.exec(pid: long).strings("process.args")?.last, "--password=[redacted]", "a secret that is cut")
        try expect(try events.exec(pid: long).flag("hypervigil.process.args_truncated"), "args_truncated is not set")
        try expectEqual(try events.exec(pid: slow).strings("process.args")?.last, "[redacted]", "what an expression can't settle")
        try events.exec(pid: path).has("process.executable", "\(context.folder)/redact-token=[redacted]")
        try events.exec(pid: path).has("hypervigil.process.filename", "\(context.folder)/redact-token=[redacted]")
        let told = events.filter { $0.action == "degraded" && $0.string("hypervigil.degraded.subject") == "redaction.patterns" }
        try expectEqual(told.count, 1, "times that it is told")
    }
    report.check("redact.text") {
        let run = try Run(context, [context.program, "watch", "--format", "text"] + options)
        let ready = wait(upTo: 300) { run.errorLines.contains { $0.hasPrefix("watching") } ? true : nil }
        try expect(ready == true, "not watching: \(run.errorLines)")
        for line in lines { _ = try finish(program, line.arguments) }
        sleep(seconds: 0.5)
        run.signal(SIGINT)
        try expectEqual(run.status(waitUpTo: 120), 0, "exit code")
        try expectClean(run.outPath)
        try expect(text(of: run.outPath).contains("[redacted]"), "nothing was masked: \(text(of: run.outPath))")
    }
    report.check("redact.off") {
        try "redaction: {enabled: false}\n".write(toFile: configuration, atomically: false, encoding: .utf8)
        let watch = try Watch(context, options)
        let pid = try finish(program, ["--password", "shown"]).pid
        let event = try watch.stop().exec(pid: pid)
        try expectEqual(event.strings("process.args"), [program, "--password", "shown"], "process.args")
        try expect(event["hypervigil.redacted"] == nil, "hypervigil.redacted is there: \(event.line)")
    }
    report.check("redact.bad-expression") {
        try "redaction:\n  patterns:\n    - {literal: ab, regex: \"a(b\"}\n".write(toFile: configuration, atomically: false, encoding: .utf8)
        let run = try Run(context, [context.program, "config", "check", "--config", configuration])
        try expectEqual(run.status(waitUpTo: 60), 78, "exit code")
        let line = run.errorLines.joined(separator: " | ")
        try expect(line.hasPrefix("\(configuration):3:28: redaction.patterns: ") && line.contains("offset 3"), "the error is: \(line)")
    }
}

private func expectClean(_ path: String) throws {
    let output = text(of: path)
    let shown = output.split(separator: "\n").filter { $0.contains(secret) }
    try expect(shown.isEmpty, "a secret is shown: \(shown.joined(separator: " ; "))")
    // Nor in base64, at whichever offset of its three.
    for offset in 0..<3 {
        let encoded = Data((String(repeating: "x", count: offset) + secret).utf8).base64EncodedString().dropFirst(offset == 0 ? 0 : 4).prefix(8)
        try expect(!output.contains(encoded), "a secret is shown in base64")
    }
}
