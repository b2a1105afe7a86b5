import Foundation
import KernelABI
import Testing

@testable import Events

/// Bytes that break careless writers.
enum Hostile {
    static let strings: [(name: String, bytes: [UInt8])] = [
        ("every byte", Array(0...255)),
        ("every byte but NUL, twice", Array(1...255) + Array(1...255).reversed()),
        ("quotes and backslashes", Array(#""\"\\"\u0000","a":"b"#.utf8)),
        ("lines", Array("a\nb\r\nc\u{2028}d\u{85}".utf8)),
        ("overlong slash", [0xc0, 0xaf, 0xe0, 0x80, 0xaf, 0xf0, 0x80, 0x80, 0xaf]),
        ("overlong NUL", [0xc0, 0x80]),
        ("surrogates", [0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf]),
        ("beyond Unicode", [0xf4, 0x90, 0x80, 0x80, 0xf5, 0x80, 0x80, 0x80, 0xff, 0xfe]),
        ("truncated two", [0x61, 0xc3]),
        ("truncated three", [0xe2, 0x82]),
        ("truncated four", [0xf0, 0x9f, 0x98]),
        ("truncated before ASCII", [0xf0, 0x9f, 0x98, 0x22, 0xe2, 0x82, 0x5c, 0xc3, 0x0a]),
        ("continuations alone", [0x80, 0xbf, 0x80]),
        ("limits of UTF-8", Array("\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10000}\u{10ffff}".utf8)),
        ("terminal", Array("\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}txt.exe".utf8)),
        ("32 KiB of 0xff", Array(repeating: 0xff, count: 32 << 10)),
        ("32 KiB of 0x01", Array(repeating: 0x01, count: 32 << 10)),
    ]

    /// What the kernel can carry of it in one path.
    static func path(_ bytes: [UInt8]) -> [UInt8] { Array(bytes.prefix(Int(HV_PATH_MAX))) }
    /// What can be one argument or one file name.
    static func withoutNul(_ bytes: [UInt8]) -> [UInt8] { bytes.filter { $0 != 0 } }
}

@Suite("Hostile bytes in every string")
struct HostileBytesTests {
    /// A field is the bytes with U+FFFD for what is no UTF-8, and where that happened the bytes are below `raw`.
    private func check(_ event: JSON, _ field: String, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(event[field]?.text == String(decoding: bytes, as: UTF8.self), "\(field)", sourceLocation: sourceLocation)
        let raw = event["hypervigil.raw.\(field)"]?.text
        if String(validating: bytes, as: UTF8.self) == nil {
            #expect(raw == Data(bytes).base64EncodedString(), "\(field)", sourceLocation: sourceLocation)
        } else {
            #expect(raw == nil, "\(field)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: Hostile.strings.indices)
    func exec(_ index: Int) throws {
        let hostile = Hostile.strings[index].bytes
        let path = Hostile.path(hostile)
        let name = Array(Hostile.withoutNul(hostile).prefix(15))
        let argument = Hostile.withoutNul(hostile)
        let arguments = [Array("sh".utf8), argument.dropLast(argument.count > 30000 ? 3000 : 0), [], Array("end".utf8)].map(Array.init)
        let event = try parse(
            encode(
                Records.exec(
                    executable: path, filename: path, interpreter: path, directory: path, cgroup: path, arguments: arguments,
                    actor: Records.actor(name: name, parentName: name))))
        check(event, "process.executable", path)
        check(event, "process.working_directory", path)
        check(event, "process.name", name)
        check(event, "process.parent.name", name)
        check(event, "hypervigil.process.filename", path)
        check(event, "hypervigil.process.interpreter", path)
        check(event, "hypervigil.process.cgroup.path", path)
        check(event, "process.command_line", Array(arguments.joined(separator: [0x20])))
        #expect(event["process.args"]?.texts == arguments.map { String(decoding: $0, as: UTF8.self) })
        let raw = event["hypervigil.raw.process.args"]?.texts
        if arguments.contains(where: { String(validating: $0, as: UTF8.self) == nil }) {
            #expect(raw == arguments.map { Data($0).base64EncodedString() })
        } else {
            #expect(raw == nil)
        }
    }

    @Test(arguments: Hostile.strings.indices)
    func file(_ index: Int) throws {
        let hostile = Hostile.path(Hostile.withoutNul(Hostile.strings[index].bytes))
        let inner = Array("/inner/".utf8) + hostile
        let actor = Array("/actor/".utf8) + hostile
        let host = Array("/host/".utf8) + hostile
        let target = Array("/target/".utf8) + hostile
        let bytes = Records.file(HV_FILE_RENAME, inner: inner, actorPath: actor, targetInner: inner, targetActor: actor)
        let event = try host.withUnsafeBytes { host in
            try target.withUnsafeBytes { target in
                var resolution = Resolution()
                (resolution.path, resolution.targetPath) = (host, target)
                return try parse(encode(bytes, resolution))
            }
        }
        check(event, "file.path", host)
        check(event, "file.target_path", target)
        let slash = try #require(host.lastIndex(of: UInt8(ascii: "/")))
        check(event, "file.directory", Array(host[..<slash]))
        check(event, "file.name", Array(host[(slash + 1)...]))
        check(event, "hypervigil.path.actor", actor)
        check(event, "hypervigil.path.inner", inner)
        check(event, "hypervigil.target.actor", actor)
        check(event, "hypervigil.target.inner", inner)
    }

    @Test(arguments: Hostile.strings.indices)
    func spelled(_ index: Int) throws {
        let hostile = Hostile.path(Hostile.withoutNul(Hostile.strings[index].bytes))
        let event = try parse(
            encode(
                Records.file(
                    HV_FILE_RENAME, actorPath: hostile, targetActor: hostile, name: hostile, targetName: hostile,
                    flags: HV_FILE_SPELLED | HV_FILE_TARGET_SPELLED)))
        let whole = hostile.first == UInt8(ascii: "/") ? hostile : hostile + (hostile.last == UInt8(ascii: "/") ? [] : [0x2f]) + hostile
        check(event, "file.path", whole)
        check(event, "file.target_path", whole)
        check(event, "hypervigil.path.spelled", hostile)
        check(event, "hypervigil.target.spelled", hostile)
    }

    @Test(arguments: Hostile.strings.indices)
    func texts(_ index: Int) throws {
        let hostile = Hostile.path(Hostile.withoutNul(Hostile.strings[index].bytes))
        let reversed = Array(hostile.reversed())
        let event = try parse(encode(Records.file(HV_FILE_MOUNT, text: hostile, text2: reversed)))
        check(event, "hypervigil.mount.source", hostile)
        check(event, "hypervigil.mount.type", reversed)
        check(try parse(encode(Records.file(HV_FILE_SETXATTR, text: hostile))), "hypervigil.change.xattr", hostile)
        check(try parse(encode(Records.file(HV_FILE_REMOVEXATTR, text: hostile))), "hypervigil.change.xattr", hostile)
        let link = try parse(encode(Records.file(HV_FILE_SYMLINK, actorPath: reversed, text: hostile)))
        check(link, "file.target_path", hostile)
        check(link, "file.path", reversed)
        #expect(link["hypervigil.target"] == nil, "what it points to is no object with paths of its own")
        let linked = try parse(encode(Records.file(HV_FILE_LINK, targetInner: Array("/inner/".utf8) + hostile, targetActor: hostile)))
        check(linked, "file.target_path", hostile)
        check(linked, "hypervigil.target.inner", Array("/inner/".utf8) + hostile)
    }

    /// A path that is told once and used twice.
    @Test(arguments: Hostile.strings.indices)
    func suffix(_ index: Int) throws {
        let hostile = Hostile.path(Hostile.withoutNul(Hostile.strings[index].bytes))
        let inner = Array("/i/".utf8) + hostile
        let flags = [UInt16(HV_STRING_SUFFIX), 0, UInt16(HV_STRING_SUFFIX)]
        let event = try parse(
            encode(
                Records.file(
                    HV_FILE_LINK, inner: inner, actorPath: Array("/mnt".utf8) + inner, targetInner: hostile, targetActor: inner,
                    name: Array("n".utf8), stringFlags: flags)))
        check(event, "file.path", Array("/mnt".utf8) + inner)
        check(event, "hypervigil.path.inner", inner)
        check(event, "file.target_path", inner)
        check(event, "hypervigil.target.inner", hostile)
        #expect(event["hypervigil.path.flags"]?.texts == ["unreachable"])
    }

    @Test(arguments: Hostile.strings.indices)
    func module(_ index: Int) throws {
        let hostile = Hostile.path(Hostile.strings[index].bytes)
        let event = try parse(
            encode(Records.module(name: hostile, arguments: hostile, file: hostile, inner: hostile, hint: hostile)))
        check(event, "hypervigil.module.name", hostile)
        check(event, "hypervigil.module.args", hostile)
        check(event, "hypervigil.module.file_hint", hostile)
        check(event, "file.path", hostile)
    }

    @Test(arguments: Hostile.strings.indices)
    func hostName(_ index: Int) throws {
        let name = String(decoding: Hostile.strings[index].bytes, as: UTF8.self)
        let event = try parse(encode(Records.exec(), hostName: name))
        #expect(event["host.name"]?.text == name)
    }

    /// The whole of a string's length matters: 0 to 40 bytes, with something special at each place.
    @Test(arguments: [UInt8(ascii: "\""), 0x00, 0x1f, 0x7f, 0x80, 0xc3, 0xff])
    func everyPlace(_ special: UInt8) throws {
        for length in 0...40 {
            for place in 0..<max(length, 1) {
                var bytes = (0..<length).map { UInt8(ascii: "a") + UInt8($0 % 26) }
                if length > 0 { bytes[place] = special }
                let event = try parse(encode(Records.exec(filename: bytes)))
                if length > 0 { check(event, "hypervigil.process.filename", bytes) }
            }
        }
    }

    @Test func emptyArguments() throws {
        #expect(try parse(encode(Records.exec(arguments: [[]])))["process.args"]?.texts == [""])
        #expect(try parse(encode(Records.exec(arguments: [[], []])))["process.args"]?.texts == ["", ""])
        let none = try parse(encode(Records.exec(arguments: [])))
        #expect(none["process.args"]?.texts == [] && none["process.args_count"]?.integer == 0)
        #expect(none["process.command_line"] == nil)
    }
}
