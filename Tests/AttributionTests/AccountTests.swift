import Testing

@testable import Attribution

private func parse(_ content: String, whole: Bool = true, limits: NameList.Limits = .host) -> [UInt32: String] {
    names(NameList.parse(Array(content.utf8), whole: whole, limits: limits), [0, 1, 2, 3, 10, 100, 1000, 4_294_967_294, .max])
}

private func names(_ list: NameList, _ ids: [UInt32]) -> [UInt32: String] {
    var names: [UInt32: String] = [:]
    for id in ids { names[id] = list[id].map(text) }
    return names
}

struct AccountTests {
    @Test(arguments: [
        ("root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:\n", [0: "root", 1000: "ann"] as [UInt32: String]),
        // The first of an id counts, wherever others stand.
        ("toor:x:0:0::/:\nroot:x:0:0::/:\nann:x:1:1::/:\nbob:x:1:1::/:", [0: "toor", 1: "ann"]),
        // group(5), without and with members, and a line without the last field.
        ("wheel:x:10:ann,bob\nstaff::100:\ncut:x:3", [10: "wheel", 100: "staff", 3: "cut"]),
        // nss_compat, comments, empty lines and names, and what is no number.
        ("+:x:1:\n-ann:x:2::\n#c:x:3:\n\n:x:10:\nann:x:-1:\nann:x: 2:\nann:x:0x2:\nann:x::\nann:x\nann\n", [3: "#c"]),
        ("max:x:4294967294:1:\nnone:x:4294967295:1:\nmore:x:4294967296:1:\nlong:x:00000000001:1:", [4_294_967_294: "max"]),
        ("a\u{0}b:x:1:1:\nc:x:2:1:", [2: "c"]),
        ("", [:]),
    ])
    func accounts(_ content: String, _ expected: [UInt32: String]) {
        #expect(parse(content) == expected)
    }

    @Test func lastLineOfACutFileIsNone() {
        #expect(parse("ann:x:1:1::\nbob:x:10", whole: false) == [1: "ann"])
        #expect(parse("ann:x:1:1::\nbob:x:10") == [1: "ann", 10: "bob"])
    }

    @Test func longNamesAreNone() {
        let longest = String(repeating: "n", count: 255)
        #expect(parse("\(longest):x:1:\n\(longest)n:x:2:") == [1: longest])
    }

    @Test func limits() {
        let many = (0..<20).map { "n\($0 % 10):x:\($0):\n" }.joined()
        #expect(NameList.parse(Array(many.utf8), limits: .init(entries: 5, bytes: 1000)).count == 5)
        #expect(NameList.parse(Array(many.utf8), limits: .init(entries: 100, bytes: 7)).count == 3)
    }

    @Test func sameness() {
        func list(_ content: String) -> NameList { NameList.parse(Array(content.utf8), limits: .host) }
        #expect(list("a:x:1:\nb:x:2:").isSame(as: list("b:x:2:\na:x:1:")))
        #expect(!list("a:x:1:").isSame(as: list("b:x:1:")))
        #expect(!list("a:x:1:").isSame(as: list("a:x:2:")))
        #expect(!list("a:x:1:").isSame(as: .empty))
    }

    /// Against a plain reading of the same lines.
    @Test func fuzz() {
        var random = SeededGenerator(seed: 4)
        let pieces = ["a", "bob", ":", ":", ":", "x", "0", "1", "2", "10", "\n", "\n", "-", "+", "\u{0}", "99999999999", "4294967294", "\nc:x:1:", "\nd:x:2"].map { Array($0.utf8) }
        var found = 0
        for _ in 0..<5000 {
            var content: [UInt8] = []
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                if Int.random(in: 0..<20, using: &random) == 0 { content.append(.random(in: 0...255, using: &random)) }
                content += pieces.randomElement(using: &random).unsafelyUnwrapped
            }
            var expected: [UInt32: [UInt8]] = [:]
            for line in content.split(separator: 0x0a) {
                let fields = line.split(separator: 0x3a, maxSplits: 3, omittingEmptySubsequences: false)
                guard fields.count >= 3, let first = fields[0].first, first != 0x2b, first != 0x2d, !fields[0].contains(0),
                    fields[2].count <= 10, fields[2].allSatisfy({ (0x30...0x39).contains($0) }),
                    let id = UInt32(String(decoding: fields[2], as: UTF8.self)), id != .max, expected[id] == nil
                else { continue }
                expected[id] = Array(fields[0])
            }
            let list = NameList.parse(content, limits: .host)
            #expect(list.count == expected.count)
            for (id, name) in expected { #expect(list[id].map { Array($0) } == name) }
            found += expected.count
        }
        #expect(found > 1000)
    }
}

struct IDMapTests {
    static let maps: [(String, [(UInt32, UInt32?)])] = [
        ("         0          0 4294967295\n", [(0, 0), (1000, 1000), (4_294_967_294, 4_294_967_294), (.max, nil)]),
        ("0 1000 1\n1 100000 65536\n", [(1000, 0), (999, nil), (1001, nil), (100_000, 1), (165_535, 65536), (165_536, nil), (0, nil)]),
        ("5 10 2\n0 12 5\n", [(9, nil), (10, 5), (11, 6), (12, 0), (16, 4), (17, nil)]),
        ("", [(0, nil)]),
        ("0 0\n", [(0, nil)]),
        ("0 0 10 7\n", [(0, nil)]),
        ("0 a 10\n", [(0, nil)]),
        ("0 4294967295 2\n", [(.max, nil)]),
        ("4294967295 0 2\n", [(0, nil)]),
    ]

    @Test(arguments: maps)
    func translation(_ map: String, _ pairs: [(UInt32, UInt32?)]) {
        let map = IDMap(parsing: Array(map.utf8))
        for (host, inner) in pairs { #expect(map.inner(host) == inner, "\(host)") }
    }

    @Test func longMapsAreNone() {
        func lines(_ count: Int) -> [UInt8] { Array((0..<count).map { "\($0) \($0 * 2) 1\n" }.joined().utf8) }
        #expect(IDMap(parsing: lines(340)).inner(678) == 339)
        #expect(IDMap(parsing: lines(341)).isEmpty)
    }

    @Test func mutations() {
        var random = SeededGenerator(seed: 5)
        let original = Array("0 1000 1\n1 100000 65536\n".utf8)
        for _ in 0..<20_000 {
            var content = original
            for _ in 0..<3 { content[Int.random(in: 0..<content.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            let map = IDMap(parsing: content)
            for host in [0, 1000, 100_000, UInt32.max] { _ = map.inner(host) }
        }
    }
}

struct MountTypeTests {
    static let lines: [(String, String?)] = [
        ("22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n", "ext4"),
        ("21 1 8:1 / / rw - xfs x rw\n22 1 8:1 / / rw,relatime - overlay overlay rw\n", "overlay"),
        ("22 1 8:1 / / rw shared:1 master:2 - fuse.sshfs x rw\n", "fuse.sshfs"),
        ("23 1 8:1 / / rw - ext4 x rw\n", nil),
        ("22 1 8:1 / / rw ext4 x rw\n", nil),
        // A tenant's source or mount point that reads like a type.
        ("22 1 8:1 / - ext4 - fuse x rw\n", "fuse"),
        ("22 1 8:1 / / rw -\n22 1 8:1 / / rw - ext4 x rw", nil),
        ("22 22 22", nil),
        ("", nil),
    ]

    @Test(arguments: lines)
    func byMount(_ mountinfo: String, _ type: String?) {
        #expect(RealmLook.type(mount: 22, Array(mountinfo.utf8)).map { String(decoding: $0, as: UTF8.self) } == type)
    }

    @Test func byDevice() {
        let mountinfo = Array("1 0 8:1 / / rw - ext4 x rw\n2 1 0:5000 / /a rw - fuse x rw\n3 1 x:1 / /b rw - xfs x rw\n4 1 4294967295:1 / /b rw - xfs x rw\n".utf8)
        func type(_ major: UInt32, _ minor: UInt32) -> String? {
            RealmLook.type(device: major << 20 | minor, mountinfo).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(type(8, 1) == "ext4" && type(0, 5000) == "fuse" && type(8, 2) == nil)
    }
}
