import Testing

@testable import Probes

@Suite("Patterns of paths")
struct GlobTests {
    /// The shortest part of the path that is matched.
    private func match(_ pattern: String, _ path: String) -> String? {
        guard let glob = Glob(Array(pattern.utf8)) else { return nil }
        return glob.match(Array(path.utf8)).map { String(decoding: Array(path.utf8)[..<$0], as: UTF8.self) }
    }

    @Test(arguments: [
        ("/etc/cron*", "/etc/cron.d/job", "/etc/cron.d"), ("/etc/cron*", "/etc/cron", "/etc/cron"), ("/etc/cron*", "/etc/acron", nil),
        ("/home/*/.ssh/authorized_keys*", "/home/u/.ssh/authorized_keys2", "/home/u/.ssh/authorized_keys2"),
        ("/home/*/.ssh/authorized_keys*", "/home/u/v/.ssh/authorized_keys", nil), ("/home/*/.ssh/authorized_keys*", "/home/u", nil),
        ("/usr/lib/*/libvirt/**/*.so*", "/usr/lib/x/libvirt/a.so.1", "/usr/lib/x/libvirt/a.so.1"),
        ("/usr/lib/*/libvirt/**/*.so*", "/usr/lib/x/libvirt/b/c/a.so", "/usr/lib/x/libvirt/b/c/a.so"),
        ("/usr/lib/*/libvirt/**/*.so*", "/usr/lib/x/libvirt/b/c/a.o", nil), ("/**/x", "/x", "/x"), ("/**/x", "/a/b/x/c", "/a/b/x"),
        ("/a/**/b/**/c", "/a/b/x/c", "/a/b/x/c"), ("/a/**/b/**/c", "/a/x/c", nil), ("/a?", "/ab/c", "/ab"), ("/a?", "/a", nil),
        ("/[a-c]x", "/bx", "/bx"), ("/[!a-c]x", "/bx", nil), ("/[^a-c]x", "/dx", "/dx"), ("/[]x]", "/]", "/]"), ("/[a-]", "/-", "/-"),
        ("/a[", "/a[", nil), ("/*[", "/a[", "/a["), ("/\\**", "/*a", "/*a"), ("/\\**", "/ba", nil), ("/*", "/.hidden", "/.hidden"), ("/*", "/", nil),
        ("/*/", "/a", "/a"), ("/x/*/**", "/x/y/z", "/x/y"), ("/*\u{00FF}", "/a\u{00FF}", "/a\u{00FF}"),
    ] as [(String, String, String?)])
    func matches(pattern: String, path: String, expected: String?) { #expect(match(pattern, path) == expected) }

    @Test("what names one object, or all below one, is no pattern", arguments: [
        ("/etc", "/etc"), ("/etc/**", "/etc"), ("/etc/**/**", "/etc"), ("/a\\*b", "/a*b"), ("/a\\b", "/a\\b"), ("/**", "/"),
    ])
    func plain(pattern: String, path: String) {
        #expect(Glob(Array(pattern.utf8)) == nil)
        #expect(Glob.plain(Array(pattern.utf8)) == Array(path.utf8))
    }

    @Test("the fixed folder, and another in its place")
    func fixed() throws {
        let glob = try #require(Glob(Array("/lib/x/*/security/*.so".utf8)))
        #expect(glob.fixed == Array("/lib/x".utf8))
        let moved = glob.moved(to: Array("/usr/lib".utf8))
        #expect(moved.fixed == Array("/usr/lib".utf8))
        #expect(moved.match(Array("/usr/lib/gnu/security/a.so".utf8)) != nil)
        #expect(moved.match(Array("/lib/x/gnu/security/a.so".utf8)) == nil)
    }

    /// Steps are bounded by the product of the lengths: these would never end where every choice of every `*` is tried.
    @Test(.timeLimit(.minutes(1)))
    func hostilePatterns() throws {
        let stars = try #require(Glob(Array(("/" + String(repeating: "*a", count: 120) + "b").utf8)))
        #expect(stars.match(Array(("/" + String(repeating: "a", count: 4000)).utf8)) == nil)
        let folders = try #require(Glob(Array((String(repeating: "/**/a", count: 100) + "/b").utf8)))
        #expect(folders.match(Array(String(repeating: "/a", count: 2000).utf8)) == nil)
    }

    /// The plainest matcher there is: tries everything.
    private func slow(_ parts: ArraySlice<Substring>, _ names: ArraySlice<Substring>) -> Bool {
        guard let part = parts.first else { return true }
        if part == "**" { return slow(parts.dropFirst(), names) || !names.isEmpty && slow(parts, names.dropFirst()) }
        guard let name = names.first else { return false }
        return slow(Array(part)[...], Array(name)[...]) && slow(parts.dropFirst(), names.dropFirst())
    }
    private func slow(_ part: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
        guard let first = part.first else { return name.isEmpty }
        if first == "*" { return slow(part.dropFirst(), name) || !name.isEmpty && slow(part, name.dropFirst()) }
        guard let letter = name.first else { return false }
        return (first == "?" || first == letter) && slow(part.dropFirst(), name.dropFirst())
    }

    @Test("random patterns match as the plainest matcher says", arguments: 0..<8)
    func random(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var hits = 0
        var patterns = 0
        for _ in 0..<4000 {
            let pattern = (0...next(4)).map { _ in next(4) == 0 ? "**" : (0...next(3)).map { _ in ["a", "b", "*", "?"][next(4)] }.joined().replacingOccurrences("**", "*") }
            let path = (0...next(5)).map { _ in (0...next(3)).map { _ in ["a", "b"][next(2)] }.joined() }
            guard let glob = Glob(Array(("/" + pattern.joined(separator: "/")).utf8)) else { continue }
            patterns += 1
            let names = path.map { Substring($0) }
            var parts = pattern.map { Substring($0) }[...]
            while parts.last == "**" { parts.removeLast() }
            let found = glob.match(Array(("/" + path.joined(separator: "/")).utf8)) != nil
            #expect(found == slow(parts, names[...]), "\(pattern) \(path)")
            if found { hits += 1 }
        }
        #expect(hits > 300 && hits < patterns - 300)
    }

    @Test("no bytes make it fall", arguments: 0..<4)
    func noise(seed: UInt64) {
        var state = seed &+ 99
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let letters: [UInt8] = Array("/*?[]!^-\\a\u{1}".utf8) + [0xff, 0]
        for _ in 0..<20_000 {
            let pattern = [0x2f] + (0..<next(12)).map { _ in letters[next(letters.count)] }
            let path = [0x2f] + (0..<next(12)).map { _ in letters[next(letters.count)] }
            if let end = Glob(pattern)?.match(path) { #expect(end <= path.count) }
        }
    }
}

extension String {
    fileprivate func replacingOccurrences(_ text: String, _ other: String) -> String {
        var result = self
        while let range = result.firstRange(of: text) { result.replaceSubrange(range, with: other) }
        return result
    }
}

@Suite("Watched names with patterns: the nearest entry decides")
struct WatchPatternTests {
    private func paths(_ entries: [(String, Bool)]) -> WatchPaths {
        var paths = WatchPaths()
        for (path, watched) in entries { paths.add(path, watched: watched) }
        return paths
    }

    @Test(arguments: [
        ("/etc/a", true), ("/etc/a.tmp", false), ("/etc/x/b.tmp", false), ("/etc/x/b.tmp/c", false), ("/etc/keep.tmp", true), ("/srv/v1/conf", true),
        ("/srv/v1/data", false), ("/srv/v1/conf/d", true), ("/srv/secret/conf", false), ("/", false),
    ])
    func nearest(path: String, watched: Bool) {
        let paths = paths([
            ("/etc/**", true), ("/etc/**/*.tmp", false), ("/etc/keep.tmp", true), ("/srv/*/conf", true), ("/srv/secret/conf", false),
        ])
        #expect(paths.contains(Array(path.utf8)) == watched)
    }

    @Test("of entries for the same path the later decides")
    func later() {
        #expect(!paths([("/a", true), ("/a", false)]).contains(Array("/a/b".utf8)))
        #expect(paths([("/a/*", false), ("/a/b*", true)]).contains(Array("/a/bc".utf8)))
        #expect(!paths([("/a/b*", true), ("/a/*", false)]).contains(Array("/a/bc".utf8)))
    }

    @Test func actions() {
        var paths = WatchPaths()
        paths.add(Array("/disks".utf8), .init(item: 3, watched: true, unwanted: 1 << 2))
        #expect(!paths.wants(Array("/disks/x".utf8), action: 2))
        #expect(paths.wants(Array("/disks/x".utf8), action: 3))
        #expect(!paths.wants(Array("/other".utf8), action: 3))
    }

    @Test("many entries are found as few are")
    func many() {
        var paths = WatchPaths()
        for index in 0..<50_000 { paths.add(Array("/srv/\(index % 250)/\(index)".utf8), .init(item: index, watched: index % 2 == 0, unwanted: 0)) }
        for index in stride(from: 0, to: 50_000, by: 7) {
            #expect(paths.decide(Array("/srv/\(index % 250)/\(index)/below/it".utf8))?.item == index)
            #expect(paths.decide(Array("/srv/\(index % 250)/\(index)x".utf8)) == nil)
        }
    }
}
