import Events
import FilterLanguage
import Foundation
import KernelABI
import Rings
import Testing

@testable import Filters

@Suite("What a filter says of a record")
struct EvaluationTests {
    private static let write = Records.file(actor: Records.actor(name: Array("sshd".utf8)))

    @Test(arguments: [
        ("process.name == \"sshd\" and not file.path startswith \"/var/log\"", true),
        ("process.name == \"sshd\" and not file.path startswith \"/etc\"", false),
        ("event.category == \"file\" and event.type == \"change\" and event.kind == \"event\" and event.action == \"write\"", true),
        ("event.action in [\"rename\", \"delete\"]", false),
        ("event.action != \"delete\"", true),
        ("file.path matches \"/etc/*\"", true),
        ("file.path matches \"/*sswd\"", true),
        ("file.path matches \"*\"", true),
        ("file.path matches \"/etc\"", false),
        ("file.path matches \"/e?c/[!a-m]*[a-d]\"", true),
        ("file.path matches \"/etc/passwd?\"", false),
        ("file.path matches \"*etc*etc*\"", false),
        // A field that the event lacks: nothing holds of it but !=, and what not makes of it.
        ("process.exit_code == 0", false),
        ("process.exit_code < 1", false),
        ("process.exit_code != 0", true),
        ("not process.exit_code == 0", true),
        ("exists process.exit_code", false),
        ("process.args contains \"\"", false),
        ("process.args not contains \"\"", true),
        ("hypervigil.process.fileless", false),
        ("hypervigil.process.fileless == false", false),
        ("not hypervigil.process.fileless", true),
        ("user.id == 1000 and user.effective.id == \"0\" and user.id >= 1000", true),
        ("file.mode == \"0644\" and file.device == \"8:1\" and file.type == \"file\"", true),
    ])
    func aWrite(_ text: String, _ expected: Bool) throws {
        #expect(try passes(text, Self.write) == expected)
    }

    @Test func bytesThatAreNoUTF8() throws {
        let record = Records.file(inner: Array("/etc/".utf8) + [0xff, 0xc3], actorPath: Array("/etc/".utf8) + [0xff, 0xc3])
        #expect(try passes("file.path == \"/etc/\\xff\\xc3\"", record))
        #expect(try passes("file.name startswith \"\\xFF\"", record))
        #expect(try passes("file.name matches \"[\\xf0-\\xff]?\"", record))
        #expect(try !passes("file.path contains \"\u{fffd}\"", record))
        #expect(try passes("process.name == \"a\\nb\\x01\"", Records.exit(actor: Records.actor(name: Array("a\nb\u{1}".utf8)))))
    }

    @Test func argumentsOneByOneAndAsALine() throws {
        let record = Records.exec(arguments: [Array("sh".utf8), [], Array("a b".utf8)])
        for text in [
            "process.args == \"a b\"", "process.args == \"\"", "process.command_line == \"sh  a b\"", "not process.args == \"sh  a b\"",
            "not process.args contains \"\\x00\"", "process.args in [\"x\", \"sh\"]",
        ] {
            #expect(try passes(text, record), "\(text)")
        }
        // The largest that a record can have.
        let long = Records.exec(arguments: [[UInt8](repeating: 0x61, count: 65_533)])
        #expect(try passes("process.command_line matches \"*aaa\" and not process.command_line contains \"b\"", long))
    }

    /// What a joined result tells goes before what the record has.
    @Test func aRenameIsJudgedByItsResult() throws {
        let record = Records.file(HV_FILE_RENAME, targetInner: Array("/b".utf8), targetActor: Array("/b".utf8), flags: HV_FILE_PENDING)
        #expect(try passes("event.outcome == \"unknown\"", record))
        let result = Records.result(error: -13)
        guard let joined = ResultView(result.span.bytes) else {
            Issue.record("no result")
            return
        }
        let resolution = Resolution(joined)
        #expect(try passes("event.outcome == \"failure\" and error.code == \"EACCES\"", record, resolution))
    }

    @Test func theHostsPathGoesBeforeTheRecords() throws {
        let path = Array("/srv/container/etc/passwd".utf8)
        try path.withUnsafeBytes { (bytes) throws in
            var resolution = Resolution()
            resolution.path = bytes
            #expect(try passes("file.path startswith \"/srv\" and hypervigil.path.actor == \"/etc/passwd\"", Self.write, resolution))
        }
    }

    @Test func factsOfTheActor() throws {
        let texts = ["alice\u{0}", "/usr/bin/x\u{0}", "a\u{0}b c\u{0}", "systemd", "/sbin/init", "sshd"].map { Array($0.utf8) }
        let tenant = Tenant(kind: .container, engine: "docker", role: .guest, id: String(repeating: "ab", count: 32), name: "web", image: "nginx:1", runtime: "")
        func bytes(_ index: Int, dropping: Int = 0) -> ActorFacts.Bytes {
            // Leaked: as long as the test.
            let copy = UnsafeMutableRawPointer.allocate(byteCount: texts[index].count, alignment: 1)
            copy.copyMemory(from: texts[index], byteCount: texts[index].count)
            return ActorFacts.Bytes(start: copy, count: texts[index].count - dropping)
        }
        var facts = ActorFacts()
        (facts.version, facts.isTenantKnown) = (1, true)
        facts.userName = bytes(0, dropping: 1)
        facts.loginUserName = bytes(0, dropping: 1)
        facts.executable = bytes(1, dropping: 1)
        facts.arguments = bytes(2)
        facts.parentArguments = bytes(2)
        let hash = UnsafeMutableRawBufferPointer.allocate(byteCount: 32, alignment: 1)
        for index in hash.indices { hash[index] = UInt8(index * 8) }
        facts.hash = ActorFacts.Bytes(hash)
        facts.tenant = Unmanaged.passUnretained(tenant)
        (facts.unpackaged, facts.innerUser) = (true, 7)
        let ancestors = [
            ActorFacts.Ancestor(start: 1, pid: 2, name: bytes(5), executable: ActorFacts.none),
            ActorFacts.Ancestor(start: 1, pid: 1, name: bytes(3), executable: bytes(4)),
        ]
        try ancestors.withUnsafeBufferPointer { (ancestors) throws in
            facts.ancestors = ancestors
            try withUnsafePointer(to: facts) { (pointer) throws in
                var resolution = Resolution()
                resolution.actor = pointer
                for text in [
                    "user.name == \"alice\" and user.audit.name in [\"bob\", \"alice\"]", "not exists user.effective.name", "process.executable == \"/usr/bin/x\"",
                    "process.args == \"b c\"", "process.command_line == \"a b c\"",
                    "process.hash.sha256 == \"0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8\"",
                    "hypervigil.process.ancestors.name == \"systemd\" and hypervigil.process.ancestors.name == \"sshd\"",
                    "hypervigil.process.ancestors.executable endswith \"init\"", "process.parent.command_line == \"a b c\"", "not exists process.parent.executable",
                    "hypervigil.tenant.kind == \"container\" and hypervigil.tenant.engine == \"docker\" and hypervigil.tenant.role == \"guest\"",
                    "hypervigil.tenant.name == \"web\" and container.name == \"web\" and container.image.name startswith \"nginx:\"",
                    "container.id startswith \"abab\" and hypervigil.tenant.id matches \"*abab\"", "container.runtime == \"docker\"",
                    "hypervigil.process.unpackaged and not exists hypervigil.user.claimed", "hypervigil.user.inner.id == 7 and not exists hypervigil.user.inner.group.id",
                ] {
                    #expect(try passes(text, Self.write, resolution), "\(text)")
                    #expect(try !passes("not (\(text))", Self.write, resolution), "\(text)")
                }
                // An exec's own image is in its record.
                #expect(try passes("process.executable == \"/usr/bin/bash\" and process.args == \"-c\" and not process.args == \"b c\"", Records.exec(), resolution))
            }
            facts.tenant = nil
            try withUnsafePointer(to: facts) { (pointer) throws in
                var resolution = Resolution()
                resolution.actor = pointer
                #expect(try passes("hypervigil.tenant.kind == \"host\" and not exists hypervigil.tenant.name and not exists container.id", Self.write, resolution))
            }
        }
        #expect(try passes("not exists hypervigil.tenant.kind and not exists user.name and not exists process.args", Self.write))
    }

    /// A filter drops no record that it does not understand.
    @Test func whatIsNoEventPasses() throws {
        #expect(try passes("process.pid == 77777", Records.result(error: 0)))
        #expect(try passes("process.pid == 77777", Array(Self.write.dropLast())))
        #expect(try passes("process.pid == 77777", []))
    }

    @Test func wordsAreThoseOfEvents() throws {
        func words(_ name: String) -> Set<String> { Set(Field.table.first { $0.name == name }?.words ?? []) }
        #expect(words("event.action") == Set(Action.allCases.map(\.rawValue)))
        #expect(words("event.kind") == Set(Action.allCases.map { "\($0.filed.kind)" }))
        #expect(words("event.category") == Set(Action.allCases.map { "\($0.filed.category)" }))
        #expect(words("event.type") == Set(Action.allCases.map { "\($0.filed.type)" }))
    }

    /// docs/filters.md has the table that the code has.
    @Test func theReferenceIsTheTable() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/filters.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let table = filterFieldReference()
        guard !text.hasSuffix("\n" + table) else { return }
        let wanted = FileManager.default.temporaryDirectory.appending(path: "filter-fields.md")
        try table.write(to: wanted, atomically: true, encoding: .utf8)
        Issue.record("the table at the end of docs/filters.md is another one; as it has to be it is in \(wanted.path())")
    }
}

@Suite("What the kernel may drop")
struct PushDownTests {
    static let pushed: [String] = ["chmod", "chown", "mmap-write", "removexattr", "setflags", "setxattr", "truncate", "utimes", "write"]

    @Test(arguments: [
        ("event.action == \"write\"", pushed.filter { $0 != "write" }),
        ("event.action != \"write\"", ["write"]),
        ("event.action in [\"write\", \"chmod\"] and file.path startswith \"/a\"", pushed.filter { $0 != "write" && $0 != "chmod" }),
        ("not event.action in [\"write\", \"chmod\"]", ["chmod", "write"]),
        ("event.action not in [\"write\"] and event.action != \"utimes\"", ["utimes", "write"]),
        ("event.category == \"process\"", pushed),
        ("event.category == \"driver\"", pushed),
        ("event.type == \"creation\" or event.action == \"write\" and user.id == 0", pushed.filter { $0 != "write" }),
        ("event.action == \"rename\" and process.name == \"x\"", pushed),
        ("(event.action == \"write\" or event.action == \"exec\") and not process.name == \"x\"", pushed.filter { $0 != "write" }),
        ("event.type != \"change\"", pushed),
        // Nothing is settled by the action alone.
        ("process.name == \"x\"", []),
        ("event.action == \"delete\" or process.pid == 0", []),
        ("not (event.action == \"write\" and process.pid == 0)", []),
        ("event.outcome == \"failure\"", []),
        ("event.kind == \"event\"", []),
    ])
    func unwantedActions(_ text: String, _ names: [String]) throws {
        let bits = try FilterExpression(text).unwantedFileActions
        let found = (0..<UInt32(32)).filter { bits & 1 << $0 != 0 }.compactMap { Action(fileAction: $0)?.rawValue }
        #expect(found.sorted() == names)
        #expect(bits.nonzeroBitCount == names.count)
    }

    /// No event of an action that is dropped would have passed.
    @Test func whatIsDroppedWouldNotHavePassed() throws {
        var records = RandomRecords(seed: 5)
        var dropped = 0
        for _ in 0..<2000 {
            let record = records.record()
            try records.withResolution { resolution, generator in
                let event = try parse(encode(record, resolution))
                let text = "(\(Naive.random(event, depth: 2, &generator).text(&generator))) and \(Self.onActions(&generator))"
                let expression = try FilterExpression(text)
                guard let action = Action(rawValue: event["event.action"]?.text ?? ""),
                    let number = (0..<UInt32(32)).first(where: { Action(fileAction: $0) == action }), expression.unwantedFileActions & 1 << number != 0
                else { return }
                dropped += 1
                let filter = Filter(expression)
                let passes = filter.passes(record: record.span.bytes, resolution)
                #expect(!passes, "\(text)")
            }
        }
        #expect(dropped > 100)
    }

    private static func onActions(_ generator: inout SplitMix64) -> String {
        let words = Action.allCases.shuffled(using: &generator).prefix(Int.random(in: 1...6, using: &generator)).map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        return generator.pick(["event.action in [\(words)]", "event.action not in [\(words)]", "not event.type == \"change\"", "event.category == \"file\""])
    }
}
