import KernelABI
import Redaction
import Rings
import Testing

/// Whatever the bytes: a record comes out, and no planted secret with it.
struct FuzzTests {
    private static let pieces = [
        "--password", "--token=", "TOKEN=", "'", "\"", "\\", " ", ";", "|", "$(", ")", "`", "sh\0-c\0", "\0", "\0\0", "://", "https://u:", "@", "?token=", "&",
        "curl", "mysql", "-p", "-u", "{\"password\":\"", "Authorization: Bearer ", "bearer ", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
        "ghp_", "eyJhbGciOi", "secret", "magic", "magic<", ">", "=", ":", "/", "[", "]", "x", "é", "\u{1}", "\n", "docker\0login\0", "htpasswd\0-b\0",
    ].map { Array($0.utf8) }
    private static let rules = RedactionRules(names: ["sesame"], keep: ["keep"], patterns: [.init(literal: "magic", regex: "magic<([^>]*)>")])

    /// Contexts in which what follows is a secret, whatever is before them, as an argument of its own.
    private static let plants: [(before: String, after: String)] = [
        ("--password\0", ""), ("--db-token=", ""), ("API_KEY=", ""), ("https://u:", "@host/"), ("magic<", ">"), ("Cookie: a=", ""), ("x\0--sesame\0", ""),
    ]

    private static func noise(_ random: inout SplitMix64, _ most: Int) -> [UInt8] {
        (0..<Int.random(in: 0...most, using: &random)).flatMap { _ in
            Bool.random(using: &random) ? pieces.randomElement(using: &random) ?? [] : [UInt8.random(in: .min ... .max, using: &random)]
        }
    }

    @Test(arguments: 0..<16)
    func plantedSecrets(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let redactor = try Redactor(Self.rules)
        var scratch = RedactionScratch(redactor)
        for _ in 0..<150 {
            guard let plant = Self.plants.randomElement(using: &random) else { return }
            let before = Self.noise(&random, 12)
            let bytes = before + [0] + Array(plant.before.utf8) + Array("SEKRIT-\(seed)-SEKRIT".utf8) + Array(plant.after.utf8) + [0] + Self.noise(&random, 12)
            let cut = Int.random(in: 0...bytes.count, using: &random)
            for length in [cut, bytes.count] {
                let record = Samples.exec(Array(bytes.prefix(length)), cut: length < bytes.count)
                let count = redactor.redact(record.span.bytes, into: &scratch)
                let result = count > 0 ? copy(scratch.bytes) : record
                #expect(isExec(result))
                let isShown = String(decoding: result, as: UTF8.self).contains("SEKRIT-")
                #expect(!isShown, "\(String(decoding: bytes.prefix(length), as: UTF8.self).debugDescription)")
                if count == 0 { continue }
                // As many arguments as before.
                guard let view = ExecView(result.span.bytes) else { continue }
                #expect(copy(view.arguments).count { $0 == 0 } == bytes.prefix(length).count { $0 == 0 }, "\(bytes)")
            }
        }
    }

    @Test(arguments: 0..<8)
    func anyBytes(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let redactor = try Redactor(Self.rules)
        var scratch = RedactionScratch(redactor)
        for round in 0..<300 {
            let noise = Self.noise(&random, 60)
            // Exactly as long as they are: a read beyond the end is one beyond the memory.
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: noise.count, alignment: 1)
            memory.copyBytes(from: noise)
            let count = redactor.redact(arguments: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory)), into: &scratch)
            memory.deallocate()
            if count > 0 {
                let once = copy(scratch.bytes)
                #expect(once.count { $0 == 0 } == noise.count { $0 == 0 })
            }
            // Records with hostile slots.
            var record = round % 2 == 0 ? Samples.exec(noise, filename: String(decoding: noise.prefix(40), as: UTF8.self)) : Samples.module(String(decoding: noise, as: UTF8.self))
            for _ in 0..<Int.random(in: 0...6, using: &random) { record[Int.random(in: 0..<record.count, using: &random)] = .random(in: .min ... .max, using: &random) }
            if redactor.redact(record.span.bytes, into: &scratch) > 0 {
                let result = copy(scratch.bytes)
                #expect(isExec(result) || isModule(result))
            }
            _ = redactor.redact(noise.span.bytes, into: &scratch)
        }
    }

    /// What a scan in one pass finds is what a search for each name finds.
    @Test(arguments: 0..<4)
    func everyNameIsFoundAtEveryPlace(offset: Int) throws {
        let redactor = try Redactor(Self.rules)
        for name in ["password", "PASSWD", "api_key", "pin", "pw", "requirepass", "connection-string", "sesame", "secret-key"] {
            for place in 0..<12 {
                let filler = String(repeating: "q", count: place)
                for arguments in [[filler, "--\(name)", "S3"], [filler, "--x-\(name)=S3"], [filler, String(repeating: "f", count: offset), "\(name)=S3", filler]] {
                    let bytes = masked(joined(arguments), by: redactor)
                    #expect(bytes.count == 1, "\(arguments)")
                    #expect(!String(decoding: bytes.bytes, as: UTF8.self).contains("S3"), "\(arguments)")
                }
            }
        }
    }
}
