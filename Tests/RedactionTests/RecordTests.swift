import Events
import KernelABI
import Redaction
import Rings
import Testing

/// Whole records: what is masked in them, and that they stay records.
struct RecordTests {
    private static let secret = "hunter2hunter2hunter2"

    /// Command lines with the secret in each of them once or more.
    static let lines: [[String]] = [
        ["psql", "--password", secret, "-h", "db"], ["env", "TOKEN=\(secret)", "run"], ["a", "https://u:\(secret)@host/path"],
        ["sh", "-c", "A=b TOKEN='\(secret) \(secret)' cmd --password \"x \(secret)\" -v"], ["mysql", "-uroot", "-p\(secret)", "db"],
        ["curl", "-H", "Authorization: Bearer \(secret)", "-u", "me:\(secret)", "https://h/?a=b&token=\(secret)&c=d"],
        ["a", "https://ghp_\(secret)@github.com/x", "glpat-\(secret)"], ["a", "postgres://u:/\(secret)?\(secret)@h/db"],
        ["curl", "-d", "{\"user\":\"x\",\"password\":\"\(secret)\"}"], ["a", "--key=-----BEGIN PRIVATE KEY-----\n\(secret)\n-----END PRIVATE KEY-----"],
        ["docker", "login", "-u", "me", "-p", secret], ["sh", "-c", "sshpass -p '\(secret)' ssh h; curl -u me:\(secret) h"],
        ["a", "--private-key", "/\(secret)="], ["custom", "magic<\(secret)>tail"],
    ]
    private static let rules = RedactionRules(patterns: [.init(literal: "MAGIC", regex: "magic<([^>]*)>")])

    /// Whether bytes have any part of the secret that is longer than what anybody could guess.
    private static func shows(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains("hunter2h")
    }

    @Test(arguments: lines.indices)
    func noCutShowsASecret(line: Int) throws {
        let redactor = try Redactor(Self.rules)
        var scratch = RedactionScratch(redactor)
        let whole = joined(Self.lines[line])
        for length in 0...whole.count {
            let record = Samples.exec(Array(whole.prefix(length)), cut: length < whole.count)
            let count = redactor.redact(record.span.bytes, into: &scratch)
            let result = count > 0 ? copy(scratch.bytes) : record
            let isShown = Self.shows(result)
            #expect(!isShown, "\(length): \(texts(Array(result.suffix(length))))")
            #expect(isExec(result))
            if length == whole.count { #expect(count > 0) }
        }
    }

    @Test func theRestOfARecordStays() throws {
        let redactor = try Redactor()
        var scratch = RedactionScratch(redactor)
        let arguments = joined(["run", "--token", Self.secret, "x"])
        let bytes = Samples.exec(arguments, interpreter: "/bin/sh")
        #expect(redactor.redact(bytes.span.bytes, into: &scratch) == 1)
        guard let before = ExecView(bytes.span.bytes), let after = ExecView(scratch.bytes) else {
            Issue.record("no record")
            return
        }
        #expect(texts(copy(after.arguments)) == ["run", "--token", "[redacted]", "x"])
        #expect(after.argumentCount == 4)
        #expect(after.argumentSize == UInt32(arguments.count))
        let (actor, unchanged) = (copy(after.actor.bytes), copy(before.actor.bytes))
        #expect(actor == unchanged)
        let (sequence, flags, unmasked) = (after.header.sequence, after.header.flags, before.header.flags)
        #expect(sequence == 42)
        #expect(flags == unmasked)
        #expect(after.executableObject.inode == 77)
        #expect(copy(after.executable) == copy(before.executable))
        #expect(copy(after.interpreter) == copy(before.interpreter))
        #expect(copy(after.directory) == copy(before.directory))
        // The path of a cgroup is no argument.
        #expect(copy(after.cgroupPath) == copy(before.cgroupPath))
    }

    @Test func withoutSecretsNothingIsCopied() throws {
        let redactor = try Redactor()
        var scratch = RedactionScratch(redactor)
        let secret = Samples.exec(joined(["a", "--password", "x"]))
        #expect(redactor.redact(secret.span.bytes, into: &scratch) == 1)
        let written = copy(scratch.bytes)
        let plain = Samples.exec(joined(["ls", "-l", "/etc", "keys"]), cgroup: "/system.slice")
        #expect(redactor.redact(plain.span.bytes, into: &scratch) == 0)
        #expect(copy(scratch.bytes) == written)
        for arguments in [["git", "clone", "https://host/a"], ["curl", "-s", "https://host/"], ["a", "--password"]] {
            let record = Samples.exec(joined(arguments))
            #expect(redactor.redact(record.span.bytes, into: &scratch) == 0)
        }
    }

    @Test func modules() throws {
        let redactor = try Redactor()
        var scratch = RedactionScratch(redactor)
        let record = Samples.module("debug=1 token=\"\(Self.secret) x\" psk=\(Self.secret) mode=2")
        #expect(redactor.redact(record.span.bytes, into: &scratch) == 2)
        guard let view = ModuleView(scratch.bytes) else {
            Issue.record("no record")
            return
        }
        #expect(String(decoding: copy(view.arguments), as: UTF8.self) == "debug=1 token=[redacted] psk=[redacted] mode=2")
        #expect(String(decoding: copy(view.name), as: UTF8.self) == "dummy")
        #expect(String(decoding: copy(view.filePath), as: UTF8.self) == "/lib/modules/dummy.ko")
    }

    /// Masks are longer than one letter: what they make too long is cut and says so.
    @Test func masksThatMakeItTooLong() throws {
        let redactor = try Redactor()
        var scratch = RedactionScratch(redactor)
        let arguments = joined(Array(repeating: "pw=x", count: 6_553))
        let record = Samples.exec(arguments)
        #expect(redactor.redact(record.span.bytes, into: &scratch) > 2_000)
        guard let view = ExecView(scratch.bytes) else {
            Issue.record("no record")
            return
        }
        #expect(view.arguments.byteCount == Int(HV_ARGS_MAX))
        #expect(view.flags(of: HV_EXEC_ARGS).contains(.truncated))
        let isFlagged = view.header.has(HV_EXEC_ARGS_TRUNCATED)
        #expect(isFlagged)
        #expect(view.argumentSize == UInt32(arguments.count))
        #expect(view.argumentCount == 6_553)
    }

    /// Neither as text nor in base64 (of bytes that are no UTF-8) is a secret in an event.
    @Test(arguments: lines.indices)
    func noEventShowsASecret(line: Int) throws {
        let redactor = try Redactor(Self.rules)
        var scratch = RedactionScratch(redactor)
        let record = Samples.exec(joined(Self.lines[line]) + [0xff, 0xfe, 0], filename: "/srv/token=\(Self.secret)\u{7f}")
        var resolution = Resolution()
        resolution.redacted = redactor.redact(record.span.bytes, into: &scratch)
        #expect(resolution.redacted >= 2)
        let context = EncoderContext(bootID: "b", hostID: "h", hostName: "n", runID: 1, agentVersion: "0")
        var encoder = ECSEncoder(context: context, realtimeOffset: 0)
        var writer = ByteWriter(capacity: 64)
        let made = encoder.encode(record: scratch.bytes, resolution, into: &writer)
        #expect(made)
        let json = writer.withBytes { [UInt8]($0) }
        #expect(!Self.shows(json))
        let text = String(decoding: json, as: UTF8.self)
        #expect(text.contains("\"redacted\":\(resolution.redacted)"))
        #expect(text.contains("\"raw\":{"))
        for part in text.split(separator: "\"") { if let bytes = base64(part) { #expect(!Self.shows(bytes), "\(part)") } }

        var renderer = TextRenderer(color: false, width: nil, realtimeOffset: 0)
        writer.clear()
        let rendered = renderer.render(record: scratch.bytes, resolution, into: &writer)
        #expect(rendered)
        #expect(!Self.shows(writer.withBytes { [UInt8]($0) }))
    }
}

/// Nil where it is no base64.
private func base64(_ text: Substring) -> [UInt8]? {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var bits: UInt32 = 0
    var count = 0
    var bytes: [UInt8] = []
    for byte in text.utf8 where byte != UInt8(ascii: "=") {
        guard let value = alphabet.firstIndex(of: byte) else { return nil }
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 8 {
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
    }
    return bytes
}
