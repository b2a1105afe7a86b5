import Glibc
import KernelABI
import Rings
import Testing

@testable import Events

private func render(_ record: [UInt8], width: Int? = nil, color: Bool = false, _ resolution: Resolution = Resolution()) -> String {
    var renderer = TextRenderer(color: color, width: width, realtimeOffset: Records.offset)
    var writer = ByteWriter(capacity: 64)
    // The user of the records' actor, unless the caller knows better.
    let alice = Array("alice".utf8)
    alice.withUnsafeBytes { name in
        var facts = ActorFacts()
        facts.version = 1
        if ActorView(record.span.bytes)?.uid == 1000 { facts.userName = name }
        withUnsafePointer(to: facts) { facts in
            var known = copy resolution
            if known.actor == nil { known.actor = facts }
            renderer.render(record: record.span.bytes, known, into: &writer)
        }
    }
    return writer.withBytes { String(decoding: $0, as: UTF8.self) }
}

/// What is behind the time, which depends on where the test runs.
private func rest(_ line: String) -> String { String(line.dropFirst(14)) }

@Suite("Text for people")
struct TextTests {
    @Test(arguments: [
        (Records.exec(), "exec           alice      bash[1234]               bash -c 'echo hi'\n"),
        (Records.exec(arguments: [], error: -2), "exec           alice      bash[1234]               ./bash  ENOENT\n"),
        (Records.exec(flags: HV_EXEC_FILELESS), "exec           alice      bash[1234]               [fileless] bash -c 'echo hi'\n"),
        (Records.fork(), "fork           alice      bash[1234]               by sshd[1000]\n"),
        (Records.exit(status: 3 << 8), "exit           alice      bash[1234]               code 3\n"),
        (Records.exit(status: 0x80 | 11), "exit           alice      bash[1234]               killed by SIGSEGV, core dumped\n"),
        (Records.exit(status: 64), "exit           alice      bash[1234]               killed by signal 64\n"),
        (Records.file(), "write          alice      bash[1234]               /etc/passwd\n"),
        (
            Records.file(HV_FILE_DELETE, flags: HV_FILE_PENDING),
            "delete         alice      bash[1234]               /etc/passwd  result unknown\n"
        ),
        (
            Records.file(HV_FILE_RENAME, targetInner: Array("/b".utf8), targetActor: Array("/b".utf8), stringFlags: [1]),
            "rename         alice      bash[1234]               /etc/passwd -> /b\n"
        ),
        (Records.file(HV_FILE_TRUNCATE) { $0.value = 1 }, "truncate       alice      bash[1234]               /etc/passwd (1234376 to 1 byte)\n"),
        (Records.file(HV_FILE_TRUNCATE, error: -1), "truncate       alice      bash[1234]               /etc/passwd  EPERM\n"),
        (
            Records.file(HV_FILE_TRUNCATE, flags: HV_FILE_PENDING) { $0.value = .max },
            "truncate       alice      bash[1234]               /etc/passwd  result unknown\n"
        ),
        (Records.file(HV_FILE_LINK, targetActor: Array("/b".utf8)), "link           alice      bash[1234]               /etc/passwd -> /b\n"),
        (
            Records.made(HV_FILE_SYMLINK, text: Array("../b".utf8)),
            "symlink        alice      bash[1234]               /etc/passwd -> ../b  result unknown\n"
        ),
        (Records.file(HV_FILE_MKDIR), "mkdir          alice      bash[1234]               /etc/passwd\n"),
        (Records.file(HV_FILE_RMDIR), "rmdir          alice      bash[1234]               /etc/passwd\n"),
        (
            Records.file(HV_FILE_MKNOD) { ($0.value, $0.value_2) = (0o060660, 8 << 20 | 1) },
            "mknod          alice      bash[1234]               /etc/passwd (block 8:1)\n"
        ),
        (Records.file(HV_FILE_MKNOD) { $0.value = 0o010660 }, "mknod          alice      bash[1234]               /etc/passwd\n"),
        (Records.file(HV_FILE_CHMOD) { $0.value = 0o4755 }, "chmod          alice      bash[1234]               /etc/passwd (0644 to 4755)\n"),
        (
            Records.file(HV_FILE_CHOWN) { ($0.value, $0.value_2) = (1000, .max) },
            "chown          alice      bash[1234]               /etc/passwd (0:0 to 1000:)\n"
        ),
        (Records.file(HV_FILE_UTIMES), "utimes         alice      bash[1234]               /etc/passwd\n"),
        (
            Records.file(HV_FILE_SETXATTR, text: Array("user.a".utf8)) { $0.value = 12 },
            "setxattr       alice      bash[1234]               /etc/passwd user.a (12 bytes)\n"
        ),
        (
            Records.file(HV_FILE_REMOVEXATTR, text: Array("user.a".utf8)) { $0.value = 12 },
            "removexattr    alice      bash[1234]               /etc/passwd user.a\n"
        ),
        (
            Records.file(HV_FILE_SETFLAGS) { ($0.value, $0.value_2) = (0x90, 0x20) },
            "setflags       alice      bash[1234]               /etc/passwd +immutable +noatime -append\n"
        ),
        (
            Records.file(HV_FILE_SETFLAGS) { ($0.value, $0.value_2) = (0x10, .max) },
            "setflags       alice      bash[1234]               /etc/passwd +immutable\n"
        ),
        (Records.file(HV_FILE_MMAP_WRITE), "mmap-write     alice      bash[1234]               /etc/passwd\n"),
        (
            Records.file(HV_FILE_MOUNT, text: Array("/dev/sda1".utf8), text2: Array("ext4".utf8)) { $0.value = 3 },
            "mount          alice      bash[1234]               /dev/sda1 on /etc/passwd type ext4 (ro nosuid)\n"
        ),
        (
            Records.file(HV_FILE_MOUNT, text: Array("/srv".utf8)) { ($0.value, $0.value_2) = (0x5000, UInt64(HV_MOUNT_BIND.rawValue)) },
            "mount          alice      bash[1234]               /srv on /etc/passwd (bind rec)\n"
        ),
        (
            Records.file(HV_FILE_MOUNT) { $0.value_2 = UInt64(HV_MOUNT_PIVOT_ROOT.rawValue) },
            "mount          alice      bash[1234]               /etc/passwd (pivot_root)\n"
        ),
        (Records.file(HV_FILE_MOUNT), "mount          alice      bash[1234]               /etc/passwd\n"),
        (Records.file(HV_FILE_UMOUNT), "umount         alice      bash[1234]               /etc/passwd\n"),
        (Records.file(HV_FILE_PARAMETER) { $0.value = 5 }, "kernel-parameter alice      bash[1234]               /etc/passwd (5 bytes)\n"),
        (Records.module(), "module-load    alice      bash[1234]               dummy numdummies=2 from /lib/modules/dummy.ko\n"),
        (
            Records.module(hint: Array("/x.ko".utf8), source: HV_MODULE_SOURCE_MEMORY, error: -1),
            "module-load    alice      bash[1234]               dummy numdummies=2 from memory, perhaps /x.ko  EPERM\n"
        ),
        (Records.module(HV_MODULE_REQUEST), "module-request alice      bash[1234]               dummy\n"),
    ])
    func line(_ record: [UInt8], _ expected: String) { #expect(rest(render(record)) == expected) }

    @Test func timeIsLocal() {
        var seconds = time_t((Records.offset + 1_000_123_456_789) / 1_000_000_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var expected = [CChar](repeating: 0, count: 32)
        strftime(&expected, 32, "%H:%M:%S", &parts)
        let clock = expected.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        #expect(render(Records.exec()).hasPrefix("\(clock).123  exec"))
    }

    /// Who has become another user is told by both, the person first.
    @Test func personAndUser() {
        var actor = Records.actor()
        (actor.uid, actor.login_uid) = (0, 1000)
        #expect(rest(render(Records.exit(actor: actor))).hasPrefix("exit           1000/0     bash"))
    }

    @Test func unknownUserIsANumber() {
        var actor = Records.actor()
        (actor.uid, actor.login_uid) = (4_000_000_000, .max)
        #expect(rest(render(Records.exit(actor: actor))).hasPrefix("exit           4000000000 bash"))
    }

    /// No control character, no byte that is no text, nothing that turns the direction of text; and one line.
    @Test(arguments: Hostile.strings.indices)
    func hostile(_ index: Int) {
        let bytes = Hostile.strings[index].bytes
        let path = Hostile.path(bytes)
        let name = Array(Hostile.withoutNul(bytes).prefix(15))
        for record in [
            Records.exec(filename: path, arguments: [Array(bytes.prefix(30000))], actor: Records.actor(name: name)),
            Records.exec(filename: path, arguments: [], error: -2),
            Records.file(HV_FILE_RENAME, actorPath: path, targetActor: path, name: path, flags: HV_FILE_SPELLED),
            Records.file(HV_FILE_MOUNT, actorPath: path, text: path, text2: path),
            Records.file(HV_FILE_SYMLINK, actorPath: path, text: path),
            Records.file(HV_FILE_SETXATTR, actorPath: path, text: path),
            Records.module(name: path, arguments: path, file: path, hint: path),
            Records.fork(actor: Records.actor(name: name, parentName: name)),
        ] {
            for width in [nil, 80, 1] as [Int?] {
                let line = render(record, width: width)
                #expect(line.last == "\n" && !line.dropLast().contains("\n"))
                for scalar in line.unicodeScalars.dropLast() {
                    let category = scalar.properties.generalCategory
                    let harmless = ![.control, .format, .lineSeparator, .paragraphSeparator, .surrogate].contains(category)
                    #expect(harmless, "U+\(String(scalar.value, radix: 16))")
                }
            }
        }
    }

    @Test func escapesCanBeSeen() {
        let line = render(Records.file(actorPath: Array("/a\u{1b}[2J\n\\x1b".utf8) + [0xff] + Array("\u{202e}é".utf8)))
        #expect(line.contains(#"/a\x1b[2J\n\\x1b\xff\u{202e}é"#))
    }

    @Test(arguments: [81, 100, 120, 200])
    func fitsTheTerminal(_ width: Int) {
        let long = Array("/a/very/long/path/".utf8) + Array(repeating: UInt8(ascii: "x"), count: 300) + Array("/its-name".utf8)
        for record in [
            Records.exec(arguments: [long]), Records.exec(arguments: [long], error: -13), Records.file(actorPath: long),
            Records.file(HV_FILE_RENAME, actorPath: long, targetActor: long),
            Records.file(HV_FILE_RENAME, actorPath: Array("/a".utf8), targetActor: long),
            Records.file(HV_FILE_PARAMETER, actorPath: long) { $0.value = .max },
        ] {
            let line = render(record, width: width)
            // The object has 24 columns at least, and a failure's name its own.
            #expect(line.unicodeScalars.count - 1 <= max(width, 65 + 24 + 16))
            #expect(line.contains("…") && line.contains("name"))
        }
        #expect(!render(Records.file(actorPath: long)).contains("…"))
    }

    @Test func wideCharactersCountTwice() {
        let name = Array("/\(String(repeating: "漢", count: 60))".utf8)
        let line = render(Records.file(actorPath: name), width: 100)
        let columns = line.dropLast().unicodeScalars.reduce(0) { $0 + ($1 == "漢" ? 2 : 1) }
        #expect(columns <= 100 && columns >= 98)
    }

    @Test func colourOnlyWhenAsked() {
        #expect(!render(Records.exec(error: -13)).contains("\u{1b}"))
        let line = render(Records.exec(error: -13), color: true)
        #expect(line.contains("\u{1b}[32mexec\u{1b}[0m") && line.contains("\u{1b}[31mEACCES\u{1b}[0m"))
    }

    @Test func monitorEvents() {
        var renderer = TextRenderer(color: false, width: nil, realtimeOffset: Records.offset)
        var writer = ByteWriter()
        for event in Samples.monitor { renderer.render(event, into: &writer) }
        let lines = writer.withBytes { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").map { rest(String($0)) }
        #expect(lines.count == Samples.monitor.count)
        #expect(lines[3] == "lost                      hypervigil               12 events lost: ring full")
        #expect(lines[2].hasSuffix(#"file_update_time: EPERM: no "fentry"\n"#))
    }
}
